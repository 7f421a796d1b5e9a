"""An index of one side of a dataset as a model sees it: found where it was built before, else built and stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from clipbench.errors import StoppedError
from clipbench.indexes.backends import backend
from clipbench.indexes.parts import parts_of, spans
from clipbench.indexes.protocol import IndexRecipe, Vectors
from clipbench.keys import short
from clipbench.records import Dataset
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, load_vectors
from clipbench.store.engine import Store, check_writable
from clipbench.store.index_files import PARTS, finish_part, finished_part, index_path, partial_path
from clipbench.store.indexes import (
    IndexContent,
    IndexRecord,
    NewIndex,
    check_index_name,
    check_name_free,
    delete_index,
    file_problem,
    find_index,
    ids_of,
    save_index,
)
from clipbench.study.embedding.embed import embed_images, embed_texts
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Progress

Side: TypeAlias = Literal["images", "captions"]

SIDES: Mapping[Side, str] = {"images": "image", "captions": "text"}
"""The sides of a dataset and the modality of their vectors."""


@dataclass(frozen=True)
class BuildRequest:
    """What to index. dataset: its name. name: what to call the index, None for a name made of what it is."""

    dataset: str
    recipe: IndexRecipe
    side: Side = "images"
    name: str | None = None
    allow_missing: float = 0.0


@dataclass(frozen=True)
class Built:
    """A stored index; `created` is False where the same had been built before. notes: what to know of it."""

    record: IndexRecord
    created: bool
    notes: tuple[str, ...] = ()


def build_index(source: VectorSource, request: BuildRequest, progress: Progress) -> Built:
    """Index one side of a dataset, embedding first what is lacking.

    Raises ClipbenchError for a recipe that means nothing, StoppedError on Ctrl-C: an index is built whole or
    not at all.
    """
    backend(request.recipe.type)  # a wrong word costs no model
    if request.name is not None:
        check_index_name(request.name)
    dataset = load_dataset(source.store, request.dataset)
    if request.side == "images":
        vectors = embed_images(
            source.store, dataset, source, progress, allow_missing=request.allow_missing
        ).set
    else:
        vectors = embed_texts(source.store, dataset, source, progress).set
    return build_on(source.store, dataset, vectors, request, progress)


def build_on(
    store: Store, dataset: Dataset, vectors: EmbeddingSet, request: BuildRequest, progress: Progress
) -> Built:
    """Index an embedding set of a dataset, or find the index that is stored."""
    library = backend(request.recipe.type)
    content = content_of(vectors, request.recipe)
    known = find_index(store, content.key)
    notes: tuple[str, ...] = ()
    if known is not None:
        problem = file_problem(index_path(store, known.key), known)
        if problem is None:
            return Built(known, created=False, notes=_other(known, request))
        remove_index(store, known)
        notes = (f"{problem}; it is built again",)
    check_writable(store)
    name = request.name or default_name(dataset, request, content)
    check_name_free(store, name)
    bar = progress.start(f"building {request.recipe.type}", content.parts)
    matrix = load_vectors(store, vectors)
    began = time.monotonic()
    parts: list[Path] = []
    write: Callable[[Path], None] | None = None
    recipe = recipe_of_content(content, request.recipe.place)
    try:
        if content.parts > 1:
            for part in _built_parts(store, content, recipe, matrix):
                parts.append(part)
                progress.advance(bar)
        else:
            index = library.build(recipe, matrix)
            progress.advance(bar)
            write = index.save if library.has_file else None
    except KeyboardInterrupt:
        of = f": {len(parts)} of {content.parts} parts are done" if content.parts > 1 else ""
        raise StoppedError(f"interrupted: the index is not built{of}", "the same command again") from None
    seconds = time.monotonic() - began
    place = request.recipe.place
    new = NewIndex(content, name, ids_of(dataset, vectors), seconds, write, place, tuple(parts))
    return Built(save_index(store, new), created=True, notes=notes)


def _built_parts(store: Store, content: IndexContent, recipe: IndexRecipe, matrix: Vectors) -> Iterator[Path]:
    """Write one part after another; those that an earlier command finished are taken as they are."""
    library, path = backend(recipe.type), index_path(store, content.key)
    for number, span in enumerate(spans(len(matrix), content.parts)):
        finished = finished_part(path, number)
        if finished is None:
            partial = partial_path(store, content.key)
            try:
                # Forgotten as soon as it is written, before the next one is begun.
                library.build(recipe, matrix[span]).save(partial)
                finished = finish_part(partial, path, number)
            finally:
                partial.unlink(missing_ok=True)
        yield finished


def default_name(dataset: Dataset, request: BuildRequest, content: IndexContent) -> str:
    """Return a name of what an index is of: `f8k-test-hnsw-3fa4b1`."""
    words = "-".join(request.dataset.replace(":", "-").split()) or short(dataset.key, 6)
    side = "" if request.side == "images" else "-captions"
    return f"{words}{side}-{request.recipe.type}-{short(content.key, 6)}"


def _other(known: IndexRecord, request: BuildRequest) -> tuple[str, ...]:
    """Say where the stored index is called or kept otherwise than was asked for."""
    told = []
    if request.name not in {None, known.name}:
        told.append(f"the same index is stored as {known.name}; it keeps that name")
    if request.recipe.place != known.place:
        told.append(f"the same index is kept {known.place or 'in a file'}; delete it to keep it elsewhere")
    return tuple(told)


def content_of(vectors: EmbeddingSet, recipe: IndexRecipe) -> IndexContent:
    """Return what an index of these vectors by this recipe is. Raises ClipbenchError for a recipe that does not fit."""
    library = backend(recipe.type)
    parts = parts_of(recipe, vectors.rows, vectors.dimension)
    build = dict(library.parameters(recipe, vectors.rows // parts, vectors.dimension))
    if parts > 1:  # an index that is whole has the key that it always had
        build[PARTS] = parts
    return IndexContent(vectors.key, vectors.checksum, recipe.type, build, library.version(), library.block)


def recipe_of(record: IndexRecord) -> IndexRecipe:
    """Return how a stored index was made, and where it is kept."""
    return recipe_of_content(record.content, record.place)


def recipe_of_content(content: IndexContent, place: str | None) -> IndexRecipe:
    """Return how an index is made, or each part of one in parts."""
    build = {name: value for name, value in content.build.items() if name != PARTS}
    return IndexRecipe(content.type, build, place)


def remove_index(store: Store, record: IndexRecord) -> None:
    """Delete an index, its file, and what a server keeps of it. Raises ClipbenchError where the server does not answer."""
    backend(record.content.type).forget(index_path(store, record.key), recipe_of(record))
    delete_index(store, record.key)
