"""Indexes judged by what they lose: every setting asked all queries, and held against the exact search.

With captions each setting is a stored run. Without them the photographs ask, which says how near an index comes to
the exact search and how quick it is, and nothing of any task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError, StoppedError
from clipbench.indexes.protocol import IndexRecipe, Settings
from clipbench.metrics.measures import hit
from clipbench.metrics.ties import groups, tied_queries
from clipbench.records import Dataset, Ledger, Protocol
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, load_vectors
from clipbench.store.engine import Store
from clipbench.study.embedding.embed import embed_images
from clipbench.study.embedding.models import VectorSource
from clipbench.study.indexing.building import SIDES, BuildRequest, Side, build_on
from clipbench.study.indexing.lines import Answers, Line, line_of
from clipbench.study.indexing.neighbours import neighbour_answers
from clipbench.study.indexing.opening import OpenIndex, open_index
from clipbench.study.indexing.ranking import DIRECTIONS, IndexRun, recalls, run_through
from clipbench.study.indexing.settings import Setting, TypedSettings, settings_of
from clipbench.study.robustness.stress import Ground, ground
from clipbench.study.workplace.progress import Progress

PHOTOGRAPHS = "photographs"
"""What asks where no captions do."""

Ask: TypeAlias = Callable[[OpenIndex, Settings], Answers]
"""Asks an index every query; the first it asks is the exact one."""


@dataclass(frozen=True)
class IndexSweep:
    """The exact line and the others. asked: "t2i", "i2t", or PHOTOGRAPHS. items, dimension: of what is indexed."""

    dataset: str
    model: str
    asked: str
    items: int
    dimension: int
    exact: Line
    lines: tuple[Line, ...]

    @property
    def queries(self) -> int:
        """Number of queries."""
        return self.exact.answers.queries


@dataclass(frozen=True)
class SweepRequest:
    """What to sweep. dataset: its name. typed: the settings. photographs: whether they ask, in place of captions."""

    dataset: str
    typed: TypedSettings = field(default_factory=TypedSettings)
    side: Side = "images"
    photographs: bool = False
    protocol: Protocol = field(default_factory=Protocol)
    allow_missing: float = 0.0


def swept(source: VectorSource, request: SweepRequest, progress: Progress) -> IndexSweep:
    """Judge indexes of one side of a dataset, evaluating it plainly first where captions ask and it is not.

    Raises ClipbenchError for a setting that does not fit, before any model is loaded.
    """
    settings = settings_of(request.typed)
    dataset = load_dataset(source.store, request.dataset)
    if not request.photographs:
        if not dataset.captions:
            raise DatasetError(
                f"{dataset.name} has no captions to ask with",
                "--queries photographs asks with the photographs",
            )
        base = ground(dataset, source, request.protocol, progress, request.allow_missing)
        return sweep_indexes(base, request.side, settings, progress)
    if request.side != "images":
        raise DatasetError("photographs ask for photographs", "leave out --side")
    images = embed_images(source.store, dataset, source, progress, allow_missing=request.allow_missing).set
    return sweep_photographs(source, dataset, images, settings, progress)


def sweep_indexes(base: Ground, side: Side, settings: Sequence[Setting], progress: Progress) -> IndexSweep:
    """Build, ask and judge every setting by a dataset's own queries; what is stored is found.

    Raises ClipbenchError for a setting that does not fit, StoppedError on Ctrl-C: finished runs stay.
    """
    exact: list[IndexRun] = []

    def ask(opened: OpenIndex, search: Settings) -> Answers:
        done = run_through(base, opened, search)
        exact.append(done)
        return _answers(base, done, exact[0])

    vectors = base.images if SIDES[side] == "image" else base.texts
    asked = DIRECTIONS[vectors.modality]
    return _swept((base.store, base.dataset, vectors), side, settings, ask, progress, (base.run.model, asked))


def sweep_photographs(
    source: VectorSource,
    dataset: Dataset,
    images: EmbeddingSet,
    settings: Sequence[Setting],
    progress: Progress,
) -> IndexSweep:
    """Build, ask and judge every setting by the photographs' own vectors. Raises as `sweep_indexes`."""
    if images.rows < 2:
        raise DatasetError(f"{dataset.name} has {images.rows} photographs, and a neighbour is another one")
    vectors = load_vectors(source.store, images)
    exact: list[Answers] = []

    def ask(opened: OpenIndex, search: Settings) -> Answers:
        done = neighbour_answers(opened, vectors, search, exact[0] if exact else None, Protocol().ks)
        exact.append(done)
        return done

    named = (source.identity.label, PHOTOGRAPHS)
    return _swept((source.store, dataset, images), "images", settings, ask, progress, named)


def _swept(
    indexed: tuple[Store, Dataset, EmbeddingSet],
    side: Side,
    settings: Sequence[Setting],
    ask: Ask,
    progress: Progress,
    named: tuple[str, str],
) -> IndexSweep:
    _, dataset, vectors = indexed
    bar = progress.start("settings", 1 + len(settings))
    last = IndexRecipe("exact")
    opened = _open(indexed, side, last, progress)
    exact = ask(opened, {})
    first = line_of(opened, exact, exact)
    progress.advance(bar)
    lines: list[Line] = []
    try:
        for setting in settings:
            if setting.recipe != last:
                opened, last = _open(indexed, side, setting.recipe, progress), setting.recipe
            lines.append(line_of(opened, ask(opened, setting.search), exact))
            progress.advance(bar)
    except KeyboardInterrupt:
        raise StoppedError(
            f"interrupted: {len(lines):,} of {len(settings):,} settings are done",
            "the same command again goes on where this one stopped",
        ) from None
    model, asked = named
    return IndexSweep(dataset.name, model, asked, vectors.rows, vectors.dimension, first, tuple(lines))


def _open(
    indexed: tuple[Store, Dataset, EmbeddingSet], side: Side, recipe: IndexRecipe, progress: Progress
) -> OpenIndex:
    store, dataset, vectors = indexed
    request = BuildRequest(dataset.name, recipe, side)
    return open_index(store, build_on(store, dataset, vectors, request, progress).record)


def _answers(base: Ground, done: IndexRun, exact: IndexRun) -> Answers:
    return Answers(
        done.search,
        {k: _hits(done.ledger, k) for k in base.protocol.ks},
        done.ledger.cluster,
        done.shortlist.items,
        recalls(done.shortlist, exact.shortlist, base.protocol.ks),
        done.run.timings,
        done.run.key,
        tied_queries(done.ledger),
    )


def _hits(ledger: Ledger, k: int) -> npt.NDArray[np.bool_]:
    """Return which queries are hits however ties fall: tied ones count as misses."""
    return np.asarray(hit(groups(ledger, "pessimistic"), k) > 0.5)
