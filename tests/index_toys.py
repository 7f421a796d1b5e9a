"""A collection of drawn vectors and an index of it; no test is in here."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from cli_toys import good, write_csv

from clipbench.store.engine import Store
from clipbench.store.indexes import load_index

IMAGES = 600
DIMENSION = 24
MODEL = ("--model", "imported:drawn", "-q")
HNSW = ("index", "build", "toys", *MODEL, "--type", "hnsw", "--m", "4", "--ef-construction", "16")


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def vectors() -> tuple[np.ndarray, np.ndarray]:
    """Photographs anywhere, and two captions each that lie near theirs."""
    draw = np.random.default_rng(0)
    images = unit(draw.normal(size=(IMAGES, DIMENSION)))
    texts = unit(np.repeat(images, 2, axis=0) + 0.25 * draw.normal(size=(2 * IMAGES, DIMENSION)))
    return images, texts


def names(order: np.ndarray | None = None) -> list[str]:
    return [f"i{n:04}.jpg" for n in (np.arange(IMAGES) if order is None else order)]


def bring(folder: Path, name: str, order: np.ndarray | None = None) -> None:
    """Store a collection of vectors alone, its images in this order."""
    folder.mkdir(parents=True, exist_ok=True)
    images, texts = vectors()
    rows = [(image, f"caption {which} of {image}") for image in names(order) for which in (0, 1)]
    file = write_csv(folder / "captions.csv", rows)
    good("dataset", "add", name, "--captions", file, "--captions-only", "-q")
    np.save(folder / "image.npy", images)
    np.save(folder / "text.npy", texts)
    (folder / "image.txt").write_text("\n".join(names()))
    (folder / "text.txt").write_text("\n".join(f"{n}#{which}" for n in names() for which in (0, 1)))
    sides = [
        word
        for s in ("image", "text")
        for word in (f"--{s}s", folder / f"{s}.npy", f"--{s}-ids", folder / f"{s}.txt")
    ]
    good("embed", "import", name, "--model", "drawn", *sides)


def hnsw(store: Store):
    return load_index(store, "toys-hnsw")


def changed(store: Store, statement: str) -> None:
    """Change a row behind the triggers' back."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'vector_index'"
    with closing(sqlite3.connect(store.home.database)) as connection, connection:
        triggers = connection.execute(query).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        for _, again in triggers:
            connection.execute(again)


def built(folder: Path) -> Path:
    """Make a store with the collection and an HNSW index of it; return it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIPBENCH_STORE", str(folder / "store"))
        bring(folder / "files", "toys")
        good(*HNSW)
    return folder / "store"
