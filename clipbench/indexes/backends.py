"""The index types by name, and which module makes each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.indexes import faiss_library, milvus_library
from clipbench.indexes.exact import ExactIndex
from clipbench.indexes.protocol import Index, IndexRecipe, Settings, Vectors


def _keep(_path: Path, _recipe: IndexRecipe) -> None:
    """Do nothing: all there is of such an index is its file."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One library's part: how to build, how to read a file, what enters an index's identity besides its vectors.

    parameters: all of a recipe's for so many items of that dimension. version: of the library. made, search:
    parameters of building and of searching, with their defaults. block: rows added at a time, 0 where that cannot
    matter. same_bytes: whether the same index is the same file. forget: takes away what is kept elsewhere, before
    the file is deleted. held: bytes of memory that building takes for an item of a recipe and dimension; None for a
    type that is never built in parts.
    """

    parameters: Callable[[IndexRecipe, int, int], Settings]
    build: Callable[[IndexRecipe, Vectors], Index]
    read: Callable[[IndexRecipe, Path, Vectors], Index]
    version: Callable[[], str]
    made: Settings
    search: Settings
    block: int = 0
    has_file: bool = True
    same_bytes: bool = True
    forget: Callable[[Path, IndexRecipe], None] = _keep
    held: Callable[[IndexRecipe, int], int] | None = None


def _nothing(recipe: IndexRecipe, _items: int = 0, _dimension: int = 0) -> Settings:
    if recipe.build:
        raise ClipbenchError("an exact index has no parameters", "clipbench index build --type exact")
    return {}


def _exact(recipe: IndexRecipe, vectors: Vectors) -> Index:
    _nothing(recipe)
    return ExactIndex(vectors)


BACKENDS: Mapping[str, Backend] = {
    "exact": Backend(
        _nothing,
        _exact,
        lambda recipe, _path, vectors: _exact(recipe, vectors),
        lambda: "1",
        made={},
        search={},
        has_file=False,
    ),
    **{
        name: Backend(
            faiss_library.parameters,
            faiss_library.build,
            faiss_library.read,
            lambda: f"faiss {faiss_library.library_version()}",
            faiss_library.BUILD[name],
            search,
            faiss_library.BLOCK,
            held=faiss_library.held,
        )
        for name, search in faiss_library.SEARCH.items()
    },
    "milvus": Backend(
        milvus_library.parameters,
        milvus_library.build,
        milvus_library.read,
        milvus_library.library_version,
        milvus_library.BUILD,
        milvus_library.SEARCH,
        milvus_library.BLOCK,
        same_bytes=False,
        forget=milvus_library.forget,
    ),
}
"""Every type of index that can be built."""


def backend(name: str) -> Backend:
    """Return the backend of an index type. Raises ClipbenchError that lists the types."""
    if name not in BACKENDS:
        raise ClipbenchError(
            f"there is no index type {name!r}; there are {', '.join(BACKENDS)}", "--type exact"
        )
    return BACKENDS[name]
