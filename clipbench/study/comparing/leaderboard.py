"""Who leads, and how sure that is: the newest run of every model and method on the same queries, all pairs tested.

Knows which runs stand in one table and what their tests say; every test is one of `compare`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from clipbench.errors import CompareError
from clipbench.keys import canonical
from clipbench.records import CLEAN, DIRECTIONS
from clipbench.statistics.multiple import holm
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter, RunSummary, list_runs, metrics_of
from clipbench.store.runs import StoredRun, find_run
from clipbench.study.comparing.compare import compare_loaded
from clipbench.study.comparing.comparison import CompareRequest, Estimate, Line
from clipbench.study.comparing.values import BOTH
from clipbench.study.evaluation.protocol import RSUM
from clipbench.study.runs.kind_names import EVALUATE, ROBUSTNESS
from clipbench.study.runs.loaded import load_runs

LARGEST = 40
"""Runs of one table; all pairs of more take minutes, and their family of tests finds nothing any more."""

SIGNIFICANT = 0.05
"""Adjusted p from which on a difference is called real."""


@dataclass(frozen=True)
class Standing:
    """One model with its method.

    first, last: the ranks it may have. As many runs as are really better stand before `first`, as many as are
    really worse after `last`; 2 and 2 is a certain second place. gap: the score less the best one's. p: of that
    gap, corrected over all pairs of the table; None for the best itself. perturbed: by (operation, level) the mean
    over seeds of the same metric and how many seeds there are. scores: the run's metrics as stored.
    """

    first: int
    last: int
    run: StoredRun
    estimate: Estimate
    gap: float
    p: float | None
    perturbed: Mapping[tuple[str, float], tuple[float, int]]
    scores: Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Leaderboard:
    """The standings of one dataset under one protocol, the best score first.

    direction, metric: what is ranked by. tests: pairs that were tested, whose p-values Holm corrects together.
    """

    dataset: str
    direction: str
    metric: str
    standings: tuple[Standing, ...]
    tests: int
    images: int
    confidence: float
    resamples: int

    @property
    def settings(self) -> tuple[tuple[str, float], ...]:
        """Every perturbation that any of the runs has beside its clean score, in order."""
        return tuple(sorted({setting for one in self.standings for setting in one.perturbed}))


def leaderboards(
    store: Store,
    filters: RunFilter,
    request: CompareRequest,
    *,
    direction: str = "t2i",
    only: Collection[str] | None = None,
) -> tuple[Leaderboard, ...]:
    """Return a table for each dataset and protocol of the clean runs that the filters let through.

    filters: its kind, operation and limit are not looked at. request: its first metric is what is ranked by,
    R@1 where it has none; direction: "t2i", "i2t", or "both" for RSUM. only: keys of the clean runs that stand in
    a table, all of them unless given. Raises CompareError where no run fits.
    """
    metric, direction = _asked(request, direction)
    runs = [
        run
        for run in list_runs(store, replace(filters, kind=None, operation=None, limit=None))
        if run.kind in {EVALUATE, ROBUSTNESS}
        and (only is None or run.operation != CLEAN.operation or run.key in only)
    ]
    boards: dict[tuple[str, str], list[RunSummary]] = defaultdict(list)
    for run in runs:
        boards[_board(run)].append(run)
    found = [
        _leaderboard(store, own, request, metric, direction)
        for own in boards.values()
        if any(run.operation == CLEAN.operation for run in own)
    ]
    if not found:
        raise CompareError("there is no clean run to rank", "clipbench evaluate DATASET --model MODEL")
    return tuple(sorted(found, key=lambda one: (one.dataset, -len(one.standings))))


def _asked(request: CompareRequest, direction: str) -> tuple[str, str]:
    metric = request.metrics[0] if request.metrics else "hit@1"
    if (metric.casefold() == RSUM) != (direction == BOTH):
        direction = BOTH if metric.casefold() == RSUM else "t2i"
    if direction not in (*DIRECTIONS, BOTH):
        raise CompareError(f"there is no direction {direction!r}", "--direction t2i, or i2t")
    return metric, direction


def _board(run: RunSummary) -> tuple[str, str]:
    """Return what runs of one table share: the dataset with its photographs, and how it was scored."""
    return run.fingerprint, canonical([run.protocol, run.metric_version])


def _entry(run: RunSummary) -> tuple[str, str]:
    return run.encoder_key, canonical(run.method)


def _leaderboard(
    store: Store, runs: Sequence[RunSummary], request: CompareRequest, metric: str, direction: str
) -> Leaderboard:
    newest: dict[tuple[str, str], RunSummary] = {}
    for run in runs:  # newest first
        if run.operation == CLEAN.operation:
            newest.setdefault(_entry(run), run)
    if len(newest) > LARGEST:
        raise CompareError(
            f"{len(newest)} runs on {runs[0].dataset} are too many for a table of all pairs; {LARGEST} are the most",
            "--model WORDS or --tag TAG leaves fewer",
        )
    stored = [found for one in newest.values() if (found := find_run(store, one.key)) is not None]
    lines, name = _all_pairs(store, stored, request, metric, direction)
    estimates = _estimates(store, stored, lines, direction, name)
    return _ranked(store, runs, stored, estimates, lines, (direction, name), request)


def _all_pairs(
    store: Store, runs: Sequence[StoredRun], request: CompareRequest, metric: str, direction: str
) -> tuple[dict[tuple[int, int], Line], str]:
    """Return the line of every pair (baseline, run), numbers among `runs`, and the metric's stored name."""
    asked = CompareRequest(
        metrics=(metric,),
        resamples=request.resamples,
        seed=request.seed,
        confidence=request.confidence,
    )
    lines: dict[tuple[int, int], Line] = {}
    name = RSUM if direction == BOTH else metric.replace("R@", "hit@")
    loaded_runs = load_runs(store, runs) if len(runs) > 1 else ()
    for first in range(len(runs) - 1):
        for line in compare_loaded(store, loaded_runs[first:], asked).lines:
            if line.direction == direction:
                lines[first, first + line.run] = line
                name = line.metric
    return lines, name


