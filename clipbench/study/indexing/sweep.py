"""Indexes judged by what they lose: every setting a stored run, held against the exact one query by query.

Recall says how many of the exact first items are named; hits say what that does to the task. Both directions of a
change are counted, since lost and won hits hide each other in a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from clipbench.errors import StoppedError
from clipbench.indexes.backends import backend
from clipbench.indexes.protocol import IndexRecipe, Settings
from clipbench.metrics.measures import hit
from clipbench.metrics.ties import groups
from clipbench.records import Direction, Ledger, Metric, Protocol
from clipbench.statistics.flips import Flips, mcnemar
from clipbench.statistics.intervals import Interval
from clipbench.statistics.paired import paired_difference
from clipbench.store.datasets import load_dataset
from clipbench.store.indexes import IndexRecord
from clipbench.store.runs import load_metrics
from clipbench.study.embedding.models import VectorSource
from clipbench.study.indexing.building import SIDES, BuildRequest, Side, build_on
from clipbench.study.indexing.opening import OpenIndex, open_index
from clipbench.study.indexing.ranking import DIRECTIONS, IndexRun, index_words, run_through
from clipbench.study.indexing.settings import Setting, TypedSettings, settings_of
from clipbench.study.robustness.stress import Ground, ground
from clipbench.study.workplace.progress import Progress

RESAMPLES = 2_000


@dataclass(frozen=True)
class Loss:
    """What a setting does to the hits at one cutoff, against the exact run.

    flips: fixed are hits won, broken hits lost. delta: difference of R@k; interval: paired, over images, None for
    fewer than two.
    """

    k: int
    hits: int
    flips: Flips
    delta: float
    interval: Interval | None

    @property
    def worst(self) -> float:
        """The most that R@k may lose: the interval's lower end, the difference itself where there is none."""
        return self.delta if self.interval is None else min(self.delta, self.interval.low)


@dataclass(frozen=True)
class Line:
    """One setting. recall: at each cutoff. seconds: by what was timed, as the run keeps them; bytes: of the file."""

    type: str
    build: Settings
    search: Settings
    run: IndexRun
    index: str
    recall: tuple[Metric, ...]
    losses: tuple[Loss, ...]
    bytes: int

    @property
    def index_label(self) -> str:
        """How the index was built, in words: what tells it from others of its type."""
        usual = {name: value for name, value in backend(self.type).made.items() if name != "m"}
        told = {name: value for name, value in self.build.items() if usual.get(name) != value}
        return index_words({"type": self.type, "build": told, "search": {}})

    @property
    def label(self) -> str:
        """The setting in words."""
        search = ", ".join(f"{name} {value}" for name, value in self.search.items())
        return f"{self.index_label}{', ' if ' ' in self.index_label else ' '}{search}".strip(", ")

    def seconds(self, what: str) -> float | None:
        """Return how long a thing took, None where the run does not say."""
        return self.run.run.timings.get(what)

    @property
    def per_second(self) -> float | None:
        """Queries a second when all are asked at once."""
        batch = self.seconds("search")
        return self.run.ledger.queries / batch if batch else None


@dataclass(frozen=True)
class IndexSweep:
    """The exact line and the others. items, dimension: of the gallery that is indexed."""

    dataset: str
    model: str
    direction: Direction
    items: int
    dimension: int
    queries: int
    exact: Line
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class SweepRequest:
    """What to sweep. dataset: its name. typed: the settings."""

    dataset: str
    typed: TypedSettings = field(default_factory=TypedSettings)
    side: Side = "images"
    protocol: Protocol = field(default_factory=Protocol)
    allow_missing: float = 0.0


def swept(source: VectorSource, request: SweepRequest, progress: Progress) -> IndexSweep:
    """Evaluate a dataset plainly where it is not, and judge indexes of one of its sides.

    Raises ClipbenchError for a setting that does not fit, before any model is loaded.
    """
    settings = settings_of(request.typed)
    dataset = load_dataset(source.store, request.dataset)
    base = ground(dataset, source, request.protocol, progress, request.allow_missing)
    return sweep_indexes(base, request.side, settings, progress)


def sweep_indexes(base: Ground, side: Side, settings: Sequence[Setting], progress: Progress) -> IndexSweep:
    """Build, search and judge every setting; what is stored is found.

    Raises ClipbenchError for a setting that does not fit, StoppedError on Ctrl-C: finished runs stay.
    """
    bar = progress.start("settings", 1 + len(settings))
    opened = _open(base, side, IndexRecipe("exact"), progress)
    exact = _line(base, opened, run_through(base, opened, {}), None)
    progress.advance(bar)
    lines: list[Line] = []
    try:
        for setting in settings:
            if setting.recipe != _recipe_of(opened):
                opened = _open(base, side, setting.recipe, progress)
            done = run_through(base, opened, setting.search, exact.run)
            lines.append(_line(base, opened, done, exact))
            progress.advance(bar)
    except KeyboardInterrupt:
        raise StoppedError(
            f"interrupted: {len(lines):,} of {len(settings):,} runs are stored",
            "the same command again goes on where this one stopped",
        ) from None
    record = opened.record
    direction = DIRECTIONS[record.modality]
    return IndexSweep(
        base.dataset.name,
        base.run.model,
        direction,
        record.rows,
        record.dimension,
        exact.run.ledger.queries,
        exact,
        tuple(lines),
    )


def _open(base: Ground, side: Side, recipe: IndexRecipe, progress: Progress) -> OpenIndex:
    vectors = base.images if SIDES[side] == "image" else base.texts
    request = BuildRequest(base.dataset.name, recipe, side)
    return open_index(base.store, build_on(base.store, base.dataset, vectors, request, progress).record)


def _recipe_of(opened: OpenIndex) -> IndexRecipe:
    content = opened.record.content
    return IndexRecipe(content.type, content.build)


def _line(base: Ground, opened: OpenIndex, done: IndexRun, exact: Line | None) -> Line:
    record: IndexRecord = opened.record
    metrics = load_metrics(base.store, done.run.key)
    before = done if exact is None else exact.run
    return Line(
        record.content.type,
        record.content.build,
        done.search,
        done,
        record.name,
        tuple(m for m in metrics if m.name.startswith("recall@")),
        tuple(_loss(before.ledger, done.ledger, k) for k in base.protocol.ks),
        record.bytes,
    )


def _loss(exact: Ledger, ledger: Ledger, k: int) -> Loss:
    before, after = (_hits(one, k) for one in (exact, ledger))
    interval = None
    if len(np.unique(exact.cluster)) > 1:
        (difference,) = paired_difference(before, after, exact.cluster, RESAMPLES)
        interval = difference.bca or difference.percentile
    return Loss(
        k,
        int(after.sum()),
        mcnemar(before, after),
        float(after.mean() - before.mean()),
        interval,
    )


def _hits(ledger: Ledger, k: int) -> npt.NDArray[np.bool_]:
    """Return which queries are hits however ties fall: tied ones count as misses."""
    return np.asarray(hit(groups(ledger, "pessimistic"), k) > 0.5)
