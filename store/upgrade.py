"""Bringing a database to the newest schema: which revision is there, a backup, the revisions, the rest.

Knows Alembic, which it imports only where there is something to upgrade, and no table. Everything
happens in one immediate transaction, so of two processes that open an old store at once one upgrades
and the other waits and finds it done, and a process killed midway leaves the old store.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Engine

import clipbench
from clipbench.errors import StoreError
from clipbench.home import TEMPORARY, Home
from clipbench.store import clock, digests, triggers, views
from clipbench.store.connect import BUSY_SECONDS, connect

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
"""Every schema revision, oldest first. A test holds this equal to the modules in `clipbench.migrations`."""

SCRIPTS = Path(__file__).parent.with_name("migrations")
"""Folder of the Alembic revisions."""

APPLICATION = 0x636C6962
"""SQLite's application id of a store ("clib"), by which it is told from other programs' databases."""

_DERIVED_SQL = "\n".join(
    [*triggers.statements(), *(f"{name} {view.sql}" for name, view in views.VIEWS.items())]
)
DERIVED = zlib.crc32(_DERIVED_SQL.encode()) & 0x7FFFFFFF
"""Digest of our triggers and views, kept as SQLite's user version: they are made anew where it differs."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What is in a database file: its revision (None for nothing yet) and the digest of its views."""

    revision: str | None
    derived: int = 0

    @property
    def current(self) -> bool:
        """Whether this clipbench can use it as it is."""
        return self.revision == REVISIONS[-1] and self.derived == DERIVED


def schema_of(database: Path, revisions: Sequence[str] = REVISIONS, *, uri: str | None = None) -> Schema:
    """Return what is in `database` without changing it; revision None for no file or an empty one.

    uri: how SQLite is to open it. Raises StoreError for a file that is no SQLite database, may not be read,
    is another program's, or of a newer schema.
    """
    try:
        if not stat.S_ISREG(database.stat().st_mode) and not database.is_dir():
            raise _not_a_store(database, "is no regular file")  # to open a pipe would wait for ever
        with database.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        return Schema(None)
    except IsADirectoryError:
        raise _not_a_store(database, "is a folder") from None
    except NotADirectoryError:
        raise _not_a_folder(database.parent) from None
    except PermissionError:
        raise not_for_you(database) from None
    if not head:  # another process has only just made it
        return Schema(None)
    if head != b"SQLite format 3\0":
        raise _not_a_store(database, "is not an SQLite file")
    uri = uri or f"{database.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        return _schema_in(connection, database, revisions)


def _schema_in(connection: sqlite3.Connection, database: Path, revisions: Sequence[str]) -> Schema:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return Schema(None)
    application, derived = (
        connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in ("application_id", "user_version")
    )
    if application != APPLICATION or "alembic_version" not in tables:
        raise _not_a_store(
            database, f"is another program's database (it holds {', '.join(sorted(tables)[:3])})"
        )
    found = [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]
    if len(found) != 1:
        raise StoreError(f"{database} names {len(found)} schema revisions, not one", "clipbench store verify")
    if found[0] not in revisions:
        raise StoreError(
            f"the store at {database.parent} has schema {found[0]}, "
            f"and clipbench {clipbench.__version__} knows none newer than {revisions[-1]}",
            "pip install --upgrade clipbench, or name another folder with --store",
        )
    return Schema(found[0], derived)


def not_for_you(database: Path) -> StoreError:
    """Return the error for a database whose permissions forbid reading."""
    return StoreError(
        f"{database} may not be read by you", "ask its owner, or name another folder with --store"
    )


def _not_a_folder(place: Path) -> StoreError:
    while not place.exists():
        place = place.parent
    return StoreError(f"{place} is a file, and a store is a folder", "name a folder with --store")


def _not_a_store(database: Path, what: str) -> StoreError:
    return StoreError(f"{database} {what}, so it is left alone", "name another folder with --store")


def upgrade(home: Home, *, scripts: Path = SCRIPTS, revisions: Sequence[str] = REVISIONS) -> Path | None:
    """Bring the database of `home` to the newest revision, or make it, and return the backup made first.

    None where there was nothing to keep. Raises StoreError and leaves the database as it was where a
    revision fails or leaves rows that point nowhere.
    """
    # A table that is rebuilt is dropped first; with foreign keys on, that deletes the rows that point
    # at it. They cannot be turned off inside a transaction, so this engine never turns them on.
    engine = connect(home.database, foreign_keys=False)
    with newest_schema(home, engine, scripts=scripts, revisions=revisions) as (_, backup):
        return backup


