"""How much is decoded at once, over all threads: a small file may hold a picture of 80 million pixels.

Ordinary photographs are decoded side by side; of the largest ones there is room for one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock


class PixelBudget:
    """Room for a number of pixels, shared by all threads that open photographs."""

    def __init__(self, pixels: int) -> None:
        self._all = pixels
        self._free = pixels
        self._room = Condition()
        self._next = Lock()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Take room for `pixels` (at most all of it) until the block ends, waiting until there is so much.

        A thread holds one share at a time: to ask for a second one inside the block may wait for ever.
        """
        wanted = min(max(0, pixels), self._all)
        # One waits for room and the others behind it, so that many small pictures never starve a large one.
        with self._next, self._room:
            self._room.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._room:
                self._free += wanted
                self._room.notify()
