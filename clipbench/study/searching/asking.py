"""A search as it is typed and what comes of it, wherever it is made: in a store here, or by a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from clipbench.errors import ClipbenchError
from clipbench.study.searching.query import WITHOUT
from clipbench.study.searching.search import Hit, SearchResult

KINDS = ("words", "image", "like", "caption", "without")
"""What a query is made of, by the words that --weight takes."""


@dataclass(frozen=True)
class Asked:
    """What is typed of a query.

    images: files. like, captions: ids of the dataset that is searched. without: what shall not be seen. weights:
    kind -> weight. where: a condition on the columns. min_score: None shows the first ones whatever they score.
    """

    words: str | None = None
    images: tuple[Path, ...] = ()
    like: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    where: str | None = None
    top: int = 10
    min_score: float | None = None

    def weight(self, kind: str) -> float:
        """Return what a kind of part counts; that of `without` is above zero here."""
        return self.weights.get(kind, -WITHOUT if kind == "without" else 1.0)

    @property
    def in_words(self) -> str:
        """The query for headings."""
        parts = [f"“{self.words}”"] if self.words is not None else []
        parts += [f"image {path.name}" for path in self.images]
        parts += [f"like {id_}" for id_ in self.like] + [f"caption {id_}" for id_ in self.captions]
        parts += [f"without “{text}”" for text in self.without]
        parts += [f"where {self.where}"] if self.where is not None else []
        return ", ".join(parts) or "nothing"


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A photograph's file, or its bytes. digest: the SHA-256 that it must have, None where it is not known."""

    source: Path | bytes
    digest: str | None = None


@dataclass(frozen=True)
class Found:
    """What a query found, where.

    place: the dataset or service. model: the model, and the index where there is one. folder: where the paths of hits start from, None where they are elsewhere.
    notes: what a user should know of how it was answered.
    """

    asked: Asked
    place: str
    model: str
    result: SearchResult
    folder: Path | None = None
    notes: tuple[str, ...] = ()

    def path(self, hit: Hit) -> str | None:
        """Return a hit's path from here, or as the service calls it."""
        return hit.path if hit.path is None or self.folder is None else str(self.folder / hit.path)


class Place(Protocol):
    """Something that answers queries and shows what it found."""

    @property
    def secret(self) -> str | None:
        """What was typed to get in and no page may show; None where nothing is."""

    def find(self, asked: Asked) -> Found:
        """Return what a query finds. Raises ClipbenchError."""

    def picture(self, hit: Hit) -> PictureFile:
        """Return the photograph of a hit. Raises PhotographError where there is none."""


def check_asked(asked: Asked) -> None:
    """Raise ClipbenchError for a query that wants nothing, or weighs what no query has: before anything is opened."""
    unknown = sorted(set(asked.weights) - set(KINDS))
    if unknown:
        raise ClipbenchError(
            f"there is nothing to weigh called {unknown[0]!r}; there are: {', '.join(KINDS)}",
            "--weight words=2 --weight image=1",
        )
    words = asked.words is not None and asked.words.strip()
    if not (words or asked.images or asked.like or asked.captions):
        raise ClipbenchError("the query says nothing of what is wanted", 'clipbench search "a red square"')
