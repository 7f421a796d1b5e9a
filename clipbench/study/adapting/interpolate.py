"""Models between a model and its fine-tuned self (WiSE-FT), and what each of them brings and costs.

Each is a model of its own, in a folder of its own. What it brings is said by the validation set, what it costs by an
origin set, which is evaluated as any dataset is: those runs are stored and can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipbench.encoders.request import ModelRequest
from clipbench.errors import EncoderError, StoreError
from clipbench.keys import Json, digest
from clipbench.records import Protocol
from clipbench.store.adapters import AdapterRecord, find_by_request, list_adapters
from clipbench.store.datasets import load_dataset
from clipbench.store.encoders import load_encoder
from clipbench.store.runs import StoredRun
from clipbench.study.adapting.model_folders import (
    NewModel,
    is_model,
    model_request,
    refuse_taken_name,
    save_model,
)
from clipbench.study.adapting.prepared import Prepared, changeable, prepare, tunable
from clipbench.study.adapting.splits import load_split, refuse_shared
from clipbench.study.embedding.models import EncoderSource, VectorSource
from clipbench.study.evaluation.evaluate import evaluate
from clipbench.study.workplace.progress import Progress


@dataclass(frozen=True)
class Standing:
    """One model on the way from the base (alpha 0) to the fine-tuned one (alpha 1).

    name: of the adapter, None for the base. scores: on the validation set. origin: its run on the origin set.
    """

    alpha: float
    name: str | None
    scores: Mapping[str, float]
    origin: StoredRun | None = None


def interpolate(
    source: VectorSource, tuned: AdapterRecord, alphas: Sequence[float], progress: Progress
) -> list[AdapterRecord]:
    """Store the models strictly between a base and its fine-tuned self, or find them, by ascending alpha.

    Each is validated where the fine-tuned model was. Raises StoreError where a name is taken by another model.
    """
    inner = sorted({alpha for alpha in alphas if 0 < alpha < 1})
    known = {alpha: find_by_request(source.store, _key(tuned, alpha)) for alpha in inner}
    left = [alpha for alpha in inner if known[alpha] is None]
    for alpha in left:
        refuse_taken_name(source.store, _name(tuned, alpha), _key(tuned, alpha))
    made = _made(source, tuned, left, progress) if left else {}
    return [record for alpha in inner if (record := known[alpha] or made.get(alpha)) is not None]


def _made(
    source: VectorSource, tuned: AdapterRecord, alphas: Sequence[float], progress: Progress
) -> dict[float, AdapterRecord]:
    from clipbench.adapters.interpolation import interpolated

    encoder, store = tunable(source), source.store
    if not isinstance(source, EncoderSource):
        raise StoreError(f"{source.request.model} has no weights of its own")
    end = EncoderSource(store, model_request(store, tuned, source.request.device))
    states = encoder.model.state_dict(), tunable(end).model.state_dict()
    between = changeable(encoder)
    chosen = _validation(source, tuned, progress)
    bar = progress.start("models between", len(alphas))
    made = {}
    for alpha in alphas:
        tensors = interpolated(*states, alpha)
        between.model.load_state_dict(tensors)
        scores = chosen.scores(between)
        made[alpha] = save_model(store, source, _between(tuned, alpha, scores, tensors))
        progress.advance(bar)
    return made


def _validation(source: VectorSource, tuned: AdapterRecord, progress: Progress) -> Prepared:
    validation: Any = tuned.record["validation"]
    split = load_split(source, str(validation["name"]), progress, allow_missing=1.0)
    if split.dataset.key != validation["key"]:
        raise StoreError(
            f"{validation['name']} is another dataset today than the one that chose {tuned.name}'s epoch",
            "clipbench dataset add it again under that name",
        )
    return prepare(tunable(source), split, "validation", progress)


def _between(tuned: AdapterRecord, alpha: float, scores: Mapping[str, float], tensors: Any) -> NewModel:
    record: dict[str, Json] = {
        **{name: value for name, value in tuned.record.items() if name not in {"kind", "folder"}},
        "interpolated": {"from": tuned.key, "name": tuned.name, "share": alpha},
    }
    best = int(str(tuned.record["best_epoch"]))
    log = [tuned.log[0], {**tuned.log[best], "loss": None, "scores": dict(scores)}]
    return NewModel(_key(tuned, alpha), tuned.name, _name(tuned, alpha), record, log, tensors)


def _key(tuned: AdapterRecord, alpha: float) -> str:
    validation: Any = tuned.record["validation"]
    return digest("interpolation", [tuned.base, tuned.encoder, alpha, str(validation["key"])])


def _name(tuned: AdapterRecord, alpha: float) -> str:
    return f"{tuned.name}-{alpha:g}"


def standings(
    source: VectorSource,
    tuned: AdapterRecord,
    between: Sequence[AdapterRecord],
    origin: str | None,
    progress: Progress,
) -> list[Standing]:
    """Return what the base, the models between and the fine-tuned one score, evaluating the origin set where one is named.

    Raises DatasetError where the origin set shares images with the training set.
    """
    store = source.store
    base = _standing(source, Standing(0.0, None, tuned.log[0]["scores"]), origin, progress)
    rows = [base]
    for one in (*between, tuned):
        best = int(str(one.record["best_epoch"]))
        scores = next(entry["scores"] for entry in one.log if entry["epoch"] == best)
        model = EncoderSource(store, model_request(store, one, source.request.device))
        standing = Standing(share_of(one), one.name, scores)
        rows.append(_standing(model, standing, origin, progress))
    return rows


def _standing(model: VectorSource, one: Standing, origin: str | None, progress: Progress) -> Standing:
    if origin is None:
        return one
    run = evaluate(model.store, origin, model, Protocol(), progress).run
    return Standing(one.alpha, one.name, one.scores, run)


def refuse_shared_origin(source: VectorSource, train: str, origin: str | None) -> None:
    """Raise DatasetError where an origin set is not stored, or has images that are learned from."""
    if origin is not None:
        refuse_shared(load_dataset(source.store, train), load_dataset(source.store, origin))


def between_models(
    source: VectorSource, shares: Sequence[float], progress: Progress
) -> tuple[tuple[float, AdapterRecord], ...]:
    """Return a fine-tuned model at several shares above 0, each stored; 1 is the model itself.

    source: the fine-tuned model. Raises EncoderError where it is none, or its base is another model today.
    """
    known = [
        one for one in list_adapters(source.store) if is_model(one) and one.encoder == source.identity.key
    ]
    if not known:
        raise EncoderError(
            f"{source.request.model} is neither a head nor a fine-tuned model", "clipbench adapt list"
        )
    tuned, identity = known[0], load_encoder(source.store, known[0].base)
    model, _, pretrained = identity.spec.partition(" ")
    base = EncoderSource(source.store, ModelRequest(model, pretrained or None, device=source.request.device))
    if base.identity.key != tuned.base:
        raise EncoderError(
            f"{identity.spec} is another model today than the one that {tuned.name} was made of",
            "bring the model's files back",
        )
    made = {share_of(one): one for one in interpolate(base, tuned, shares, progress)}
    made[1.0] = tuned
    return tuple((share, made[share]) for share in sorted({share for share in shares if share > 0}))


def share_of(one: AdapterRecord) -> float:
    """Return the share of the fine-tuned weights that a model between has; 1 for the fine-tuned model itself."""
    told: Any = one.record.get("interpolated") or {}
    return float(told.get("share", 1.0))
