"""Hangs tags on a run that was just made."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, check_tag, find_run, tag_run


def checked(words: Sequence[str] | None) -> tuple[str, ...]:
    """Return the tags. Raises StoreError for a word that cannot be one: before the run is made, not after."""
    for word in words or ():
        check_tag(word)
    return tuple(words or ())


def tagged(store: Store, run: StoredRun, words: Sequence[str]) -> StoredRun:
    """Return the run with the tags on it. Raises StoreError for a word that cannot be a tag."""
    for word in words:
        tag_run(store, run.key, word)
    return find_run(store, run.key) or run
