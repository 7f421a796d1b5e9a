"""Tables about stored runs: the list, and one run whole. Everything is read, nothing computed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from clipbench.keys import Json, short
from clipbench.records import DIRECTIONS, Metric, filled, perturbation_name
from clipbench.reports.chance import chance_lines, chance_notes
from clipbench.reports.left_out import left_out_notes, left_out_words, notes_of
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.left_out import LeftOut, left_out
from clipbench.store.queries import RunFilter, RunSummary, list_runs, metrics_of
from clipbench.store.runs import StoredRun, load_metrics
from clipbench.study.comparing.references import need_known
from clipbench.study.evaluation.methods import method_words
from clipbench.study.runs.kind_names import ESTIMATED, EVALUATE
from clipbench.study.runs.run_kinds import kind_of

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

DIGITS: Mapping[str, int] = {"MedR": 1, "rsum": 1, "MeanR": 2}
"""Decimals that people see where they are not 4."""

COUNTS = ("queries", "gallery", "tied-queries", "items sampled")
FOLD_SD = " fold-sd"

TIES: Mapping[str, str] = {
    "expected": "ties count by their expected value",
    "optimistic": "ties count in the query's favour",
    "pessimistic": "ties count against the query",
}
POSITIVES: Mapping[str, str] = {
    "own": "right is a caption's own image",
    "equal-captions": "right is every image with an equal caption",
}

SPELLED = "t2i: captions find images; i2t: images find captions"
"""What the two directions are; it stands beneath every table that heads columns with them."""

SIZES = 3
"""Gallery sizes that a legend lists."""


def shown_name(name: str) -> str:
    """Return a metric's name as papers write it.

    >>> [shown_name(n) for n in ("hit@5", "chance-hit@1", "nDCG@10", "rsum", "rsum fold-sd")]
    ['R@5', 'chance R@1', 'nDCG@10', 'RSUM', 'RSUM fold-sd']
    """
    if name.startswith("chance-"):
        return f"chance {shown_name(name.removeprefix('chance-'))}"
    if name.endswith(FOLD_SD):
        return shown_name(name.removesuffix(FOLD_SD)) + FOLD_SD
    return SHOWN_NAMES.get(name) or name.replace("hit@", "R@")


def run_list(store: Store, filters: RunFilter, *, wide: bool = False) -> Table:
    """Return the runs that pass, newest first, with their headline numbers.

    `wide` is the form for programs: whole keys, and every metric of every run in columns `direction name`,
    `... low` and `... high`. The other form leaves out columns that would say the same of every run.
    Raises StoreError where a filter names what no run has.
    """
    runs = list_runs(store, filters)
    if not runs:
        need_known(store, filters)
    keys = [run.key for run in runs]
    if wide:
        return _wide_list(runs, metrics_of(store, keys), left_out(store, keys))
    stored = metrics_of(store, keys, {*(name for _, name, _, _ in HEADLINE), "chance-hit@1", "queries"})
    numbers = [{(m.direction, m.name): m.value for m in stored[run.key]} for run in runs]
    columns: dict[Column, Sequence[Cell]] = {
        Column("run", aside=True): [short(run.key) for run in runs],
        Column("dataset"): [run.dataset for run in runs],
        Column("model"): [run.model for run in runs],
        Column("images"): [run.n_images for run in runs],
        Column("perturbation"): [_setting(run) for run in runs],
        Column("method"): [method_words(run.method) for run in runs],
        Column("protocol"): [kind_of(run.kind).words(run.protocol) for run in runs],
        **{
            Column(f"{d} {name}", label, digits): [found.get((d, name)) for found in numbers]
            for d, name, label, digits in HEADLINE
        },
        Column("kind", aside=True): [run.kind for run in runs],
        Column("tags"): [" ".join(run.tags) for run in runs],
        Column("created", aside=True): [f"{run.created_at:%Y-%m-%d %H:%M}" for run in runs],
    }
    plain = {"perturbation": "clean", "method": "", "protocol": "", "kind": EVALUATE, "tags": ""}
    said = {c: cells for c, cells in columns.items() if c.name not in plain or {*cells} - {plain[c.name]}}
    rows = tuple(zip(*said.values(), strict=True))
    if rows:
        chance = chance_lines({short(run.key): found for run, found in zip(runs, numbers, strict=True)})
        notes = (_legend(runs), SPELLED, *notes_of(left_out(store, keys)), *chance)
        return Table("Runs", tuple(said), rows, notes)
    if filters != RunFilter() and list_runs(store, RunFilter(limit=1)):
        none, hint = "none that these filters let through", "all of them: clipbench runs list"
    else:
        none, hint = "nothing yet", "evaluate something: clipbench evaluate DATASET --model MODEL"
    return Table("Runs", tuple(said), rows, (hint,), empty=none)


def _setting(run: RunSummary) -> str:
    return perturbation_name(run.operation, run.level, run.seed, run.label)


def _legend(runs: Sequence[RunSummary]) -> str:
    galleries = sorted({(run.n_images, run.n_texts) for run in runs})
    sizes = [f"{images:,} images / {texts:,} captions" for images, texts in galleries[:SIZES]]
    more = [f"and {len(galleries) - SIZES:,} more sizes"] if len(galleries) > SIZES else []
    return f"R@K: share of queries with a positive among the first K; galleries: {'; '.join(sizes + more)}"


ABOUT = (
    *("run", "dataset", "fingerprint", "model", "encoder", "perturbation", "operation", "target"),
    *("level", "seed", "kind", "method", "protocol", "images", "captions"),
    *("left out", "left out why", "tags", "created"),
)
"""What the form for programs says of a run besides its metrics."""


def _wide_list(
    runs: Sequence[RunSummary], stored: Mapping[str, Sequence[Metric]], gone: Mapping[str, LeftOut]
) -> Table:
    shown = _all_metrics(stored)
    columns = [Column(name) for name in ABOUT]
    columns += [Column(f"{d} {name}{end}") for d, name in shown for end in ("", " low", " high")]
    rows = []
    for run in runs:
        cells: list[Cell] = [run.key, run.dataset, run.fingerprint, run.model, run.encoder_key]
        cells += [_setting(run), run.operation, run.target]
        cells += [
            run.level,
            run.seed,
            run.kind,
            method_words(run.method),
            kind_of(run.kind).words(run.protocol),
            run.n_images,
            run.n_texts,
            len(gone[run.key].reasons),
            left_out_words(gone[run.key]),
            " ".join(run.tags),
        ]
        cells.append(run.created_at.isoformat())
        found = {(m.direction, m.name): m for m in stored[run.key]}
        for name in shown:
            metric = found.get(name)
            cells += [None] * 3 if metric is None else [metric.value, metric.low, metric.high]
        rows.append(tuple(cells))
    return Table("Runs", tuple(columns), tuple(rows))


def _all_metrics(stored: Mapping[str, Sequence[Metric]]) -> list[tuple[str, str]]:
    """Return direction and name of every metric there is, the headline's first."""
    found = dict.fromkeys((m.direction, m.name) for metrics in stored.values() for m in metrics)
    order = {(d, name): place for place, (d, name, _, _) in enumerate(HEADLINE)}
    return sorted(found, key=lambda key: (order.get(key, len(order)), key))


