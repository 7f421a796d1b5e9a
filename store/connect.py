"""Connections to the SQLite file: pragmas and how transactions begin.

Knows no schema. The database is in WAL mode (set once, when it is made), so readers never wait for a
writer. `synchronous` is FULL: a commit is on the disk when it returns. NORMAL would save one sync of
milliseconds per run, against the minutes of encoding that a power cut could then undo, and a deleted
shard's row could come back after its file was removed.
"""

import logging
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import OperationalError

BUSY_SECONDS = 30.0
"""How long a connection waits for another process's lock."""

QUIET_SECONDS = 2.0
"""How long it waits for the right to write before it says what it waits for."""

_LOG = logging.getLogger(__name__)
"""Where that is said: Python prints warnings on stderr unless a program wants them elsewhere."""


def connect(database: Path, *, foreign_keys: bool = True, uri: str | None = None) -> Engine:
    """Return an engine for `database`; nothing is opened yet. uri: how to open it, where not in the usual way.

    No connection stays open between uses (opening one costs a third of a millisecond): a forked
    worker inherits none, and the folder is whole and quiet whenever nothing is being done.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(database)),
        poolclass=NullPool,
        # The driver would begin transactions by itself, but not before CREATE or SELECT.
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
    )

    logging.getLogger(f"{NullPool.__module__}.{NullPool.__name__}").addFilter(is_news)

    if uri is not None:

        @event.listens_for(engine, "do_connect")
        def open_as_told(*_: object) -> sqlite3.Connection:
            return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the write lock at once: one that reads first and then writes cannot wait.
        if connection.get_execution_options().get("immediate", False):
            _begin_writing(connection, database)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin_writing(connection: Connection, database: Path) -> None:
    """Take the write lock; where another process keeps it for long, say so and wait on."""
    quiet = min(QUIET_SECONDS, BUSY_SECONDS)
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(quiet * 1000)}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY or quiet == BUSY_SECONDS:
            raise
        _LOG.warning(
            "waiting for another process that writes to %s (for up to %g seconds)", database, BUSY_SECONDS
        )
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int((BUSY_SECONDS - quiet) * 1000)}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def is_news(record: logging.LogRecord) -> bool:
    """Return whether a log record tells what nobody else will: an interruption is logged and raised as well."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or issubclass(kind, Exception)
