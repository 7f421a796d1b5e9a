"""Opens where a search is made: a dataset of the store with its model, or a running service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.cli.console import note, progress
from clipbench.cli.opening import model_source, open_at
from clipbench.cli.options import EncoderOptions
from clipbench.cli.search_options import PlaceOptions, service_token
from clipbench.wording import plural

if TYPE_CHECKING:
    from clipbench.store.engine import Store
    from clipbench.study.embedding.models import VectorSource
    from clipbench.study.searching.asking import Place
    from clipbench.study.searching.stored import StoredPlace
    from clipbench.study.workplace.progress import Progress


@contextmanager
def opened(
    where: PlaceOptions, encoder: EncoderOptions, store: Path | None, quiet: bool, *, watch: bool
) -> Iterator[Place]:
    """Yield the place that is meant, while what takes long is told; with `watch`, its model is loaded already.

    Raises BadParameter for a service together with what only a store has.
    """
    where.check()
    if where.server is not None:
        from clipbench.study.searching.service import ServicePlace

        yield ServicePlace.at(where.server, service_token())
        return
    from clipbench.study.workplace.progress import Silent

    at = open_at(store, to_read=True)  # what is embedded can be searched anywhere
    source = _source(at, where, encoder)
    if where.index is None:
        _announce(at, where, source, quiet)
    with progress(quiet, source) as bars:
        place = _stored(at, where, source, bars)
        if watch and place.gallery.encoder.kind != "imported":
            source.encoder  # noqa: B018, loaded now rather than at the first query
        yield place
    source.progress = Silent()
    left_out = len(place.gallery.left_out)
    if left_out and not quiet:
        note(
            f"note: {left_out:,} of {plural(len(place.gallery.dataset.samples), 'photograph')} cannot be read"
        )


def _source(store: Store, where: PlaceOptions, encoder: EncoderOptions) -> VectorSource:
    """Return the model that is meant; nothing is loaded yet."""
    from clipbench.study.searching.choosing import chosen_dataset, chosen_source
    from clipbench.study.searching.indexed import index_source

    named = model_source(store, where.model, encoder) if where.model else None
    if where.index is not None:
        return index_source(store, where.index, named, encoder.device)
    return chosen_source(store, chosen_dataset(store, where.dataset), named, encoder.device)


def _announce(store: Store, where: PlaceOptions, source: VectorSource, quiet: bool) -> None:
    """Say that photographs are embedded before they are searched, where some lack a vector."""
    from clipbench.study.searching.choosing import chosen_dataset
    from clipbench.study.searching.gallery import lacking

    name = chosen_dataset(store, where.dataset)
    with progress(quiet, source):
        count = lacking(store, name, source)
    if count and not quiet:
        note(
            f"note: {plural(count, 'photograph')} of {name} to be embedded first by {source.identity.label}; "
            "Ctrl-C stops, and the same command goes on"
        )


def _stored(store: Store, where: PlaceOptions, source: VectorSource, bars: Progress) -> StoredPlace:
    from clipbench.study.searching.choosing import chosen_dataset
    from clipbench.study.searching.gallery import open_gallery
    from clipbench.study.searching.indexed import indexed_place
    from clipbench.study.searching.stored import StoredPlace

    if where.index is not None:
        return indexed_place(store, where.index, source, where.settings())
    gallery = open_gallery(store, chosen_dataset(store, where.dataset), source, bars)
    return StoredPlace.exact(gallery, source)
