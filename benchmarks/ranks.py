"""Ranks by counting beside the usual way: time, extra memory, and share of the matrix product's rate.

    python benchmarks/ranks.py                 5,000 × 25,000 × 512, beside LAION's clip-benchmark
    python benchmarks/ranks.py --large         31,000 × 155,000 × 512, ours alone (theirs needs 100 GB)
    python benchmarks/ranks.py --large --slice 4096     a part of it beside the bare product of the same blocks

Every part runs in a process of its own, so that peak memory is its own too; the rate of the machine's
float32 product is taken before and after, and the higher one is what our rate is a share of; on a
machine with other work the share by processor time is the one to look at. Vectors are drawn, with captions near their image: about
the difficulty that a CLIP model meets on COCO. clip-benchmark is the `bench` extra; of its requirements
this needs torch and tqdm alone, so `pip install --no-deps clip-benchmark` will do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

KS = (1, 5, 10)
NOISE = 6.5
"""Length of the noise in a caption against its image's vector, both per dimension."""


@dataclass(frozen=True)
class Size:
    images: int
    texts: int
    dimension: int

    @property
    def operations(self) -> float:
        return 2.0 * self.images * self.texts * self.dimension


def draw(size: Size) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Unit vectors, drawn and scaled part by part: the peak of memory must not lie here."""
    rng = np.random.default_rng(0)
    owners = (np.arange(size.texts, dtype=np.int64) * size.images // size.texts).astype(np.int32)
    images = np.empty((size.images, size.dimension), dtype=np.float32)
    texts = np.empty((size.texts, size.dimension), dtype=np.float32)
    for vectors, centre in ((images, None), (texts, owners)):
        for start in range(0, len(vectors), 1000):
            part = vectors[start : start + 1000]
            rng.standard_normal(out=part, dtype=np.float32)
            if centre is not None:
                part *= NOISE / np.sqrt(size.dimension)
                part += images[centre[start : start + 1000]]
            part /= np.linalg.norm(part, axis=1, keepdims=True)
    return images, texts, owners


def memory(field: str) -> float:
    """Resident memory of this process in MB: "VmRSS" now, "VmHWM" at its highest (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def product_rate(size: Size) -> float:
    """The machine's own float32 product rate now, in 10^9 operations a second: the best of numpy and torch."""
    import torch

    rng = np.random.default_rng(1)
    left = rng.standard_normal((2048, size.dimension), dtype=np.float32)
    right = rng.standard_normal((8192, size.dimension), dtype=np.float32)
    out = np.empty((2048, 8192), dtype=np.float32)
    tensors = torch.from_numpy(left), torch.from_numpy(right), torch.from_numpy(out)
    best = float("inf")
    for _ in range(6):
        for product in (
            lambda: np.matmul(left, right.T, out=out),
            lambda: torch.mm(tensors[0], tensors[1].t(), out=tensors[2]),
        ):
            start = time.perf_counter()
            product()
            best = min(best, time.perf_counter() - start)
    return 2 * 2048 * 8192 * size.dimension / best / 1e9


def core_rate(size: Size) -> float:
    """What one core multiplies in a second of its own time, which other programs do not change much."""
    from clipbench.metrics.products import products

    rng = np.random.default_rng(1)
    left = rng.standard_normal((960, size.dimension), dtype=np.float32)
    right = rng.standard_normal((8192, size.dimension), dtype=np.float32)
    out = np.empty((960, 8192), dtype=np.float32)
    best = float("inf")
    with products("numpy", left, right) as multiply:
        for _ in range(8):
            start = time.thread_time()
            multiply(slice(0, 960), slice(0, 8192), out)
            best = min(best, time.thread_time() - start)
    return 2 * 960 * 8192 * size.dimension / best / 1e9


def side_by_side(size: Size, rows: int, repeats: int) -> None:
    """Print the rate of counting a slice of `rows` images with all captions beside the product of the same blocks.

    By turns in one process, the best of each: by the clock and by processor time.
    """
    from threading import local

    from clipbench.metrics import ranks
    from clipbench.metrics.blocks import Blocks
    from clipbench.metrics.positives import own
    from clipbench.metrics.scorers import Product
    from clipbench.metrics.sides import sides
    from clipbench.metrics.tallies import Tally

    images, texts, owners = draw(size)
    scorer, cores = Product(images, texts), ranks.cores()
    parts = sides(own(owners, size.images), scorer, scorer.pairs)
    shape = ranks.block_size(rows, size.texts, cores)
    blocks = ranks.cut(slice(0, rows), slice(0, size.texts), shape)
    mine = local()

    def timed(work: Callable[[slice, slice], None]) -> tuple[float, float]:
        clock, processor = time.perf_counter(), time.process_time()
        for _ in pool.map(work, *zip(*blocks, strict=True)):
            pass
        return time.perf_counter() - clock, time.process_time() - processor

    with scorer.blocks() as multiply, ranks.worker_pool(cores) as pool:

        def product(some: slice, captions: slice) -> None:
            if not hasattr(mine, "buffer"):
                mine.buffer = np.empty(shape[0] * shape[1], dtype=np.float32)
            height, width = some.stop - some.start, captions.stop - captions.start
            multiply(some, captions, mine.buffer[: height * width].reshape(height, width))

        times = []
        for _ in range(repeats):
            tallies = [Tally(side, ranks.queries_first(side, scorer.pairs)) for side in parts]
            times.append(
                (*timed(product), *timed(partial(Blocks(scorer, parts, tallies, cores).count, multiply)))
            )
    bare, bare_cpu, whole, whole_cpu = (min(column) for column in zip(*times, strict=True))
    operations = 2.0 * rows * size.texts * size.dimension / 1e9
    print(f"{rows:,} of {size.images:,} images × {size.texts:,} captions, blocks of {shape[0]} × {shape[1]}")
    print(
        f"{'':<16}by the clock the product {operations / bare:.0f} Gflop/s, counted {operations / whole:.0f}: {bare / whole:.1%}"
    )
    print(
        f"{'':<16}by processor time {operations / bare_cpu:.0f} and {operations / whole_cpu:.0f}: {bare_cpu / whole_cpu:.1%}"
    )


def ours(size: Size, repeats: int) -> dict[str, object]:
    from clipbench.metrics.measures import summary
    from clipbench.metrics.positives import own
    from clipbench.metrics.ranks import rank

    vectors = draw(size)
    positives = own(vectors[2], size.images)
    small = np.eye(64, dtype=np.float32)
    rank(small, small, own(np.arange(64), 64), np.arange(64))  # imports and threads are no part of it
    before = memory("VmRSS")
    seconds, cpu, results = [], [], {}
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        ledgers = rank(*vectors[:2], positives, vectors[2])
        results = {d: summary(ledger, [f"hit@{k}" for k in KS]) for d, ledger in ledgers.items()}
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return {
        "seconds": min(seconds),
        "cpu": min(cpu),
        "memory": memory("VmHWM") - before,
        "R@K": [results[d][f"hit@{k}"] for d in ("t2i", "i2t") for k in KS],
    }


def theirs(size: Size) -> dict[str, object]:
    """clip-benchmark's own `evaluate`, with encoders that return stored vectors; timed after the last."""
    import torch
    from clip_benchmark.metrics.zeroshot_retrieval import evaluate

    images, texts, owners = draw(size)
    bounds = np.searchsorted(owners, np.arange(size.images + 1))
    encoded = [0.0]

    class Stored:
        def encode_image(self, batch: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(images)[batch]

        def encode_text(self, batch: torch.Tensor) -> torch.Tensor:
            found = torch.from_numpy(texts)[batch]
            encoded[0] = time.perf_counter()
            return found

    def batches() -> Iterator[tuple[torch.Tensor, list[list[int]]]]:
        for start in range(0, size.images, 64):  # its command line's batch size
            rows = range(start, min(start + 64, size.images))
            yield torch.tensor(list(rows)), [list(range(bounds[i], bounds[i + 1])) for i in rows]

    before = memory("VmRSS")
    values = evaluate(Stored(), batches(), torch.tensor, "cpu", amp=False, recall_k_list=list(KS))
    seconds = time.perf_counter() - encoded[0]
    kinds = ("image_retrieval_recall", "text_retrieval_recall")
    return {
        "seconds": seconds,
        "memory": memory("VmHWM") - before,
        "R@K": [values[f"{kind}@{k}"] for kind in kinds for k in KS],
    }


def child(part: str, size: Size, repeats: int) -> dict[str, object]:
    """Run one part in a process of its own and return what it measured."""
    command = [sys.executable, __file__, "--part", part, "--repeats", str(repeats)]
    command += [f"--images={size.images}", f"--texts={size.texts}", f"--dimension={size.dimension}"]
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)  # noqa: S603  this very file
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def show(name: str, result: dict[str, object]) -> None:
    shares = " ".join(f"{100 * float(v):.2f}" for v in result["R@K"])  # type: ignore[attr-defined]  JSON numbers
    print(f"{name:<16}{result['seconds']:>9.2f} s {result['memory']:>9.0f} MB   R@1,5,10 t2i, i2t: {shares}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--texts", type=int, default=25_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="31,000 × 155,000, without the reference")
    parser.add_argument("--part", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    parser.add_argument(
        "--slice", type=int, help="count so many images alone, beside the product of the same blocks"
    )
    said = parser.parse_args()
    size = (
        Size(31_000, 155_000, said.dimension) if said.large else Size(said.images, said.texts, said.dimension)
    )
    if said.slice:
        side_by_side(size, said.slice, said.repeats)
        return
    if said.part:
        print(json.dumps(ours(size, said.repeats) if said.part == "ours" else theirs(size)))
        return
    print(f"{size.images:,} images × {size.texts:,} captions × {size.dimension}, {os.cpu_count()} cores")
    print("load before: {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()))
    rates = [product_rate(size)]
    mine = child("ours", size, 1 if said.large else said.repeats)
    rates.append(product_rate(size))
    show("clipbench", mine)
    rate = size.operations / float(mine["seconds"]) / 1e9  # type: ignore[arg-type]  JSON numbers
    print(
        f"{'':<16}{rate:.0f} Gflop/s; the float32 product alone {rates[0]:.0f} before and {rates[1]:.0f} after"
    )
    print(f"{'':<16}that is {100 * rate / max(rates):.0f} % of the higher")
    own, core = size.operations / float(mine["cpu"]) / 1e9, core_rate(size)  # type: ignore[arg-type]
    print(
        f"{'':<16}by processor time {own:.0f} Gflop/s, the product {core:.0f} on one core: {100 * own / core:.0f} %"
    )
    if not said.large:
        other = child("theirs", size, 1)
        show("clip-benchmark", other)
        print(f"{'':<16}{float(other['seconds']) / float(mine['seconds']):.0f} times our time")  # type: ignore[arg-type]
    print("load after: {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()))


if __name__ == "__main__":
    main()
