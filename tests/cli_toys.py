"""The command line in this process, and toy collections for it; no test is in here."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer.main
from PIL import Image
from sqlalchemy import Pool, event

# Building the tree of commands takes longer than most of them; a process needs it once.
typer.main.get_command = cache(typer.main.get_command)


COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 220),
    "yellow": (230, 230, 20),
    "white": (250, 250, 250),
    "black": (5, 5, 5),
}
NAMES = tuple(COLOURS)


_ours: set[int] = set()
"""Threads that are in a command of these tests."""


@event.listens_for(Pool, "checkout")
def _without_sync(connection: Any, *_: object) -> None:
    if threading.get_ident() in _ours:
        connection.execute("PRAGMA synchronous = OFF")


@contextmanager
def hasty() -> Iterator[None]:
    """Do not wait for the disk: what these tests store need not outlive a power cut, and it is half their time."""
    sync = os.fsync
    _ours.add(threading.get_ident())
    os.fsync = lambda _: None
    try:
        yield
    finally:
        os.fsync = sync
        _ours.discard(threading.get_ident())


@dataclass(frozen=True)
class Done:
    """What a command left behind: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of a CSV on stdout."""
        return list(csv.DictReader(io.StringIO(self.out)))


@contextmanager
def environment(**values: str | None) -> Iterator[None]:
    old = {name: os.environ.get(name) for name in values}
    try:
        _set(values)
        yield
    finally:
        _set(old)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def cli(*words: str | Path, store: Path | None = None, given: str = "", columns: int = 100) -> Done:
    """Run the real entry point with these words, `given` on stdin, in a terminal-less 100 columns."""
    from clipbench.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    home = str(store) if store else os.environ.get("CLIPBENCH_STORE")
    argv, stdin = sys.argv, sys.stdin
    code: object = 0
    try:
        sys.argv, sys.stdin = ["clipbench", *map(str, words)], io.StringIO(given)
        with (
            hasty(),
            redirect_stdout(out),
            redirect_stderr(err),
            environment(COLUMNS=str(columns), CLIPBENCH_STORE=home, NO_COLOR="1"),
        ):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv, sys.stdin = argv, stdin
    return Done(code if isinstance(code, int) else int(code is not None), out.getvalue(), err.getvalue())


def good(*words: str | Path, store: Path | None = None, given: str = "") -> Done:
    """Run a command that has to end well."""
    done = cli(*words, store=store, given=given)
    assert done.code == 0, done.err
    return done


def refused(*words: str | Path, store: Path | None = None, given: str = "") -> str:
    """Run a command that the user has to mend: exit code 1, one error line, no traceback; return stderr."""
    done = cli(*words, store=store, given=given)
    assert done.code == 1, done
    lines = done.err.splitlines()
    assert sum(line.startswith("error: ") for line in lines) == 1, done.err
    assert "Traceback" not in done.err
    return done.err


def misused(*words: str | Path) -> str:
    """Run a command that was typed wrong: exit code 2, nothing on stdout; return stderr."""
    done = cli(*words)
    assert (done.code, done.out) == (2, ""), done
    return done.err


def picture(number: int, side: int = 24) -> Image.Image:
    """A field of one colour with a corner of another and a mark, so that no two numbers look the same."""
    field, corner = NAMES[number % 6], NAMES[(number + 1 + number // 6 % 5) % 6]
    image = Image.new("RGB", (side, side), COLOURS[field])
    image.paste(COLOURS[corner], (0, 0, side // 2, side // 3))
    image.putpixel((side - 1, side - 1), (number % 256, number // 256, 7))
    return image


def caption(number: int, which: int = 0) -> str:
    field, corner = NAMES[number % 6], NAMES[(number + 1 + number // 6 % 5) % 6]
    return f"a {field} field with a {corner} corner, view {which} of {number}"


def draw(folder: Path, images: int, side: int = 24) -> list[str]:
    """Draw pictures into a folder and return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"p{number:03}.png" for number in range(images)]
    for number, name in enumerate(names):
        picture(number, side).save(folder / name)
    return names


def write_csv(path: Path, rows: Sequence[Sequence[str]], heads: Sequence[str] = ("image", "caption")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heads, *rows])
    return path


def collection(folder: Path, images: int = 12, captions: Sequence[int] = (2,)) -> Path:
    """Draw a collection with `captions` captions an image, in turn, and return its CSV file."""
    names = draw(folder / "photos", images)
    rows = [
        (name, caption(number, which))
        for number, name in enumerate(names)
        for which in range(captions[number % len(captions)])
    ]
    return write_csv(folder / "captions.csv", rows)


def added(folder: Path, name: str = "toys", images: int = 12, captions: Sequence[int] = (2,)) -> str:
    """Draw a collection and bring it into the store that the environment names."""
    file = collection(folder, images, captions)
    good("dataset", "add", name, "--captions", file, "--images", folder / "photos", "-q")
    return name
