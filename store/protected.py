"""Reading a store where nothing may be written: a folder of another person's, a read-only medium.

A database with a write-ahead log wants to make files beside itself even to be read. Where it cannot, it is
opened as a file that does not change; where that would leave out what stands in the log, or its schema or
views are older than ours, a copy in a temporary folder is read instead. Nothing is ever written in place.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from clipbench.errors import StoreError
from clipbench.home import Home
from clipbench.store.connect import BUSY_SECONDS
from clipbench.store.sqlite_errors import translated
from clipbench.store.upgrade import not_for_you, schema_of, upgrade


@dataclass(frozen=True, slots=True)
class Source:
    """How to open a database that is only read: its URI, and what to say of it to the user."""

    uri: str
    note: str


def may_write(home: Home) -> bool:
    """Whether this user may change the store that is at `home`."""
    return os.access(home.root, os.W_OK | os.X_OK) and os.access(home.database, os.W_OK)


def is_there(home: Home) -> bool:
    """Whether there is a database file. Raises StoreError where this user may not even look."""
    try:
        return home.database.is_file()
    except PermissionError:
        raise StoreError(
            f"{home.root} may not be looked into by you", "ask its owner, or name another folder with --store"
        ) from None


def check_place(home: Home) -> None:
    """Raise StoreError where no store can be made, naming the folder that forbids it."""
    place = home.root
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise StoreError(
            f"the store at {home.root}: nothing may be written in {place}",
            "choose a folder you can write to with --store",
        )


def refusal(home: Home) -> StoreError:
    """Return the error for a command that would write where nothing may be written."""
    if not os.access(home.database, os.R_OK):
        return not_for_you(home.database)
    return StoreError(
        f"the store at {home.root}: nothing may be written there",
        f"clipbench store backup COPY --store {quote(str(home.root))} makes a copy, then --store COPY",
    )


def read_only(home: Home) -> Source:
    """Return how to read the store at `home` without writing there.

    Raises StoreError where there is none, it is of a newer schema, or a copy is needed and cannot be made.
    """
    plain = f"{home.database.absolute().as_uri()}?mode=ro"
    fixed = f"{plain}&immutable=1"
    log = home.database.with_name(f"{home.database.name}-wal")
    if _opens(plain):
        uri = plain
    elif log.exists() and log.stat().st_size:
        return _copied(home, "its log holds changes that can only be read in a copy")
    else:
        uri = fixed
    schema = schema_of(home.database, uri=uri)
    if schema.revision is None:
        raise no_store(home)
    if not schema.current:
        return _copied(home, "it is of an older clipbench, so an upgraded copy is read", uri)
    return Source(uri, "read only: nothing may be written there")


def no_store(home: Home) -> StoreError:
    """Return the error for a folder without a store."""
    return StoreError(f"there is no store at {home.root}", "clipbench dataset add, or --store PATH")


def _opens(uri: str) -> bool:
    """Whether SQLite can read the database that way: without the right to make its files it cannot."""
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            return False
        raise
    return True


def _copied(home: Home, why: str, uri: str | None = None) -> Source:
    """Return a copy of the database in a folder that is gone when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="clipbench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = Home(folder)
    with translated(folder):
        if uri is None:
            for end in ("", "-wal"):
                name = home.database.name + end
                shutil.copyfile(home.database.with_name(name), copy.database.with_name(name))
        else:
            with (
                closing(sqlite3.connect(uri, uri=True)) as source,
                closing(sqlite3.connect(copy.database)) as to,
            ):
                source.backup(to)
        if schema_of(copy.database).revision is None:
            raise no_store(home)
        upgrade(copy)
    return Source(f"{copy.database.as_uri()}?mode=ro", f"read only: nothing may be written there, and {why}")
