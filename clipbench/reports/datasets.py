"""Tables about stored datasets."""

from __future__ import annotations

import json
from collections import Counter

from clipbench.keys import short
from clipbench.records import Dataset
from clipbench.reports.tables import Column, Table
from clipbench.store.dataset_columns import load_columns
from clipbench.store.dataset_names import Removed
from clipbench.store.datasets import list_datasets, load_dataset
from clipbench.store.engine import Store

_LIST = ("name", "split", "format", "images", "captions", "policy", "problems", "runs", "fingerprint")


def dataset_table(store: Store) -> Table:
    """Return all datasets of a store, by name."""
    rows = tuple(
        (
            d.name,
            d.split,
            d.format,
            d.images,
            d.captions,
            d.caption_policy,
            d.problems,
            d.runs,
            short(d.fingerprint),
        )
        for d in list_datasets(store)
    )
    notes = () if rows else ("add one: clipbench dataset add NAME --captions FILE",)
    return Table("Datasets", tuple(Column(name) for name in _LIST), rows, notes)


def dataset_facts(store: Store, name: str, images: int) -> tuple[Table, ...]:
    """Return what a dataset holds and where it came from, and the captions of its first images."""
    dataset = load_dataset(store, name)
    facts = Table(f"Dataset {name}", (Column("fact"), Column("value")), _facts(store, dataset))
    first = tuple((s.id, c.id, c.text) for s in dataset.samples[:images] for c in s.captions)
    captions = Table(
        f"Captions of the first {min(images, len(dataset.samples))} images",
        (Column("image"), Column("caption id"), Column("caption")),
        first,
    )
    return (facts, captions) if images else (facts,)


def removal_words(removed: Removed) -> str:
    """Return what goes with a dataset's name, and what stays.

    >>> removal_words(Removed("toys", 2, 4, 1)), removal_words(Removed("toys", 2, 4, 0, "it is called 'a' too"))
    ("'toys': 2 images, 4 captions, 1 run", "the name 'toys'; the content stays, for it is called 'a' too")
    """
    runs = f"{removed.runs:,} run{'' if removed.runs == 1 else 's'}"
    if removed.kept:
        also = f" and {runs}" if removed.runs else ""
        return f"the name {removed.name!r}{also}; the content stays, for {removed.kept}"
    also = f", {runs}" if removed.runs else ""
    return f"{removed.name!r}: {removed.images:,} images, {removed.captions:,} captions{also}"


def _facts(store: Store, dataset: Dataset) -> tuple[tuple[str, str | int], ...]:
    counts = Counter(len(sample.captions) for sample in dataset.samples)
    words = sorted(len(caption.text.split()) for caption in dataset.captions)
    usable = sum(sample.digest is not None and sample.problem is None for sample in dataset.samples)
    columns = load_columns(store, dataset.key)
    spread = ", ".join(f"{images:,} with {n}" for n, images in sorted(counts.items()))
    return (
        ("format", dataset.format),
        ("split", dataset.split),
        ("caption policy", dataset.caption_policy),
        ("images", len(dataset.samples)),
        ("usable photographs", usable),
        ("captions", len(dataset.captions)),
        ("captions per image", spread),
        ("distinct captions", len({caption.text for caption in dataset.captions})),
        ("words a caption", f"median {words[len(words) // 2]}, longest {words[-1]}" if words else "-"),
        *([("columns", ", ".join(columns.names))] if columns else []),
        ("image folder", str(dataset.image_folder or "-")),
        ("fingerprint", dataset.fingerprint),
        ("key", dataset.key),
        *(
            (f"source: {name}", value if isinstance(value, str) else json.dumps(value))
            for name, value in sorted(dataset.source.items())
        ),
    )
