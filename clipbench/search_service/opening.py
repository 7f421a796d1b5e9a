"""From a store to a service that is warm: the model loaded and measured, the gallery opened and proved fit."""

from __future__ import annotations

from collections.abc import Callable

from clipbench.indexes.protocol import Settings
from clipbench.search_service.collection import Collection, check_fit
from clipbench.search_service.model import warmed
from clipbench.search_service.service import SearchService
from clipbench.store.dataset_columns import load_columns
from clipbench.store.dataset_filters import ItemColumns
from clipbench.store.engine import Store
from clipbench.store.indexes import load_index
from clipbench.study.embedding.models import VectorSource
from clipbench.study.searching.gallery import Gallery, open_gallery
from clipbench.study.searching.indexed import open_indexed
from clipbench.study.searching.search import Searcher, exact_searcher
from clipbench.study.workplace.progress import Progress, Silent


def dataset_service(store: Store, dataset: str, source: VectorSource, progress: Progress) -> SearchService:
    """Return the service of a dataset under a model, searched exactly; warm and not yet started.

    Photographs that have no vectors are embedded first, at a reload too. Raises ClipbenchError where the model
    cannot encode queries, or the gallery is unfit.
    """

    def opened(shown: Progress) -> Collection:
        gallery = open_gallery(store, dataset, source, shown)
        return _collection(store, gallery, exact_searcher(gallery))

    return _service(opened, source, progress)


def index_service(
    store: Store, index: str, settings: Settings, source: VectorSource, progress: Progress
) -> SearchService:
    """Return the service of a stored index; source: the model it was built with. Else as `dataset_service`.

    At a reload the name may stand for an index that was built meanwhile.
    """

    def opened(_: Progress) -> Collection:
        record = load_index(store, index)
        return _collection(store, *open_indexed(store, record, settings), record.key)

    return _service(opened, source, progress)


def _collection(store: Store, gallery: Gallery, searcher: Searcher, key: str = "") -> Collection:
    columns = load_columns(store, gallery.dataset.key)
    return Collection(gallery, searcher, ItemColumns(store, gallery.dataset), columns, key)


def _service(
    opened: Callable[[Progress], Collection], source: VectorSource, progress: Progress
) -> SearchService:
    collection = opened(progress)
    model = warmed(source)
    check_fit(collection, model.key)
    return SearchService(model, lambda: opened(Silent()), collection)
