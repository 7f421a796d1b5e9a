"""The files that a collection of containers is made of: a folder of them, a pattern, or one file.

Knows names and folders; opens nothing.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipbench.datasets.folder import files_below
from clipbench.errors import DatasetError

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
"""`shard-{000000..000099}.tar`, as WebDataset's users write it."""

MOST = 100_000
"""Files that a pattern may stand for."""


@dataclass(frozen=True, slots=True)
class Shards:
    """Container files by their paths below `root` (POSIX), in the order of their names."""

    root: Path
    names: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        """Yield each file's name below the root and its path."""
        return ((name, self.root / name) for name in self.names)


def is_pattern(path: Path) -> bool:
    """Whether a path that is no file itself stands for several."""
    text = str(path)
    return (glob.has_magic(text) or RANGE.search(text) is not None) and not path.exists()


def root_of(path: Path) -> Path:
    """Return the folder that the paths of photographs start from."""
    if not is_pattern(path):
        return path if path.is_dir() else path.parent
    while is_pattern(path):
        path = path.parent
    return path


def shards(path: Path, suffixes: tuple[str, ...], *, links: bool = False) -> Shards:
    """Return the files of these endings that a path means: those below a folder, those of a pattern, or the one.

    links: go into folders that are links. Raises DatasetError where there are none.
    """
    root = root_of(path)
    if is_pattern(path):
        names = sorted({Path(name).relative_to(root).as_posix() for name in _matches(str(path))})
    elif path.is_dir():
        names = sorted(name for name in files_below(path, links=links) if name.lower().endswith(suffixes))
    else:
        return Shards(root, (path.name,))
    if not names:
        raise DatasetError(
            f"{path} holds no {' or '.join(suffixes)} file" if path.is_dir() else f"no file matches {path}",
            f"name the folder, one file, or a pattern in quotation marks: --captions 'FOLDER/*{''.join(suffixes[:1])}'",
        )
    return Shards(root, tuple(names))


def _matches(text: str) -> Iterator[str]:
    found = RANGE.search(text)
    if found is None:
        yield from (name for name in glob.iglob(text) if os.path.isfile(name))  # noqa: PTH113, PTH207, a million names
        return
    first, last = int(found[1]), int(found[2])
    if last - first >= MOST:
        raise DatasetError(f"{found[0]} stands for {last - first + 1:,} files, at most {MOST:,} are taken")
    for number in range(first, last + 1):
        one = f"{text[: found.start()]}{number:0{len(found[1])}}{text[found.end() :]}"
        if not glob.has_magic(one) and not RANGE.search(one) and not os.path.isfile(one):  # noqa: PTH113
            raise DatasetError(f"there is no file {one}", "name the numbers there are, or a pattern with *")
        yield from _matches(one)


def image_folders(captions: Path) -> tuple[Path, ...]:
    """Return where the paths of photographs inside of containers start from."""
    return (root_of(captions),)
