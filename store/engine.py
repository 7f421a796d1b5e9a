"""Opening a store, and the two kinds of transaction everything else uses: reading and writing.

Knows when a database needs to be made or upgraded, and nothing of what is in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from clipbench.errors import StoreError
from clipbench.home import Home
from clipbench.store.connect import connect
from clipbench.store.trouble import translated
from clipbench.store.upgrade import schema_of, upgrade


@dataclass(frozen=True, slots=True)
class Store:
    """An experiment store that is open: where it is, and the engine for its database.

    No connection is held between calls, so there is nothing to close, and a Store may be used by
    several threads and after a fork.
    """

    home: Home
    engine: Engine


def open_store(home: Home, *, create: bool = True) -> Store:
    """Return the store at `home`, made or upgraded as needed; an upgrade leaves a backup beside it.

    Raises StoreError where there is none and `create` is False, where the file is another program's
    or of a newer schema, and where the folder cannot be written.
    """
    with translated(home.root):
        schema = schema_of(home.database)
        if schema.revision is None and not create:
            raise StoreError(f"there is no store at {home.root}", "clipbench dataset add, or --store PATH")
        if not schema.current:
            upgrade(home)
    return Store(home, connect(home.database))


@contextmanager
def reading(store: Store) -> Iterator[Connection]:
    """Give a connection that sees one state of the database throughout. Raises StoreError."""
    with translated(store.home.root), store.engine.connect() as connection:
        yield connection


@contextmanager
def writing(store: Store) -> Iterator[Connection]:
    """Give a connection that alone may write; all is committed at the end, or nothing. Raises StoreError."""
    with (
        translated(store.home.root),
        store.engine.connect().execution_options(immediate=True) as connection,
        connection.begin(),
    ):
        yield connection
