"""Opening a store, and the two kinds of transaction everything else uses: reading and writing.

Knows when a database needs to be made or upgraded, and nothing of what is in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine

from clipbench.home import Home
from clipbench.store.connect import connect
from clipbench.store.digests import digest_marked
from clipbench.store.protected import (
    Source,
    check_place,
    is_there,
    may_write,
    no_store,
    read_only,
    refusal,
)
from clipbench.store.sqlite_errors import translated
from clipbench.store.upgrade import newest_schema, nothing_yet, schema_of, upgrade


@dataclass(frozen=True, slots=True)
class Store:
    """An experiment store that is open: where it is, and the engine for its database.

    No connection is held between calls, so there is nothing to close, and a Store may be used by
    several threads and after a fork. source: how its database is opened where it may only be read.
    prepared: it is made when it is first written to. connection: the one transaction that everything done
    with this Store is part of, see `transaction`; such a Store is for one thread.
    """

    home: Home
    engine: Engine
    source: Source | None = None
    prepared: bool = False
    connection: Connection | None = None

    @property
    def uri(self) -> str:
        """How SQLite opens the database to read it."""
        return self.source.uri if self.source else f"{self.home.database.as_uri()}?mode=ro"


def open_store(home: Home, *, create: bool = True, to_read: bool = False) -> Store:
    """Return the store at `home`, made or upgraded as needed; an upgrade leaves a backup beside it.

    to_read: nothing will be written, so it may lie where nothing can be. Raises StoreError where there is
    none and `create` is False, where the file is another program's or of a newer schema, and where the
    folder cannot be written and not `to_read`.
    """
    with translated(home.root):
        if is_there(home) and not may_write(home):
            if not to_read:
                raise refusal(home)
            source = read_only(home)
            return Store(home, connect(home.database, uri=source.uri), source)
        schema = schema_of(home.database)
        if schema.revision is None and not create:
            raise no_store(home)
        if not schema.current:
            upgrade(home)
    return Store(home, connect(home.database))


def prepare_store(home: Home) -> Store:
    """Return the store at `home`, which is made only when it is first used.

    So a command that fails before it has anything to store leaves no empty store behind, and neither does one
    whose first writing fails, for want of room say. Raises StoreError as `open_store` does, for a place where
    none can be made too.
    """
    with translated(home.root):
        if is_there(home):
            return open_store(home)
        schema_of(home.database)  # says what is wrong with the place, if something is
        check_place(home)
    return Store(home, connect(home.database), prepared=True)


def check_writable(store: Store) -> None:
    """Raise StoreError where the store may only be read: before hours of work that could not be stored."""
    if store.source is not None:
        raise refusal(store.home)


@contextmanager
def reading(store: Store) -> Iterator[Connection]:
    """Give a connection that sees one state of the database throughout. Raises StoreError."""
    if store.connection is not None:
        yield store.connection
        return
    if store.prepared and schema_of(store.home.database).revision is None:
        with translated(store.home.root), nothing_yet(store.home) as connection:
            yield connection
        return
    with translated(store.home.root), store.engine.connect() as connection:
        yield connection


@contextmanager
def writing(store: Store) -> Iterator[Connection]:
    """Give a connection that alone may write; all is committed at the end, or nothing. Raises StoreError."""
    if store.connection is not None:
        yield store.connection
        return
    check_writable(store)
    if store.prepared and schema_of(store.home.database).revision is None:
        with translated(store.home.root), newest_schema(store.home, store.engine) as (connection, _):
            yield connection
        return
    with (
        translated(store.home.root),
        store.engine.connect().execution_options(immediate=True) as connection,
        connection.begin(),
    ):
        yield connection
        if connection.in_transaction():  # who only looks what would be done rolls it back
            digest_marked(connection)


@contextmanager
def transaction(store: Store) -> Iterator[Store]:
    """Give the store as one transaction: all that is done with it is committed at the end, or nothing.

    For what is one thing to the user and several functions here, an import say. Nobody else can write
    meanwhile, so nothing that takes long belongs inside. Raises StoreError.
    """
    with writing(store) as connection:
        yield replace(store, connection=connection)
