"""Finds the photographs that a caption source names: inside their folder, spelt exactly, hashed, header checked.

Knows paths and bytes. Knows no captions. What is wrong with a file is data here and never an exception; whether
it matters is decided in `reading`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from clipbench.datasets.listing import Listing, Located
from clipbench.errors import DatasetError, PhotographError
from clipbench.foreign_files import inside
from clipbench.photographs.ahead import ahead
from clipbench.photographs.containers import contained
from clipbench.photographs.opening import (
    MissingContainerError,
    MissingPhotographError,
    checked_digest,
    quiet_pillow,
)

MISSING = "missing"
LEAVES = "the path leaves the images folder"
OUTSIDE = f"unreadable: {LEAVES}"
LINKED = "unreadable: is a link that leads out of the images folder"
LINKED_TEXT = "is a link that leads out of the folder of captions"
"""What `--follow-links` allows: Hugging Face snapshots, DVC and git-annex keep the files elsewhere."""

NOWHERE = f"{MISSING}: a link to a file that is not there"
"""As git-annex and DVC leave it until the content was fetched."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """One named file. `problem` is None and `digest` the SHA-256 of its bytes, or the other way round.

    `asked` is the name that was given and `path` the one on the disk, which may be spelt with other Unicode or
    without percent signs. `near` is a name that exists and differs only in case, ending or such a spelling.
    """

    path: str
    digest: str | None = None
    problem: str | None = None
    near: str | None = None
    asked: str | None = None

    @property
    def respelt(self) -> bool:
        """Whether the file was taken although it is spelt otherwise."""
        return self.asked is not None and self.asked != self.path


def inspect(
    folder: Path,
    paths: Sequence[str],
    on_progress: Callable[[int, int], None] | None = None,
    *,
    follow_links: bool = False,
) -> tuple[Photograph, ...]:
    """Return one Photograph per path, in order. Files are read in a pool of threads.

    `on_progress` is called with (done, total) from this thread. follow_links: take files that are links out of
    the folder. Raises DatasetError where the folder is none.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder", "--images FOLDER names the folder of the photographs")
    root = folder.resolve()
    listing = Listing(root)
    folders = (root, folder.absolute())
    known: dict[str, str] = {}
    located = (_located(listing, path, folders) for path in paths)
    done: list[Photograph] = []
    with quiet_pillow():
        for photograph in ahead(
            lambda named: _examined(root, named, known, follow_links=follow_links), located
        ):
            done.append(photograph)
            if on_progress is not None:
                on_progress(len(done), len(paths))
    return tuple(done)


def _located(listing: Listing, path: str, folders: Sequence[Path]) -> Photograph:
    path = _relative(path, folders)
    if not inside(path):
        return Photograph(path, None, OUTSIDE)
    if contained(path) is not None:  # its container was looked at to know the place
        return Photograph(path, asked=path)
    found: Located = listing.find(path)
    if found.path is not None:
        return Photograph(found.path, asked=found.asked)
    return Photograph(path, None, MISSING, found.near, asked=path)


def _relative(path: str, folders: Sequence[Path]) -> str:
    """Return a whole path that begins with one of the folders as the path within it, as open_clip's lists have them."""
    whole = PurePath(path)
    if whole.is_absolute():
        for folder in folders:
            if whole.is_relative_to(folder):
                return whole.relative_to(folder).as_posix()
    return path


def _stays(root: str, file: str, known: dict[str, str]) -> bool:
    """Whether a file is below a folder that is no link, whatever links its path goes through.

    known: folders and where they really are, looked up once for all of their files.
    """
    folder, name = os.path.split(file)
    if folder not in known:
        known[folder] = os.path.realpath(folder)
    real = os.path.join(known[folder], name)  # noqa: PTH118, a Path for each of a million files takes longest
    if os.path.islink(real):  # noqa: PTH114
        real = os.path.realpath(real)
    return real.startswith(root.rstrip(os.sep) + os.sep)


def _examined(root: Path, named: Photograph, known: dict[str, str], *, follow_links: bool) -> Photograph:
    if named.problem is not None:
        return named
    file = root / named.path
    place = contained(file)
    holder = file if place is None else place.container
    try:
        if not follow_links and not _stays(str(root), str(holder), known):
            return replace(named, problem=LINKED if holder.exists() else NOWHERE)
        return replace(named, digest=checked_digest(file))
    except MissingPhotographError as error:
        told = f"{MISSING}: {error}" if isinstance(error, MissingContainerError) else MISSING
        return replace(named, problem=NOWHERE if file.is_symlink() else told)
    except PhotographError as error:
        return replace(named, problem=f"unreadable: {error}")
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return replace(named, problem=f"unreadable: {reason}")
