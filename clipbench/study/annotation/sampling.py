"""Failures of a stored run, drawn for people to look at, with the successes that are compared with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.failures.items import CONTROL, FAILURE, Failure, FailureSample, SampledFailure
from clipbench.failures.sampling import (
    LEGACY_SEED,
    Allocation,
    Draw,
    Stratum,
    draw,
    legacy_positions,
    margin_bucket,
    margin_edges,
    matched,
    rank_bucket,
)
from clipbench.keys import Json, short
from clipbench.metrics.measures import best_ranks
from clipbench.records import Direction, Ledger
from clipbench.store.engine import Store
from clipbench.store.failures import StoredSample, save_sample
from clipbench.store.runs import StoredRun
from clipbench.study.runs.loaded import LoadedRun, load_run

EVERYTHING = "all"
STRATIFIERS = ("margin", "rank")


@dataclass(frozen=True)
class SampleRequest:
    """What to draw. All of it enters the sample's key.

    n: failures, fewer where there are fewer. rank_above: only failures whose own item ranks below this.
    strata: "margin" (quarters), "rank" (2-5, 6-10, 11-100, 101+), both or none. controls: successes to draw
    beside them, each of about as many words as a failure. legacy: the source study's draw by position.
    """

    n: int = 200
    seed: int = LEGACY_SEED
    direction: Direction = "t2i"
    rank_above: int = 1
    strata: tuple[str, ...] = ()
    allocation: Allocation = "equal"
    controls: int = 0
    legacy: bool = False

    def __post_init__(self) -> None:
        """Raise ClipbenchError for a request that means nothing."""
        unknown = [name for name in self.strata if name not in STRATIFIERS]
        if unknown:
            raise ClipbenchError(
                f"there are no strata by {unknown[0]!r}", f"--strata {' | '.join(STRATIFIERS)}"
            )
        if self.n < 1 or self.controls < 0 or self.rank_above < 1:
            raise ClipbenchError("a sample has 1 failure or more, and ranks count from 1")
        if self.legacy and (self.strata or self.controls or self.direction != "t2i"):
            raise ClipbenchError("the source study's draw knows no strata, no controls and t2i only")

    def as_json(self) -> dict[str, Json]:
        """Return the request as it enters the sample's key and is stored."""
        return {
            "n": self.n,
            "seed": self.seed,
            "direction": self.direction,
            "rank_above": self.rank_above,
            "strata": list(self.strata),
            "allocation": self.allocation,
            "controls": self.controls,
            "method": "legacy-list" if self.legacy else "hash",
        }


@dataclass(frozen=True)
class Outcome:
    """One query of a run: what it found, and how that was scored. id, words: to draw and to match by."""

    id: str
    words: int
    hit: bool
    item: SampledFailure


def draw_sample(store: Store, run: StoredRun, request: SampleRequest) -> StoredSample:
    """Draw failures of a run and store the manifest; the same request finds the stored one.

    Without hints: `clipbench.study.annotation.hints` stores them in the same transaction. Raises as `drawn_from`.
    """
    return save_sample(store, drawn_from(store, run, request))


def drawn_from(store: Store, run: StoredRun, request: SampleRequest) -> FailureSample:
    """Return failures of a run as they are drawn; nothing is stored.

    Raises ClipbenchError where the run has no such failures, lacks the direction, or was perturbed.
    """
    if run.perturbation.operation != "clean":
        raise ClipbenchError(
            f"run {short(run.key)} had its {run.perturbation.target}s perturbed "
            f"({run.perturbation.words}), and people would see the clean ones",
            f"sample a clean run: clipbench runs list --dataset {run.dataset_name}",
        )
    found = list(outcomes(load_run(store, run), request.direction))
    failures = [o for o in found if not o.hit and o.item.rank > request.rank_above]
    if not failures:
        raise ClipbenchError(
            f"run {short(run.key)} has no {request.direction} failure with rank above {request.rank_above} "
            f"among {len(found):,} queries",
            "--rank-above 1, or another run",
        )
    drawn = _legacy(failures, request) if request.legacy else _drawn(failures, request)
    by_id = {outcome.id: outcome for outcome in found}
    items = [replace(by_id[id_].item, stratum=s) for id_, s in zip(drawn.ids, drawn.stratum, strict=True)]
    items += _controls(found, [by_id[id_] for id_ in drawn.ids[: request.controls]], request)
    return FailureSample(
        run=run.key,
        dataset=run.spec.dataset,
        direction=request.direction,
        request=request.as_json(),
        strata=drawn.strata,
        population=len(failures),
        items=tuple(items),
    )


