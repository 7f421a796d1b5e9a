"""What a sweep of indexes advises, in words: which setting, when its build has paid, and when not to bother."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from clipbench.study.indexing.lines import Line, Loss
from clipbench.study.indexing.sweep import IndexSweep

FEW = 10_000
"""Items below which exact search is quick enough for anything."""

CHURN = 10
"""Hits lost and won from which an even balance is worth a word."""


def advice(sweep: IndexSweep, max_loss: float) -> tuple[str, ...]:
    """Return sentences. max_loss: points of R@1 that a setting may lose, at the worse end of its interval."""
    told = [_few(sweep)] if sweep.items < FEW else []
    fitting = [line for line in sweep.lines if -100 * line.losses[0].worst <= max_loss]
    quick = [line for line in fitting if _single(line) < _single(sweep.exact)]
    what = f"at most {max_loss:g} points of R@{sweep.exact.losses[0].k}, at the worse end of the interval"
    if not fitting:
        told.append(f"no setting loses {what}: search exactly, or try richer settings")
    elif not quick:
        told += (
            [] if told else [f"no setting that loses {what}, is quicker than exact search: search exactly"]
        )
    else:
        told += _chosen(sweep, min(quick, key=_single), what)
    return (*told, *_churning(sweep.lines), *_deaf(sweep.lines))


def _few(sweep: IndexSweep) -> str:
    return (
        f"{sweep.items:,} items, and exact search takes {_ms(_single(sweep.exact))} ms a query: "
        f"under {FEW:,} items an index is not worth its trouble"
    )


def _chosen(sweep: IndexSweep, line: Line, what: str) -> list[str]:
    first, exact = line.losses[0], sweep.exact
    choice = (
        f"{line.label} is the quickest that loses {what}: {_ms(_single(line))} ms a query against "
        f"{_ms(_single(exact))} ms, {first.flips.broken:,} hits lost and {first.flips.fixed:,} won at "
        f"{first.k}, {line.recall.name} {line.recall.value:.4f}"
    )
    if sweep.items < FEW:
        return [f"should it grow: {choice}"]
    told = [choice]
    saved, build = _single(exact) - _single(line), line.seconds("build")
    if build is not None and saved > 0:
        told.append(
            f"its build of {build:.2f} s pays after {round(build / saved):,} single queries, "
            f"each of which saves {_ms(saved)} ms"
        )
    rates = line.per_second, exact.per_second
    if rates[0] is not None and rates[1] is not None and rates[1] > rates[0]:
        told.append(
            f"asked all at once, exact search is quicker: {rates[1]:,.0f} queries a second against {rates[0]:,.0f}"
        )
    return told


def _churning(lines: Sequence[Line]) -> list[str]:
    """Name the setting whose balance hides most: as many hits won as lost, or nearly."""

    def hidden(line: Line) -> int:
        flips = _first(line).flips
        less = min(flips.broken, flips.fixed)
        return less if abs(flips.fixed - flips.broken) <= less else 0

    worst = max(lines, key=hidden, default=None)
    if worst is None or 2 * hidden(worst) < CHURN:
        return []
    flips = _first(worst).flips
    net = f"{flips.fixed - flips.broken:+,d} hits at {_first(worst).k}".replace("-", "−")
    return [
        f"a difference hides flips: {worst.label} is {net}, {flips.broken:,} lost and {flips.fixed:,} won"
    ]


def _deaf(lines: Sequence[Line]) -> list[str]:
    """Name an index that answers the same whatever it is asked, though it does not find everything."""
    told = []
    for first, second in pairwise(lines):
        same = first.index == second.index and first.answers.search != second.answers.search
        shortlists = [line.answers.named for line in (first, second)]
        if same and first.recall.value < 0.99 and (shortlists[0] == shortlists[1]).all():
            told.append(
                f"{first.index} answers {first.label} and {second.label} alike: it does not hear its parameter"
            )
    return told


def _first(line: Line) -> Loss:
    return line.losses[0]


def _single(line: Line) -> float:
    seconds = line.seconds("query p50")
    return float("inf") if seconds is None else seconds


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g}"
