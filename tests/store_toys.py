"""Toy datasets, encoders, vectors and runs for the tests of the store; no test is in here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from sqlalchemy import event

from clipbench.home import Home
from clipbench.keys import Json
from clipbench.records import (
    CLEAN,
    DIRECTIONS,
    Caption,
    Dataset,
    Direction,
    EncoderIdentity,
    Ledger,
    Metric,
    Modality,
    Perturbation,
    RunSpec,
    Sample,
    Shortlist,
    image_key,
    text_key,
)
from clipbench.store.datasets import load_dataset, save_dataset
from clipbench.store.embeddings import EmbeddingSet, Encoding, list_sets, save_set
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store, open_store, reading, writing
from clipbench.store.indexes import IndexContent, IndexRecord, NewIndex, ids_of, save_index
from clipbench.store.perturbations import save_perturbation
from clipbench.store.runs import RunRecord, save_run
from clipbench.store.vectors import Pool

D = 8
ENCODER = EncoderIdentity(
    kind="toy",
    label="Toy / a",
    spec="toy",
    architecture="hash",
    pretrained=None,
    weights="w" * 8,
    activation="none",
    preprocessing={"size": 8, "mean": [0.5, 0.1 + 0.2]},
    tokenizer={"words": True},
    precision="fp32",
    dimension=D,
    versions={"torch": "2.4.1", "numpy": "2.0.0"},
)
DROPOUT = Perturbation("word_dropout", "text", 0.3, 42, {"kept": "at least one"})


@cache
def empty_database() -> bytes:
    """A new store's database, made once: making one takes longer than most tests."""
    with TemporaryDirectory() as folder:
        return open_store(Home(Path(folder) / "store")).home.database.read_bytes()


def new_store(root: Path) -> Store:
    """Make a store that does not wait for the disk, for tests in which nothing pulls the plug."""
    home = Home(root)
    home.root.mkdir(parents=True, exist_ok=True)
    home.database.write_bytes(empty_database())
    store = open_store(home)
    event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
    return store


def count(store: Store, table: str) -> int:
    with reading(store) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608, our own names


def toy_dataset(name: str = "toy", images: int = 3, captions: int = 2, word: str = "red") -> Dataset:
    samples = tuple(
        Sample(
            id=f"i{i}",
            captions=tuple(Caption(f"i{i}#{j}", f"a {word} thing {i} {j}") for j in range(captions)),
            path=f"{i}.png",
            digest=f"{i:064x}",
        )
        for i in range(images)
    )
    return Dataset(name, "toy", "test", "all", samples, Path("/photos"), {"file": "toy.json", "seed": 7})


def item_keys(count: int, start: int = 0) -> list[bytes]:
    return [text_key(f"item {i}") for i in range(start, start + count)]


def unit_vectors(count: int, seed: int = 0, dimension: int = D) -> npt.NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    unit: npt.NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
    return unit


