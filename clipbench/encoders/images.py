"""Photographs decoded and prepared ahead of the model that waits for them.

Knows threads and files, no model. How a photograph is opened is decided in `photographs.opening`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

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
) -> Generator[Decoded]:
    """Decode and prepare files in threads, up to `depth` of them ahead, and yield them in order.

    prepare: called in a worker with the position in `files` and the image; an encoder's `prepare`, with a
    corruption before or after. A file that cannot be decoded or prepared is yielded with its problem; any other
    error ends the iteration. workers: by default the processors less one, at most `MOST_WORKERS` (Pillow decodes outside
    the interpreter lock). Leaving the iteration early, by Ctrl-C too, drops what was not yet started.
    """
    workers = workers or max(1, min(MOST_WORKERS, (os.cpu_count() or 2) - 1))
    depth = depth or AHEAD + 4 * workers
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    waiting: deque[Future[Decoded]] = deque()
    try:
        for position, file in enumerate(files):
            waiting.append(pool.submit(_decoded, position, file, prepare))
            if len(waiting) >= depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _decoded(
    position: int, file: PhotoFile, prepare: Callable[[int, Image.Image], npt.NDArray[np.uint8]]
) -> Decoded:
    try:
        with photograph(file.path, file.digest) as image, telling("cannot be prepared"):
            return Decoded(file, prepare(position, image))
    except PhotographError as problem:
        return Decoded(file, None, problem)
