"""A whole improvement: variants ranked and stored, one chosen on another split where asked, and the honest table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clipbench.errors import StoppedError
from clipbench.metrics.measures import measure
from clipbench.records import Direction
from clipbench.store.runs import load_ledger
from clipbench.study.improving.honest import Honest, StudyLine, honest
from clipbench.study.improving.variants import Produced, Variant, produce
from clipbench.study.robustness.stress import Ground
from clipbench.study.workplace.progress import Progress

Variants = Callable[[Ground], Sequence[Variant]]


@dataclass(frozen=True)
class Improved:
    """The family with the plain run first, its table, and how the shown variants were chosen, in words."""

    family: tuple[Produced, ...]
    table: Honest
    choice: str
    study: tuple[StudyLine, ...] = ()


def produce_all(base: Ground, variants: Sequence[Variant], progress: Progress) -> tuple[Produced, ...]:
    """Return the run of every variant, ranking what is not stored.

    Raises StoppedError on Ctrl-C: finished runs stay, and the same command goes on.
    """
    bar = progress.start("variants", len(variants))
    done: list[Produced] = []
    try:
        for variant in variants:
            done.append(produce(base, variant))
            progress.advance(bar)
    except KeyboardInterrupt:
        raise StoppedError(
            f"interrupted: {len(done):,} of {len(variants):,} runs are stored",
            "the same command again goes on where this one stopped",
        ) from None
    return tuple(done)


def improve(
    base: Ground,
    variants: Variants,
    progress: Progress,
    *,
    chosen_on: Ground | None = None,
    direction: Direction = "t2i",
    ks: Sequence[int] = (1, 10),
    seed: int = 0,
) -> Improved:
    """Produce a family and compare it honestly; with `chosen_on`, only the variant that is best there.

    No change is a candidate, and wins ties. Placebos are never chosen, and always shown.
    """
    family = list(variants(base))
    choice = "not selected: all variants are shown, and the best of many looks better than it is"
    if chosen_on is not None:
        number, scores = _best(chosen_on, variants(chosen_on), direction, progress)
        label = family[number].label
        choice = (
            f"chosen on {chosen_on.dataset.name} among {len(scores)} by {direction} R@1 + R@10: {label} "
            f"({scores[number]:.4f}, no change {scores[0]:.4f})"
        )
        family = [v for place, v in enumerate(family) if place in {0, number} or v.placebo]
    produced = produce_all(base, family, progress)
    return Improved(produced, honest(base, produced, direction=direction, ks=ks, seed=seed), choice)


def _best(
    base: Ground, family: Sequence[Variant], direction: Direction, progress: Progress
) -> tuple[int, list[float]]:
    candidates = [v for v in family if not v.placebo]
    scores = []
    for one in produce_all(base, candidates, progress):
        ledger = load_ledger(base.store, one.run.key, direction)
        scores.append(sum(measure(f"hit@{k}").value(ledger) for k in (1, 10)))
    number = scores.index(max(scores))
    return list(family).index(candidates[number]), scores
