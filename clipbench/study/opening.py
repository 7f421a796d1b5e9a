"""Opens the store a command line names."""

from __future__ import annotations

from pathlib import Path

from clipbench.home import locate
from clipbench.store.engine import Store, open_store, prepare_store


def open_at(folder: Path | None, *, create: bool = False, to_read: bool = False) -> Store:
    """Return the store at `folder`, else at $CLIPBENCH_STORE, else at ./clipbench-store.

    create: a command that brings something in makes a new one, once it has something to store; others make
    none, so that to look into the wrong folder leaves nothing behind. to_read: a command that writes nothing
    may look into a store that is write-protected. Raises StoreError where there is none, or it cannot be
    opened, upgraded or trusted.
    """
    home = locate(folder)
    return prepare_store(home) if create else open_store(home, create=False, to_read=to_read)
