"""Tables about stored datasets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from clipbench.keys import Json, short
from clipbench.records import Dataset
from clipbench.reports.tables import Column, Table
from clipbench.store.dataset_columns import DatasetColumns, column_names, load_columns
from clipbench.store.dataset_names import Removed
from clipbench.store.datasets import list_datasets, load_dataset
from clipbench.store.engine import Store
from clipbench.wording import plural

_LIST = (
    *("name", "split", "format", "images", "captions", "policy", "problems", "runs", "fingerprint"),
    *("columns", "captions made by"),
)

ALWAYS = 9
"""Columns of the list that are there whatever the datasets are."""

TEMPLATES = "caption_templates"
"""What a dataset's source calls the templates of its captions."""

EXAMPLES = 3
"""Values of a column that a table names."""

LONGEST = 40
"""Characters of a value that people see."""


def dataset_table(store: Store, *, wide: bool = False) -> Table:
    """Return all datasets of a store, by name.

    wide: the form for programs, with all columns; the other leaves out what is said of no dataset, and counts columns.
    """
    columns = column_names(store)
    names = {d.key: columns.get(d.key, ()) for d in list_datasets(store)}
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
            (", ".join(names[d.key]) if wide else len(names[d.key])) or None,
            "; ".join(_templates(d.source)) or None,
        )
        for d in list_datasets(store)
    )
    notes = () if rows else ("add one: clipbench dataset add NAME --captions FILE",)
    kept = [place for place in range(len(_LIST)) if wide or place < ALWAYS or any(row[place] for row in rows)]
    return Table(
        "Datasets",
        tuple(Column(_LIST[place]) for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
        notes,
    )


def dataset_facts(store: Store, name: str, images: int) -> tuple[Table, ...]:
    """Return what a dataset holds and where it came from, and the captions of its first images."""
    dataset = load_dataset(store, name)
    facts = Table(f"Dataset {name}", (Column("fact"), Column("value")), _facts(dataset))
    first = tuple((s.id, c.id, c.text) for s in dataset.samples[:images] for c in s.captions)
    captions = Table(
        f"Captions of the first {min(images, len(dataset.samples))} images",
        (Column("image"), Column("caption id"), Column("caption")),
        first,
    )
    columns = load_columns(store, dataset.key)
    tables = (facts,) if columns is None else (facts, column_table(columns))
    return (*tables, captions) if images else tables


def column_table(columns: DatasetColumns) -> Table:
    """Return the columns that are kept beside a dataset: how many images have a value, how many values, the most frequent."""
    rows = []
    for place, name in enumerate(columns.names):
        counts = Counter(row[place] for row in columns.cells if row[place].strip())
        often = sorted(counts, key=lambda value: (-counts[value], value))[:EXAMPLES]
        shown = [value if len(value) <= LONGEST else f"{value[:LONGEST]}…" for value in often]
        told = ", ".join(f"{value} ({counts[key]:,})" for value, key in zip(shown, often, strict=True))
        filled = sum(counts.values())
        rows.append((name, filled, len(columns.cells) - filled, len(counts), told))
    heads = ("column", "filled", "empty", "values", "most frequent")
    notes = ("what they are for: search --where, improve rerank --text-column, runs show --by column:NAME",)
    return Table("Columns", tuple(Column(head) for head in heads), tuple(rows), notes)


def removal_words(removed: Removed) -> str:
    """Return what goes with a dataset's name, and what stays.

    >>> removal_words(Removed("toys", 2, 4, 1)), removal_words(Removed("toys", 2, 4, 0, "it is called 'a' too"))
    ("'toys': 2 images, 4 captions, 1 run", "the name 'toys'; the content stays, for it is called 'a' too")
    """
    runs = plural(removed.runs, "run")
    if removed.kept:
        also = f" and {runs}" if removed.runs else ""
        return f"the name {removed.name!r}{also}; the content stays, for {removed.kept}"
    also = f", {runs}" if removed.runs else ""
    also += f", {removed.indexes:,} index{'' if removed.indexes == 1 else 'es'}" if removed.indexes else ""
    return f"{removed.name!r}: {plural(removed.images, 'image')}, {plural(removed.captions, 'caption')}{also}"


def _facts(dataset: Dataset) -> tuple[tuple[str, str | int], ...]:
    counts = Counter(len(sample.captions) for sample in dataset.samples)
    words = sorted(len(caption.text.split()) for caption in dataset.captions)
    usable = sum(sample.digest is not None and sample.problem is None for sample in dataset.samples)
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
        *((("captions made by", "; ".join(templates)),) if (templates := _templates(dataset.source)) else ()),
        ("words a caption", f"median {words[len(words) // 2]}, longest {words[-1]}" if words else "-"),
        ("image folder", str(dataset.image_folder or "-")),
        ("fingerprint", dataset.fingerprint),
        ("key", dataset.key),
        *(
            (f"source: {name}", value if isinstance(value, str) else json.dumps(value))
            for name, value in sorted(dataset.source.items())
            if name != TEMPLATES
        ),
    )


def _templates(source: Mapping[str, Json]) -> list[str]:
    templates = source.get(TEMPLATES)
    return [str(text) for text in templates] if isinstance(templates, list) else []
