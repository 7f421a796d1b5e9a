"""Where things are kept: `--store`, else CLIPBENCH_STORE, else ./clipbench-store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT_VARIABLE = "CLIPBENCH_STORE"
DEFAULT_FOLDER = "clipbench-store"


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one experiment store. Nothing is created until something is written."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "clipbench.db"

    @property
    def embeddings(self) -> Path:
        """Folder of the HDF5 vector shards."""
        return self.root / "embeddings"

    @property
    def indexes(self) -> Path:
        """Folder of the files of indexes."""
        return self.root / "indexes"

    @property
    def artifacts(self) -> Path:
        """Folder of drawn scenes, figures and other files that can be made again."""
        return self.root / "artifacts"


TEMPORARY = ".tmp-"
"""In the name of every file of a store that is still being written."""


def locate(folder: Path | None = None) -> Home:
    """Return the home named by `folder`, else by CLIPBENCH_STORE, else ./clipbench-store."""
    if folder is None:
        folder = Path(os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_FOLDER)
    return Home(folder.expanduser().absolute())
