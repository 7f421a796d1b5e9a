"""A trained adapter of which a share is kept, as an adapter of its own: measured on validation, nothing trained."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.adapters.shrinking import shrunk
from clipbench.adapters.weights import adapter_bytes, built, read_bytes, recipe_json, recipe_of
from clipbench.encoders.weights import weights_digest
from clipbench.errors import ClipbenchError
from clipbench.keys import Json, digest, short
from clipbench.store.adapters import AdapterRecord, find_by_request, load_weights, save_adapter
from clipbench.store.encoders import save_encoder
from clipbench.study.adapting.interpolate import between_models
from clipbench.study.adapting.noise import noise_of
from clipbench.study.adapting.source import AdapterSource
from clipbench.study.adapting.splits import scores
from clipbench.study.adapting.training import (
    Material,
    TrainRequest,
    adapted_identity,
    material,
)
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Progress


def shrunk_request(trained: str, share: float) -> str:
    """Return the key under which a share of a training (by the key of its request) is found again."""
    return digest("training", [trained, "interpolated", share])


def material_of(source: VectorSource, adapter: AdapterRecord, progress: Progress) -> Material:
    """Return what an adapter was trained and chosen on, from its record. source: its base.

    Raises ClipbenchError where it is no head on vectors, DatasetError where a dataset is gone.
    """
    recipe, train, validation = (adapter.record.get(name) for name in ("recipe", "train", "validation"))
    if not (isinstance(recipe, dict) and isinstance(train, dict) and isinstance(validation, dict)):
        raise ClipbenchError(f"{adapter.name} does not say what it was trained on", "clipbench adapt show")
    noise = adapter.record.get("noise")
    setting = noise_of(noise) if isinstance(noise, dict) else None
    names = (short(str(train["key"]), 40), short(str(validation["key"]), 40))
    return material(source, TrainRequest(*names, recipe_of(recipe), setting), progress)


def shrink(
    source: VectorSource, ground: Material, adapter: AdapterRecord, share: float, name: str | None = None
) -> AdapterRecord:
    """Store an adapter of which `share` is kept, or find it; with its validation scores as its log.

    source: the base. Raises ClipbenchError for a share outside 0..1, and where there is nothing in between.
    """
    request = shrunk_request(adapter.request, share)
    known = find_by_request(source.store, request)
    if known is not None:
        return known
    tensors, header = read_bytes(load_weights(source.store, adapter.key))
    kept, recipe = shrunk(tensors, recipe_of(header["recipe"]), share)
    head = built(kept, recipe, int(header["dimension"]))
    validation = scores(
        head.apply_to(ground.chosen.images, "image"),
        head.apply_to(ground.chosen.texts[0], "text"),
        ground.validation.owners,
    )
    identity = digest("adapter", [request, weights_digest(kept)])
    label = name or f"{recipe.head}-{short(identity, 6)}"
    encoder = adapted_identity(source.identity, label, recipe, head)
    best = adapter.record.get("best_epoch")
    record: dict[str, Json] = {
        **adapter.record,
        "recipe": recipe_json(recipe),
        "interpolated": {"from": adapter.key, "name": adapter.name, "share": share},
    }
    first, last = adapter.log[0], next(entry for entry in adapter.log if entry["epoch"] == best)
    log = [first] if best == 0 else [first, {**last, "loss": None, "scores": dict(validation)}]
    save_encoder(source.store, encoder, None)
    stored = AdapterRecord(identity, request, label, encoder.key, source.identity.key, record, log)
    return save_adapter(source.store, stored, adapter_bytes(kept, record))


def between(
    source: VectorSource, shares: Sequence[float], progress: Progress
) -> tuple[tuple[float, AdapterRecord], ...]:
    """Return an adapter at several shares, each stored; 1 is the adapter itself. source: the adapter.

    Raises ClipbenchError for a share outside 0..1, and for a model that is neither a head nor fine-tuned.
    """
    if not isinstance(source, AdapterSource):
        return between_models(source, shares, progress)
    ground = material_of(source.base, source.record, progress)
    return tuple(
        (share, source.record if share == 1 else shrink(source.base, ground, source.record, share))
        for share in shares
    )
