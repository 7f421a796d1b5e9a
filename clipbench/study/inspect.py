"""Looks a stored dataset over: decodes every photograph, checks captions and leaks between splits."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.datasets.findings import Finding
from clipbench.datasets.lint import lint
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.study.collect import Reporting
from clipbench.study.progress import Progress


def inspect(
    store: Store, name: str, against: Sequence[str], progress: Progress, *, similar: bool = False
) -> tuple[Finding, ...]:
    """Return what is wrong with a stored dataset, and what it shares with the `against` ones.

    Raises DatasetError for a name the store does not have.
    """
    dataset = load_dataset(store, name)
    others = [load_dataset(store, other) for other in against]
    return lint(dataset, others, similar=similar, on_progress=Reporting(progress, "photographs"))