def _merged(orders: Sequence[Sequence[str]]) -> list[str]:
    """Return all names, each once, in the order of the first list; what others add stands where it does there.

    >>> _merged([["R@5", "R@10", "MedR"], ["R@10", "R@50", "MedR"]])
    ['R@5', 'R@10', 'R@50', 'MedR']
    """
    names: list[str] = []
    for order in orders:
        place = 0
        for name in order:
            if name in names:
                place = names.index(name) + 1
            else:
                names.insert(place, name)
                place += 1
    return names


def run_table(store: Store, run: StoredRun, *, wide: bool = False) -> Table:
    """Return every number of one run: a row per metric, a column per direction, its interval beside it.

    A run over folds has the standard deviation over the folds there.
    `wide` is the form for programs: a row per metric and direction, with full precision.
    """
    metrics = load_metrics(store, run.key)
    title = ", ".join(
        filter(
            None,
            (
                f"{run.dataset_name} × {run.model}",
                run.perturbation.words,
                method_words(run.spec.method),
                "" if kind_of(run.spec.kind).by_query else kind_of(run.spec.kind).words(run.spec.protocol),
            ),
        )
    )
    if wide:
        heads = ("direction", "metric", "value", "low", "high", "n", "method", "left out", "left out why")
        gone = (len(run.left_out.reasons), left_out_words(run.left_out))
        long = tuple((m.direction, m.name, m.value, m.low, m.high, m.n, m.method, *gone) for m in metrics)
        return Table(title, tuple(Column(head) for head in heads), long, _run_notes(run, metrics))
    found = {(m.direction, m.name): m for m in metrics}
    directions = [d for d in DIRECTIONS if any(direction == d for direction, _ in found)]
    names = _merged([[name for direction, name in found if direction == d] for d in directions])
    joint = list(dict.fromkeys(m.name for m in metrics if m.direction == "both"))
    rows = [
        (shown_name(name), *(cell for d in directions for cell in _cells(found, d, name)))
        for name in names
        if not name.endswith(FOLD_SD)
    ]
    rest = (None,) * (2 * len(directions) - 2)
    rows += [
        (f"{shown_name(name)} (both)", *_cells(found, "both", name), *rest)
        for name in joint
        if not name.endswith(FOLD_SD)
    ]
    protocol = filled(run.spec.protocol)
    spread = f"{100 * float(str(protocol['confidence'])):g} % interval"
    if protocol["fold"] is not None:
        spread = "sd over folds"
    columns = [Column("metric")]
    for d in directions:
        columns += [Column(d, right=True), Column(f"{d} {spread}", right=True)]
    return Table(title, tuple(columns), tuple(rows), _run_notes(run, metrics))


