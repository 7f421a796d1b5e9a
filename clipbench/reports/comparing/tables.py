"""A comparison as tables: every difference in full, and an overview with a row per run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.reports.comparing.words import (
    CORRECTION_NAMES,
    HEADLINE,
    UNLIKE,
    comparison_notes,
    comparison_title,
    digits,
    metric_label,
    p_value,
    percent,
    run_labels,
    signed,
    significance_mark,
    unlike_words,
    with_bounds,
)
from clipbench.reports.left_out import left_out_words
from clipbench.reports.tables import Cell, Column, Table
from clipbench.statistics.intervals import Interval
from clipbench.study.comparing.comparison import Comparison, Line


@dataclass(frozen=True, slots=True)
class Score:
    """One cell of an overview: the number as people read it, whether it is the best, and its mark.

    improves: whether it is better than the baseline's, None for the baseline and where they are equal.
    """

    text: str
    best: bool
    mark: str
    improves: bool | None = None


@dataclass(frozen=True)
class Overview:
    """A row per group and run, a column per metric; None where a run has not that number."""

    title: str
    has_groups: bool
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Score | None, ...]], ...]
    notes: tuple[str, ...]


def detail(comparison: Comparison) -> Table:
    """Return every difference with its statistics, as people read it."""
    share = percent(comparison.request.confidence)
    grouped, several = comparison.groups != ("",), len(comparison.runs) > 2
    labels = run_labels(comparison.runs)
    columns = [Column("group")] if grouped else []
    columns += [Column("metric")]
    columns += [Column("run")] if several else []
    columns += [
        Column("baseline", right=True, aside=True),
        Column("value", "run" if not several else "value", right=True, aside=True),
        Column("delta", "Δ", right=True),
        Column("bca", f"Δ {share} BCa", right=True),
        Column("percentile", f"Δ {share} percentile", right=True, aside=True),
        Column("p", right=True, aside=True),
        Column("p adjusted", f"p {CORRECTION_NAMES[comparison.correction]}", right=True),
        Column("fixed", aside=True),
        Column("broken", aside=True),
        Column("mcnemar p", "McNemar p", right=True, aside=True),
        Column("detectable", right=True, aside=True),
    ]
    columns += [Column("queries", aside=True), Column("images", aside=True)] if grouped else []
    columns += [Column(UNLIKE, "FORCED: unlike in")] if comparison.unlike else []
    rows = []
    for line in comparison.lines:
        cells: list[Cell] = [line.group] if grouped else []
        cells.append(metric_label(line.direction, line.metric))
        cells += [labels[line.run]] if several else []
        cells += _difference(line)
        cells += [line.queries, line.images] if grouped else []
        cells += [unlike_words(comparison, line)] if comparison.unlike else []
        rows.append(tuple(cells))
    return Table(comparison_title(comparison), tuple(columns), tuple(rows), comparison_notes(comparison))


def _difference(line: Line) -> list[Cell]:
    tested, flips = line.tested, line.flips
    return [
        with_bounds(line.reference, line.metric),
        with_bounds(line.estimate, line.metric) + significance_mark(line),
        signed(line.delta, line.metric),
        _bounds(tested.bca if tested else None, line.metric),
        _bounds(tested.percentile if tested else None, line.metric),
        p_value(tested.p if tested else None),
        p_value(line.p_adjusted),
        flips.fixed if flips else None,
        flips.broken if flips else None,
        p_value(flips.p if flips else None),
        None if line.detectable is None else f"{line.detectable:.{digits(line.metric)}f}",
    ]


def _bounds(interval: Interval | None, metric: str) -> str | None:
    if interval is None:
        return None
    return f"[{signed(interval.low, metric)}, {signed(interval.high, metric)}]"


WIDE = (
    *("group", "baseline", "baseline model", "baseline perturbation", "run", "model", "perturbation"),
    *("level", "seed", "direction", "metric", "better", "queries", "images"),
    *("baseline value", "baseline low", "baseline high", "value", "low", "high"),
    *("delta", "delta bca low", "delta bca high", "delta bca method"),
    *("delta percentile low", "delta percentile high", "standard error"),
    *("p", "p adjusted", "correction", "tests", "fixed", "broken", "mcnemar p", "mcnemar method"),
    *("detectable", "confidence", "resamples", "draw seed", UNLIKE),
    *("baseline left out", "left out", "left out why"),
)
"""Columns of the form for programs; new ones are added at the end."""


def wide(comparison: Comparison) -> Table:
    """Return every difference in full precision, for programs; the columns are those of `WIDE`."""
    rows = tuple(_wide_row(comparison, line) for line in comparison.lines)
    return Table(
        comparison_title(comparison), tuple(Column(name) for name in WIDE), rows, comparison_notes(comparison)
    )


def _wide_row(comparison: Comparison, line: Line) -> tuple[Cell, ...]:
    request, tested, flips = comparison.request, line.tested, line.flips
    base, run = comparison.runs[line.baseline], comparison.runs[line.run]
    bca, plain = (tested.bca, tested.percentile) if tested else (None, None)
    return (
        line.group,
        base.key,
        base.model,
        base.perturbation.operation,
        run.key,
        run.model,
        run.perturbation.operation,
        run.perturbation.level,
        run.perturbation.seed,
        line.direction,
        line.metric,
        line.better,
        line.queries,
        line.images,
        *(line.reference.value, line.reference.low, line.reference.high),
        *(line.estimate.value, line.estimate.low, line.estimate.high),
        line.delta,
        *((bca.low, bca.high, bca.method) if bca else (None, None, None)),
        *((plain.low, plain.high) if plain else (None, None)),
        tested.standard_error if tested else None,
        tested.p if tested else None,
        line.p_adjusted,
        comparison.correction,
        comparison.tests,
        *((flips.fixed, flips.broken, flips.p, flips.method) if flips else (None, None, None, None)),
        line.detectable,
        request.confidence,
        request.resamples,
        request.seed,
        unlike_words(comparison, line) or None,
        *(len(base.left_out.reasons), len(run.left_out.reasons), left_out_words(run.left_out)),
    )


def overview(comparison: Comparison) -> Overview:
    """Return the runs side by side: the headline metrics, or all of them where some were named."""
    told = list(dict.fromkeys((line.direction, line.metric) for line in comparison.lines))
    short_list = [name for name in HEADLINE if name in told]
    names = told if comparison.request.metrics or not short_list else short_list
    labels = run_labels(comparison.runs)
    rows = []
    for group in comparison.groups:
        own = [line for line in comparison.lines if line.group == group]
        cells = _scores(own, names)
        for run in sorted(cells, key=lambda run: (run != own[0].baseline, run)):
            label = f"{labels[run]} (baseline)" if run == own[0].baseline else labels[run]
            if comparison.unlike:
                label += " (FORCED)"
            rows.append((group, label, tuple(cells[run].get(name) for name in names)))
    heads = tuple(metric_label(*name) for name in names)
    return Overview(
        comparison_title(comparison),
        comparison.groups != ("",),
        heads,
        tuple(rows),
        comparison_notes(comparison),
    )


def _scores(
    lines: Sequence[Line], names: Sequence[tuple[str, str]]
) -> dict[int, dict[tuple[str, str], Score]]:
    """Return the cells of one group by run and metric; the best of each metric, or the best ones, are told."""
    found: dict[int, dict[tuple[str, str], Score]] = {}
    for name in names:
        own = [line for line in lines if (line.direction, line.metric) == name]
        if not own:
            continue
        values = {own[0].baseline: own[0].reference.value} | {line.run: line.estimate.value for line in own}
        best = (max if own[0].better == "higher" else min)(values.values())
        alike = all(value == best for value in values.values())  # then none of them is the best
        of_run = {line.run: line for line in own}
        for run, value in values.items():
            line = of_run.get(run)
            text, sign = f"{value:.{digits(name[1])}f}", significance_mark(line) if line else ""
            better = line.improves if line else None
            found.setdefault(run, {})[name] = Score(text, value == best and not alike, sign, better)
    return found


def overview_table(told: Overview) -> Table:
    """Return an overview as a table, with the best of each column in bold where that can be."""
    columns = [Column("group")] if told.has_groups else []
    columns += [Column("run"), *(Column(name, right=True) for name in told.columns)]
    rows = [
        (
            *([group] if told.has_groups else []),
            label,
            *(None if score is None else score.text + score.mark for score in scores),
        )
        for group, label, scores in told.rows
    ]
    before = len(columns) - len(told.columns)
    best = frozenset(
        (y, before + x)
        for y, (_, _, scores) in enumerate(told.rows)
        for x, score in enumerate(scores)
        if score is not None and score.best
    )
    notes = (
        "bold: the best of its group" if told.has_groups else "bold: the best of its column",
        *told.notes,
    )
    return Table(told.title, tuple(columns), tuple(rows), notes, best=best)
