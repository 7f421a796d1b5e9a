"""A question in SQL, asked of the database by a process that can only read and is stopped where it takes too much.

What that process may do is in `clipbench.store.sql_process`; this module starts it, waits for it, and says in
words of ours why there is no answer. Knows the views' names, for messages only.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from threading import Timer
from typing import IO, TypeAlias

from clipbench.errors import StoreError
from clipbench.store import sql_process
from clipbench.store.engine import Store
from clipbench.store.sql_process import BLOB, COLUMNS, FLOAT, INTEGER, LARGEST, MORE, NULL, REFUSED, ROW, TEXT
from clipbench.store.views import VIEWS

Value: TypeAlias = str | int | float | bytes | None

SECONDS = 30.0
ROWS = 10_000

ANSWER = 256 << 20
"""Bytes of text and blobs that an answer may have in all."""

GRACE = 2.0
"""Seconds beyond its limit in which the process may say by itself that it was too slow."""

_FORBIDDEN = ("not authorized", "authorization denied", "prohibited", "readonly")

_EXAMPLE = 'clipbench report --query "SELECT * FROM runs"'
_FEWER = "ask for fewer columns or rows (--limit N); clipbench runs export writes ledgers"


@dataclass(frozen=True)
class Answer:
    """Rows under named columns. `more` says that there were more rows than asked for."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    more: bool


def ask(store: Store, question: str, *, rows: int = ROWS, seconds: float = SECONDS) -> Answer:
    """Return the answer to one SELECT, at most `rows` rows of it.

    Raises StoreError for anything else than one statement that reads, for a mistake in it, and where it
    takes longer than `seconds` or more memory than it may.
    """
    asked = {"question": question, "uri": store.uri, "rows": rows, "seconds": seconds, "bytes": ANSWER}
    begun = time.monotonic()
    with _process(json.dumps(asked), seconds + GRACE) as process:
        found = _received(process, seconds)
        process.wait()
    if found is not None:
        return found
    if time.monotonic() - begun >= seconds:
        raise _refused("late", seconds)
    raise _refused("memory", seconds)  # the system ended it


@contextmanager
def _process(asked: str, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Give the process that was asked; it is ended after `seconds`, and when the block ends, by Ctrl-C too."""
    # Isolated, so that no file of the folder this was typed in takes the place of a library; in a session of
    # its own, so that Ctrl-C reaches us alone and we end it.
    command = [sys.executable, "-I", str(Path(sql_process.__file__).resolve())]
    process = subprocess.Popen(  # noqa: S603, our own interpreter and our own file
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    timer = Timer(min(seconds, 1e6), process.kill)
    timer.daemon = True
    timer.start()
    try:
        with (
            suppress(BrokenPipeError),
            _pipe(process.stdin) as question,
        ):  # it ended already: that is told below
            question.write(asked.encode())
        yield process
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        with _pipe(process.stdout):
            pass  # closed here, whatever was left to read


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise StoreError("no process could be started to ask the question")
    return pipe


def _received(process: subprocess.Popen[bytes], seconds: float) -> Answer | None:
    """Return what the process answers, None where it ends without a word. Raises StoreError for its refusals."""
    columns: tuple[str, ...] | None = None
    rows: list[tuple[Value, ...]] = []
    row: list[Value] = []
    for kind, content in _frames(_pipe(process.stdout)):
        if kind == COLUMNS:
            columns = _distinct(json.loads(content))
        elif kind == ROW:
            rows.append(tuple(row))
            row = []
        elif kind == MORE:
            return None if columns is None else Answer(columns, tuple(rows), more=True)
        elif kind == REFUSED:
            raise _refused(content.decode(), seconds)
        else:
            row.append(_value(kind, content))
    ended_well = process.wait() == 0 and columns is not None and not row
    return Answer(columns, tuple(rows), more=False) if ended_well and columns is not None else None


def _frames(pipe: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    while len(head := pipe.read(9)) == 9:
        (length,) = struct.unpack("<Q", head[1:])
        content = pipe.read(min(length, 4 * LARGEST))
        if len(content) != length:
            return
        yield head[:1], content


def _value(kind: bytes, content: bytes) -> Value:
    if kind == NULL:
        return None
    if kind == INTEGER:
        return int(content)
    if kind == FLOAT:
        (number,) = struct.unpack("<d", content)
        return float(number)
    if kind == TEXT:
        return content.decode()
    if kind == BLOB:
        return content
    raise StoreError(f"the process that was asked said {kind!r}, which means nothing")


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


def _refused(told: str, seconds: float) -> StoreError:
    """Return the error for what the process said: "late", "memory", "nothing", "large N", or SQLite's words."""
    if told == "late":
        return StoreError(
            f"the question took longer than {seconds:g} seconds and was stopped",
            "ask for less, or --time-limit SECONDS",
        )
    if told == "memory" or "out of memory" in told:
        most = f"{sql_process.HEAP >> 20} MB"
        return StoreError(f"the question took more than the {most} of memory it may, and was stopped", _FEWER)
    if told == "nothing":
        return StoreError("the question holds no statement", _EXAMPLE)
    if told.startswith("large "):
        number = int(told.removeprefix("large "))
        return StoreError(f"the answer is larger than {ANSWER >> 20} MB after {number:,} rows", _FEWER)
    if any(word in told for word in _FORBIDDEN):
        return StoreError(f"--query only reads: {told}", _EXAMPLE)
    return _mistake(told)


def _mistake(told: str) -> StoreError:
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
