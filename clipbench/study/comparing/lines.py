"""From values per query to the lines of a table: one per run, direction and metric. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipbench.metrics.measures import measure
from clipbench.records import DIRECTIONS
from clipbench.statistics.flips import mcnemar
from clipbench.statistics.intervals import Interval
from clipbench.statistics.multiple import benjamini_hochberg, holm
from clipbench.statistics.paired import minimum_detectable_difference
from clipbench.study.comparing.comparison import CompareRequest, Estimate, Line
from clipbench.study.comparing.resampling import Draws, Tested, spread, tested
from clipbench.study.comparing.sides import Side
from clipbench.study.comparing.values import BOTH, MEDIAN, Values
from clipbench.study.protocol import RSUM, RSUM_HITS

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
    sides: tuple[Side, ...]
    parts: tuple[Values, ...]
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
    said = tested(block.parts, draws, rsum=block.has_rsum)
    trusted = block.stored and all(_confidence(side) == request.confidence for side in block.sides)
    bounds = {} if trusted else spread(block.parts, draws, rsum=block.has_rsum)
    lines = []
    for run in range(1, len(block.numbers)):
        lines += [
            _line(block, run, part, name, said, bounds, request)
            for part in block.parts
            for name in block.names
            if name in part.names or (name == MEDIAN and (part.ranks is not None or block.stored))
        ]
        if block.has_rsum:
            lines.append(_rsum_line(block, run, said, bounds, request))
    return lines


def _line(
    block: Block,
    run: int,
    part: Values,
    name: str,
    said: dict[tuple[int, str, str], Tested],
    bounds: dict[tuple[int, str, str], Interval],
    request: CompareRequest,
) -> Line:
    reference, estimate = (_estimate(block, number, part, name, bounds) for number in (0, run))
    hits = part.hits.get(name)
    return _told(
        Line(
            block.group,
            block.numbers[run],
            block.numbers[0],
            part.direction,
            name,
            measure(name).better,
            len(part.ids),
            part.images,
            reference,
            estimate,
            estimate.value - reference.value,
            said.get((run, part.direction, name)),
            None if hits is None else mcnemar(hits[0], hits[run]),
        ),
        request,
    )


def _rsum_line(
    block: Block,
    run: int,
    said: dict[tuple[int, str, str], Tested],
    bounds: dict[tuple[int, str, str], Interval],
    request: CompareRequest,
) -> Line:
    reference, estimate = (_rsum(block, number, bounds) for number in (0, run))
    return _told(
        Line(
            block.group,
            block.numbers[run],
            block.numbers[0],
            BOTH,
            RSUM,
            "higher",
            sum(len(part.ids) for part in block.parts),
            block.parts[0].images,
            reference,
            estimate,
            estimate.value - reference.value,
            said.get((run, BOTH, RSUM)),
            None,
        ),
        request,
    )


def _told(line: Line, request: CompareRequest) -> Line:
    """Return the line with the smallest detectable difference; of no spread at all nothing follows.

    Medians move in steps, so that their resamples may hardly spread: no smaller difference than a step is told.
    """
    if line.tested is None or line.tested.standard_error == 0:
        return line
    detectable = minimum_detectable_difference(line.tested.standard_error, alpha=1 - request.confidence)
    return replace(line, detectable=max(detectable, MEDIAN_STEP) if line.metric == MEDIAN else detectable)


def _estimate(
    block: Block, run: int, part: Values, name: str, bounds: dict[tuple[int, str, str], Interval]
) -> Estimate:
    stored = block.sides[run].metrics.get((part.direction, name)) if block.stored else None
    bound = bounds.get((run, part.direction, name))
    if stored is not None:
        low, high = (stored.low, stored.high) if bound is None else (bound.low, bound.high)
        return Estimate(stored.value, low, high)
    if name == MEDIAN and part.ranks is not None:
        value = float(np.median(part.ranks[run]))
    else:
        value = float(part.means[run, :, part.names.index(name)].mean())
    return Estimate(value) if bound is None else Estimate(value, bound.low, bound.high)


def _rsum(block: Block, run: int, bounds: dict[tuple[int, str, str], Interval]) -> Estimate:
    bound = bounds.get((run, BOTH, RSUM))
    stored = block.sides[run].metrics.get((BOTH, RSUM)) if block.stored else None
    if stored is not None:
        low, high = (stored.low, stored.high) if bound is None else (bound.low, bound.high)
        return Estimate(stored.value, low, high)
    value = 100 * sum(
        float(part.means[run, :, part.names.index(hit)].mean()) for part in block.parts for hit in RSUM_HITS
    )
    return Estimate(value) if bound is None else Estimate(value, bound.low, bound.high)


def _confidence(side: Side) -> object:
    return side.protocol["confidence"]


def corrected(lines: Sequence[Line], correction: str) -> list[Line]:
    """Return the lines with the p-values of all of them corrected together, by "holm" or "bh"."""
    places = [place for place, line in enumerate(lines) if line.tested is not None]
    raw = [one.tested.p for one in lines if one.tested is not None]
    adjusted = (holm if correction == "holm" else benjamini_hochberg)(raw).tolist() if raw else []
    out = list(lines)
    for place, p in zip(places, adjusted, strict=True):
        out[place] = replace(out[place], p_adjusted=p)
    return out
