"""Opens where a search is made: a dataset of the store with its model, or a running service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clipbench.cli.console import note, progress
from clipbench.cli.opening import model_source, open_at
from clipbench.cli.options import EncoderOptions
from clipbench.cli.search_options import PlaceOptions, service_token

if TYPE_CHECKING:
    from clipbench.study.searching.asking import Place


@contextmanager
def opened(
    where: PlaceOptions, encoder: EncoderOptions, store: Path | None, quiet: bool, *, watch: bool
) -> Iterator[Place]:
    """Yield the place that is meant, while what takes long is told; with `watch`, its model is loaded already.

    Raises BadParameter for a service together with what only a store has.
    """
    if where.server is not None:
        yield _service(where)
        return
    from clipbench.study.searching.choosing import chosen_dataset, chosen_source
    from clipbench.study.searching.gallery import lacking, open_gallery
    from clipbench.study.searching.stored import StoredPlace
    from clipbench.study.workplace.progress import Silent

    at = open_at(store)
    name = chosen_dataset(at, where.dataset)
    named = model_source(at, where.model, encoder) if where.model else None
    source = chosen_source(at, name, named, encoder.device)
    with progress(quiet, source):
        count = lacking(at, name, source)
    if count and not quiet:
        note(
            f"note: {count:,} photographs of {name} are embedded first; Ctrl-C stops, and the same command goes on"
        )
    with progress(quiet, source) as bars:
        gallery = open_gallery(at, name, source, bars)
        if watch and gallery.encoder.kind != "imported":
            source.encoder  # noqa: B018, loaded now rather than at the first query
        yield StoredPlace.exact(gallery, source)
    source.progress = Silent()
    if not quiet and gallery.left_out:
        note(
            f"note: {len(gallery.left_out):,} of {len(gallery.dataset.samples):,} photographs cannot be read"
        )


def _service(where: PlaceOptions) -> Place:
    from clipbench.study.searching.service import ServicePlace

    if where.dataset is not None or where.model is not None:
        raise typer.BadParameter("a service has its own dataset and model; leave --dataset and --model out")
    return ServicePlace.at(where.server or "", service_token())
