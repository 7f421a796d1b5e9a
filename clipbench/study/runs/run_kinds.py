"""The kinds of runs there are, one entry each: what `store verify`, bundles, reports and comparisons need to know.

Whoever makes runs of a new kind adds an entry here, and everything that reads runs can read them. A kind of
a newer clipbench is told apart by its name alone, and its plain measures are derived like any other's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, cast

from clipbench.keys import Json
from clipbench.records import CLEAN, Direction, Ledger, Metric, Protocol, RunSpec, protocol_of
from clipbench.store.engine import Store
from clipbench.store.protocols import protocol_words
from clipbench.store.runs import StoredRun
from clipbench.study.runs.kind_names import (
    DISTRACTORS,
    EVALUATE,
    FOOLING,
    GALLERY_SIZE,
    ROBUSTNESS,
    SAMPLED,
)

if TYPE_CHECKING:
    from clipbench.study.evaluation.galleries import Gallery

Ledgers: TypeAlias = Mapping[Direction, Ledger]
Words: TypeAlias = Mapping[str, Json]
"""A run's protocol as it is stored: how it was scored, and what its kind says of the gallery."""


def _usual(ledgers: Ledgers, stored: Words, protocol: Protocol) -> Iterable[Metric]:
    from clipbench.study.evaluation.protocol import metrics_of

    del stored
    return metrics_of(ledgers, protocol)


def _no_more(ledgers: Ledgers, stored: Words, protocol: Protocol) -> Iterable[Metric]:
    del ledgers, stored, protocol
    return ()


def _nothing(store: Store, stored: Words, gallery: Gallery) -> tuple[str, ...]:
    del store, stored, gallery
    return ()


@dataclass(frozen=True)
class RunKind:
    """One kind of run.

    name: as it is stored. title: what its runs are, for people.
    whole: its ledgers rank the dataset itself and nothing else, so they can be checked against the dataset
    alone and a bundle carries it. plain: an evaluation as people mean it when they say "the clean run".
    by_query: its ledgers tell of each query where it stands, so that runs can be compared and failures drawn by them.
    measures: the numbers that follow from its ledgers. more_metrics: what follows from ledgers and protocol beside them.
    added_items: names of what is ranked beside the dataset's own items, in the order of the gallery.
    words: what a list of runs says of the protocol, "" where it is the usual one.
    """

    name: str
    title: str
    whole: bool = False
    plain: bool = False
    by_query: bool = True
    measures: Callable[[Ledgers, Words, Protocol], Iterable[Metric]] = _usual
    more_metrics: Callable[[Ledgers, Words, Protocol], Iterable[Metric]] = _no_more
    added_items: Callable[[Store, Words, Gallery], tuple[str, ...]] = _nothing
    words: Callable[[Words], str] = protocol_words


def _sampled_metrics(ledgers: Ledgers, stored: Words, protocol: Protocol) -> Iterable[Metric]:
    from clipbench.study.evaluation import sampled

    return sampled.sampled_metrics(ledgers, stored, protocol)


def _size_metrics(ledgers: Ledgers, stored: Words, protocol: Protocol) -> Iterable[Metric]:
    from clipbench.study.robustness import gallery_sizes

    return gallery_sizes.size_metrics(ledgers, cast("Sequence[int]", stored["sizes"]), protocol)


def _false_metrics(ledgers: Ledgers, stored: Words, protocol: Protocol) -> Iterable[Metric]:
    from clipbench.study.robustness import false_rates

    return false_rates.false_metrics(ledgers["i2t"], stored, protocol)


def _distractors(store: Store, stored: Words, gallery: Gallery) -> tuple[str, ...]:
    from clipbench.study.robustness import distractors

    return distractors.added_names(store, stored, gallery)


def _hard_negatives(store: Store, stored: Words, gallery: Gallery) -> tuple[str, ...]:
    from clipbench.study.robustness import false_rates

    return false_rates.added_names(store, stored, gallery)


_ALL = (
    RunKind(EVALUATE, "evaluation", whole=True, plain=True),
    RunKind(ROBUSTNESS, "evaluation under a perturbation", whole=True),
    RunKind(SAMPLED, "estimate from samples of a gallery", by_query=False, measures=_sampled_metrics),
    RunKind(GALLERY_SIZE, "smaller galleries", more_metrics=_size_metrics),
    RunKind(DISTRACTORS, "distractor images", added_items=_distractors),
    RunKind(
        FOOLING,
        "hard negative captions",
        more_metrics=_false_metrics,
        added_items=_hard_negatives,
    ),
)

KINDS: Mapping[str, RunKind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""Every kind by the name that is stored."""


def kind_of(name: str) -> RunKind:
    """Return the kind of this name; one that is not known here has a name and nothing else."""
    return KINDS.get(name) or RunKind(name, name)


def is_plain(run: StoredRun) -> bool:
    """Whether a run is an evaluation of the dataset as it is."""
    return kind_of(run.spec.kind).plain and run.perturbation.operation == CLEAN.operation


def derived(run: StoredRun, ledgers: Ledgers) -> Iterable[Metric]:
    """Return the metrics of a run that follow from its own ledgers; what compares it with another run does not."""
    return metrics_from(run.spec, ledgers)


def metrics_from(spec: RunSpec, ledgers: Ledgers) -> Iterable[Metric]:
    """Return the metrics that follow from a specification and the ledgers that came of it."""
    protocol = protocol_of(spec.protocol)
    kind = kind_of(spec.kind)
    yield from kind.measures(ledgers, spec.protocol, protocol)
    yield from kind.more_metrics(ledgers, spec.protocol, protocol)
