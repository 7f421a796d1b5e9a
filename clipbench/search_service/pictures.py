"""Pictures of results as small JPEG files, made once and kept while there is room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from clipbench.errors import PhotographError
from clipbench.photographs.opening import colours, photograph, telling
from clipbench.search_service.batching import BusyError
from clipbench.search_service.collection import Collection
from clipbench.search_service.problems import Problem, ProblemError
from clipbench.study.annotation.pictures import jpeg

SIDES = (160, 320, 640, 1280)
"""Pixels of the longer side that may be asked for: a few, so that what is made is asked for again."""

ROOM = 64 << 20
"""Bytes kept: two thousand thumbnails or more."""

MOST_WAITING = 512
"""Pictures that may wait to be made: ten pages of results."""


@dataclass(eq=False)
class Pictures:
    """Thumbnails by the SHA-256 of their photographs. Used by one event loop; made by two threads."""

    room: int = ROOM
    _kept: OrderedDict[tuple[str, int], bytes] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _waiting: int = 0
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "pictures"))

    async def thumbnail(self, collection: Collection, number: int, side: int) -> bytes:
        """Return a photograph of a collection as JPEG within side × side pixels.

        Raises ProblemError where there is none to show, BusyError where too many are being made.
        """
        sample = collection.gallery.samples[number]
        asked = (sample.digest or sample.id, side)
        kept = self._kept.get(asked)
        if kept is not None:
            self._kept.move_to_end(asked)
            return kept
        if self._waiting >= MOST_WAITING:
            raise BusyError(self._waiting, 1)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            data = await loop.run_in_executor(self._threads, _made, collection, number, side)
        finally:
            self._waiting -= 1
        self._keep(asked, data)
        return data

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _keep(self, asked: tuple[str, int], data: bytes) -> None:
        if asked not in self._kept:
            self._bytes += len(data)
        self._kept[asked] = data
        while self._bytes > self.room:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone)


def _made(collection: Collection, number: int, side: int) -> bytes:
    sample = collection.gallery.samples[number]
    file = collection.gallery.file(sample)
    if file is None:
        raise ProblemError(Problem(404, "no-picture", "the dataset has no file of this photograph"))
    try:
        with photograph(file, sample.digest) as image, telling("cannot be shown"):
            shown = colours(image)
            shown.thumbnail((side, side))
            return jpeg(shown)
    except PhotographError as error:
        raise ProblemError(
            Problem(404, "no-picture", f"the picture cannot be shown: {error.message}")
        ) from error
