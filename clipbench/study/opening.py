"""Opens the store a command line names."""

from __future__ import annotations

from pathlib import Path

from clipbench.home import locate
from clipbench.store.engine import Store, open_store


def open_at(folder: Path | None) -> Store:
    """Return the store at `folder`, else at $CLIPBENCH_STORE, else at ./clipbench-store; made if new.

    Raises StoreError where it cannot be opened, upgraded or trusted.
    """
    return open_store(locate(folder))
