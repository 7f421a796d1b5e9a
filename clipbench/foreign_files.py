"""The one door for files that somebody else made: label files, id lists, vectors, bundles, configurations.

A name on a command line may lead to a pipe that never answers, a device that never ends, or twelve
gigabytes of nothing; a damaged file may make the library that parses it raise whatever it likes. So a file
is looked at before it is opened, its size before it is read, and no exception of a parser gets past here.
Knows no format.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

from clipbench.errors import ClipbenchError

MEGABYTE = 1 << 20

ANY_SIZE = 1 << 50
"""The limit of files that are never read whole."""


def open_foreign(path: Path, limit: int, *, error: type[ClipbenchError] = ClipbenchError) -> BinaryIO:
    """Open a regular file of at most `limit` bytes for reading, and return it; the caller closes it.

    error: what is raised where there is no such file, no permission, or it is a folder, a pipe, a device, a
    socket, or larger. Links are followed. Nothing blocks, whatever the name leads to.
    """
    descriptor = -1
    try:
        # Looked at first, for to open a device may already do something; and again once it is open,
        # for the name may lead elsewhere by then.
        _check(path, path.stat(), limit, error)
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        _check(path, os.fstat(descriptor), limit, error)
        return os.fdopen(descriptor, "rb")
    except (OSError, ValueError) as refused:  # ValueError: a NUL in the name
        _close(descriptor)
        reason = refused.strerror if isinstance(refused, OSError) and refused.strerror else str(refused)
        raise error(f"cannot read {path}: {reason}", "check the path and its permissions") from refused
    except ClipbenchError:
        _close(descriptor)
        raise


def read_foreign(path: Path, limit: int, *, error: type[ClipbenchError] = ClipbenchError) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes. Raises `error` as `open_foreign` does."""
    with open_foreign(path, limit, error=error) as file:
        try:
            data = file.read(limit + 1)  # it may have grown since, and some files have no size (/proc)
        except OSError as refused:
            raise error(f"cannot read {path}: {refused.strerror or refused}", "check the disk") from refused
    if len(data) > limit:
        raise _too_large(path, len(data), limit, error)
    return data


def inside(path: str) -> bool:
    """Return whether a relative path stays below its folder as written, under POSIX and Windows rules.

    >>> inside("val/a.jpg"), inside("../a.jpg"), inside("/a.jpg"), inside("C:/a.jpg")
    (True, False, False, False)
    """
    windows = PureWindowsPath(path)
    return (
        bool(path)
        and not windows.drive
        and not windows.root
        and ".." not in windows.parts
        and "\0" not in path
    )


@contextmanager
def parsing(
    path: Path | str, what: str, *, error: type[ClipbenchError] = ClipbenchError, hint: str | None = None
) -> Iterator[None]:
    """Turn whatever a parser raises inside into `error`: "PATH is no WHAT that can be read (reason)".

    path: the file, for the message. what: what it should have been, "Parquet file". Errors of ours, Ctrl-C
    and the end of the process go through as they are. Lacking memory is a reason too: it is how a damaged
    header that announces terabytes shows.
    """
    try:
        yield
    except ClipbenchError:
        raise
    except Exception as damaged:
        # Every exception, for that is what is met: KeyError, struct.error, SyntaxError, OverflowError,
        # RecursionError, and classes of the libraries' own that cannot be listed.
        raise error(f"{path} is no {what} that can be read ({reason(damaged)})", hint) from damaged


def reason(damaged: BaseException) -> str:
    """Return in one line of at most 200 characters what an exception says, its kind where it says nothing.

    >>> reason(KeyError("vectors"))
    "KeyError: 'vectors'"
    """
    if isinstance(damaged, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(damaged, RecursionError):
        return "it is nested too deeply"
    text = " ".join(str(damaged).split())
    if not text or isinstance(damaged, LookupError):  # "vectors" alone would say nothing
        text = f"{type(damaged).__name__}: {text}" if text else type(damaged).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"


def _check(path: Path, status: os.stat_result, limit: int, error: type[ClipbenchError]) -> None:
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise error(f"{path} is a folder, a file is needed")
    if not stat.S_ISREG(mode):
        raise error(f"{path} is no regular file but {_kind(mode)}", "write its content to a file first")
    if status.st_size > limit:
        raise _too_large(path, status.st_size, limit, error)


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((name for test, name in kinds if test(mode)), "something else")


def _too_large(path: Path, size: int, limit: int, error: type[ClipbenchError]) -> ClipbenchError:
    return error(f"{path} has {size:,} bytes, at most {limit:,} are read")


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)
