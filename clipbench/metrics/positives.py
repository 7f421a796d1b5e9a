"""Which gallery items answer a query. Knows owners and texts, neither vectors nor scores."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.records import Direction


@dataclass(frozen=True, eq=False)
class Positives:
    """The positives of every query of one direction, in compressed rows.

    offsets  int32 (Q+1,)  query q's positives are `items[offsets[q]:offsets[q+1]]`
    items    int32 (P,)    gallery positions, strictly ascending within a query

    >>> Positives(np.array([0, 2, 3]), np.array([0, 4, 1])).of(0).tolist()
    [0, 4]

    Raises ValueError where the offsets do not fit the items, an item is negative or out of order, or
    a query has no positive: such a query has no rank, so its caller must leave it out and say so.
    """

    offsets: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        offsets = np.ascontiguousarray(self.offsets, dtype=np.int32)
        items = np.ascontiguousarray(self.items, dtype=np.int32)
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "items", items)
        if offsets.ndim != 1 or items.ndim != 1 or not len(offsets) or offsets[0] != 0:
            raise ValueError("offsets and items are vectors, and offsets begin with 0")
        if offsets[-1] != len(items):
            raise ValueError(f"offsets end at {offsets[-1]}, but there are {len(items)} items")
        empty = np.flatnonzero(np.diff(offsets) <= 0)
        if len(empty):
            raise ValueError(
                f"{len(empty)} of {self.queries} queries have no positive, the first is {empty[0]}"
            )
        step = np.diff(items)
        step[offsets[1:-1] - 1] = 1  # between two queries any step will do
        if (step <= 0).any() or (items < 0).any():
            raise ValueError("items must be gallery positions, strictly ascending within each query")

    @property
    def queries(self) -> int:
        """Number of queries."""
        return len(self.offsets) - 1

    @property
    def counts(self) -> npt.NDArray[np.int32]:
        """Number of positives of each query; shape (Q,)."""
        return np.diff(self.offsets)

    @property
    def query(self) -> npt.NDArray[np.int32]:
        """For each (query, positive) pair, its query; shape (P,)."""
        return np.repeat(np.arange(self.queries, dtype=np.int32), self.counts)

    def of(self, query: int) -> npt.NDArray[np.int32]:
        """Return the positives of one query."""
        return self.items[self.offsets[query] : self.offsets[query + 1]]


def own(owners: npt.ArrayLike, images: int) -> dict[Direction, Positives]:
    """Return the positives of the plain protocol: a caption's own image, an image's own captions.

    owners: for each caption the position of its image, int (M,), in any order and any number per image.

    >>> {d: p.offsets.tolist() for d, p in own([0, 0, 1], images=2).items()}
    {'t2i': [0, 1, 2, 3], 'i2t': [0, 2, 3]}

    Raises ValueError for an owner outside the gallery and for an image without captions.
    """
    image_of = _checked(owners, images)
    captions = np.argsort(image_of, kind="stable").astype(np.int32)
    counts = np.bincount(image_of, minlength=images)
    return {
        "t2i": Positives(np.arange(len(image_of) + 1, dtype=np.int32), image_of),
        "i2t": Positives(_offsets(counts), captions),
    }


def equal_captions(texts: Sequence[str], owners: npt.ArrayLike, images: int) -> dict[Direction, Positives]:
    """Return duplicate-aware positives: captions that say the same share their images.

    A caption's positives are the images of all captions equal to it, an image's are all captions equal
    to any of its own. Equal means an equal `folded` form. COCO's 5k test captions hold 119 such strings.

    >>> both = equal_captions(["A dog.", "a cat", "a dog"], [0, 0, 1], images=2)
    >>> both["t2i"].of(0).tolist(), both["i2t"].of(1).tolist()
    ([0, 1], [0, 2])

    Raises ValueError as `own` does, and where texts and owners differ in number.
    """
    image_of = _checked(owners, images)
    if len(texts) != len(image_of):
        raise ValueError(f"{len(texts)} texts, but {len(image_of)} owners")
    classes: dict[str, int] = {}
    class_of = np.array([classes.setdefault(folded(text), len(classes)) for text in texts], dtype=np.int64)
    # Each class once with each of its images, then joined with each of its captions.
    pairs = np.unique(class_of * images + image_of)
    joined_class, joined_image = np.divmod(pairs, images)
    captions = np.argsort(class_of, kind="stable")
    sizes = np.bincount(class_of, minlength=len(classes))
    starts = np.cumsum(sizes) - sizes
    times = sizes[joined_class]
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    caption = captions[np.repeat(starts[joined_class], times) + within]
    image = np.repeat(joined_image, times)
    return {"t2i": _rows(caption, image, len(image_of)), "i2t": _rows(image, caption, images)}


def folded(text: str) -> str:
    """Return a caption as it is compared for duplicates: NFKC, casefold, no punctuation, single spaces.

    Punctuation is every character of a Unicode category P. A caption of punctuation alone is kept as
    it is after NFKC and casefold, so that "?" and "!" are not one caption.

    >>> folded("  A man's  DOG .")
    'a mans dog'
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(c for c in plain if not unicodedata.category(c).startswith("P"))
    return " ".join(bare.split()) or " ".join(plain.split())


def _checked(owners: npt.ArrayLike, images: int) -> npt.NDArray[np.int32]:
    image_of = np.asarray(owners)
    if image_of.ndim != 1 or not len(image_of) or image_of.dtype.kind not in "iu":
        raise ValueError("owners must be a vector of at least one image position")
    if image_of.min() < 0 or image_of.max() >= images:
        worst = int(image_of.min() if image_of.min() < 0 else image_of.max())
        raise ValueError(f"a caption's image is {worst}, but there are {images} images")
    without = np.flatnonzero(np.bincount(image_of, minlength=images) == 0)
    if len(without):
        raise ValueError(
            f"{len(without)} of {images} images have no caption, the first is {without[0]}; "
            "an image without captions has no positives, so leave it out before ranking"
        )
    return image_of.astype(np.int32)


def _offsets(counts: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def _rows(query: npt.NDArray[np.integer], item: npt.NDArray[np.integer], queries: int) -> Positives:
    order = np.lexsort((item, query))
    return Positives(_offsets(np.bincount(query, minlength=queries)), item[order].astype(np.int32))
