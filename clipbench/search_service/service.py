"""The service itself: queries to vectors, vectors to photographs, one collection swapped for another. Knows no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.keys import bytes_digest
from clipbench.search_service.batching import Batcher, Work
from clipbench.search_service.collection import Collection, Opener, check_fit
from clipbench.search_service.metrics import Metrics
from clipbench.search_service.model import QueryModel
from clipbench.search_service.pictures import Pictures
from clipbench.search_service.problems import Problem, ProblemError
from clipbench.search_service.query_vectors import QueryVector, QueryVectors
from clipbench.study.searching.query import WITHOUT, Query, VectorPart, query_vector
from clipbench.study.searching.search import SearchResult, search

PREPARED = 64
"""Pictures that may be decoded or wait for it."""

FILTERS_KEPT = 64


@dataclass(frozen=True)
class Asked:
    """A search as it came in: words, a picture's bytes, the id of a photograph, with what each counts."""

    text: str | None = None
    picture: bytes | None = None
    like: str | None = None
    without: Sequence[str] = ()
    top: int = 10
    where: str | None = None
    text_weight: float = 1.0
    other_weight: float = 1.0


@dataclass(frozen=True)
class Found:
    """What a search found, in which collection. truncated: whether a text was longer than the model reads."""

    collection: Collection
    result: SearchResult
    truncated: bool


@dataclass(frozen=True, eq=False)
class _Search:
    """One search as work for a thread. ids: among which, None for all."""

    collection: Collection
    parts: tuple[VectorPart, ...]
    top: int
    ids: Sequence[str] | None

    def result(self) -> SearchResult | ClipbenchError:
        """Return what is found, or why nothing can be."""
        gallery = self.collection.gallery
        try:
            vector = query_vector(_NoEncoder(), Query(vectors=self.parts), gallery.vectors)
            return search(gallery, vector, self.top, self.ids, searcher=self.collection.searcher)
        except ClipbenchError as error:
            return error