@contextmanager
def newest_schema(
    home: Home, engine: Engine, *, scripts: Path = SCRIPTS, revisions: Sequence[str] = REVISIONS
) -> Iterator[tuple[Connection, Path | None]]:
    """Give a connection that alone may write, to a database of the newest schema, and the backup made first.

    The schema and what is written with the connection are committed together at the end, or neither is; then
    what was made for it, file and folders, is gone again. engine: one for the database of `home`, without
    foreign keys where it may be an old one.
    """
    before = _Place.of(home)
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        _use_wal(home.database)
        file = home.database.stat().st_ino
        with engine.connect().execution_options(immediate=True) as connection, connection.begin():
            yield connection, _bring(connection, home, scripts, revisions)
            digests.digest_marked(connection)
        _still_there(home, file)
    except BaseException:
        before.restore()
        raise


@contextmanager
def nothing_yet(home: Home) -> Iterator[Connection]:
    """Give a connection that sees an empty store, in memory, so that to look makes no file at `home`."""
    engine = connect(home.database, uri="file::memory:")
    with engine.connect() as connection, connection.begin():
        _bring(connection, home, SCRIPTS, REVISIONS)
        yield connection


@dataclass(frozen=True, slots=True)
class _Place:
    """What was not there before a database was made."""

    home: Home
    fresh: bool
    folders: tuple[Path, ...]

    @classmethod
    def of(cls, home: Home) -> _Place:
        lacking = tuple(folder for folder in (home.root, *home.root.parents) if not folder.exists())
        return cls(home, not home.database.exists(), lacking)

    def restore(self) -> None:
        """Remove the database where it was made meanwhile and holds nothing, and the folders made for it."""
        database = self.home.database
        with suppress(OSError, sqlite3.Error, StoreError):  # the failure that led here is what is told
            if self.fresh and schema_of(database).revision is None:
                for end in ("", "-wal", "-shm"):
                    database.with_name(database.name + end).unlink(missing_ok=True)
                for folder in self.folders:  # the innermost first
                    folder.rmdir()


def _still_there(home: Home, file: int) -> None:
    """Raise StoreError where another process whose first command failed took the database away again."""
    if not home.database.exists() or home.database.stat().st_ino != file:
        raise StoreError(
            f"the store at {home.root} was removed by another process that could not make it",
            "type the command again",
        )


def _bring(connection: Connection, home: Home, scripts: Path, revisions: Sequence[str]) -> Path | None:
    raw = cast("sqlite3.Connection", connection.connection.driver_connection)
    found = _schema_in(raw, home.database, revisions)
    if found.revision == revisions[-1] and found.derived == DERIVED:
        return None  # another process was first
    older = found.revision is not None and found.revision != revisions[-1]
    backup = _back_up(home, found.revision or "") if older else None
    known = digests.is_there(connection)
    # What fitted its digest before the revisions gets a new one after them; what did not is still found.
    sound = digests.sound_rows(connection) if older and known else []
    triggers.drop_triggers(connection)
    views.drop_views(connection)
    if found.revision != revisions[-1]:
        _run_revisions(connection, scripts)
    triggers.create_triggers(connection)
    views.create_views(connection)
    if older or found.revision is None:
        if known:
            digests.mark_again(connection, sound)
        else:
            digests.mark_all(connection)
        digests.digest_marked(connection)
        digests.keep_schema(connection)
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION}")
    connection.exec_driver_sql(f"PRAGMA user_version = {DERIVED}")
    dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if dangling:
        raise StoreError(
            f"the upgrade from {found.revision} to {revisions[-1]} would leave {len(dangling)} rows "
            f"that point nowhere, so nothing was changed in {home.database}",
            "clipbench store verify",
        )
    return backup


def _use_wal(database: Path) -> None:
    """Turn on the write-ahead log; another process doing the same makes SQLite refuse without waiting."""
    deadline = time.monotonic() + BUSY_SECONDS
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                break
    if mode != "wal":
        raise StoreError(
            f"the store at {database.parent}: SQLite's write-ahead log does not work there (a network disk?)",
            "name a folder on a disk of this machine with --store",
        )


def _back_up(home: Home, revision: str) -> Path:
    """Copy the database as it is beside itself; a reader may while we hold the write lock."""
    when = clock.stamp().translate({ord(c): None for c in "-:."})
    target = home.root / f"clipbench-{revision}-{when}.db"
    copy_database(home.database, target)
    return target


def copy_database(database: Path, target: Path, *, uri: str | None = None) -> None:
    """Write a consistent copy of `database`, others writing or not, that exists whole or not at all.

    uri: how SQLite is to open it.
    """
    partial = target.with_name(f".{target.name}{TEMPORARY}{os.getpid()}")
    try:
        uri = uri or f"{database.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as source:
            with closing(sqlite3.connect(partial)) as copy:
                source.backup(copy)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _run_revisions(connection: Connection, scripts: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    command.upgrade(config, "head")