def outcomes(loaded: LoadedRun, direction: Direction) -> Iterator[Outcome]:
    """Yield what became of every query of one direction, in order. Raises CompareError where it was not run."""
    ledger, gallery = loaded.ledger(direction), loaded.gallery
    places = {sample.id: place for place, sample in enumerate(loaded.dataset.samples)}
    ranks = best_ranks(ledger)
    for query in range(ledger.queries):
        hit = is_hit(ledger, query)
        failure = _failure(loaded, ledger, query, places)
        t2i = direction == "t2i"
        yield Outcome(
            id=failure.caption_id if t2i else failure.retrieved_id,
            words=len(gallery.captions[query].text.split()) if t2i else 0,
            hit=hit,
            item=SampledFailure(
                failure=failure,
                role=CONTROL if hit else FAILURE,
                stratum="",
                rank=float(ranks[query]),
                positive_score=float(ledger.positive_score[query]),
                negative_score=_finite(float(ledger.negative_score[query])),
            ),
        )


def is_hit(ledger: Ledger, query: int) -> bool:
    """Whether the item that a query scored highest is one of its positives."""
    pairs = slice(int(ledger.offsets[query]), int(ledger.offsets[query + 1]))
    return bool(np.any(ledger.positive[pairs] == ledger.top1[query]))


def _finite(score: float) -> float:
    """Return a score that a database can hold: where there is no other item, it is the lowest cosine."""
    return score if np.isfinite(score) else -1.0


def _failure(loaded: LoadedRun, ledger: Ledger, query: int, places: Mapping[str, int]) -> Failure:
    gallery = loaded.gallery
    t2i, found = ledger.direction == "t2i", int(ledger.top1[query])
    caption, other = (query, found) if t2i else (found, query)
    own, retrieved = gallery.samples[int(gallery.owners[caption])].id, gallery.images[other].id
    return Failure(
        fingerprint=loaded.dataset.fingerprint,
        direction=ledger.direction,
        caption_id=gallery.captions[caption].id,
        image_id=own,
        retrieved_id=retrieved,
        caption=int(gallery.caption_rows[caption]),
        image=places[own],
        retrieved=places[retrieved],
    )


def _drawn(failures: list[Outcome], request: SampleRequest) -> Draw:
    edges = margin_edges([outcome.item.margin for outcome in failures])

    def stratum(outcome: Outcome) -> str:
        names = {
            "margin": margin_bucket(outcome.item.margin, edges),
            "rank": rank_bucket(outcome.item.rank),
        }
        return ", ".join(names[by] for by in request.strata) or EVERYTHING

    strata_of = {outcome.id: stratum(outcome) for outcome in failures}
    return draw(strata_of, request.n, request.seed, request.allocation)


def _legacy(failures: list[Outcome], request: SampleRequest) -> Draw:
    """Return the draw by position in the ascending list of failures."""
    if request.n > len(failures):
        raise ClipbenchError(
            f"the source study's draw takes exactly {request.n}, and there are {len(failures)} failures",
            f"--n {len(failures)}",
        )
    chosen = [failures[place].id for place in legacy_positions(len(failures), request.n, request.seed)]
    strata = (Stratum(EVERYTHING, len(failures), len(chosen)),)
    return Draw(tuple(chosen), (EVERYTHING,) * len(chosen), strata)


def _controls(found: list[Outcome], beside: list[Outcome], request: SampleRequest) -> list[SampledFailure]:
    successes = {outcome.id: outcome for outcome in found if outcome.hit}
    wanted = [(outcome.id, outcome.words) for outcome in beside]
    offered = [(id_, outcome.words) for id_, outcome in successes.items()]
    return [successes[id_].item for id_ in matched(wanted, offered, request.seed)]
