"""Which texts are encoded together, and who hears of each batch. Knows lengths and strings, no model.

Texts of like length share a batch, so that little is spent on padding. The batches depend only on the
set of strings, not on their order, so the same strings give the same vectors to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import numpy.typing as npt

TEXT_BATCH = {"cpu": 32, "mps": 256, "cuda": 1024}
IMAGE_BATCH = {"cpu": 16, "mps": 64, "cuda": 256}

_listener: ContextVar[Callable[[int], None] | None] = ContextVar("batches", default=None)


@contextmanager
def heard(listener: Callable[[int], None]) -> Iterator[None]:
    """Call `listener` with the items of every batch that an encoder finishes meanwhile."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(count: int) -> None:
    """Say that a batch of `count` items went through the model; nobody may be listening."""
    listener = _listener.get()
    if listener is not None:
        listener(count)


def unique_texts(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Return the distinct strings, sorted, and for each text its position among them; shape (n,).

    >>> unique_texts(["b", "a", "b"])
    (['a', 'b'], array([1, 0, 1]))
    """
    distinct = sorted(set(texts))
    place = {text: position for position, text in enumerate(distinct)}
    return distinct, np.fromiter((place[text] for text in texts), np.intp, len(texts))


def length_sorted(
    texts: Sequence[str], token_counts: npt.NDArray[np.integer], batch: int
) -> list[npt.NDArray[np.intp]]:
    """Return the positions of each batch: texts in order of (token count, text), `batch` at a time.

    The longest come first: if memory runs out, it does so at once.
    """
    order = sorted(range(len(texts)), key=lambda position: (int(token_counts[position]), texts[position]))
    whole = np.array(order[::-1], np.intp)
    return [whole[start : start + batch] for start in range(0, len(whole), batch)]


def of_one_length(
    texts: Sequence[str], token_counts: npt.NDArray[np.integer], batch: int
) -> list[npt.NDArray[np.intp]]:
    """Return batches as `length_sorted` does, of texts of the very same length: none has padding beside it."""
    whole = np.concatenate(length_sorted(texts, token_counts, max(1, len(texts))))
    runs = np.split(whole, np.flatnonzero(np.diff(token_counts[whole])) + 1)
    return [run[start : start + batch] for run in runs for start in range(0, len(run), batch)]