def _estimates(
    store: Store,
    runs: Sequence[StoredRun],
    lines: Mapping[tuple[int, int], Line],
    direction: str,
    name: str,
) -> list[Estimate]:
    if len(runs) > 1:
        return [lines[0, 1].reference, *(lines[0, number].estimate for number in range(1, len(runs)))]
    stored = {(m.direction, m.name): m for m in metrics_of(store, [runs[0].key])[runs[0].key]}
    if (direction, name) not in stored:
        raise CompareError(
            f"the run has no {direction} {name}", "clipbench runs show lists every metric of a run"
        )
    metric = stored[direction, name]
    return [Estimate(metric.value, metric.low, metric.high)]


def _ranked(
    store: Store,
    runs: Sequence[RunSummary],
    stored: Sequence[StoredRun],
    estimates: Sequence[Estimate],
    lines: Mapping[tuple[int, int], Line],
    scored: tuple[str, str],
    request: CompareRequest,
) -> Leaderboard:
    higher = next((line.better == "higher" for line in lines.values()), True)
    order = sorted(range(len(stored)), key=lambda i: -estimates[i].value if higher else estimates[i].value)
    pairs = [pair for pair, line in lines.items() if line.tested is not None]
    raw = [one.p for pair in pairs if (one := lines[pair].tested) is not None]
    p = dict(zip(pairs, holm(raw).tolist() if raw else [], strict=True))
    ahead = _really_better(p, estimates, higher=higher)
    perturbed = _perturbed(store, runs, scored)
    best = order[0]
    metrics = metrics_of(store, [run.key for run in stored])
    summaries = {run.key: run for run in runs}
    standings = tuple(
        Standing(
            first=1 + sum((other, i) in ahead for other in order),
            last=len(order) - sum((i, other) in ahead for other in order),
            run=stored[i],
            estimate=estimates[i],
            gap=estimates[i].value - estimates[best].value,
            p=p.get((min(best, i), max(best, i))),
            perturbed=perturbed.get(_entry(summaries[stored[i].key]), {}),
            scores={(m.direction, m.name): m.value for m in metrics[stored[i].key]},
        )
        for i in order
    )
    images = next((line.images for line in lines.values()), 0)
    return Leaderboard(
        stored[0].dataset_name, *scored, standings, len(pairs), images, request.confidence, request.resamples
    )


def _really_better(
    p: Mapping[tuple[int, int], float], estimates: Sequence[Estimate], *, higher: bool
) -> set[tuple[int, int]]:
    """Return (better, worse) of every pair whose difference is real."""
    found = set()
    for (one, other), value in p.items():
        if value < SIGNIFICANT:
            leads = (estimates[one].value > estimates[other].value) == higher
            found.add((one, other) if leads else (other, one))
    return found


def _perturbed(
    store: Store, runs: Sequence[RunSummary], scored: tuple[str, str]
) -> dict[tuple[str, str], dict[tuple[str, float], tuple[float, int]]]:
    """Return, by entry and by (operation, level), the mean over seeds of the metric, newest run of each seed."""
    newest: dict[tuple[tuple[str, str], tuple[str, float], int], str] = {}
    for run in runs:
        if run.operation != CLEAN.operation:
            newest.setdefault((_entry(run), (run.operation, run.level), run.seed), run.key)
    values = metrics_of(store, list(newest.values()), {scored[1]})
    seeds: dict[tuple[tuple[str, str], tuple[str, float]], list[float]] = defaultdict(list)
    for (entry, setting, _), key in sorted(newest.items()):
        seeds[entry, setting] += [m.value for m in values[key] if (m.direction, m.name) == scored]
    found: dict[tuple[str, str], dict[tuple[str, float], tuple[float, int]]] = defaultdict(dict)
    for (entry, setting), own in seeds.items():
        if own:
            found[entry][setting] = (sum(own) / len(own), len(own))
    return found
