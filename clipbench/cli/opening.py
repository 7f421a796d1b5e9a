"""What a command line names: the store, and a model at work in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.cli.console import note, notes, progress
from clipbench.cli.engines import EngineOptions, engine_of
from clipbench.cli.options import EncoderOptions
from clipbench.home import locate

if TYPE_CHECKING:
    from clipbench.store.engine import Store
    from clipbench.study.embedding.models import VectorSource
    from clipbench.study.workplace.progress import Progress


def open_at(folder: Path | None, *, create: bool = False, to_read: bool = False) -> Store:
    """Return the store at `folder`, else at $CLIPBENCH_STORE, else at ./clipbench-store.

    create: a command that brings something in makes a new one, once it has something to store; others make
    none, so that to look into the wrong folder leaves nothing behind. to_read: a command that writes nothing
    may look into a store that is write-protected. Raises StoreError where there is none, or it cannot be
    opened, upgraded or trusted.
    """
    from clipbench.store.engine import open_store, prepare_store

    home = locate(folder)
    return prepare_store(home) if create else open_store(home, create=False, to_read=to_read)


def model_source(store: Store, model: str, options: EncoderOptions) -> VectorSource:
    """Return a model of which nothing is loaded before a vector is lacking."""
    from clipbench.study.embedding.models import ModelRequest
    from clipbench.study.embedding.sources import open_source

    return open_source(store, ModelRequest(model, options.pretrained, options.precision, options.device))


def tell_of_demo(store: Store, dataset: str, model: str) -> None:
    """Print a note where the bundled model is to look at photographs, of which it knows nothing."""
    from clipbench.demo import SCENES
    from clipbench.store.datasets import list_datasets
    from clipbench.study.embedding.model_words import DEMO

    formats = {one.name: one.format for one in list_datasets(store)}
    if model == DEMO and formats.get(dataset, SCENES) != SCENES:
        note(
            "note: demo knows only drawn scenes, so its figures here mean little; clipbench models lists others"
        )


@contextmanager
def at_work(
    store: Store,
    model: str,
    options: EncoderOptions,
    quiet: bool,
    dataset: str = "",
    engine: EngineOptions = EngineOptions(),
) -> Iterator[tuple[VectorSource, Progress]]:
    """Yield a model and the progress display it reports to; its notes are printed once the work is done.

    dataset: what the model is to look at, by name. engine: where it encodes.
    """
    source = model_source(store, model, options)
    if not quiet:
        tell_of_demo(store, dataset, model)
    with progress(quiet, source) as bars, engine_of(source, engine, quiet):
        yield source, bars
    if not quiet:
        notes(source.notes)
