"""Writes the stored vectors of a dataset to one HDF5 file that others can read without clipbench."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clipbench.errors import DatasetError
from clipbench.keys import canonical
from clipbench.records import CLEAN
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import load_vectors
from clipbench.store.engine import Store
from clipbench.study.embed import stored_set
from clipbench.study.models import EncoderSource


def export_vectors(store: Store, name: str, source: EncoderSource, out: Path) -> None:
    """Write groups `image` and `text`, each with `ids` and `vectors` float32 (n, D), the captions as `texts`.

    The file's attributes name the dataset's fingerprint and the encoder. Raises DatasetError where a side is
    not embedded yet or `out` exists.
    """
    import h5py

    if out.exists():
        raise DatasetError(f"{out} exists", "name another file with --out")
    dataset = load_dataset(store, name)
    partial = out.with_name(out.name + ".partial")
    strings = h5py.string_dtype()
    with h5py.File(partial, "w") as file:
        file.attrs["dataset"] = name
        file.attrs["fingerprint"] = dataset.fingerprint
        file.attrs["encoder"] = source.identity.label
        file.attrs["encoder_key"] = source.identity.key
        file.attrs["preprocessing"] = canonical(source.identity.preprocessing)
        for modality in ("image", "text"):
            found = stored_set(store, dataset, source, (modality, CLEAN))
            if found is None:
                partial.unlink()
                raise DatasetError(
                    f"the {modality} side of {name} is not embedded yet", f"clipbench embed {name}"
                )
            ids = [s.id for s in dataset.samples if s.id not in found.unreadable]
            group = file.create_group(modality)
            if modality == "text":
                ids = [caption.id for caption in dataset.captions]
                group.create_dataset("texts", data=[c.text for c in dataset.captions], dtype=strings)
            group.create_dataset("ids", data=ids, dtype=strings)
            group.create_dataset("vectors", data=np.asarray(load_vectors(store, found)))
    partial.replace(out)
