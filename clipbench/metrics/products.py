"""Blocks of the image × caption product in float32, by numpy or by torch.

Ranking runs one block per thread, so a block's own product must not spread over threads again: while
products are made, the library's thread pool is held at one thread, and given back afterwards. The
thread count changes no rank (see `scores`), only the time. Knows nothing of ranks.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias

import numpy as np

from clipbench.metrics.scores import Vectors

Engine: TypeAlias = Literal["numpy", "torch"]
Multiply: TypeAlias = Callable[[slice, slice, Vectors], None]
"""`multiply(rows, columns, out)` writes images[rows] @ texts[columns].T into `out`."""

_POOL = Lock()  # the thread pools belong to the whole process, so one ranking at a time holds them


@contextmanager
def products(engine: Engine, images: Vectors, texts: Vectors) -> Iterator[Multiply]:
    """Give a function that multiplies blocks on the calling thread alone.

    Raises ValueError for an engine that is neither "numpy" nor "torch".
    """
    if engine not in _ENGINES:
        raise ValueError(f"engine must be one of {', '.join(_ENGINES)}, not {engine!r}")
    with _POOL, _ENGINES[engine](images, texts) as multiply:
        yield multiply


@contextmanager
def _by_numpy(images: Vectors, texts: Vectors) -> Iterator[Multiply]:
    def multiply(rows: slice, columns: slice, out: Vectors) -> None:
        np.matmul(images[rows], texts[columns].T, out=out)

    pool = _openblas()
    if pool is None:  # MKL, Accelerate or a system BLAS: right, though not always as fast
        yield multiply
        return
    get, put = pool
    threads = get()
    put(1)
    try:
        yield multiply
    finally:
        put(threads)


@contextmanager
def _by_torch(images: Vectors, texts: Vectors) -> Iterator[Multiply]:
    import torch

    # Torch warns about memory it may not write to, though it only reads here.
    left, right = (torch.from_numpy(v if v.flags.writeable else v.copy()) for v in (images, texts))

    def multiply(rows: slice, columns: slice, out: Vectors) -> None:
        torch.set_num_threads(1)  # OpenMP keeps this setting per calling thread
        torch.mm(left[rows], right[columns].t(), out=torch.from_numpy(out))

    threads = torch.get_num_threads()
    try:
        yield multiply
    finally:
        torch.set_num_threads(threads)


_ENGINES: Mapping[str, Callable[[Vectors, Vectors], AbstractContextManager[Multiply]]] = {
    "numpy": _by_numpy,
    "torch": _by_torch,
}


@cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return how to read and set the thread count of the OpenBLAS that numpy's wheels carry, if any."""
    package = Path(np.__file__).parent
    for folder in (package.with_name("numpy.libs"), package / ".dylibs"):
        for file in sorted(folder.glob("*openblas*")):
            library = ctypes.CDLL(str(file))  # numpy has loaded it already; this is a second handle
            for prefix in ("scipy_openblas", "openblas"):
                for suffix in ("64_", ""):
                    names = [f"{prefix}_{verb}_num_threads{suffix}" for verb in ("get", "set")]
                    if all(hasattr(library, name) for name in names):
                        get, put = (getattr(library, name) for name in names)
                        put.argtypes, put.restype = [ctypes.c_int], None
                        return get, put
    return None
