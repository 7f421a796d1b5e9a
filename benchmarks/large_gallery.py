"""A gallery larger than memory should hold: drawn vectors whose every rank is known, through the whole command line.

    python benchmarks/large_gallery.py [--images 1000000] [--queries 10000] [--width 512] [--folder FOLDER] [--keep] [--parts]

Queries are random unit vectors. Each has its own image at a cosine of .6, and as many images at .7 to .95 as stand
above it; two random vectors of 512 dimensions are never so near (a cosine of .6 is 13 standard deviations), so that ranks
and ties are known from the drawing alone. Prints for each command its seconds and the largest memory of its own
(RssAnon: mapped files are not in it), and whether every rank is the known one. With --parts: indexes of the images instead,
each whole and in four parts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

OWN, NEAR, FAR = 0.6, 0.95, 0.7
"""Cosine of a query's own image, and the range of those above it."""

BLOCK = 32_768
MODEL = "imported:drawn"


@dataclass(frozen=True)
class Drawing:
    """What was drawn. owner (N,): the query that an image is about; kind (N,): 0 its own, 1 above it, 2 equal to it.

    above, tied (Q,): what every ledger has to say. place (Q,): where a query's own image stands.
    """

    owner: np.ndarray
    kind: np.ndarray
    above: np.ndarray
    tied: np.ndarray
    place: np.ndarray


