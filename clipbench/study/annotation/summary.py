"""What the labels say: how often each category occurs, under a named merge policy, and for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.failures.homogeneity import Homogeneity, homogeneity
from clipbench.failures.items import FailureSample
from clipbench.failures.merging import Given, Merged, merge, policy_named
from clipbench.failures.taxonomy import ACTIONABLE, AMBIGUOUS, NAMES, SUBTYPE_NAMES
from clipbench.statistics.intervals import Interval, wilson
from clipbench.store.annotations import StoredLabel
from clipbench.study.annotation.labels import Scope, given

CLEAR = "clear (all but Ambiguous)"
UNNAMED = "no subtype"


@dataclass(frozen=True, slots=True)
class Share:
    """How many of n labels are of a kind. interval: Wilson's, None where n is 0.

    estimate, estimate_interval: of the population the sample was drawn from, None where that is the share
    itself.
    """

    name: str
    count: int
    n: int
    interval: Interval | None
    estimate: float | None = None
    estimate_interval: Interval | None = None

    @property
    def share(self) -> float | None:
        """The count over n, None where n is 0."""
        return self.count / self.n if self.n else None


@dataclass(frozen=True)
class Summary:
    """Everything `annotate summary` prints.

    by_annotator: counts of every category, before merging. dropped: items left out by the policy, by reason.
    drawn: failures of the sample, None where the labels are of no sample. unlabelled: strata of which no
    label counts, without which the population cannot be estimated; empty where nothing is to be estimated.
    irregular: labels that were not written as the guide has them.
    """

    what: str
    policy: str
    policy_words: str
    labels: int
    items: int
    counted: int
    dropped: Mapping[str, int]
    drawn: int | None
    unlabelled: tuple[str, ...]
    by_annotator: Mapping[str, Mapping[str, int]]
    alike: Homogeneity | None
    distribution: tuple[Share, ...]
    ambiguity: tuple[Share, ...]
    actionable: tuple[Share, ...]
    subtypes: tuple[Share, ...]
    irregular: tuple[StoredLabel, ...]
    confidence: float


def summarise(scope: Scope, policy: str, confidence: float = 0.95) -> Summary:
    """Return the distribution of categories under a merge policy. Raises ClipbenchError for an unknown one."""
    merged = merge(given(scope.labels), policy)
    counts = Counter(label.category for label in merged.counted)
    total = len(merged.counted)
    clear = total - counts[AMBIGUOUS]
    subtypes = Counter(g.subtype or UNNAMED for g in merged.counted if g.category == AMBIGUOUS)
    weigh = _Population(scope.sample, merged) if scope.sample and scope.sample.stratified else None

    def shares(names: Sequence[str], of: Mapping[str, int], n: int) -> tuple[Share, ...]:
        return tuple(
            Share(name, of.get(name, 0), n, wilson(of.get(name, 0), n, confidence) if n else None)
            for name in names
        )

    distribution = shares(NAMES, counts, total)
    if weigh is not None:
        distribution = tuple(weigh.estimated(share, confidence) for share in distribution)
    by_annotator = {name: _counts(scope.votes, name) for name in scope.annotators}
    table = [[by_annotator[name][category] for category in NAMES] for name in by_annotator]
    return Summary(
        what=scope.what,
        policy=policy,
        policy_words=policy_named(policy).description,
        labels=len(scope.votes),
        items=len({label.key for label in scope.labels}),
        counted=total,
        dropped=dict(Counter(merged.dropped.values())),
        drawn=len(scope.sample.failures) if scope.sample else None,
        unlabelled=() if weigh is None else weigh.unlabelled,
        by_annotator=by_annotator,
        alike=homogeneity(table) if len(table) > 1 else None,
        distribution=distribution,
        ambiguity=shares((AMBIGUOUS, CLEAR), {AMBIGUOUS: counts[AMBIGUOUS], CLEAR: clear}, total),
        actionable=shares(ACTIONABLE, counts, clear),
        subtypes=shares((*SUBTYPE_NAMES, UNNAMED), subtypes, counts[AMBIGUOUS]),
        irregular=tuple(label for label in scope.labels if label.rules),
        confidence=confidence,
    )


def _counts(votes: Sequence[StoredLabel], annotator: str) -> dict[str, int]:
    found = Counter(label.category for label in votes if label.annotator == annotator)
    return {name: found[name] for name in NAMES}


class _Population:
    """Shares of the population that a stratified sample was drawn from.

    p = Σ_h W_h p_h with W_h = N_h / N. Its variance Σ_h W_h² p_h (1 − p_h) / (n_h − 1) (finite populations
    corrected) gives an effective sample size, and that Wilson's interval.

    Source: Cochran 1977, section 5.3; Franco, Little, Louis & Slud 2019 for the effective size in Wilson's
    interval.
    """

    def __init__(self, sample: FailureSample, merged: Merged) -> None:
        self._sizes = {stratum.name: stratum.population for stratum in sample.strata if stratum.drawn}
        stratum_of = {item.failure.key: item.stratum for item in sample.failures}
        self._labels: dict[str, list[Given]] = {name: [] for name in self._sizes}
        for label in merged.counted:
            self._labels[stratum_of[label.item]].append(label)

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """The strata of which no label counts."""
        return tuple(name for name, own in self._labels.items() if not own)

    def estimated(self, share: Share, confidence: float) -> Share:
        """Return the share with its estimate; without one where a stratum has no label at all."""
        if self.unlabelled:
            return share
        total = sum(self._sizes.values())
        estimate = variance = kish = 0.0
        for name, size in self._sizes.items():
            own = self._labels[name]
            n = len(own)
            weight, p = size / total, sum(label.category == share.name for label in own) / n
            estimate += weight * p
            kish += weight**2 / n
            variance += weight**2 * p * (1 - p) / max(n - 1, 1) * max(0.0, 1 - n / size)
        effective = max(1.0, estimate * (1 - estimate) / variance if variance > 0 else 1 / kish)
        # Wilson's interval takes whole trials; a fraction of one is dropped, which errs to the wide side.
        trials = int(effective)
        interval = wilson(estimate * trials, trials, confidence)
        return Share(share.name, share.count, share.n, share.interval, estimate, interval)
