"""What a run's captions really said: the texts kept with their vectors.

Stores of an earlier clipbench kept the vectors of perturbed captions and not their texts. Operations are
deterministic, so such a text can be made again; its item key tells whether it is the one that was encoded.
"""

from __future__ import annotations

from clipbench.errors import ClipbenchError
from clipbench.perturb.apply_text import perturb_captions
from clipbench.perturb.legacy import LegacyStream, legacy_texts
from clipbench.perturb.registry import text_operation
from clipbench.perturb.resources import DEFAULT_TEMPLATE, TextResources
from clipbench.records import Dataset, Perturbation
from clipbench.store.embeddings import set_items
from clipbench.store.engine import Store, reading
from clipbench.store.item_texts import keyed_texts, texts_of
from clipbench.study.runs.loaded import LoadedRun


def queried_texts(store: Store, loaded: LoadedRun) -> tuple[str | None, ...]:
    """Return the texts that a run encoded, one per caption of its gallery; None where that is not known.

    Not known are texts of an earlier clipbench that the user wrote, or that a dictionary of theirs went into.
    """
    setting, dataset = loaded.run.perturbation, loaded.dataset
    if setting.target != "text":
        return tuple(caption.text for caption in loaded.gallery.captions)
    with reading(store) as connection:
        items = set_items(connection, loaded.run.spec.texts)
    keys = [items[row].tobytes() for row in loaded.gallery.caption_rows.tolist()]
    known = texts_of(store, keys)
    if not known.keys() >= set(keys):
        again = keyed_texts(_again(dataset, setting) or ())
        known = {**again, **known}
    return tuple(known.get(key) for key in keys)


def _again(dataset: Dataset, setting: Perturbation) -> tuple[str, ...] | None:
    parameters = setting.parameters
    try:
        if parameters.get("stream") == "legacy":
            rates, shuffle = parameters.get("rates"), parameters.get("shuffle")
            if not isinstance(rates, list) or shuffle not in {"shared", "fresh"}:
                return None
            legacy = LegacyStream(setting.seed, tuple(rates), "shared" if shuffle == "shared" else "fresh")
            texts = [caption.text for caption in dataset.captions]
            return legacy_texts(texts, setting.operation, setting.level, legacy)
        resources = TextResources(template=str(parameters.get("template", DEFAULT_TEMPLATE)))
        operation = text_operation(setting.operation)
        return perturb_captions(dataset.captions, operation, setting.level, setting.seed, resources)
    except ClipbenchError:  # a rewrite, or an operation that is no more: its texts are not known here
        return None
