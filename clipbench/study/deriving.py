"""The numbers of stored runs, derived again from their ledgers: what `store verify` compares with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from clipbench.records import Direction, Ledger, Metric, protocol_of
from clipbench.store.runs import StoredRun
from clipbench.study.protocol import metrics_of
from clipbench.study.robustness import fooling, gallery_sizes


def derived(run: StoredRun, ledgers: Mapping[Direction, Ledger]) -> Iterable[Metric]:
    """Return the metrics of a run that follow from its own ledgers; what compares it with another run does not."""
    stored = run.spec.protocol
    protocol = protocol_of(stored)
    yield from metrics_of(ledgers, protocol)
    if run.spec.kind == gallery_sizes.KIND:
        yield from gallery_sizes.size_metrics(ledgers, cast("Sequence[int]", stored["sizes"]), protocol)
    if run.spec.kind == fooling.KIND:
        yield from fooling.false_metrics(ledgers["i2t"], stored, protocol)
