"""Datasets in the store: content once, by key, and names that point at it.

Knows how a Dataset becomes rows and comes back equal; reads no source file and checks no photograph.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from clipbench.errors import DatasetError
from clipbench.foreign_files import inside
from clipbench.keys import Json, short
from clipbench.records import Caption, Dataset, Sample
from clipbench.store import clock, tables
from clipbench.store.columns import json_in, json_out, text_in, text_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.rows import find_id, keys_with_prefix, next_id

LONGEST_NAME = 100

AT_ONCE = 10_000
"""Rows that are handed to the database together: of a million captions, not all at once."""

SHOWN = 8
"""Datasets that an error message lists."""


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """A dataset that was saved. `created` is False where the same content was there before."""

    name: str
    key: str
    id: int
    created: bool


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """One line of the list of datasets. `problems` counts images that are missing or unreadable.

    source: how it was read, as `Dataset.source`.
    """

    name: str
    key: str
    fingerprint: str
    format: str
    split: str
    caption_policy: str
    images: int
    captions: int
    problems: int
    runs: int
    image_folder: Path | None
    created_at: datetime
    source: Mapping[str, Json]


def save_dataset(store: Store, dataset: Dataset, *, replace: bool = False) -> StoredDataset:
    """Store a dataset under its name; the same content is kept once, and its folder brought up to date.

    Raises DatasetError where the name means other content, unless `replace`: then the name moves, and
    the old content stays with its runs.
    """
    check_name(dataset.name)
    _check_paths(dataset.name, [sample.path for sample in dataset.samples])
    key = dataset.key
    with writing(store) as connection:
        found = find_id(connection, tables.dataset, key)
        _check_free(connection, dataset, found, replace=replace)
        row = found if found is not None else next_id(connection, tables.dataset)
        if found is None:
            _insert_many(connection, tables.image, _image_rows(dataset, row))
            _insert_many(connection, tables.caption, _caption_rows(dataset, row))
            connection.execute(insert(tables.dataset), _dataset_row(dataset, row))
        _point(connection, dataset, row)
    return StoredDataset(dataset.name, key, row, created=found is None)


def load_dataset(store: Store, name: str) -> Dataset:
    """Return the dataset of this name, or of the key that begins with it (4 or more hex digits).

    Raises DatasetError that lists near names where there is none.
    """
    with reading(store) as connection:
        named = connection.execute(select(tables.dataset_name).filter_by(name=name)).one_or_none()
        row = _content_row(connection, name, named.dataset_id if named else None)
        of_row = {"dataset_id": row.id}
        images = connection.execute(select(tables.image).filter_by(**of_row).order_by("position")).all()
        query = select(tables.caption).filter_by(**of_row).order_by("position")
        captions: list[list[Caption]] = [[] for _ in images]
        for caption in connection.execute(query):
            captions[caption.image_position].append(
                Caption(text_out(caption.caption_id), text_out(caption.text))
            )
    where = named or row
    moved = named is not None and named.paths is not None
    paths = json_out(named.paths) if named and moved else [text_out(image.path) for image in images]
    _check_paths(name, paths)
    folder = text_out(where.image_folder)
    return Dataset(
        name=where.name,
        format=text_out(where.format),
        split=text_out(row.split),
        caption_policy=text_out(row.caption_policy),
        samples=tuple(
            Sample(text_out(image.image_id), tuple(own), path, image.digest, text_out(image.problem))
            for image, own, path in zip(images, captions, paths, strict=True)
        ),
        image_folder=None if folder is None else Path(folder),
        source=json_out(where.source),
    )


def list_datasets(store: Store) -> tuple[DatasetSummary, ...]:
    """Return all named datasets in the order of their names."""
    query = "SELECT * FROM datasets WHERE name IS NOT NULL ORDER BY name"
    with reading(store) as connection:
        rows = connection.exec_driver_sql(query).all()
        named = connection.execute(select(tables.dataset_name.c.name, tables.dataset_name.c.source)).all()
    sources = {row.name: json_out(row.source) for row in named}
    return tuple(
        DatasetSummary(
            name=row.name,
            key=row.dataset_key,
            fingerprint=row.fingerprint,
            format=text_out(row.format),
            split=text_out(row.split),
            caption_policy=text_out(row.caption_policy),
            images=row.n_images,
            captions=row.n_captions,
            problems=row.n_problems,
            runs=row.n_runs,
            image_folder=None if row.image_folder is None else Path(text_out(row.image_folder)),
            created_at=clock.moment(row.created_at),
            source=sources[row.name],
        )
        for row in rows
    )


def check_name(name: str) -> None:
    """Raise DatasetError for a name that nobody could type where a dataset or a run is named."""
    faults = {
        "is empty": not name.strip(),
        "begins or ends with a space": name != name.strip(),
        "begins like an option": name.startswith("-"),
        "holds what cannot be seen": not name.isprintable(),
        "holds a comma or =, which stand between the words that name a run": bool({",", "="} & {*name}),
        f"is longer than {LONGEST_NAME} characters": len(name) > LONGEST_NAME,
    }
    for fault, is_so in faults.items():
        if is_so:
            raise DatasetError(
                f"{name[:LONGEST_NAME]!r} cannot be the name of a dataset: it {fault}",
                "a plain word, e.g. f8k-test",
            )


def named_row(connection: Connection, name: str) -> Row[Any]:
    """Return the content that a name means. Raises DatasetError that lists near names where it means none."""
    named = connection.execute(select(tables.dataset_name).filter_by(name=name)).one_or_none()
    if named is None:
        raise _unknown(connection, name)
    return connection.execute(select(tables.dataset).filter_by(id=named.dataset_id)).one()


def _check_paths(name: str, paths: Sequence[object]) -> None:
    """Raise DatasetError where a photograph's path leads out of the image folder: the store may be another's."""
    for path in paths:
        if path is not None and not (isinstance(path, str) and inside(path)):
            raise DatasetError(
                f"the dataset {name!r} names a photograph outside of its folder: {path!r}",
                "do not trust it; add the dataset again from its files",
            )


def _check_free(connection: Connection, dataset: Dataset, found: int | None, *, replace: bool) -> None:
    query = (
        select(tables.dataset.c.id, tables.dataset.c.key, tables.dataset.c.n_images)
        .join(tables.dataset_name, tables.dataset_name.c.dataset_id == tables.dataset.c.id)
        .where(tables.dataset_name.c.name == dataset.name)
    )
    taken = connection.execute(query).one_or_none()
    if taken is not None and taken.id != found and not replace:
        raise DatasetError(
            f"the name {dataset.name!r} already means other content: {taken.n_images:,} images "
            f"({short(taken.key)}), now {len(dataset.samples):,} images ({short(dataset.key)})",
            "add it under another NAME, or with --replace (the old content and its runs stay)",
        )


def _content_row(connection: Connection, name: str, named: int | None) -> Row[Any]:
    if named is not None:
        return connection.execute(select(tables.dataset).filter_by(id=named)).one()
    keys = keys_with_prefix(connection, tables.dataset, "content", name)
    if len(keys) == 1:
        return connection.execute(select(tables.dataset).filter_by(key=keys[0])).one()
    if keys:
        raise DatasetError(f"{name!r} begins {len(keys)} keys: {', '.join(keys)}", "clipbench dataset list")
    raise _unknown(connection, name)


def _unknown(connection: Connection, name: str) -> DatasetError:
    known = connection.execute(select(tables.dataset_name.c.name).order_by("name")).scalars().all()
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    several = f"; there are {', '.join(known[:SHOWN])}{', ...' if len(known) > SHOWN else ''}"
    listed = f"; near: {', '.join(near)}" if near else several if known else "; there are none yet"
    return DatasetError(
        f"there is no dataset {name!r} in the store at {_place(connection)}{listed}", "clipbench dataset list"
    )


def _place(connection: Connection) -> str:
    return str(Path(connection.engine.url.database or "").parent)


def _image_rows(dataset: Dataset, row: int) -> Iterator[dict[str, Any]]:
    for position, sample in enumerate(dataset.samples):
        yield {
            "dataset_id": row,
            "position": position,
            "image_id": text_in(sample.id),
            "path": text_in(sample.path),
            "digest": sample.digest,
            "problem": text_in(sample.problem),
        }


def _caption_rows(dataset: Dataset, row: int) -> Iterator[dict[str, Any]]:
    owned = ((owner, caption) for owner, sample in enumerate(dataset.samples) for caption in sample.captions)
    for position, (owner, caption) in enumerate(owned):
        yield {
            "dataset_id": row,
            "position": position,
            "image_position": owner,
            "caption_id": text_in(caption.id),
            "text": text_in(caption.text),
        }


def _dataset_row(dataset: Dataset, row: int) -> dict[str, Any]:
    return {
        "id": row,
        "key": dataset.key,
        "fingerprint": dataset.fingerprint,
        "name": dataset.name,
        "format": text_in(dataset.format),
        "split": text_in(dataset.split),
        "caption_policy": text_in(dataset.caption_policy),
        "image_folder": _folder(dataset),
        "n_images": len(dataset.samples),
        "n_captions": len(dataset.captions),
        "source": json_in(dataset.source),
        "created_at": clock.stamp(),
    }


def _folder(dataset: Dataset) -> str | bytes | None:
    return None if dataset.image_folder is None else text_in(str(dataset.image_folder))


def _insert_many(connection: Connection, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    while some := list(islice(rows, AT_ONCE)):
        connection.execute(insert(table), some)


def _point(connection: Connection, dataset: Dataset, row: int) -> None:
    """Let the dataset's name mean content `row`, photographs where this reading found them."""
    query = select(tables.image.c.path).filter_by(dataset_id=row).order_by(tables.image.c.position)
    stored = connection.execute(query).scalars()
    same = all(a == text_in(b.path) for a, b in zip(stored, dataset.samples, strict=True))
    values = {
        "dataset_id": row,
        "format": text_in(dataset.format),
        "image_folder": _folder(dataset),
        "paths": None if same else json_in([sample.path for sample in dataset.samples]),
        "source": json_in(dataset.source),
        "named_at": clock.stamp(),
    }
    statement = upsert(tables.dataset_name).values(name=dataset.name, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
