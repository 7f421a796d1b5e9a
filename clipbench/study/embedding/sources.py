"""Which source a `--model` means: an encoder of a backend, or one of those that need the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clipbench.store.engine import Store
from clipbench.study.adapting.model_folders import adapter_source
from clipbench.study.embedding.model_words import ADAPTER, IMPORTED
from clipbench.study.embedding.models import EncoderSource, ImportedSource, ModelRequest, VectorSource

SOURCES: Mapping[str, Callable[[Store, ModelRequest], VectorSource]] = {
    IMPORTED: ImportedSource,
    ADAPTER: adapter_source,
}
"""Sources that need the store, by the prefix of `--model`; every other request is an encoder of a backend."""


def open_source(store: Store, request: ModelRequest) -> VectorSource:
    """Return where the vectors of a request come from; nothing is loaded yet."""
    word, colon, _ = request.model.partition(":")
    return SOURCES.get(word + colon, EncoderSource)(store, request)
