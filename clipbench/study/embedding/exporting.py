"""Writes the stored vectors of a dataset to one HDF5 file that others can read without clipbench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipbench.errors import DatasetError
from clipbench.keys import canonical, rounded
from clipbench.records import CLEAN, Dataset, Modality
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, load_vectors
from clipbench.store.engine import Store
from clipbench.study.embedding.embed import stored_set
from clipbench.study.embedding.modalities import MODALITIES
from clipbench.study.embedding.models import VectorSource
from clipbench.study.output.escapes import HOW, MARK, escaped, needs_escapes
from clipbench.study.output.whole_files import whole_file


def export_vectors(
    store: Store, name: str, source: VectorSource, out: Path, *, force: bool = False
) -> Mapping[Modality, int]:
    """Write groups `image` and `text`, each with `ids` and `vectors` float32 (n, D), the captions as `texts`.

    A side that is not embedded has no group; returned is how many vectors each side that was written has.
    The file's attributes name the dataset's fingerprint and the encoder. Raises DatasetError where neither
    side is embedded, ClipbenchError where `out` exists and `force` is False, or cannot be written.
    """
    import h5py

    dataset = load_dataset(store, name)
    sides = _sides(store, dataset, source)
    vectors = {modality: load_vectors(store, found) for modality, found in sides.items()}
    # Nobody knows the temporary name, so no lock is needed, and some file systems have none.
    with whole_file(out, force=force) as path, h5py.File(path, "w", locking=False) as file:
        file.attrs["dataset"] = name
        file.attrs["fingerprint"] = dataset.fingerprint
        file.attrs["encoder"] = source.identity.label
        file.attrs["encoder_key"] = source.identity.key
        file.attrs["preprocessing"] = canonical(rounded(source.identity.preprocessing))
        for modality, found in sides.items():
            group = file.create_group(modality)
            if modality == "text":
                ids = [caption.id for caption in dataset.captions]
                _write_strings(group, "texts", [caption.text for caption in dataset.captions])
            else:
                ids = [s.id for s in dataset.samples if s.id not in found.unreadable]
            _write_strings(group, "ids", ids)
            group.create_dataset("vectors", data=vectors[modality])
    return {modality: found.rows for modality, found in sides.items()}


def _write_strings(group: Any, name: str, texts: Sequence[str]) -> None:
    """Write a dataset of strings, escaped and marked where HDF5 could not hold them as they are."""
    import h5py

    escape = needs_escapes(texts)
    data = [escaped(text) for text in texts] if escape else list(texts)
    written = group.create_dataset(name, data=data, dtype=h5py.string_dtype())
    if escape:
        written.attrs[MARK] = HOW


def _sides(store: Store, dataset: Dataset, source: VectorSource) -> Mapping[Modality, EmbeddingSet]:
    looked = {modality: stored_set(store, dataset, source, (modality, CLEAN)) for modality in MODALITIES}
    found = {modality: side for modality, side in looked.items() if side is not None}
    if not found:
        model = source.request.model
        raise DatasetError(
            f"{dataset.name} is not embedded with {model} yet",
            f"clipbench embed {dataset.name} --model {model}",
        )
    return found
