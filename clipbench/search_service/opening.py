"""From a store to a service that is warm: the model loaded and measured, the gallery opened and proved fit."""

from __future__ import annotations

from clipbench.search_service.collection import Collection, check_fit, open_collection
from clipbench.search_service.model import warmed
from clipbench.search_service.service import SearchService
from clipbench.store.engine import Store
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Progress, Silent


def open_service(store: Store, dataset: str, source: VectorSource, progress: Progress) -> SearchService:
    """Return the service of a dataset under a model, warm and not yet started.

    Photographs that have no vectors are embedded first, and at a reload too. Raises ClipbenchError where the model
    cannot encode queries, or the gallery is unfit.
    """

    def opened(shown: Progress = progress) -> Collection:
        return open_collection(store, dataset, source, shown)

    collection = opened()
    model = warmed(source)
    check_fit(collection, model.key)
    return SearchService(model, lambda: opened(Silent()), collection)