def _cells(found: Mapping[tuple[str, str], Metric], direction: str, name: str) -> tuple[Cell, Cell]:
    """Return a metric's value and its interval, or its standard deviation over folds, as people read them."""
    metric, sd = found.get((direction, name)), found.get((direction, name + FOLD_SD))
    if metric is None:
        return None, None
    if name in COUNTS and metric.value.is_integer():
        return int(metric.value), None
    digits = 1 if name in COUNTS else DIGITS.get(name.removesuffix(ESTIMATED), 4)
    value = f"{metric.value:.{digits}f}"
    if sd is not None:
        return value, f"{sd.value:.{digits}f}"
    if metric.low is None or metric.high is None:
        return value, None
    return value, f"[{metric.low:.{digits}f}, {metric.high:.{digits}f}]"


def _run_notes(run: StoredRun, metrics: Sequence[Metric]) -> tuple[str, ...]:
    protocol = filled(run.spec.protocol)
    ties, positives = TIES[str(protocol["ties"])], POSITIVES[str(protocol["positives"])]
    return (
        SPELLED,
        f"run {short(run.key)}; {positives}; {ties}",
        *_methods(metrics),
        *left_out_notes([run]),
        *chance_notes(metrics),
    )


def _methods(metrics: Sequence[Metric]) -> Iterator[str]:
    """Yield how the intervals (or the means over folds) were made: the usual way, then the exceptions by name."""
    named: dict[str, list[str]] = {}
    for metric in metrics:
        if metric.method:
            named.setdefault(metric.method, []).append(shown_name(metric.name))
    usual = max(named, key=lambda method: len(named[method]), default=None)
    for method in sorted(named, key=lambda method: method != usual):
        what = "numbers" if "folds" in method else "intervals"
        of = "" if method == usual else f" of {', '.join(dict.fromkeys(named[method]))}"
        yield f"{what}{of}: {method}"


def run_facts(run: StoredRun, *, wide: bool = False) -> Table:
    """Return where a run comes from: keys, command, versions, git state, timings.

    `wide` is the form for programs: versions and git state as JSON, not in words.
    """
    facts: list[tuple[str, str]] = [
        ("run", run.key),
        ("dataset", f"{run.dataset_name} ({run.fingerprint})"),
        ("model", f"{run.model} ({run.encoder})"),
        ("perturbation", run.perturbation.words),
        *((("method", _json(run.spec.method)),) if run.spec.method else ()),
        ("protocol", _json(run.spec.protocol)),
        ("images", f"{run.n_images:,}"),
        (
            "left out, with their captions",
            left_out_words(run.left_out, most=len(run.left_out.reasons)) or "none",
        ),
        ("metric version", str(run.spec.metric_version)),
        ("tags", " ".join(run.tags)),
        ("command", run.command),
        ("clipbench", run.version),
        ("created", f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC"),
        *(
            (name, _json(value) if wide else _words_of(value))
            for name, value in sorted(run.environment.items())
            if name != "dataset_name"  # said above
        ),
        *((f"seconds: {name}", f"{value:.2f}") for name, value in run.timings.items()),
    ]
    return Table(f"Run {short(run.key)}", (Column("fact"), Column("value")), tuple(facts))


def _words_of(value: Json) -> str:
    """Return a value of the environment in words: "numpy 2.1.0, torch 2.9.0" rather than JSON."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words_of(part)}" for name, part in value.items()) or "-"
    return value if isinstance(value, str) else _json(value)


def _json(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
