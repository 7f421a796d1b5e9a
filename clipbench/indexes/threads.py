"""One thread for whatever is measured: libraries of matrix products and OpenMP take as many as there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[bool]:
    """Let everything inside run on one thread; gives False where that cannot be had (threadpoolctl is not there)."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield False
        return
    with threadpool_limits(limits=1):
        yield True
