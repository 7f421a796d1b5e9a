"""Finds the photographs that a caption source names: inside their folder, spelt exactly, hashed, header checked.

Knows paths and bytes. Knows no captions. What is wrong with a file is data here and never an exception; whether
it matters is decided in `reading`.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from clipbench.datasets.images import ImageError, open_image, quiet_pillow
from clipbench.errors import DatasetError
from clipbench.foreign_files import inside

MISSING = "missing"
LEAVES = "the path leaves the images folder"
OUTSIDE = f"unreadable: {LEAVES}"


@dataclass(frozen=True, slots=True)
class Photograph:
    """One named file. `problem` is None and `digest` the SHA-256 of its bytes, or the other way round.

    `near` is a name that exists and differs only in case, ending or Unicode form.
    """

    path: str
    digest: str | None = None
    problem: str | None = None
    near: str | None = None


def inspect(
    folder: Path,
    paths: Sequence[str],
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Photograph, ...]:
    """Return one Photograph per path, in order. Files are read in a pool of threads.

    `on_progress` is called with (done, total) from this thread. Raises DatasetError where the folder is none.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder", "--images FOLDER names the folder of the photographs")
    root = folder.resolve()
    listing = _Listing(root)
    located = [_locate(listing, path) for path in paths]
    done: list[Photograph] = []
    with quiet_pillow(), ThreadPoolExecutor(min(16, 2 * (os.cpu_count() or 1))) as pool:
        for photograph in pool.map(lambda found: _examine(root, found), located):
            done.append(photograph)
            if on_progress is not None:
                on_progress(len(done), len(paths))
    return tuple(done)


@dataclass(slots=True)
class _Listing:
    """Names per folder, read once. Existence is decided by them, so that case matters on every platform."""

    root: Path
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    folded: dict[str, dict[str, str]] = field(default_factory=dict)

    def of(self, folder: str) -> frozenset[str]:
        """Return the names in a folder, none where it does not exist below the root in just this spelling."""
        if folder not in self.names:
            parent, _, name = folder.rpartition("/")
            there = not folder or name in self.of(parent)
            self.names[folder] = self._read(folder) if there else frozenset()
        return self.names[folder]

    def near(self, folder: str, name: str) -> str | None:
        """Return the name in a folder that differs only in case, Unicode form or, failing that, in its ending."""
        if folder not in self.folded:
            forms: dict[str, str] = {}
            for known in sorted(self.of(folder), reverse=True):  # so that the first in order wins
                forms[_folded(known.rpartition(".")[0]) + "."] = known
                forms[_folded(known)] = known
            self.folded[folder] = forms
        forms = self.folded[folder]
        return forms.get(_folded(name)) or forms.get(_folded(name.rpartition(".")[0]) + ".")

    def _read(self, folder: str) -> frozenset[str]:
        try:
            return frozenset(entry.name for entry in (self.root / folder).iterdir())
        except OSError:  # a file or a folder without permission: nothing in it can be read, which is reported
            return frozenset()


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _locate(listing: _Listing, path: str) -> Photograph:
    if not inside(path):
        return Photograph(path, None, OUTSIDE)
    pure = PurePosixPath(path)
    folder = "" if str(pure.parent) == "." else str(pure.parent)
    if pure.name in listing.of(folder):
        return Photograph(str(pure))
    near = listing.near(folder, pure.name)
    if near is None and folder and (pure.name in listing.of("")):
        return Photograph(path, None, MISSING, pure.name)
    return Photograph(path, None, MISSING, f"{folder}/{near}" if near and folder else near)


def _examine(root: Path, found: Photograph) -> Photograph:
    if found.problem is not None:
        return found
    try:
        return Photograph(found.path, _digest(root, root / found.path))
    except FileNotFoundError:
        return Photograph(found.path, None, MISSING)
    except ImageError as error:
        return Photograph(found.path, None, f"unreadable: {error}")
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Photograph(found.path, None, f"unreadable: {reason}")


def _digest(root: Path, file: Path) -> str:
    """Return the SHA-256 of a file whose header is sound. Raises ImageError and OSError."""
    within(root, file)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        open_image(opened).close()
    return digest


def within(root: Path, file: Path) -> None:
    """Raise ImageError where a file is reached through a link that leaves `root`, or is not a regular file."""
    if not file.resolve(strict=True).is_relative_to(root):
        raise ImageError(LEAVES)
    if not stat.S_ISREG(file.stat().st_mode):  # a pipe would block for ever
        raise ImageError("not a regular file")
