"""Search in a store: a gallery, the model that reads queries, and the columns that choose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from clipbench.errors import DatasetError, PhotographError
from clipbench.store.dataset_filters import ItemColumns
from clipbench.study.embedding.models import VectorSource
from clipbench.study.searching.asking import Asked, Found, PictureFile, check_asked
from clipbench.study.searching.gallery import Gallery
from clipbench.study.searching.query import (
    ImagePart,
    Query,
    SourceEncoder,
    TextPart,
    VectorPart,
    query_vector,
)
from clipbench.study.searching.search import Hit, Searcher, exact_searcher, search


@dataclass(frozen=True)
class StoredPlace:
    """A gallery of this store. source: the model it was embedded with."""

    gallery: Gallery
    source: VectorSource
    searcher: Searcher

    @property
    def secret(self) -> str | None:
        """Nothing."""
        return None

    @classmethod
    def exact(cls, gallery: Gallery, source: VectorSource) -> StoredPlace:
        """Return the place that is searched exactly."""
        return cls(gallery, source, exact_searcher(gallery))

    def find(self, asked: Asked) -> Found:
        """Return what a query finds; photographs that it names itself (`like`) are not among it.

        Raises ClipbenchError for a query of nothing, DatasetError for an id or a column that the dataset has not,
        EncoderError where a model is needed and cannot be loaded.
        """
        query = self.query(asked)
        vector = query_vector(SourceEncoder(self.source), query, self.gallery.vectors)
        result = search(self.gallery, vector, asked.top, self._ids(asked), searcher=self.searcher)
        if asked.min_score is not None:
            result = result.at_least(asked.min_score)
        dataset = self.gallery.dataset
        label = ", ".join(filter(None, (self.gallery.encoder.label, self.searcher.name)))
        return Found(asked, dataset.name, label, result, dataset.image_folder, self._notes(asked))

    def query(self, asked: Asked) -> Query:
        """Return the query of what is typed; ids become the vectors that are stored for them."""
        check_asked(asked)
        gallery, weight = self.gallery, asked.weight
        like = (
            VectorPart(gallery.vectors[gallery.number(id_)], f"like {id_}", weight("like"))
            for id_ in asked.like
        )
        words = () if asked.words is None else (TextPart(asked.words, weight("words")),)
        return Query(
            texts=(*words, *(TextPart(text, -weight("without")) for text in asked.without)),
            images=tuple(ImagePart(path, weight("image")) for path in asked.images),
            vectors=(*like, *(self._caption(id_, weight("caption")) for id_ in asked.captions)),
        )

    def picture(self, hit: Hit) -> PictureFile:
        """Return the file of a hit. Raises PhotographError where the dataset names none."""
        sample = self.gallery.samples[self.gallery.numbers[hit.id]]
        path = self.gallery.file(sample)
        if path is None:
            raise PhotographError("missing")
        return PictureFile(path, sample.digest)

    @cached_property
    def _columns(self) -> ItemColumns:
        return ItemColumns(self.source.store, self.gallery.dataset)

    def _ids(self, asked: Asked) -> list[str] | None:
        """Return the ids that may be found, None for all."""
        if asked.where is None and not asked.like:
            return None
        own = {self.gallery.samples[self.gallery.number(id_)].id for id_ in asked.like}
        ids = list(self.gallery.numbers) if asked.where is None else self._columns.ids(asked.where)
        return [id_ for id_ in ids if id_ not in own]

    def _caption(self, id_: str, weight: float) -> VectorPart:
        """Return a caption by its id, with the vector that the store has, encoded only if it has none."""
        dataset = self.gallery.dataset
        text = next((caption.text for caption in dataset.captions if caption.id == id_), None)
        if text is None:
            raise DatasetError(
                f"no caption is called {id_!r} in {dataset.name}", f"clipbench dataset show {dataset.name}"
            )
        return VectorPart(SourceEncoder(self.source).texts([text])[0], f"caption {id_}", weight, "text")

    def _notes(self, asked: Asked) -> tuple[str, ...]:
        notes = []
        texts = [text for text in (asked.words, *asked.without) if text is not None]
        # A model that is not loaded was not needed: these texts are captions, which were counted when embedded.
        if texts and self.source.device is not None and self.source.truncated(texts):
            notes.append("the model reads only the beginning of so long a text")
        return tuple(notes)
