"""From values per query to the lines of a table: one per run, direction and metric. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipbench.metrics.measures import measure
from clipbench.records import DIRECTIONS
from clipbench.statistics.flips import mcnemar
from clipbench.statistics.intervals import Interval
from clipbench.statistics.multiple import benjamini_hochberg, holm
from clipbench.statistics.paired import minimum_detectable_difference
from clipbench.study.comparing.comparison import CompareRequest, Estimate, Line
from clipbench.study.comparing.resampling import Draws, Key, Tested, run_intervals, tested
from clipbench.study.comparing.values import BOTH, MEDIAN, QueryValues
from clipbench.study.evaluation.protocol import RSUM, RSUM_HITS
from clipbench.study.runs.loaded import LoadedRun

MEDIAN_STEP = 0.5
"""The least by which two medians of whole ranks differ."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some queries of some runs, the baseline first.

    numbers: each run's position among all runs. parts: the directions, which share their images. names:
    the metrics to tell of. stored: whether the runs' own metrics are of these very queries.
    """

    group: str
    numbers: tuple[int, ...]
    loaded_runs: tuple[LoadedRun, ...]
    parts: tuple[QueryValues, ...]
    names: tuple[str, ...]
    stored: bool

    @property
    def has_rsum(self) -> bool:
        """Whether RSUM is told of: it needs all six hits on the same images."""
        return (
            RSUM in self.names
            and len(self.parts) == len(DIRECTIONS)
            and all(set(RSUM_HITS) <= set(part.names) for part in self.parts)
        )


def lines_of(block: Block, request: CompareRequest) -> list[Line]:
    """Return the lines of a block, run after run, p-values not yet corrected."""
    draws = Draws(request.resamples, request.seed, request.confidence)
    differences = tested(block.parts, draws, rsum=block.has_rsum)
    trusted = block.stored and all(_confidence(loaded) == request.confidence for loaded in block.loaded_runs)
    bounds = {} if trusted else run_intervals(block.parts, draws, rsum=block.has_rsum)
    whole = [(block.parts, BOTH, RSUM)] if block.has_rsum else []
    scores = [*_of_directions(block), *whole]
    return [
        _detectable(_line(block, run, *score, differences, bounds), request)
        for run in range(1, len(block.numbers))
        for score in scores
    ]


def _of_directions(block: Block) -> Iterator[tuple[tuple[QueryValues, ...], str, str]]:
    """Yield (queries, direction, metric) of every score that is of one direction."""
    for part in block.parts:
        for name in block.names:
            if name in part.names or (name == MEDIAN and (part.ranks is not None or block.stored)):
                yield (part,), part.direction, name


def _line(
    block: Block,
    run: int,
    parts: tuple[QueryValues, ...],
    direction: str,
    metric: str,
    differences: Mapping[Key, Tested],
    bounds: Mapping[Key, Interval],
) -> Line:
    reference, estimate = (
        _estimate(block, number, parts, (number, direction, metric), bounds) for number in (0, run)
    )
    hits = parts[0].hits.get(metric)
    return Line(
        group=block.group,
        run=block.numbers[run],
        baseline=block.numbers[0],
        direction=direction,
        metric=metric,
        better="higher" if metric == RSUM else measure(metric).better,
        queries=sum(len(part.ids) for part in parts),
        images=parts[0].images,
        reference=reference,
        estimate=estimate,
        delta=estimate.value - reference.value,
        tested=differences.get((run, direction, metric)),
        flips=None if hits is None else mcnemar(hits[0], hits[run]),
    )


def _estimate(
    block: Block, run: int, parts: tuple[QueryValues, ...], key: Key, bounds: Mapping[Key, Interval]
) -> Estimate:
    """Return one run's value with its interval: the stored ones where they are of these very queries."""
    stored = block.loaded_runs[run].metrics.get(key[1:]) if block.stored else None
    bound = bounds.get(key) or stored
    value = _value(parts, run, key[2]) if stored is None else stored.value
    return Estimate(value) if bound is None else Estimate(value, bound.low, bound.high)


def _value(parts: tuple[QueryValues, ...], run: int, metric: str) -> float:
    if metric == RSUM:
        return 100 * sum(_value((part,), run, hit) for part in parts for hit in RSUM_HITS)
    part = parts[0]
    if metric == MEDIAN and part.ranks is not None:
        return float(np.median(part.ranks[run]))
    return float(part.means[run, :, part.names.index(metric)].mean())


def _detectable(line: Line, request: CompareRequest) -> Line:
    """Return the line with the smallest detectable difference; of no spread at all nothing follows.

    Medians move in steps, so that their resamples may hardly spread: no smaller difference than a step is told.
    """
    if line.tested is None or line.tested.standard_error == 0:
        return line
    detectable = minimum_detectable_difference(line.tested.standard_error, alpha=1 - request.confidence)
    return replace(line, detectable=max(detectable, MEDIAN_STEP) if line.metric == MEDIAN else detectable)


def _confidence(loaded: LoadedRun) -> object:
    return loaded.protocol["confidence"]


def corrected(lines: Sequence[Line], correction: str) -> list[Line]:
    """Return the lines with the p-values of all of them corrected together, by "holm" or "bh"."""
    places = [place for place, line in enumerate(lines) if line.tested is not None]
    raw = [one.tested.p for one in lines if one.tested is not None]
    adjusted = (holm if correction == "holm" else benjamini_hochberg)(raw).tolist() if raw else []
    out = list(lines)
    for place, p in zip(places, adjusted, strict=True):
        out[place] = replace(out[place], p_adjusted=p)
    return out