def toy_ledger(direction: Direction, images: int = 3, captions: int = 2) -> Ledger:
    """A ledger in which query q's first positive is beaten by q items; every array differs."""
    texts = images * captions
    queries, gallery, positives = (texts, images, 1) if direction == "t2i" else (images, texts, captions)
    pairs = queries * positives
    owners = np.arange(queries) // (captions if direction == "t2i" else 1)
    return Ledger(
        direction=direction,
        gallery_size=gallery,
        offsets=np.arange(0, pairs + 1, positives, dtype=np.int32),
        positive=(np.arange(pairs, dtype=np.int32) // (captions if direction == "t2i" else 1)),
        above=(np.arange(pairs, dtype=np.int32) % gallery),
        tied=np.ones(pairs, dtype=np.int32),
        tied_positives=np.ones(pairs, dtype=np.int32),
        top1=(np.arange(queries, dtype=np.int32) % gallery),
        positive_score=np.linspace(0.1, 0.9, queries, dtype=np.float32),
        negative_score=np.full(queries, -np.inf, dtype=np.float32),
        cluster=owners.astype(np.int32),
    )


def toy_ledgers(images: int = 3, captions: int = 2) -> dict[Direction, Ledger]:
    return {direction: toy_ledger(direction, images, captions) for direction in DIRECTIONS}


def toy_shortlist(direction: Direction, images: int = 3, captions: int = 2, depth: int = 2) -> Shortlist:
    """A shortlist that begins with what `toy_ledger` found first."""
    ledger = toy_ledger(direction, images, captions)
    depth = min(depth, ledger.gallery_size)
    items = (ledger.top1[:, None] + np.arange(depth, dtype=np.int32)) % ledger.gallery_size
    scores = np.linspace(0.9, 0.5, depth, dtype=np.float32)
    return Shortlist(direction, items, np.tile(scores, (ledger.queries, 1)))


def toy_metrics(value: float = 0.5) -> list[Metric]:
    found = [
        Metric(direction, f"hit@{k}", min(1.0, value * (1 + k / 20)), 0.1 + 0.2, 0.9, 6, "wilson")
        for direction in ("t2i", "i2t")
        for k in (1, 5, 10)
    ]
    return [*found, Metric("both", "rsum", 600 * value, None, None, 9)]


def encode(
    store: Store, dataset: Dataset, modality: Modality, perturbation: Perturbation = CLEAN
) -> EmbeddingSet:
    """Put one modality of a dataset into the pool and store its set; a vector depends on its item only."""
    setting = perturbation.side(modality)
    texts = [f"{setting.key} {caption.text}" for caption in dataset.captions]
    if modality == "text":
        items = [text_key(text) for text in texts]
    else:
        items = [image_key(sample.digest or "", setting, sample.id) for sample in dataset.samples]
    pool = Pool(store, ENCODER.key, modality)
    lacking = list(dict.fromkeys(items[i] for i in pool.missing(items)))
    if lacking:
        vectors = np.concatenate([unit_vectors(1, int.from_bytes(key[:6], "little")) for key in lacking])
        said = dict(zip(items, texts, strict=True)) if modality == "text" else {}
        pool.write(lacking, vectors, [said[key] for key in lacking] if said else ())
    return save_set(store, Encoding(dataset.key, ENCODER.key, setting, modality, items, seconds=1.5))


def toy_run(
    store: Store,
    dataset: Dataset | None = None,
    perturbation: Perturbation = CLEAN,
    *,
    seed: int = 0,
    value: float = 0.5,
    kind: str = "evaluate",
    method: Mapping[str, Json] | None = None,
) -> RunSpec:
    """Store a dataset, its vectors and one run on it; runs of another seed differ by their protocol only."""
    dataset = dataset or toy_dataset()
    save_dataset(store, dataset)
    save_encoder(store, ENCODER, "signature")
    save_perturbation(store, perturbation)
    sets = {m: encode(store, dataset, m, perturbation).key for m in ("image", "text")}
    protocol: dict[str, Json] = {"ties": "expected", "K": [1, 5, 10], "seed": seed}
    spec = RunSpec(kind, dataset.key, sets["image"], sets["text"], protocol, method=method or {})
    sizes = (len(dataset.samples), len(dataset.captions) // max(1, len(dataset.samples)))
    shortlists = {direction: toy_shortlist(direction, *sizes) for direction in DIRECTIONS}
    save_run(store, spec, toy_record(perturbation), toy_ledgers(*sizes), toy_metrics(value), shortlists)
    return spec


def toy_record(perturbation: Perturbation = CLEAN) -> RunRecord:
    return RunRecord(
        ENCODER.key,
        perturbation.key,
        command="clipbench evaluate toy",
        version="0.1.0",
        environment={"python": "3.11", "git": {"commit": "abc", "dirty": False}},
        timings={"encode": 1.25, "rank": 0.1 + 0.2},
    )


def toy_extras(store: Store) -> None:
    """Store an adapter of the toy encoder, columns beside the toy dataset and an index of its images."""
    from clipbench.store.adapters import AdapterRecord, save_adapter
    from clipbench.store.dataset_columns import DatasetColumns, save_columns

    key = ENCODER.key
    record = {"recipe": {}, "best_epoch": 0}
    save_adapter(
        store, AdapterRecord("adapter:" + "0" * 40, "training:1", "one", key, key, record, []), b"weights"
    )
    dataset = toy_dataset()
    save_columns(store, dataset.key, DatasetColumns(("type",), (("chair",),) * len(dataset.samples)))
    toy_index(store)


def toy_index(
    store: Store, name: str = "toy-index", kind: str = "exact", data: bytes | None = None
) -> IndexRecord:
    """Store an index of the toy dataset's images with any bytes as its file, none where it is exact."""
    images = next(one for one in list_sets(store) if one.modality == "image")
    content = IndexContent(images.key, images.checksum, kind, {}, "1", 0)
    write = None if data is None else lambda path: path.write_bytes(data)
    items = ids_of(load_dataset(store, images.dataset), images)
    return save_index(store, NewIndex(content, name, items, 0.5, write))


def tamper(store: Store, statement: str) -> None:
    """Change what is finished, as one could who takes the triggers away and puts them back."""
    with writing(store) as connection:
        kept = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
        for name, _ in kept:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(statement)
        for _, statement_ in kept:
            connection.exec_driver_sql(statement_)
