"""Gallery-side stress as tables and figures: gallery sizes, distractors, hard negatives. Read from the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.keys import short
from clipbench.records import DIRECTIONS, Metric
from clipbench.reports.figures.drawing import FigureText, Point, Series, curve, save
from clipbench.reports.left_out import left_out_in_figures, left_out_notes, left_out_words
from clipbench.reports.runs import SPELLED, shown_name
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, load_metrics
from clipbench.study.robustness.false_rates import FALSE_RATE, OWN_FALSE_RATE
from clipbench.study.robustness.gallery_sizes import named, sized
from clipbench.study.robustness.gallery_stress import StressRuns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Numbers = Mapping[tuple[str, str], Metric]

KS = (1, 5, 10)
FORMULA = (
    "R@K at n: expected over all galleries of n that hold the query's own items, in closed form:",
    "Σ_{h<K} C(g,h)·C(N-R-g, n-R-h) / C(N-R, n-R); g items score above the best of the query's R own, of N",
)


def stress_tables(store: Store, runs: StressRuns, *, wide: bool = False) -> tuple[Table, ...]:
    """Return the tables of every stress that was run; `wide` gives one table with every number, for programs."""
    if wide:
        return (stress_records(store, runs),)
    tables = [size_table(store, runs)]
    if runs.distractors:
        tables.append(distractor_table(store, runs))
    if runs.hard_negatives:
        tables.append(hard_negatives_table(store, runs))
    return tuple(tables)


def size_table(store: Store, runs: StressRuns) -> Table:
    """Return one row per gallery size: R@K of both directions, and the chance level of t2i R@1."""
    numbers = _numbers(store, runs.sizes)
    columns = [Column("images")]
    for direction in DIRECTIONS:
        columns += [Column(f"{direction} R@1"), Column(f"{direction} R@1 95 %", "95 %")]
        columns += [Column(f"{direction} R@{k}", f"R@{k}") for k in KS if k > 1]
        columns += [Column("t2i chance R@1", "chance")] if direction == "t2i" else []
    rows = []
    for size in _sizes(numbers):
        row: list[Cell] = [size]
        for direction in DIRECTIONS:
            first = named("hit@1", size)
            row += [_value(numbers, direction, first), _interval(numbers, direction, first)]
            row += [_value(numbers, direction, named(f"hit@{k}", size)) for k in KS if k > 1]
            row += [_value(numbers, "t2i", named("chance-hit@1", size))] if direction == "t2i" else []
        rows.append(tuple(row))
    run = runs.sizes
    counts = (
        f"N is {run.n_images:,} images for t2i, {run.n_texts:,} captions for i2t, of which n images stand for",
        f"n × {run.n_texts:,} / {run.n_images:,}; ties count by their expected value; run {short(run.key)}",
    )
    title = f"{run.dataset_name} × {run.model}: gallery size"
    return Table(title, tuple(columns), tuple(rows), (*FORMULA, *counts, *left_out_notes([run])))


def stress_records(store: Store, runs: StressRuns) -> Table:
    """Return one row per number of every run: run, kind, what was added, direction, metric, size, interval."""
    rows: list[tuple[Cell, ...]] = []
    chosen = [(runs.sizes, ""), *((run, name) for name, run in runs.distractors)]
    chosen += [(run, _controls(run)) for run in runs.hard_negatives]
    for run, added in chosen:
        for metric in load_metrics(store, run.key):
            name, size = sized(metric.name) or (metric.name, None)
            head = (run.key, run.dataset_name, run.model, run.spec.kind, added, metric.direction)
            gone = (len(run.left_out.reasons), left_out_words(run.left_out))
            rows.append((*head, name, size, metric.value, metric.low, metric.high, metric.n, *gone))
    names = (
        "run",
        "dataset",
        "model",
        "kind",
        "added",
        "direction",
        "metric",
        "images",
        "value",
        "low",
        "high",
    )
    columns = (*names, "n", "left out", "left out why")
    return Table("Gallery stress", tuple(map(Column, columns)), tuple(rows))


def _controls(run: StoredRun) -> str:
    controls = run.perturbation.parameters.get("controls")
    return " ".join(map(str, controls)) if isinstance(controls, list | tuple) else ""


def distractor_table(store: Store, runs: StressRuns) -> Table:
    """Return one row per collection of distractors and gallery size: t2i R@K, and the drop of R@1."""
    columns = [Column("distractors"), Column("gallery"), *(Column(f"t2i R@{k}") for k in KS)]
    columns += [Column("drop of R@1"), Column("95 % of the drop")]
    clean = _numbers(store, runs.clean)
    before = [_value(clean, "t2i", f"hit@{k}") for k in KS]
    rows: list[tuple[Cell, ...]] = [("none", runs.clean.n_images, *before, None, None)]
    notes = []
    for name, run in runs.distractors:
        numbers = _numbers(store, run)
        for size in _sizes(numbers):
            whole = size == run.n_images
            drop = _value(numbers, "t2i", "hit@1 drop") if whole else None
            around = _interval(numbers, "t2i", "hit@1 drop") if whole else None
            values = [_value(numbers, "t2i", named(f"hit@{k}", size)) for k in KS]
            rows.append((name, size, *values, drop, around))
        facts = run.spec.protocol["distractors"]
        both = facts.get("in_both") if isinstance(facts, Mapping) else None
        same = f"; {both:,} that are in both were left out" if isinstance(both, int) and both else ""
        notes.append(
            f"{name}: {run.n_images - runs.clean.n_images:,} images added{same}; run {short(run.key)}"
        )
    notes.append(
        "between the two ends: all own images and so many distractors, drawn without replacement, expected value"
    )
    notes += left_out_notes([runs.clean])
    title = f"{runs.clean.dataset_name} × {runs.clean.model}: distractor images"
    return Table(title, tuple(columns), tuple(rows), tuple(notes))


def hard_negatives_table(store: Store, runs: StressRuns) -> Table:
    """Return one row per operation that makes hard negatives: false rate, and what becomes of i2t R@1."""
    names = ("copies by", "added", "false", "95 %", "chance", "own", "i2t R@1", "drop", "95 % of it")
    clean = _numbers(store, runs.clean)
    rows: list[tuple[Cell, ...]] = [
        ("none", 0, None, None, None, None, _value(clean, "i2t", "hit@1"), None, None)
    ]
    for run in runs.hard_negatives:
        numbers = _numbers(store, run)
        words = _controls(run).split()
        rows.append(
            (
                words[0] if len(words) == 1 else f"all {len(words)}",
                run.n_texts - runs.clean.n_texts,
                _value(numbers, "i2t", FALSE_RATE),
                _interval(numbers, "i2t", FALSE_RATE),
                _value(numbers, "i2t", f"chance-{FALSE_RATE}"),
                _value(numbers, "i2t", OWN_FALSE_RATE),
                _value(numbers, "i2t", "hit@1"),
                _value(numbers, "i2t", "hit@1 drop"),
                _interval(numbers, "i2t", "hit@1 drop"),
            )
        )
    notes = (
        SPELLED,
        "false: false rate, the share of images whose highest caption is a fooling one; own: made of its own",
        "fooling captions: meaning-changed copies, save those that are true of their image",
        "chance: false rate of a random order",
        "drop: clean less stressed, with its paired cluster-bootstrap interval over images",
    )
    title = f"{runs.clean.dataset_name} × {runs.clean.model}: fooling captions"
    return Table(title, tuple(Column(name) for name in names), tuple(rows), notes)


def stress_figures(store: Store, runs: StressRuns, folder: Path) -> tuple[Path, ...]:
    """Write R@K against gallery size, a figure for each direction; return the files.

    Distractors go on where the dataset's own images end.
    """
    written: list[Path] = []
    for direction in DIRECTIONS:
        figure = _curve(store, runs, direction)
        written += save(figure, folder, f"gallery-size-{direction}")
    return tuple(written)


def _curve(store: Store, runs: StressRuns, direction: str) -> Figure:
    numbers = _numbers(store, runs.sizes)
    items = "images" if direction == "t2i" else "captions"
    series = [_series(shown_name(f"hit@{k}"), numbers, direction, f"hit@{k}", runs) for k in KS]
    for name, run in runs.distractors if direction == "t2i" else ():
        longer = {**numbers, **_numbers(store, run)}
        line = _series(f"R@1 + {name}", longer, direction, "hit@1", runs)
        beyond = tuple(point for point in line.points if point.level >= runs.sizes.n_images)
        series.append(Series(line.label, beyond))
    chance = _series("chance R@1", numbers, direction, "chance-hit@1", runs)
    run = runs.sizes
    text = FigureText(
        f"{run.dataset_name}, {run.model}: {direction} against gallery size",
        f"{items} in the gallery (log scale)",
        "R@K",
        "95% interval over images",
        left_out_in_figures([run]),
    )
    return curve(series, text, chance=chance, x_scale="log")


def _series(label: str, numbers: Numbers, direction: str, metric: str, runs: StressRuns) -> Series:
    """Return the line of one metric; sizes count images, captions are as many as go with them."""
    scale = runs.sizes.n_texts / runs.sizes.n_images if direction == "i2t" else 1.0
    points = []
    for size in _sizes(numbers):
        found = numbers.get((direction, named(metric, size)))
        if found is not None:
            points.append(Point(round(size * scale), found.value, None, found.low, found.high))
    return Series(label, tuple(points))


def _sizes(numbers: Numbers) -> list[int]:
    return sorted({found[1] for _, name in numbers if (found := sized(name)) is not None})


def _numbers(store: Store, run: StoredRun) -> Numbers:
    return {(m.direction, m.name): m for m in load_metrics(store, run.key)}


def _value(numbers: Numbers, direction: str, name: str) -> float | None:
    found = numbers.get((direction, name))
    return None if found is None else found.value


def _interval(numbers: Numbers, direction: str, name: str) -> str | None:
    found = numbers.get((direction, name))
    if found is None or found.low is None or found.high is None:
        return None
    return f"[{found.low:.4f}, {found.high:.4f}]"
