"""A question in SQL, asked of the database by a connection that can only read.

Three locks, each enough by itself: the file is opened read-only, SQLite is told to refuse writing, and an
authorizer allows nothing but selecting, plain functions and the pragmas that describe tables. A question
that takes too long, or builds too large a value, is stopped. Knows the views' names, for messages only.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TypeAlias

from clipbench.errors import StoreError
from clipbench.store.engine import Store
from clipbench.store.views import VIEWS

Value: TypeAlias = str | int | float | bytes | None

SECONDS = 30.0
ROWS = 10_000
LARGEST = 16 << 20
"""Bytes that one value or one statement may have."""

ANSWER = 256 << 20
"""Bytes of text and blobs that an answer may have in all."""

STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock, about a millisecond."""

ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
PRAGMAS = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info", "user_version"})
REFUSED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit"})


@dataclass(frozen=True)
class Answer:
    """Rows under named columns. `more` says that there were more rows than asked for."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    more: bool


def ask(store: Store, question: str, *, rows: int = ROWS, seconds: float = SECONDS) -> Answer:
    """Return the answer to one SELECT, at most `rows` rows of it.

    Raises StoreError for anything else than one statement that reads, for a mistake in it, and where it
    takes longer than `seconds`.
    """
    try:
        connection = sqlite3.connect(store.uri, uri=True, timeout=seconds)
    except sqlite3.Error as error:
        raise StoreError(f"cannot read {store.home.database}: {error}", "clipbench store info") from error
    try:
        return _answer(connection, question, rows, seconds)
    finally:
        connection.close()


def _answer(connection: sqlite3.Connection, question: str, rows: int, seconds: float) -> Answer:
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.text_factory = _text
    connection.set_authorizer(_authorize)
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        cursor = connection.execute(question)
        found = _fetched(cursor, rows + 1)
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise _refused(error, end, seconds) from error
    if cursor.description is None:
        raise StoreError("the question holds no statement", 'clipbench report --query "SELECT * FROM runs"')
    names = _distinct([column[0] for column in cursor.description])
    return Answer(names, tuple(found[:rows]), more=len(found) > rows)


def _fetched(cursor: sqlite3.Cursor, rows: int) -> list[tuple[Value, ...]]:
    """Return the first rows. Raises StoreError before they fill the memory."""
    found, size = [], 0
    for row in islice(cursor, min(rows, sys.maxsize)):
        found.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size > ANSWER:
            raise StoreError(
                f"the answer is larger than {ANSWER >> 20} MB after {len(found):,} rows",
                "ask for fewer columns or rows (--limit N); clipbench runs export writes ledgers",
            )
    return found


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in ALLOWED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").casefold() not in REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and (first or "").casefold() in PRAGMAS and _only_reads(first, second):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _only_reads(pragma: str | None, argument: str | None) -> bool:
    """Whether a pragma with this argument only reads: user_version with one would set it."""
    return pragma is not None and (pragma.casefold() != "user_version" or argument is None)


def _text(data: bytes) -> str:
    # Captions may hold half a surrogate pair, which no decoder takes as it stands.
    return data.decode("utf-8", "replace")


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Number columns that have one name, as JSON objects and readers need.

    >>> _distinct(["a", "b", "a"])
    ('a', 'b', 'a:2')
    """
    found: list[str] = []
    for name in names:
        own, number = name, 1
        while own in found:
            number += 1
            own = f"{name}:{number}"
        found.append(own)
    return tuple(found)


def _refused(error: Exception, end: float, seconds: float) -> StoreError:
    told = str(error)
    if "interrupted" in told and time.monotonic() >= end:
        return StoreError(
            f"the question took longer than {seconds:g} seconds and was stopped",
            "ask for less, or --time-limit SECONDS",
        )
    if (
        "not authorized" in told
        or "authorization denied" in told
        or "prohibited" in told
        or "readonly" in told
    ):
        return StoreError(f"--query only reads: {told}", 'clipbench report --query "SELECT * FROM runs"')
    if "one statement" in told:
        return StoreError("a question is one statement", "leave out what follows the first ;")
    hint = f"the views are {', '.join(VIEWS)}; docs/store.md says what their columns mean"
    return StoreError(f"SQLite: {told}{_near(told)}", hint)


def _near(told: str) -> str:
    """Return the names that are near the one SQLite does not know, in brackets."""
    kind, _, name = told.partition(": ")
    if kind == "no such table":
        near = get_close_matches(name, VIEWS, n=2)
    elif kind == "no such column":
        known = [column for view in VIEWS.values() for column in view.columns]
        near = get_close_matches(name.rpartition(".")[2], list(dict.fromkeys(known)), n=3)
    else:
        return ""
    return f" (near: {', '.join(near)})" if near else ""
