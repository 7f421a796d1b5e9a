"""Photographs decoded and prepared ahead of the model that waits for them.

Knows threads and files, no model. How a photograph is opened is decided in `photographs.opening`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.errors import PhotographError
from clipbench.photographs.opening import photograph, telling

MOST_WORKERS = 16
"""Beyond so many threads the budget of pixels that may be decoded at once is what holds large photographs back."""

AHEAD = 256
"""Prepared photographs that wait at most, besides some for each worker: the largest batch, so that one is ready
whenever the encoder comes back from another. They take 40 MB at 224 × 224."""


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """One file to decode. `digest` is the SHA-256 it must have, None where it is not known."""

    path: Path
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded file: prepared pixels, or the problem why there are none. Exactly one of them is set."""

    file: PhotoFile
    pixels: npt.NDArray[np.uint8] | None
    problem: PhotographError | None = None


def decode_ahead(
    files: Iterable[PhotoFile],
    prepare: Callable[[int, Image.Image], npt.NDArray[np.uint8]],
    *,
    workers: int | None = None,
    depth: int | None = None,
    meanwhile: bool = True,
) -> Generator[Decoded]:
    """Decode and prepare files in threads, up to `depth` of them ahead, and yield them in order.

    prepare: called in some thread with the position in `files` and the image; an encoder's `prepare`, with a
    corruption before or after. A file that cannot be decoded or prepared is yielded with its problem; any other
    error ends the iteration. workers: by default the processors less one, at most `MOST_WORKERS` (Pillow decodes outside
    the interpreter lock); whoever takes the results is one more while there would be nothing but waiting to do.
    meanwhile: False where whoever takes the results then needs every processor: threads begin no photograph until the
    next one is asked for. Leaving the iteration early, by Ctrl-C too, drops what was not yet started.
    """
    workers = workers or max(1, min(MOST_WORKERS, (os.cpu_count() or 2) - 1))
    depth = depth or AHEAD + 4 * workers
    ahead = _Ahead(workers, meanwhile=meanwhile)
    try:
        for position, file in enumerate(files):
            ahead.add(partial(_decoded, position, file, prepare))
            if len(ahead) >= depth:
                yield from ahead.first()
        while ahead:
            yield from ahead.first()
    finally:
        ahead.close()


class _Ahead:
    """Photographs under way in threads, in order. Whoever waits for the first one decodes later ones meanwhile."""

    def __init__(self, workers: int, *, meanwhile: bool) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._meanwhile = meanwhile
        self._asked = Event()  # somebody waits for photographs, so that threads may begin some
        self._asked.set()
        self._closed = False
        self._all: deque[_Photograph] = deque()
        self._untouched: deque[_Photograph] = deque()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, decode: Callable[[], Decoded]) -> None:
        """Hand a photograph to the threads."""
        one = _Photograph(decode, self._pool.submit(self._in_thread, decode))
        self._all.append(one)
        self._untouched.append(one)

    def _in_thread(self, decode: Callable[[], Decoded]) -> Decoded:
        self._asked.wait()
        if self._closed:
            raise CancelledError
        return decode()

    def first(self) -> Generator[Decoded]:
        """Yield the first photograph, once it is made."""
        first = self._all.popleft()
        while self._untouched and (self._untouched[0] is first or not first.made.done()):
            self._untouched.popleft().decode_here()
        made = first.made.result()
        if not self._meanwhile:
            self._asked.clear()
        yield made
        self._asked.set()

    def close(self) -> None:
        """End the threads; each finishes the photograph that it is at."""
        self._closed = True
        self._asked.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


@dataclass(slots=True)
class _Photograph:
    """One photograph that a thread is to decode, unless somebody else does so before."""

    decode: Callable[[], Decoded]
    made: Future[Decoded]

    def decode_here(self) -> None:
        """Decode in this thread where no other has begun; an error is raised when the result is taken."""
        if self.made.cancel():
            self.made = Future()
            try:
                self.made.set_result(self.decode())
            except Exception as error:  # it belongs to this photograph, and those before it come first
                self.made.set_exception(error)


def _decoded(
    position: int, file: PhotoFile, prepare: Callable[[int, Image.Image], npt.NDArray[np.uint8]]
) -> Decoded:
    try:
        with photograph(file.path, file.digest) as image, telling("cannot be prepared"):
            return Decoded(file, prepare(position, image))
    except PhotographError as problem:
        return Decoded(file, None, problem)
