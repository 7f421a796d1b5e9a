"""Work on photographs in threads, some ahead of whoever takes the results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

DEPTH = 256
"""Items that are handed to the threads ahead: `Executor.map` would hand over all of a million at once."""


def ahead(make: Callable[[Item], Made], items: Iterable[Item], threads: int | None = None) -> Iterator[Made]:
    """Yield what `make` returns for each item, in order. threads: by default two a processor, at most 16."""
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads or min(16, 2 * (os.cpu_count() or 1))) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(make, item))
                if len(waiting) >= DEPTH:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
