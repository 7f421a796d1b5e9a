"""Failures of SQLite, HDF5 and the operating system, said in words a user can act on.

Knows error numbers and nothing of tables. Whatever it does not know goes through unchanged.
"""

import errno
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from clipbench.errors import StoreError

ENOUGH = 64 * 1024
"""Bytes SQLite needs beside the database to work at all, and some."""

_FULL = ("the disk is full", "make room, then run the same command again; what was finished is kept")
_READ_ONLY = ("nothing may be written there", "choose a folder you can write to with --store")
_DAMAGED = ("the database is damaged", "clipbench store verify")
_LOCKED = ("another process kept it locked for too long", "wait for it to end, then run again")

_DAMAGES = ("Could not decode to UTF-8", "no such table", "no such column", "malformed")
"""What a database says that lacks what its revision has, or holds what we never write."""

_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: (
        "reading or writing failed (a full or failing disk, or a file size limit)",
        "check the disk, then clipbench store verify",
    ),
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: (
        "the database cannot be opened (permissions, or a folder that is gone or read-only)",
        "choose a folder you can write to with --store",
    ),
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_SYSTEM = {
    errno.ENOSPC: _FULL,
    getattr(errno, "EDQUOT", -1): ("your disk quota is used up", _FULL[1]),
    errno.ENAMETOOLONG: ("the name is too long", "name a shorter folder with --store"),
    errno.EFBIG: ("a file would pass the size limit", "raise the limit (ulimit -f), then run again"),
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
}


@contextmanager
def translated(place: Path) -> Iterator[None]:
    """Raise StoreError naming `place` for a failure a user can mend; anything else goes through."""
    try:
        yield
    except DBAPIError as error:
        raise _from_sqlite(place, error.orig) or error from error
    except sqlite3.Error as error:
        raise _from_sqlite(place, error) or error from error
    except UnicodeDecodeError as error:  # a name or a text that is no UTF-8, which we never write
        raise StoreError(f"the store at {place}: {_DAMAGED[0]} ({error})", _DAMAGED[1]) from error
    except OSError as error:
        raise _from_system(place, error) or error from error


def _from_sqlite(place: Path, error: BaseException | None) -> StoreError | None:
    if not isinstance(error, sqlite3.Error):
        return None
    # The low byte is the family; the rest says which of its cases, as in SQLITE_IOERR_WRITE.
    family = getattr(error, "sqlite_errorcode", 0) & 0xFF
    words = _FULL if family == sqlite3.SQLITE_IOERR and _is_full(place) else _SQLITE.get(family)
    if words is None and any(damage in str(error) for damage in _DAMAGES):
        words = _DAMAGED
    return StoreError(f"the store at {place}: {words[0]} ({error})", words[1]) if words else None


def _is_full(place: Path) -> bool:
    """Whether there is no room for SQLite's shared memory, which it calls an I/O error even on reading."""
    try:
        return shutil.disk_usage(place).free < ENOUGH
    except OSError:
        return False


def _from_system(place: Path, error: OSError) -> StoreError | None:
    number = error.errno
    if number is None and (told := re.search(r"errno = (\d+)", str(error))):
        number = int(told[1])  # HDF5 says it in the message only
    words = _SYSTEM.get(number or 0)
    return StoreError(f"the store at {place}: {words[0]} ({error})", words[1]) if words else None
