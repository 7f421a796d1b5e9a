"""HNSW, IVF, IVF-PQ and SQ8 by faiss, built and searched on one thread unless asked otherwise.

faiss keeps search parameters in the index file (efSearch, nprobe); they are given with every search here, so
that what a file says is never what is measured. A file is read only after its bytes were checked by whoever
keeps it; faiss raises on damaged ones, which comes out as an IndexFileError.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.indexes.filters import completed, exactly, is_small
from clipbench.indexes.protocol import (
    Answer,
    IndexRecipe,
    Items,
    Settings,
    Vectors,
    checked,
    ordered,
)

BUILD: Mapping[str, Settings] = {
    "hnsw": {"m": 16, "ef_construction": 200},
    "ivf": {"lists": 0, "seed": 0},
    "ivf-pq": {"lists": 0, "bytes": 32, "seed": 0},
    "sq8": {},
}
"""Build parameters with their defaults; 0 lists stand for four times the square root of the items."""

SEARCH: Mapping[str, Settings] = {
    "hnsw": {"ef": 64},
    "ivf": {"nprobe": 8},
    "ivf-pq": {"nprobe": 8, "refine": 4},
    "sq8": {"refine": 1},
}
"""Search parameters with their defaults. refine: how many times k candidates are scored again exactly."""

BLOCK = 65_536
"""Rows added at a time, so that memory-mapped vectors need not fit in memory; part of an index's identity."""

MAPPED = 16 << 20
"""Bytes of a file that is mapped instead of read: its pages come as they are needed, and are no memory of ours."""

TABLES = 64 << 20
"""Bytes of the tables that product quantisation may need."""


def build(recipe: IndexRecipe, vectors: Vectors) -> FaissIndex:
    """Return the index of unit vectors (N, D), the same to the byte each time.

    Raises ClipbenchError for unknown parameters, too few vectors, or where faiss is not installed.
    """
    faiss = _faiss()
    chosen = parameters(recipe, len(vectors), vectors.shape[1])
    index = _MAKERS[recipe.type](faiss, vectors.shape[1], chosen)
    threads, encoded = faiss.omp_get_max_threads(), faiss.cvar.product_quantizer_compute_codes_bs
    # faiss makes a table of distances for each vector that it quantises; by default for 262,144 at a time.
    faiss.cvar.product_quantizer_compute_codes_bs = max(1, TABLES // (1024 * chosen.get("bytes", 1)))
    # Several threads insert in an order of their own, which makes another graph each time.
    faiss.omp_set_num_threads(1)
    try:
        if not index.is_trained:
            index.train(np.ascontiguousarray(vectors, dtype=np.float32))
        for start in range(0, len(vectors), BLOCK):
            index.add(np.ascontiguousarray(vectors[start : start + BLOCK], dtype=np.float32))
    finally:
        faiss.omp_set_num_threads(threads)
        faiss.cvar.product_quantizer_compute_codes_bs = encoded
    return FaissIndex(recipe.type, index, vectors)


def read(recipe: IndexRecipe, path: Path, vectors: Vectors) -> FaissIndex:
    """Return the index of a file whose bytes are known to be those that were written.

    Raises ClipbenchError where faiss cannot read it, or it does not hold these vectors' number and width.
    """
    faiss = _faiss()
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if _is_mapped(path) else 0)
    except RuntimeError as error:
        raise ClipbenchError(
            f"{path} is no index that faiss reads: {_reason(error)}", "clipbench index build"
        ) from error
    if index.ntotal != len(vectors) or index.d != vectors.shape[1]:
        raise ClipbenchError(
            f"{path} holds {index.ntotal:,} vectors of {index.d} dimensions, "
            f"not {len(vectors):,} of {vectors.shape[1]}",
            "clipbench index build",
        )
    return FaissIndex(recipe.type, index, vectors)


def _is_mapped(path: Path) -> bool:
    """Whether a file is mapped. Elsewhere than on POSIX a mapped file could not be deleted."""
    return os.name == "posix" and path.is_file() and path.stat().st_size > MAPPED


def held(recipe: IndexRecipe, dimension: int) -> int:
    """Return how many bytes of memory an item takes while an index is built, about."""
    chosen = {**BUILD[recipe.type], **recipe.build}
    return {
        "hnsw": 4 * dimension + 8 * chosen.get("m", 0) + 40,  # its vector, and its links in both directions
        "ivf": 4 * dimension + 8,
        "ivf-pq": chosen.get("bytes", 0) + 8,
        "sq8": dimension,
    }[recipe.type]


