"""What `improve rerank` was asked for, turned into a variant, its weight chosen on another split where asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.metrics.measures import measure
from clipbench.records import Direction, Protocol
from clipbench.rerank.fusion import like_strength
from clipbench.store.datasets import load_dataset
from clipbench.store.runs import load_ledger
from clipbench.study.adapting.splits import refuse_shared
from clipbench.study.embedding.models import VectorSource
from clipbench.study.improving.bank import Bank, load_bank
from clipbench.study.improving.item_texts import (
    ItemTexts,
    from_columns,
    from_file,
    own_captions,
    pseudo_captions,
)
from clipbench.study.improving.reranking import METHODS, RerankRequest, alone_variant, rerank_variant
from clipbench.study.improving.running import Improved, improve
from clipbench.study.improving.variants import Ranking, Variant, produce
from clipbench.study.robustness.stress import Ground, ground
from clipbench.study.workplace.progress import Progress

WEIGHTS = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Weights among which `auto` chooses."""


@dataclass(frozen=True)
class TypedRerank:
    """The words of the command line. numbers: k, τ, α. texts_from: own captions, leave-one-out, allow leak."""

    method: str
    bank: str | None
    numbers: tuple[int | None, float, float]
    weight: str
    fusion: str
    depth: int | None
    file: Path | None
    pseudo: int | None
    texts_from: tuple[bool, bool, bool]
    columns: str | None = None

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights to try. Raises ClipbenchError for a word that is none."""
        if self.weight == "auto":
            return WEIGHTS
        try:
            return (float(self.weight),)
        except ValueError:
            raise ClipbenchError(
                f"{self.weight!r} is no weight", "--weight 0.1, or auto with --select-on"
            ) from None


def reranked(
    source: VectorSource,
    dataset: str,
    typed: TypedRerank,
    select_on: str | None,
    progress: Progress,
    allow_missing: float = 0.0,
    *,
    direction: Direction = "t2i",
) -> Improved:
    """Rank by a re-ranker and compare with the plain run.

    Raises DatasetError where the bank shares images with the dataset, ClipbenchError for leaking texts.
    """
    if typed.weight == "auto" and select_on is None:
        raise ClipbenchError("a weight is chosen on another split", "--select-on DATASET, or --weight 0.1")
    base = ground(load_dataset(source.store, dataset), source, Protocol(), progress, allow_missing)
    other = None
    if select_on is not None:
        other = ground(load_dataset(source.store, select_on), source, Protocol(), progress, allow_missing)
        refuse_shared(other.dataset, base.dataset)
    bank = None if typed.bank is None else load_bank(source, typed.bank, base.dataset, progress)
    done = improve(
        base,
        lambda on: _variants(on, typed, bank),
        progress,
        chosen_on=other,
        direction=direction,
    )
    return replace(done, choice=f"{done.choice}{_strength(base, typed, bank, direction)}")


def _variants(base: Ground, typed: TypedRerank, bank: Bank | None) -> tuple[Variant, ...]:
    plain = Variant("no change", {}, lambda: Ranking(base.ledgers))
    k, tau, alpha = typed.numbers
    request = RerankRequest(typed.method, bank, k, tau, alpha, 0.1, typed.fusion, typed.depth)
    if METHODS[typed.method].words:
        request = replace(request, texts=_texts(base, typed, bank))
    weighted = "weight" in METHODS[typed.method].uses and request.fusion != "rrf"
    weights = typed.weights if weighted else (request.weight,)
    variants = [rerank_variant(base, replace(request, weight=weight)) for weight in weights]
    alone = alone_variant(base, request)
    return (plain, *variants, *([] if alone is None else [alone]))


def _texts(base: Ground, typed: TypedRerank, bank: Bank | None) -> ItemTexts:
    own, leave_one_out, allow_leak = typed.texts_from
    chosen = [own, typed.columns is not None, typed.file is not None, typed.pseudo is not None]
    if sum(chosen) != 1:
        raise ClipbenchError(
            f"{typed.method} takes the texts of photographs from one place, {sum(chosen)} are named",
            "--text-column title,description, --texts FILE, --own-captions --leave-one-out, or --pseudo 50 --bank DATASET",
        )
    if typed.columns is not None:
        return from_columns(base.store, base.dataset, base.gallery, typed.columns, allow_leak=allow_leak)
    if own:
        return own_captions(base.gallery, leave_one_out=leave_one_out, allow_leak=allow_leak)
    if typed.file is not None:
        return from_file(base.gallery, typed.file, allow_leak=allow_leak)
    if bank is None or typed.pseudo is None:
        raise ClipbenchError("pseudo-captions come from another split", "--bank DATASET")
    return pseudo_captions(base.image_vectors(), bank.texts, bank.captions, typed.pseudo)


def _strength(base: Ground, typed: TypedRerank, bank: Bank | None, direction: Direction) -> str:
    """Say where the two rankers of a rank fusion are not of like strength, which drags the better one down."""
    if typed.fusion != "rrf" or not METHODS[typed.method].words:
        return ""
    request = RerankRequest(typed.method, weight=1.0, texts=_texts(base, typed, bank))
    alone = produce(base, rerank_variant(base, request)).run
    hits = [
        measure("hit@10").value(ledger)
        for ledger in (base.ledgers[direction], load_ledger(base.store, alone.key, direction))
    ]
    if like_strength(*hits):
        return ""
    return (
        f"; the rankers are not of like strength (R@10 {hits[0]:.3f} by vectors, {hits[1]:.3f} by words): "
        "rank fusion drags the better one down, --fusion linear weighs them"
    )