@dataclass(eq=False)
class SearchService:
    """One model and one collection at a time. `start` and `close` it; the coroutines are for one event loop."""

    model: QueryModel
    opener: Opener
    collection: Collection
    metrics: Metrics = field(default_factory=Metrics)
    cache: QueryVectors = field(default_factory=QueryVectors)
    pictures: Pictures = field(default_factory=Pictures)
    draining: bool = False
    _filters: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    _reloading: bool = False

    def __post_init__(self) -> None:
        """Set up the threads: one that encodes, one that searches, one that filters, a few that decode."""
        told = self.metrics.worked
        self.encoder = Batcher(self.model.kinds(), told=told)
        self.searcher = Batcher({"search": Work(_searches, 16)}, told=told)
        self.filterer = Batcher({"filter": Work(_filtered, 1)}, told=told)
        self.decoder = Batcher({"prepare": Work(self._prepared, 1)}, PREPARED, told=told)
        self.metrics.gauge(
            "waiting", "Texts and pictures that wait for the model.", lambda: self.encoder.waiting
        )
        self.metrics.gauge("gallery_items", "Photographs served.", lambda: self.collection.gallery.size)
        self.metrics.gauge("cached_queries", "Query vectors kept.", lambda: len(self.cache))
        self.metrics.gauge("cache_hits", "Queries whose vector was kept.", lambda: self.cache.hits)
        self.metrics.gauge("cache_misses", "Queries whose vector was not.", lambda: self.cache.misses)

    @property
    def batchers(self) -> tuple[Batcher, ...]:
        """Every thread that works for the service."""
        return (self.encoder, self.searcher, self.filterer, self.decoder)

    @property
    def ready(self) -> bool:
        """Whether it can answer."""
        return not self.draining and all(batcher.alive for batcher in self.batchers)

    def start(self) -> None:
        """Start the threads."""
        for batcher, name in zip(self.batchers, ("encoder", "searcher", "filterer", "decoder"), strict=True):
            batcher.start(name)

    def close(self) -> None:
        """Work off what waits and end the threads."""
        self.draining = True
        for batcher in self.batchers:
            batcher.close(timeout=10)
        self.pictures.close()

    async def texts(self, texts: Sequence[str]) -> list[QueryVector]:
        """Return the vectors of texts. Raises BusyError, EncoderError."""
        if len(texts) == 1:
            return [await self._text(texts[0])]
        tasks = [asyncio.ensure_future(self._text(text)) for text in texts]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:  # where one is refused, nobody waits for the others
                task.cancel()

    async def picture(self, data: bytes) -> QueryVector:
        """Return the vector of an uploaded picture. Raises BusyError, ProblemError, PhotographError."""
        asked = f"sha256:{bytes_digest(data)}"
        kept = self.cache.find(self.model.key, asked)
        if kept is None:
            pixels = await self.decoder.ask("prepare", data)
            kept = await self.encoder.ask("image", pixels)
            self.cache.keep(self.model.key, asked, kept)
        return kept

    async def _text(self, text: str) -> QueryVector:
        asked = f"text:{text}"
        kept = self.cache.find(self.model.key, asked)
        if kept is None:
            kept = await self.encoder.ask("text", text)
            self.cache.keep(self.model.key, asked, kept)
        return kept

    async def search(self, asked: Asked) -> Found:
        """Return what is found in the collection that is served now.

        Raises BusyError, ProblemError, and ClipbenchError for a query or filter that means nothing.
        """
        collection = self.collection
        ids = None if asked.where is None else await self._ids(collection, asked.where)
        if asked.like is not None:  # what is asked about is no answer
            ids = self._others(collection, asked.like, ids)
        parts, truncated = await self._parts(collection, asked)
        result = await self.searcher.ask("search", _Search(collection, parts, asked.top, ids))
        return Found(collection, result, truncated)

    async def _parts(self, collection: Collection, asked: Asked) -> tuple[tuple[VectorPart, ...], bool]:
        """Return the parts of a query as vectors, and whether a text was cut."""
        texts = [] if asked.text is None else [asked.text]
        vectors = await self.texts([*texts, *asked.without])
        weights = [asked.text_weight] * len(texts) + [WITHOUT] * len(asked.without)
        parts = [
            VectorPart(one.vector, words, weight, "text")
            for one, words, weight in zip(vectors, [*texts, *asked.without], weights, strict=True)
        ]
        if asked.picture is not None:
            vector = (await self.picture(asked.picture)).vector
            parts.append(VectorPart(vector, "the picture", asked.other_weight))
        if asked.like is not None:
            vector = collection.gallery.vectors[self.number(collection, asked.like)]
            parts.append(VectorPart(vector, asked.like, asked.other_weight))
        return tuple(parts), any(one.truncated for one in vectors)

    def _others(self, collection: Collection, like: str, ids: tuple[str, ...] | None) -> tuple[str, ...]:
        samples = collection.gallery.samples
        known = tuple(sample.id for sample in samples) if ids is None else ids
        own = samples[self.number(collection, like)].id
        return tuple(id_ for id_ in known if id_ != own)

    def number(self, collection: Collection, id_: str) -> int:
        """Return the item number of a photograph by its id. Raises ProblemError."""
        number = collection.shown.get(id_)
        if number is None:
            raise ProblemError(
                Problem(404, "no-such-item", "there is no photograph of that id in the gallery")
            )
        return number

    async def _ids(self, collection: Collection, where: str) -> tuple[str, ...]:
        kept = self._filters.get((collection.key, where))
        if kept is None:
            kept = await self.filterer.ask("filter", (collection, where))
            self._filters[collection.key, where] = kept
            while len(self._filters) > FILTERS_KEPT:
                del self._filters[next(iter(self._filters))]
        return kept

    def _prepared(self, pictures: Sequence[bytes]) -> list[Any]:
        return [self.model.prepare(data) for data in pictures]

    async def reload(self) -> bool:
        """Open the collection anew, prove it fit, and swap it in; return whether it is another one.

        Raises ClipbenchError where it is unfit, and then the old one stays; ProblemError while one is under way.
        """
        if self._reloading:
            raise ProblemError(Problem(409, "reloading", "a reload is under way"))
        self._reloading = True
        try:
            fresh = await asyncio.get_running_loop().run_in_executor(None, partial(self._opened))
        except ClipbenchError:
            self.metrics.reloaded("unfit")
            raise
        finally:
            self._reloading = False
        changed = fresh.key != self.collection.key
        self.collection = fresh
        self.metrics.reloaded("changed" if changed else "same")
        return changed

    def _opened(self) -> Collection:
        fresh = self.opener()
        check_fit(fresh, self.model.key)
        return fresh


class _NoEncoder:
    """Stands where a query has vectors only."""

    def texts(self, texts: Sequence[str]) -> Any:
        """Return no vector of no text."""
        return np.empty((len(texts), 0), np.float32)

    def pictures(self, pictures: Sequence[Any]) -> Any:
        """Return no vector of no picture."""
        return np.empty((len(pictures), 0), np.float32)


def _searches(jobs: Sequence[_Search]) -> list[Any]:
    return [job.result() for job in jobs]


def _filtered(jobs: Sequence[Any]) -> list[Any]:
    return [collection.filters.ids(where) for collection, where in jobs]
