"""Exact search beside HNSW by the number of items: when does an index pay? And what a filter costs and loses.

    python benchmarks/index.py [--sizes 2048,8192,32768] [--width 512] [--ef 32,64]

Vectors as models give them, of few effective dimensions (--latent): wholly random ones are the worst case of any graph.
Prints milliseconds of single queries on one thread, seconds of building, recall@10, and the break-even.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from clipbench.indexes import filters
from clipbench.indexes.backends import backend
from clipbench.indexes.exact import ExactIndex
from clipbench.indexes.protocol import Index, IndexRecipe
from clipbench.indexes.threads import one_thread

K, QUERIES = 10, 200


def vectors(draws: np.random.Generator, rows: int, width: int, latent: int) -> np.ndarray:
    """Unit vectors that lie near a random subspace."""
    basis = np.random.default_rng(7).standard_normal((latent, width), dtype=np.float32)
    found = draws.standard_normal((rows, latent), dtype=np.float32) @ basis
    found += 0.3 * draws.standard_normal((rows, width), dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def milliseconds(
    index: Index, queries: np.ndarray, settings: dict[str, int], among: np.ndarray | None
) -> float:
    for query in queries[:20]:
        index.search(query[None], K, settings, among)
    times = []
    for query in queries:
        began = time.perf_counter()
        index.search(query[None], K, settings, among)
        times.append(time.perf_counter() - began)
    return 1000 * float(np.median(times))


def recall(
    index: Index, exact: Index, queries: np.ndarray, settings: dict[str, int], among: np.ndarray | None
) -> float:
    found, want = (one.search(queries, K, own, among).items for one, own in ((index, settings), (exact, {})))
    return float(
        np.mean([len(set(a) & set(b)) / K for a, b in zip(found.tolist(), want.tolist(), strict=True)])
    )


def filtered(index: Index, exact: Index, queries: np.ndarray, settings: dict[str, int], share: float) -> None:
    """Print what the library's own filter finds, and what it finds completed."""
    among = np.flatnonzero(np.random.default_rng(2).random(exact.size) < share)
    kept, complete = filters.SMALL, filters.completed
    told = []
    for name, small, again in (
        ("bitmap", 0, False),
        ("bitmap, completed", 0, True),
        ("as it is", kept, True),
    ):
        filters.SMALL = small
        # A copy of the name is in the library's module.
        import clipbench.indexes.faiss_library as library

        library.completed = complete if again else lambda answer, *_: answer
        share_found = recall(index, exact, queries, settings, among)
        short = index.search(queries, K, settings, among).short / len(queries)
        took = milliseconds(index, queries, settings, among)
        told.append(f"{name}: recall {share_found:.3f}, short {short:.0%}, {took:.2f} ms")
        filters.SMALL, library.completed = kept, complete
    print(f"  filter of {share:.0%} ({len(among):,} items)  " + "; ".join(told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="2048,8192,32768")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--latent", type=int, default=24)
    parser.add_argument(
        "--ef", default="64", help="settings, with commas between; filters are tried at the last"
    )
    asked = parser.parse_args()
    for size in (int(word) for word in asked.sizes.split(",")):
        items = vectors(np.random.default_rng(0), size, asked.width, asked.latent)
        queries = vectors(np.random.default_rng(1), QUERIES, asked.width, asked.latent)
        exact = ExactIndex(items)
        with one_thread():
            began = time.process_time()  # one thread, and what else the machine does is no part of it
            graph = backend("hnsw").build(IndexRecipe("hnsw"), items)
            build = time.process_time() - began
            slow = milliseconds(exact, queries, {}, None)
            print(f"{size:,} × {asked.width}: exact {slow:.2f} ms, hnsw built in {build:.1f} s")
            for settings in ({"ef": int(word)} for word in asked.ef.split(",")):
                quick = milliseconds(graph, queries, settings, None)
                pays = (
                    f"pays after {1000 * build / (slow - quick):,.0f} queries"
                    if slow > quick
                    else "never pays"
                )
                print(
                    f"  ef {settings['ef']}: {quick:.2f} ms ({slow / quick:.1f} ×), "
                    f"recall@10 {recall(graph, exact, queries, settings, None):.4f}, {pays}",
                    flush=True,
                )
            for share in (0.01, 0.3):
                filtered(graph, exact, queries, settings, share)


if __name__ == "__main__":
    main()
