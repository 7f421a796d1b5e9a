"""Is the difference real? Two or more stored runs, every metric, with intervals and tests.

Reads ledgers and metrics; every number follows from them. Differences are run − baseline. Images are the
clusters throughout; the family that p-values are corrected over is the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from clipbench.errors import CompareError
from clipbench.records import DIRECTIONS
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.categories import captions_by_category
from clipbench.study.comparing.comparable import check_comparable, refusal
from clipbench.study.comparing.comparison import FEW, CompareRequest, Comparison, Line
from clipbench.study.comparing.groups import (
    Categories,
    Group,
    category_groups,
    group_notes,
    perturbation_pairs,
    query_groups,
)
from clipbench.study.comparing.lines import Block, corrected, lines_of
from clipbench.study.comparing.sides import Common, Side, common_queries, load_sides
from clipbench.study.comparing.values import (
    MEDIAN,
    Values,
    check_stored,
    is_measure,
    metric_names,
    per_query,
    repeated,
    whole_hits,
)
from clipbench.study.protocol import RSUM

AT_ONCE = 40
"""Runs whose resamples are held at a time: some 150 MB with the usual metrics."""

GROUPED = ("hit@1", "hit@5", "hit@10", "MRR")
"""Metrics of a comparison by groups of queries where none are named."""

PERTURBATION = "perturbation"
CATEGORY = "category"


def compare(
    store: Store,
    runs: Sequence[StoredRun],
    request: CompareRequest,
    baseline: int = 0,
    categories: Categories | None = None,
) -> Comparison:
    """Return every difference of the runs from run number `baseline`.

    categories: for `by="category"`, which captions carry which, where that is not the store's. Raises CompareError for fewer than two
    runs, for unlike ones unless `request.force`, and for metrics or groups that are not there.
    """
    if len(runs) < 2:
        raise CompareError(
            f"a comparison needs 2 runs, got {len(runs)}", "clipbench report --compare latest:clean RUN"
        )
    sides = load_sides(store, runs)
    others = [side for number, side in enumerate(sides) if number != baseline]
    unlike = check_comparable(sides[baseline], others)
    if unlike and not request.force:
        raise refusal(sides[baseline], others, unlike)
    names = _names(sides, request)
    common = common_queries(sides)
    told = group_notes(request.by) if request.by else ()
    if request.by == CATEGORY and categories is None:
        labelled = captions_by_category(store, sides[baseline], request.policy)
        categories, told = labelled.captions, labelled.notes
    needed = (*names, MEDIAN) if request.by == "rank-bucket" else names
    values = [per_query(sides, one, needed) for one in common]
    if not unlike:
        for part in values:
            for number, side in enumerate(sides):
                check_stored(side, part, number)
    lines: list[Line] = []
    for group in _groups(request, sides, common, values, baseline, categories):
        for block in _blocks(group, _pairs(request, sides, baseline), sides, values, names):
            lines += lines_of(replace(block, stored=block.stored and not unlike), request)
    tests = sum(line.tested is not None for line in lines)
    correction = request.correction
    if correction == "auto":
        correction = "holm" if tests <= FEW else "bh"
    return Comparison(
        request,
        tuple(runs),
        baseline,
        tuple(corrected(lines, correction)),
        correction,
        tests,
        unlike,
        (*_notes(sides, names), *told),
    )


def _names(sides: Sequence[Side], request: CompareRequest) -> tuple[str, ...]:
    """Return the metrics of the table; by groups of queries a few, and never RSUM, which is of whole runs."""
    by_query = request.by is not None and request.by != PERTURBATION
    found = metric_names(sides, request.metrics)
    if not by_query:
        return found
    if request.metrics:
        return tuple(name for name in found if name != RSUM)
    return tuple(name for name in found if name in GROUPED)


def _groups(
    request: CompareRequest,
    sides: Sequence[Side],
    common: Sequence[Common],
    values: Sequence[Values],
    baseline: int,
    categories: Categories | None,
) -> tuple[Group, ...]:
    by = request.by
    if by is None or by == PERTURBATION:
        return (Group("", {}),)
    if by == CATEGORY:
        found = category_groups(categories or {}, common)
        if not found:
            raise CompareError(
                "no caption of these runs carries a category", "clipbench annotate sample RUN, then serve"
            )
        return found
    return query_groups(by, sides, common, values, baseline)


def _pairs(
    request: CompareRequest, sides: Sequence[Side], baseline: int
) -> list[tuple[str, int, tuple[int, ...]]]:
    """Return (name, baseline, others) of every comparison within the table."""
    if request.by == PERTURBATION:
        return perturbation_pairs(sides, baseline)
    return [("", baseline, tuple(number for number in range(len(sides)) if number != baseline))]


def _blocks(
    group: Group,
    pairs: Sequence[tuple[str, int, tuple[int, ...]]],
    sides: Sequence[Side],
    values: Sequence[Values],
    names: tuple[str, ...],
) -> Iterator[Block]:
    """Yield what is resampled at a time: a few runs, and the directions that share their images."""
    # A mean of the folds' medians is no median of anything, so it is shown and not tested.
    keep_ranks = MEDIAN in names and all(side.fold is None for side in sides)
    for name, base, rest in pairs:
        for start in range(0, len(rest), AT_ONCE):
            chosen = (base, *rest[start : start + AT_ONCE])
            own = tuple(sides[number] for number in chosen)
            for parts in _parts(group, values, chosen, keep_ranks=keep_ranks):
                yield Block(group.name or name, chosen, own, parts, names, stored=not group.name)


def _parts(
    group: Group, values: Sequence[Values], chosen: Sequence[int], *, keep_ranks: bool
) -> Iterator[tuple[Values, ...]]:
    """Yield the directions of a group that resample the same images: all together, or one at a time."""
    own = [part.of(chosen) if keep_ranks else replace(part.of(chosen), ranks=None) for part in values]
    if not group.name:
        yield tuple(own)
        return
    for part in own:
        if part.direction in group.members:
            yield (part.part(group.members[part.direction]),)


def _notes(sides: Sequence[Side], names: Sequence[str]) -> tuple[str, ...]:
    notes = [
        f"{direction} {' and '.join(again)} are left out: with one right item a query they are R@1 again"
        for direction in DIRECTIONS
        if any(direction in side.ledgers for side in sides)
        and "hit@1" in names
        and (again := [name for name in repeated(sides, direction) if name in names])
    ]
    left_out = {
        name for side in sides for _, name in side.metrics if is_measure(name) and name not in names
    } - set(names)
    if len({frozenset(name for _, name in side.metrics if is_measure(name)) for side in sides}) > 1:
        told = ", ".join(sorted(left_out))
        notes.append(f"not every run has the same metrics; left out: {told}" if told else "")
    if len({side.run.spec.dataset for side in sides}) > len({side.run.fingerprint for side in sides}):
        notes.append("the runs saw other photographs under the same ids: the files' bytes differ")
    tied = sum(_tied(side) for side in sides)
    if tied:
        policies = {side.ties for side in sides}
        if policies == {"expected"}:
            notes.append(
                f"{tied:,} queries over all runs have a right item tied with a wrong one: R@K counts it by its "
                f"expected value, fixed and broken as a miss ({whole_hits('expected')})"
            )
        else:
            notes.append(
                f"{tied:,} queries over all runs have ties, counted as {' and '.join(sorted(policies))}"
            )
    return tuple(note for note in notes if note)


def _tied(side: Side) -> int:
    return int(
        sum(m.value for (d, name), m in side.metrics.items() if name == "tied-queries" and d in DIRECTIONS)
    )
