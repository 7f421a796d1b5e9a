"""Opens the store a command line names."""

from __future__ import annotations

from pathlib import Path

from clipbench.home import locate
from clipbench.store.engine import Store, open_store


def open_at(folder: Path | None, *, create: bool = False) -> Store:
    """Return the store at `folder`, else at $CLIPBENCH_STORE, else at ./clipbench-store.

    Only a command that brings something in makes a new one: to look into the wrong folder leaves nothing
    behind. Raises StoreError where there is none, or it cannot be opened, upgraded or trusted.
    """
    return open_store(locate(folder), create=create)