def draw(images: int, queries: int, draws: np.random.Generator) -> Drawing:
    """Share the images out among queries: ranks from 1 to thousands, one query in a hundred with a tie."""
    spare = images - queries
    copies = min(queries // 100, spare)
    weights = draws.pareto(1.0, queries)
    weights[draws.random(queries) < 0.2] = 0  # one in five is found first
    above = draws.multinomial(spare - copies, weights / weights.sum())
    tied = np.ones(queries, dtype=np.int64)
    tied[draws.permutation(queries)[:copies]] += 1
    counts = [np.ones(queries, dtype=np.int64), above, tied - 1]
    owner = np.concatenate([np.repeat(np.arange(queries), count) for count in counts])
    kind = np.repeat(np.arange(3), [queries, above.sum(), copies])
    order = draws.permutation(images)
    owner, kind = owner[order], kind[order]
    place = np.empty(queries, dtype=np.int64)
    place[owner[kind == 0]] = np.flatnonzero(kind == 0)
    return Drawing(owner, kind, above, tied, place)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def beside(queries: np.ndarray, cosines: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Return a unit vector at a given cosine of each query."""
    away = draws.standard_normal(queries.shape, dtype=np.float32)
    away = unit(away - np.einsum("nd,nd->n", away, queries)[:, None] * queries)
    found = cosines[:, None] * queries + np.sqrt(1 - cosines[:, None] ** 2) * away
    return unit(found).astype(np.float32)


def write(drawing: Drawing, width: int, folder: Path, draws: np.random.Generator) -> None:
    """Write captions, vectors and id lists."""
    queries, images = len(drawing.above), len(drawing.owner)
    asked = unit(draws.standard_normal((queries, width), dtype=np.float32)).astype(np.float32)
    own = beside(asked, np.full(queries, OWN, np.float32), draws)
    np.save(folder / "texts.npy", asked)
    gallery = np.lib.format.open_memmap(folder / "images.npy", "w+", np.float32, (images, width))
    for start in range(0, images, BLOCK):
        part = slice(start, min(start + BLOCK, images))
        owner = drawing.owner[part]
        cosines = draws.uniform(FAR, NEAR, len(owner)).astype(np.float32)
        rows = beside(asked[owner], cosines, draws)
        gallery[part] = np.where(drawing.kind[part, None] == 1, rows, own[owner])
    gallery.flush()
    with (folder / "captions.jsonl").open("w") as captions, (folder / "images.txt").open("w") as ids:
        for image, (owner, kind) in enumerate(
            zip(drawing.owner.tolist(), drawing.kind.tolist(), strict=True)
        ):
            said = [f"query {owner}"] if kind == 0 else []
            captions.write(json.dumps({"image_path": f"{image}.jpg", "captions": said}) + "\n")
            ids.write(f"{image}.jpg\n")
    names = "".join(f"{image}.jpg#0\n" for image in drawing.place.tolist())
    (folder / "texts.txt").write_text(names)


def measured(folder: Path, *words: str) -> str:
    """Run a command, print its seconds and its own memory, and return what it printed."""
    began = time.perf_counter()
    environment = {**os.environ, "CLIPBENCH_STORE": str(folder / "store")}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(  # noqa: S603, our own command
            [sys.executable, "-m", "clipbench", *words], stdout=output, env=environment, cwd=folder
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, own_memory(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        output.seek(0)
        told = output.read()
    print(f"{' '.join(words[:2]):16} {seconds:7.1f} s  {peak / 1024:6.0f} MB", flush=True)
    if process.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{told}")
    return told


def own_memory(process: int) -> int:
    """Return kilobytes of memory that are no mapped file's."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def check(drawing: Drawing, folder: Path, depth: int | None = None) -> None:
    """Hold every count of the newest exact run against the drawing. depth: how far its ledger reaches, None whole."""
    from clipbench.home import Home
    from clipbench.store.engine import open_store
    from clipbench.store.queries import list_runs
    from clipbench.store.runs import load_ledgers

    store = open_store(Home(folder / "store"))
    exact = [run for run in list_runs(store) if run.method.get("type", "exact") == "exact"]
    run = next(r for r in exact if load_ledgers(store, r.key)["t2i"].depth == depth)
    ledgers = load_ledgers(store, run.key)
    order = np.argsort(drawing.place)  # captions come image after image
    above, tied = drawing.above[order], drawing.tied[order]
    ledger = ledgers["t2i"]
    if depth is None:
        right = (ledger.above == above) & (ledger.tied == tied)
        images = ledgers["i2t"]
        found = bool((images.above == 0).all() and (images.tied == 1).all())
    else:
        known = above < depth
        right = np.where(known, ledger.above == above, ledger.above == -1)
        found = True
    ranks = f"ranks 1 to {above.max() + 1:,}, {int((tied > 1).sum()):,} queries with ties"
    print(f"  of {len(right):,} queries {int(right.sum()):,} have the known rank ({ranks})", flush=True)
    if not (right.all() and found):
        sys.exit("a rank is wrong")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where some 8 GB may lie [default: the system's]")
    parser.add_argument("--keep", action="store_true", help="keep store and files")
    parser.add_argument("--parts", action="store_true", help="build indexes whole and in parts")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="large-", dir=asked.folder))
    draws = np.random.default_rng(0)
    try:
        drawing = draw(asked.images, asked.queries, draws)
        write(drawing, asked.width, folder, draws)
        (in_parts if asked.parts else run)(drawing, folder)
    finally:
        if not asked.keep:
            shutil.rmtree(folder)


def bring(folder: Path) -> None:
    """Store what was drawn."""
    measured(folder, "dataset", "add", "drawn", "--captions", "captions.jsonl", "--captions-only", "-q")
    sides = ("--images", "images.npy", "--image-ids", "images.txt", "--texts", "texts.npy", "--text-ids")
    measured(folder, "embed", "import", "drawn", "--model", "drawn", *sides, "texts.txt", "-q")


def in_parts(drawing: Drawing, folder: Path) -> None:
    """Build indexes whole and in four parts, and search each."""
    bring(folder)
    images = len(drawing.owner)
    for kind in (("ivf", "--lists", "64"), ("sq8",)):
        for name, size in (("whole", images), ("parted", -(-images // 4))):
            print(f"{' '.join(kind)}, {name}")
            made = ("--type", *kind, "--part-size", str(size), "--name", f"{kind[0]}-{name}")
            measured(folder, "index", "build", "drawn", "--model", MODEL, *made, "-q")
            caption = ("--caption", f"{drawing.place[0]}.jpg#0")
            measured(folder, "search", "--index", f"{kind[0]}-{name}", *caption, "-q")


def run(drawing: Drawing, folder: Path) -> None:
    """Take the drawing through the commands."""
    bring(folder)
    measured(folder, "evaluate", "drawn", "--model", MODEL, "-q")
    check(drawing, folder)
    measured(folder, "index", "build", "drawn", "--model", MODEL, "--type", "exact", "-q")
    compressed = ("--type", "ivf-pq", "--lists", "256", "--bytes", "32")
    measured(folder, "index", "build", "drawn", "--model", MODEL, *compressed, "--name", "small", "-q")
    caption = f"{drawing.place[0]}.jpg#0"
    for where in (("--dataset", "drawn", "--model", MODEL), ("--index", "small")):
        measured(folder, "search", *where, "--caption", caption, "-q")
    recipe = "ivf-pq:lists=256,bytes=32,nprobe=16,refine=4"
    print(measured(folder, "index", "sweep", "drawn", "--model", MODEL, "--recipe", recipe, "-q"))
    check(drawing, folder, depth=10)


if __name__ == "__main__":
    main()
