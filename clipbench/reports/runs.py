"""Tables about stored runs: the list, one run whole, and the per-query ledger. Everything is read, nothing computed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from clipbench.keys import short
from clipbench.records import DIRECTIONS, Metric
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter, RunSummary, list_runs, metrics_of
from clipbench.store.runs import StoredRun, load_metrics

Numbers = Mapping[tuple[str, str], Metric]

HEADLINE: tuple[tuple[str, str, str, int], ...] = (
    ("t2i", "hit@1", "t2i R@1", 4),
    ("t2i", "hit@5", "t2i R@5", 4),
    ("t2i", "hit@10", "t2i R@10", 4),
    ("t2i", "MedR", "t2i MedR", 1),
    ("i2t", "hit@1", "i2t R@1", 4),
    ("i2t", "hit@5", "i2t R@5", 4),
    ("i2t", "hit@10", "i2t R@10", 4),
    ("i2t", "MedR", "i2t MedR", 1),
    ("both", "rsum", "RSUM", 1),
)
"""Direction, metric, heading and decimals of the numbers that a list of runs shows."""

SHOWN_NAMES: Mapping[str, str] = {"rsum": "RSUM", "tied-queries": "queries with ties"}
"""How tables write the names that differ from the stored ones; hit@K is R@K."""

COUNTS = ("queries", "gallery", "tied-queries")


def shown_name(name: str) -> str:
    """Return a metric's name as papers write it.

    >>> [shown_name(n) for n in ("hit@5", "chance-hit@1", "nDCG@10", "rsum")]
    ['R@5', 'chance R@1', 'nDCG@10', 'RSUM']
    """
    if name.startswith("chance-"):
        return f"chance {shown_name(name.removeprefix('chance-'))}"
    return SHOWN_NAMES.get(name) or name.replace("hit@", "R@")


def run_list(store: Store, filters: RunFilter, *, wide: bool = False) -> Table:
    """Return the runs that pass, newest first, with their headline numbers; `wide` adds the intervals.

    Wide is the form for programs: every metric of every run, in columns `direction name` with low and high.
    """
    runs = list_runs(store, filters)
    stored = metrics_of(store, [run.key for run in runs])
    numbers = {key: {(m.direction, m.name): m for m in metrics} for key, metrics in stored.items()}
    shown = _all_metrics(stored) if wide else [(d, n, label, digits) for d, n, label, digits in HEADLINE]
    columns = [Column(name) for name in ("run", "dataset", "model", "perturbation")]
    for direction, name, label, digits in shown:
        columns += _metric_columns(direction, name, label, digits, wide=wide)
    columns += [Column("kind"), Column("tags"), Column("created")]
    rows = tuple(_run_row(run, numbers[run.key], shown, wide=wide) for run in runs)
    notes = (_legend(runs),) if runs else ("evaluate something: clipbench evaluate DATASET --model MODEL",)
    return Table("Runs", tuple(columns), rows, notes)


def perturbation_name(operation: str, level: float, seed: int) -> str:
    """Return a perturbation in words: "clean", "word-dropout 0.3 (seed 1)"."""
    return operation if operation == "clean" else f"{operation} {level:g} (seed {seed})"


def run_table(store: Store, run: StoredRun) -> Table:
    """Return every number of one run: a row per metric, a column per direction with its interval."""
    found = {(m.direction, m.name): m for m in load_metrics(store, run.key)}
    names = list(dict.fromkeys(name for direction, name in found if direction in DIRECTIONS))
    rows: list[tuple[Cell, ...]] = [
        (shown_name(name), *(cell for d in DIRECTIONS for cell in _with_interval(found.get((d, name)))))
        for name in names
    ]
    joint = [m for (direction, _), m in found.items() if direction == "both"]
    rows += [(shown_name(m.name), *_with_interval(m), None, None) for m in joint]
    columns = (
        Column("metric"),
        *(Column(head) for d in DIRECTIONS for head in (f"{d}", f"{d} 95 % interval")),
    )
    title = f"{run.dataset_name} × {run.model}, {_words(run)}"
    return Table(title, columns, tuple(rows), _run_notes(run, found))


def run_facts(run: StoredRun) -> Table:
    """Return where a run comes from: keys, command, versions, device, git state, timings."""
    facts: list[tuple[str, str]] = [
        ("run", run.key),
        ("dataset", f"{run.dataset_name} ({run.fingerprint})"),
        ("model", f"{run.model} ({run.encoder})"),
        ("perturbation", _words(run)),
        ("protocol", json.dumps(dict(run.spec.protocol), sort_keys=True)),
        ("metric version", str(run.spec.metric_version)),
        ("tags", " ".join(run.tags)),
        ("command", run.command),
        ("clipbench", run.version),
        ("created", f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC"),
        *((name, json.dumps(value, sort_keys=True)) for name, value in sorted(run.environment.items())),
        *((f"seconds: {name}", f"{value:.2f}") for name, value in run.timings.items()),
    ]
    return Table(f"Run {short(run.key)}", (Column("fact"), Column("value")), tuple(facts))


def _words(run: StoredRun) -> str:
    setting = run.perturbation
    return perturbation_name(setting.operation, setting.level, setting.seed)


def _with_interval(metric: Metric | None) -> tuple[Cell, Cell]:
    if metric is None:
        return None, None
    if metric.name in COUNTS:
        return int(metric.value), None
    digits = 1 if metric.name in {"MedR", "rsum"} else 2 if metric.name == "MeanR" else 4
    if metric.low is None or metric.high is None:
        return f"{metric.value:.{digits}f}", None
    return f"{metric.value:.{digits}f}", f"[{metric.low:.{digits}f}, {metric.high:.{digits}f}]"


def _run_notes(run: StoredRun, found: Numbers) -> tuple[str, ...]:
    methods = list(dict.fromkeys(m.method for m in found.values() if m.method))
    ties = run.spec.protocol.get("ties", "expected")
    positives = run.spec.protocol.get("positives", "own")
    return (
        f"run {short(run.key)}; ties count by their {ties} value; positives: {positives}",
        *(f"intervals: {method}" for method in methods),
    )


def _all_metrics(stored: Mapping[str, Sequence[Metric]]) -> list[tuple[str, str, str, int]]:
    found = dict.fromkeys((m.direction, m.name) for metrics in stored.values() for m in metrics)
    order = {key: place for place, key in enumerate((d, n) for d, n, _, _ in HEADLINE)}
    ranked = sorted(found, key=lambda key: (order.get(key, len(order)), key))
    return [(direction, name, f"{direction} {name}", 4) for direction, name in ranked]


def _metric_columns(direction: str, name: str, label: str, digits: int, *, wide: bool) -> list[Column]:
    stable = f"{direction} {name}"
    column = Column(stable, label, digits)
    return [column, Column(f"{stable} low"), Column(f"{stable} high")] if wide else [column]


def _run_row(
    run: RunSummary, numbers: Numbers, shown: Sequence[tuple[str, str, str, int]], *, wide: bool
) -> tuple[Cell, ...]:
    cells: list[Cell] = [short(run.key), run.dataset, run.model]
    cells.append(perturbation_name(run.operation, run.level, run.seed))
    for direction, name, _, _ in shown:
        metric = numbers.get((direction, name))
        value = None if metric is None else metric.value
        bounds = [None, None] if metric is None else [metric.low, metric.high]
        cells += [value, *bounds] if wide else [value]
    return (*cells, run.kind, " ".join(run.tags), f"{run.created_at:%Y-%m-%d %H:%M}")


def _legend(runs: Sequence[RunSummary]) -> str:
    galleries = sorted({(run.n_images, run.n_texts) for run in runs})
    sizes = "; ".join(f"{images:,} images / {texts:,} captions" for images, texts in galleries)
    return f"R@K: share of queries with a positive among the first K; galleries: {sizes}"
