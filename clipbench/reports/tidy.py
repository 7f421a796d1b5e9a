"""Metrics of many runs in the form that data frames like: a row per run and metric, every setting a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clipbench.records import Metric
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.queries import metrics_of
from clipbench.store.runs import StoredRun
from clipbench.study.evaluation.methods import method_words

COLUMNS = (
    *("run", "dataset", "model", "method", "kind", "operation", "target", "level", "seed", "tags", "created"),
    *("images", "captions", "direction", "metric", "value", "low", "high", "n", "interval"),
)


def metrics_table(store: Store, runs: Sequence[StoredRun]) -> Table:
    """Return every metric of every run: values and bounds in the unit of their definition, None where there is none.

    interval says how the bounds were made, method what ranked, "" for the plain product; names are the stored ones (hit@1).
    """
    metrics = metrics_of(store, [run.key for run in runs])
    rows = [row for run in runs for row in _rows(run, metrics[run.key])]
    return Table("", tuple(Column(name) for name in COLUMNS), tuple(rows))


def _rows(run: StoredRun, metrics: Sequence[Metric]) -> Iterator[tuple[Cell, ...]]:
    setting = run.perturbation
    told = (
        *(run.key, run.dataset_name, run.model, method_words(run.spec.method), run.spec.kind),
        *(setting.operation, setting.target, setting.level, setting.seed, " ".join(run.tags)),
        *(run.created_at.isoformat(), run.n_images, run.n_texts),
    )
    for one in metrics:
        yield (*told, one.direction, one.name, one.value, one.low, one.high, one.n, one.method)