class FaissIndex:
    """A faiss index beside the vectors it was built from."""

    def __init__(self, kind: str, index: Any, vectors: Vectors) -> None:
        self._kind = kind
        self._index = index
        self._vectors = vectors

    @property
    def size(self) -> int:
        """How many items it holds."""
        return int(self._index.ntotal)

    @property
    def search_defaults(self) -> Settings:
        """The parameters that a search heeds, with their defaults."""
        return SEARCH[self._kind]

    def search(self, queries: Vectors, k: int, settings: Settings, among: Items | None = None) -> Answer:
        """Return the first k items that faiss names, by cosine."""
        chosen = checked(settings, self.search_defaults)
        if is_small(among):
            return exactly(self._vectors, queries, k, among)
        fetched = min(self.size, k * chosen.get("refine", 1))
        rows = np.ascontiguousarray(queries, dtype=np.float32)
        parameters = _search_parameters(self._kind, {**chosen, "k": fetched}, among)
        _, named = self._index.search(rows, fetched, params=parameters)
        answer = ordered(queries, self._vectors, named.astype(np.int64), k)
        return completed(answer, self._vectors, queries, k, among)

    def save(self, path: Path) -> None:
        """Write the index to one file. Raises ClipbenchError where that cannot be done, for want of room say."""
        try:
            _faiss().write_index(self._index, str(path))
        except RuntimeError as error:  # faiss tells no more of it
            raise ClipbenchError(
                f"the index cannot be written to {path.parent}: {_reason(error)}",
                "make room on the disk, then the same command again",
            ) from error


def library_version() -> str:
    """Return the version of faiss, which is part of an index's identity."""
    return str(_faiss().__version__)


def _reason(error: RuntimeError) -> str:
    """Return the last line of what faiss says: the others name places in its sources."""
    return str(error).strip().splitlines()[-1][:120]


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ClipbenchError(
            "this index needs faiss, which is not installed",
            "pip install 'clipbench[index]', or --type exact",
        ) from error
    return faiss


def parameters(recipe: IndexRecipe, items: int, dimension: int) -> dict[str, int]:
    """Return every build parameter of an index of so many items, defaults and counts that follow from it filled in.

    Raises ClipbenchError for unknown ones, and where so many items cannot be indexed so.
    """
    if recipe.type not in BUILD:
        raise ClipbenchError(f"faiss makes {', '.join(BUILD)}, not {recipe.type!r}", "--type hnsw")
    defaults = BUILD[recipe.type]
    unknown = sorted(set(recipe.build) - set(defaults))
    if unknown:
        known = ", ".join(defaults) or "none"
        raise ClipbenchError(
            f"{recipe.type} has no parameter {unknown[0]!r}; there are: {known}",
            "clipbench index build --help",
        )
    chosen = {**defaults, **recipe.build}
    if "lists" in chosen:
        chosen["lists"] = chosen["lists"] or max(1, min(items, round(4 * items**0.5)))
        if not 1 <= chosen["lists"] <= items:
            raise ClipbenchError(f"{items:,} items cannot fill {chosen['lists']:,} lists", "--lists N")
    if "bytes" in chosen and (chosen["bytes"] < 1 or dimension % chosen["bytes"]):
        raise ClipbenchError(f"{dimension} dimensions cannot be cut into {chosen['bytes']} equal parts")
    if "bytes" in chosen and items < 256:
        raise ClipbenchError(
            f"product quantisation learns 256 centres, but there are {items} items", "--type exact"
        )
    if chosen.get("m", 2) < 2 or chosen.get("ef_construction", 1) < 1:
        raise ClipbenchError("m is 2 or more, ef_construction 1 or more")
    return chosen


def _hnsw(faiss: Any, dimension: int, chosen: Settings) -> Any:
    index = faiss.IndexHNSWFlat(dimension, chosen["m"], faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = chosen["ef_construction"]
    return index


def _ivf(faiss: Any, dimension: int, chosen: Settings) -> Any:
    coarse = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFFlat(coarse, dimension, chosen["lists"], faiss.METRIC_INNER_PRODUCT)
    return _seeded(index, coarse, chosen)


def _ivf_pq(faiss: Any, dimension: int, chosen: Settings) -> Any:
    coarse = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFPQ(
        coarse, dimension, chosen["lists"], chosen["bytes"], 8, faiss.METRIC_INNER_PRODUCT
    )
    index.pq.cp.seed = chosen["seed"]
    index.pq.cp.min_points_per_centroid = 1
    return _seeded(index, coarse, chosen)


def _seeded(index: Any, coarse: Any, chosen: Settings) -> Any:
    index.cp.seed = chosen["seed"]
    index.cp.min_points_per_centroid = 1  # small collections are no mistake; faiss would only print a warning
    index.own_fields = True
    coarse.this.disown()  # faiss frees it with the index
    return index


def _sq8(faiss: Any, dimension: int, _chosen: Settings) -> Any:
    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)


_MAKERS: Mapping[str, Callable[[Any, int, Settings], Any]] = {
    "hnsw": _hnsw,
    "ivf": _ivf,
    "ivf-pq": _ivf_pq,
    "sq8": _sq8,
}


def _search_parameters(kind: str, chosen: Settings, among: Items | None) -> Any:
    faiss = _faiss()
    values: dict[str, Any] = {}
    if among is not None:
        values["sel"] = faiss.IDSelectorBatch(among)
    if kind == "hnsw":
        # A beam narrower than the list asked for could not fill it.
        return faiss.SearchParametersHNSW(efSearch=max(chosen["ef"], chosen["k"]), **values)
    if kind in {"ivf", "ivf-pq"}:
        parameters = faiss.SearchParametersIVF if kind == "ivf" else faiss.IVFPQSearchParameters
        return parameters(nprobe=chosen["nprobe"], **values)
    return faiss.SearchParameters(**values)
