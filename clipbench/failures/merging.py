"""Merge policies: how an item with several labels counts. Always named, always printed with the table.

Knows labels in the order they were given; knows nothing of files, stores or statistics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clipbench.errors import ClipbenchError


@dataclass(frozen=True, slots=True)
class Given:
    """One annotator's newest label of one item. `order` tells which label came before which.

    adjudicated: it is the decision that settles a conflict, not one side of it.
    """

    item: str
    annotator: str
    category: str
    subtype: str | None
    order: int
    adjudicated: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """The labels that count, in the order of the items, and the items left out with the reason."""

    policy: str
    counted: tuple[Given, ...]
    dropped: Mapping[str, str]

    @property
    def items(self) -> int:
        """Number of different items counted."""
        return len({given.item for given in self.counted})


@dataclass(frozen=True, slots=True)
class Policy:
    """A named rule. `choose` returns the labels of one item that count, or why the item is left out."""

    name: str
    description: str
    choose: Callable[[Sequence[Given]], Sequence[Given] | str]


NO_MAJORITY = "no majority"
CONFLICT = "annotators disagree"
UNDECIDED = "annotators disagree and nobody decided"


def merge(labels: Sequence[Given], policy: str) -> Merged:
    """Return what counts under a policy. Raises ClipbenchError for a policy that there is not.

    >>> a, b = Given("i", "A", "Object", None, 0), Given("i", "B", "Count", None, 1)
    >>> merge([a, b], "last").counted[0].annotator, merge([a, b], "majority").dropped
    ('B', {'i': 'no majority'})
    """
    rule = policy_named(policy)
    by_item: dict[str, list[Given]] = {}
    for given in sorted(labels, key=lambda given: given.order):
        by_item.setdefault(given.item, []).append(given)
    counted: list[Given] = []
    dropped: dict[str, str] = {}
    for item, own in by_item.items():
        chosen = rule.choose(own)
        if isinstance(chosen, str):
            dropped[item] = chosen
        else:
            counted += chosen
    return Merged(policy, tuple(counted), dropped)


def policy_named(name: str) -> Policy:
    """Return the policy of this name. Raises ClipbenchError that names all of them."""
    if name not in POLICIES:
        raise ClipbenchError(f"there is no merge policy {name!r}", f"--policy {' | '.join(POLICIES)}")
    return POLICIES[name]


def conflicts(labels: Sequence[Given]) -> tuple[str, ...]:
    """Return the items whose annotators give different categories and that nobody has decided, in order."""
    by_item: dict[str, list[Given]] = {}
    for given in sorted(labels, key=lambda given: given.order):
        by_item.setdefault(given.item, []).append(given)
    return tuple(item for item, own in by_item.items() if isinstance(_adjudicated(own), str))


def _votes(own: Sequence[Given]) -> list[Given]:
    """Return the annotators' labels, without decisions about them; the decisions where there is nothing else."""
    return [given for given in own if not given.adjudicated] or list(own)


def _first(own: Sequence[Given]) -> Sequence[Given]:
    return _votes(own)[:1]


def _last(own: Sequence[Given]) -> Sequence[Given]:
    return _votes(own)[-1:]


def _majority(own: Sequence[Given]) -> Sequence[Given] | str:
    votes = _votes(own)
    ((name, most),) = Counter(given.category for given in votes).most_common(1)
    if 2 * most <= len(votes):
        return NO_MAJORITY
    return [_typical([given for given in votes if given.category == name])]


def _drop_conflicts(own: Sequence[Given]) -> Sequence[Given] | str:
    votes = _votes(own)
    if len({given.category for given in votes}) > 1:
        return CONFLICT
    return [_typical(votes)]


def _adjudicated(own: Sequence[Given]) -> Sequence[Given] | str:
    decided = [given for given in own if given.adjudicated]
    if decided:
        return decided[-1:]
    return UNDECIDED if isinstance(_drop_conflicts(own), str) else _drop_conflicts(own)


def _count_all(own: Sequence[Given]) -> Sequence[Given]:
    return _votes(own)


def _typical(agreeing: Sequence[Given]) -> Given:
    """Return the first label with the subtype that most of these have; the earlier subtype where tied."""
    ((subtype, _),) = Counter(given.subtype for given in agreeing).most_common(1)
    return next(given for given in agreeing if given.subtype == subtype)


POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy("majority", "more than half of the annotators; without a majority left out", _majority),
        Policy("first", "the label that was given first", _first),
        Policy("last", "the label that was given last", _last),
        Policy("drop-conflicts", "only items on which all annotators agree", _drop_conflicts),
        Policy(
            "adjudicated",
            "the decision where there is one, else what all agree on, else left out",
            _adjudicated,
        ),
        Policy("count-all", "every annotator's label: an item labelled twice counts twice", _count_all),
    )
}
"""Every policy by name, the default first."""
