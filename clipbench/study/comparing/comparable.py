"""May two runs be compared? Whatever must be equal is looked at, and every difference is named.

Like runs have the same fingerprint (ordered ids and texts, split, caption policy), were ranked in the same
galleries in the same directions, and count hits in the same way. Model, perturbation and method (prompts,
re-ranking, an index) may differ: they are what a comparison is about. What is not known here is unlike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from clipbench.errors import CompareError
from clipbench.keys import Json, canonical, short
from clipbench.metrics.ties import POLICIES
from clipbench.records import ALWAYS_WRITTEN, POSITIVES
from clipbench.study.runs.loaded import LoadedRun

UNKNOWN = "unknown"
SHOWN_IDS = 3
"""Ids of missing queries that a message names."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in the baseline and in another run, or is not known of one."""

    what: str
    baseline: str
    other: str

    def __str__(self) -> str:
        return f"{self.what}: {self.baseline} / {self.other}"


def differences(baseline: LoadedRun, other: LoadedRun) -> tuple[Difference, ...]:
    """Return everything that keeps two runs from being compared; empty where they may be."""
    found = []
    for what, tell in _FACTS.items():
        here, there = tell(baseline), tell(other)
        if here != there or UNKNOWN in {here, there}:
            found.append(Difference(what, here, there))
    return (*found, *_queries(baseline, other))


def check_comparable(
    baseline: LoadedRun, others: Sequence[LoadedRun]
) -> Mapping[str, tuple[Difference, ...]]:
    """Return the differences of each run (by key) from the baseline, those that are like it left out."""
    told = {other.run.key: differences(baseline, other) for other in others}
    return {key: found for key, found in told.items() if found}


def refusal(
    baseline: LoadedRun, others: Sequence[LoadedRun], told: Mapping[str, tuple[Difference, ...]]
) -> CompareError:
    """Return the error that names the runs that are unlike, and every difference with both values."""
    lines = []
    for other in others:
        found = told.get(other.run.key, ())
        if found:
            lines.append(f"{_name(baseline)} / {_name(other)}")
            lines += [f"  {difference}" for difference in found]
    count = len(told)
    return CompareError(
        f"{count} of {len(others)} runs cannot be compared with the baseline:\n" + "\n".join(lines),
        f"name runs on the same data, e.g. latest:clean,dataset={baseline.run.dataset_name}; "
        "or --allow-unlike compares what is common and marks every line",
    )


def _name(loaded: LoadedRun) -> str:
    run = loaded.run
    return f"{short(run.key)} ({run.dataset_name} × {run.model}, {run.perturbation.operation})"


SEPARATE = frozenset(ALWAYS_WRITTEN)
"""Settings that are looked at one by one, or that may differ: the cutoffs and the bootstrap's."""


def _known(value: Json, allowed: Collection[str]) -> str:
    return str(value) if value in allowed else UNKNOWN


def _fold(loaded: LoadedRun) -> str:
    fold = loaded.protocol["fold"]
    return "one gallery" if fold is None else f"folds of {fold} images"


def _others(loaded: LoadedRun) -> str:
    rest = {name: value for name, value in loaded.run.spec.protocol.items() if name not in SEPARATE}
    return canonical(rest) if rest else "none"


def _galleries(loaded: LoadedRun) -> str:
    return ", ".join(f"{d} ranks {ledger.gallery_size:,}" for d, ledger in loaded.ledgers.items()) or UNKNOWN


_FACTS: Mapping[str, Callable[[LoadedRun], str]] = {
    "dataset fingerprint": lambda loaded: short(loaded.run.fingerprint) or UNKNOWN,
    "split": lambda loaded: loaded.dataset.split or UNKNOWN,
    "caption policy": lambda loaded: loaded.dataset.caption_policy or UNKNOWN,
    "direction": lambda loaded: " and ".join(loaded.ledgers) or UNKNOWN,
    "gallery": _galleries,
    "folds": _fold,
    "positives": lambda loaded: _known(loaded.protocol["positives"], POSITIVES),
    "tie policy": lambda loaded: _known(loaded.protocol["ties"], POLICIES),
    "other settings": _others,
    "metric version": lambda loaded: str(loaded.run.spec.metric_version or UNKNOWN),
}


def _queries(baseline: LoadedRun, other: LoadedRun) -> list[Difference]:
    """Return one difference where the images or captions that were ranked are not the same."""
    if baseline.gallery is other.gallery:
        return []
    here, there = _ids(baseline), _ids(other)
    if here == there:
        return _distractors(baseline, other)
    in_here, in_there = set(here), set(there)
    lacking = [key for key in here if key not in in_there]
    added = [key for key in there if key not in in_here]
    if not lacking and not added:
        return [Difference("queries", f"{len(here):,} captions", "the same in another order")]
    return [Difference("queries", _counted(here, lacking), _counted(there, added))]


def _distractors(baseline: LoadedRun, other: LoadedRun) -> list[Difference]:
    here, there = ([sample.id for sample in loaded.gallery.distractors] for loaded in (baseline, other))
    if here == there:
        return []
    return [Difference("distractors", *(f"{len(ids):,} images without captions" for ids in (here, there)))]


def _ids(loaded: LoadedRun) -> list[tuple[str, str, str]]:
    return [(s.id, c.id, c.text) for s in loaded.gallery.samples for c in s.captions]


def _counted(ids: Sequence[tuple[str, str, str]], only: Sequence[tuple[str, str, str]]) -> str:
    if not only:
        return f"{len(ids):,} captions, none of its own"
    named = ", ".join(caption for _, caption, _ in only[:SHOWN_IDS])
    return f"{len(ids):,} captions, {len(only):,} only here ({named}{', …' if len(only) > SHOWN_IDS else ''})"
