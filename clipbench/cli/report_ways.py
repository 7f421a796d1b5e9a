"""What goes with what in `clipbench report`: the one table of which way of asking heeds which option.

An option that the way asked for would not look at is refused: nothing that was typed goes unheard. Knows
names of options; reads no store and prints nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum


class Way(StrEnum):
    """The reports that one command can give, by the options that ask for them."""

    listing = "the plain list"
    compare = "--compare"
    page = "--html"
    compared_page = "--compare with --html"
    anchors = "--anchors"
    sweep = "--sweep"
    query = "--query"


WAYS: Mapping[frozenset[str], Way] = {
    frozenset(): Way.listing,
    frozenset({"compare"}): Way.compare,
    frozenset({"html"}): Way.page,
    frozenset({"compare", "html"}): Way.compared_page,
    frozenset({"anchors"}): Way.anchors,
    frozenset({"sweep"}): Way.sweep,
    frozenset({"query"}): Way.query,
}
"""Which report the options that choose one ask for together; other sets of them are two reports."""

CHOOSERS = frozenset().union(*WAYS)

COMPARES = frozenset({Way.compare, Way.compared_page})
PRINTS = frozenset(Way) - {Way.page, Way.compared_page}
CHOOSES = frozenset({Way.listing, Way.page, Way.compared_page, Way.anchors})

HEEDS: Mapping[str, frozenset[Way]] = {
    "runs": COMPARES | {Way.page, Way.anchors},
    "baseline": COMPARES,
    "metric": COMPARES,
    "by": COMPARES,
    "flips": COMPARES,
    "policy": COMPARES,
    "correction": COMPARES,
    "resamples": COMPARES,
    "seed": COMPARES,
    "confidence": COMPARES,
    "force": COMPARES,
    "overwrite": frozenset({Way.page, Way.compared_page}),
    "against": frozenset({Way.anchors}),
    "time_limit": frozenset({Way.query}),
    "reference": frozenset({Way.sweep}),
    "baselines": frozenset({Way.sweep}),
    "figures": frozenset({Way.sweep, Way.page, Way.compared_page}),
    "dataset": CHOOSES,
    "model": CHOOSES,
    "kind": CHOOSES,
    "perturbation": CHOOSES,
    "tag": CHOOSES,
    "since": CHOOSES,
    "limit": CHOOSES | {Way.query},
    "store": frozenset(Way),
    "form": PRINTS,
    "json": PRINTS,
}
"""For every other parameter of the command, the ways of asking that heed it."""

CHOOSING = ("dataset", "model", "kind", "perturbation", "tag", "since", "limit")
"""Options that choose among all runs, which there is nothing to choose from where runs are named."""


def unheeded(given: Collection[str], by: str | None = None) -> str | None:
    """Return what is wrong with parameters given together, in words; None where each of them is heeded.

    given: names of parameters, as the command calls them. by: the value of --by.

    >>> unheeded({"figures"})
    '--figures goes with --html or --sweep, not with the plain list'
    >>> unheeded({"runs", "compare", "flips"}) is None
    True
    """
    asked = CHOOSERS.intersection(given)
    if asked not in WAYS:
        return f"{_listed(asked, 'and')} are different reports: ask for one at a time"
    way = WAYS[asked]
    if way is Way.listing and "runs" in given:
        return None  # what to do with them is asked with their names at hand
    for name in HEEDS:
        if name in given and way not in HEEDS[name]:
            return _refused(name, way)
    chosen = [name for name in CHOOSING if name in given]
    if "runs" in given and chosen:
        return f"runs are named, so nothing is left to {_listed(chosen, 'and')}: write all:dataset=NAME"
    if "policy" in given and by != "category":
        return "--policy goes with --by category"
    return None


def _refused(name: str, way: Way) -> str:
    if way is Way.compare and name in CHOOSING:
        return f"--compare takes runs by name, so {option(name)} would not be heard: write all:dataset=NAME"
    if way not in PRINTS and name in {"form", "json"}:
        return f"--html writes a page, so {option(name)} would not be heard"
    # What goes with --html or with --compare alone goes with both together, which need not be told.
    ways = [str(one) for one in Way if one in HEEDS[name] and one is not Way.compared_page]
    return f"{option(name)} goes with {_any(ways)}, not with {way}"


def option(name: str) -> str:
    """Return a parameter as it is typed.

    >>> option("time_limit"), option("form"), option("runs")
    ('--time-limit', '--format', 'RUN')
    """
    special = {"runs": "RUN", "form": "--format"}
    return special.get(name, f"--{name.replace('_', '-')}")


def _listed(names: Collection[str], word: str) -> str:
    return _joined(sorted(option(name) for name in names), word)


def _any(ways: Sequence[str]) -> str:
    return _joined(ways, "or")


def _joined(words: Sequence[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
