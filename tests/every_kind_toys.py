"""A small store with a run of every kind there is, made by commands; no test is in here.

`tests/upgrades/0002-every-kind.db` is what `make` wrote when the schema was at revision 0002, and
`0002-every-kind.json` what stood in it. A newer clipbench has to find every key, number and request in it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from annotation_toys import give, label
from cli_toys import caption, collection, environment, good, picture, write_csv

from clipbench.home import Home
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import open_store
from clipbench.store.failures import find_sample

UPGRADES = Path(__file__).parent / "upgrades"
NAME = "0002-every-kind"

EVALUATE = ("evaluate", "toys", "--model", "toy", "--resamples", "100", "-q")
GALLERY = ("robustness", "gallery", "toys", "--model", "toy", "-q")
SWEEP = ("robustness", "sweep", "toys", "--model", "toy", "-q")

RUNS: tuple[tuple[str, ...], ...] = (
    ("evaluate", "toys", "--model", "toy", "--tag", "plain", "-q"),
    (*EVALUATE, "--fold", "4"),
    (*EVALUATE, "--duplicate-aware", "--ties", "optimistic"),
    (*EVALUATE, "--k", "2", "--k", "7", "--seed", "3", "--confidence", "0.9", "--ties", "pessimistic"),
    ("evaluate", "toys", "--model", "imported:made elsewhere", "-q"),
    (*SWEEP, "--perturb", "word-dropout,keyboard", "--levels", "0.1,0.3", "--seeds", "2", "--name", "words"),
    (*SWEEP, "--perturb", "word-shuffle", "--directions", "t2i"),
    (*SWEEP, "--perturb", "word-shuffle", "--directions", "i2t"),
    (*SWEEP, "--perturb", "word-dropout", "--levels", "0.2", "--legacy-stream"),
    (*SWEEP, "--from-file", "formal.csv", "--label", "formal"),
    (*SWEEP, "--perturb", "gaussian-noise,defocus-blur", "--severities", "1,3", "--name", "pixels"),
    (*SWEEP, "--perturb", "brightness", "--severities", "5", "--apply", "source"),
    (*GALLERY, "--sizes", "3,8", "--distractors", "more", "--distractors", "single"),
    (*GALLERY, "--no-fooling"),
    (*GALLERY, "--control", "colour-flip", "--seed", "5"),
)
"""Every command that makes runs; typed again it finds all of them."""


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder, so that files are named without it; the platform is nobody's."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with (
            mock.patch("platform.platform", return_value="toys"),
            environment(CLIPBENCH_STORE=str(folder / "store")),
        ):
            yield
    finally:
        os.chdir(before)


def ask(folder: Path) -> None:
    """Type every command that makes runs."""
    write_csv(folder / "formal.csv", _formal(), ("caption_id", "text"))
    with inside(folder):
        for words in RUNS:
            good(*words)


def _formal() -> list[tuple[str, str]]:
    return [
        (f"p{n:03}.png#{which}", f"one observes {caption(n, which)}") for n in range(8) for which in (0, 1)
    ]


def make(folder: Path) -> None:
    """Make the store: three collections, imported vectors, a run of every kind, a sample with labels."""
    collection(folder / "toys", images=8)
    collection(folder / "more", images=14)
    (folder / "one").mkdir()
    picture(50).save(folder / "one" / "p000.png")
    write_csv(
        folder / "one" / "captions.csv", [("p000.png", "two red fields"), ("p000.png", "two red fields")]
    )
    for modality, rows in (("image", 8), ("text", 16)):
        vectors = np.random.default_rng(rows).normal(size=(rows, 12))
        unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        np.save(folder / f"{modality}.npy", unit)
    names = [f"p{n:03}.png" for n in range(8)]
    (folder / "image.txt").write_text("\n".join(names))
    (folder / "text.txt").write_text("\n".join(f"{name}#{which}" for name in names for which in (0, 1)))
    with inside(folder):
        for name in ("toys", "more"):
            good("dataset", "add", name, "--captions", f"{name}/captions.csv", "--images", f"{name}/photos")
        good("dataset", "add", "single", "--captions", "one/captions.csv", "--images", "one")
        sides = [
            word for m in ("image", "text") for word in (f"--{m}s", f"{m}.npy", f"--{m}-ids", f"{m}.txt")
        ]
        good("embed", "import", "toys", "--model", "made elsewhere", *sides)
    ask(folder)
    with inside(folder):
        good("runs", "tag", "latest", "newest")
        good("annotate", "sample", "plain", "--n", "4", "--controls", "1", "-q")
        good(
            "annotate",
            "assign",
            "--annotators",
            "A,B",
            "--overlap",
            "1",
            "--per-annotator",
            "1",
            "--backup",
            "1",
            "--out",
            "out",
            "-q",
        )
    store = open_store(Home(folder / "store"))
    dataset, sample = load_dataset(store, "toys"), find_sample(store, "latest").sample
    first, second, *_ = (item.failure for item in sample.failures)
    give(store, dataset, "A", label(first, "Object"), label(second, "Ambiguous", "nearduplicate"))
    give(store, dataset, "B", label(first, "Count", note="three, not two"))


def contents(database: Path) -> dict[str, object]:
    """Return every key, every number and every pointer that an upgrade must leave as it is."""
    with closing(sqlite3.connect(database)) as connection:

        def rows(query: str) -> list[list[object]]:
            return [list(row) for row in connection.execute(query)]

        keyed = ("dataset", "encoder", "perturbation", "vector_shard", "embedding_set", "run", "failure")
        return {
            "keys": {name: rows(f"SELECT key FROM {name} ORDER BY id") for name in keyed},  # noqa: S608, our own names
            "metrics": rows(
                "SELECT run.key, direction, name, value, low, high, n, metric.method, confidence FROM metric "
                "JOIN run ON run.id = run_id ORDER BY run.id, position"
            ),
            "ledgers": rows(
                "SELECT run.key, direction, gallery_size, queries, hex(above), hex(tied), hex(top1) FROM ledger "
                "JOIN run ON run.id = run_id ORDER BY run.id, direction"
            ),
            "sweeps": rows("SELECT name, key, request FROM sweep ORDER BY id"),
            "tags": rows("SELECT tag, run.key FROM tag JOIN run ON run.id = run_id ORDER BY tag, run.id"),
        }


def write(revision_name: str = NAME) -> None:
    """Write the database, its vectors and what stands in it to tests/upgrades."""
    folder = Path("/tmp/toys")  # noqa: S108, this path is kept in the database, so it is nobody's
    folder.mkdir()
    make(folder)
    database = folder / "store" / "clipbench.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
    told = json.dumps(contents(database), indent=0)
    (UPGRADES / f"{revision_name}.json").write_text(told + "\n")
    shutil.copy(database, UPGRADES / f"{revision_name}.db")
    shutil.copytree(folder / "store" / "embeddings", UPGRADES / f"{revision_name}-embeddings")
    shutil.rmtree(folder)
