"""The one line that warns of scores no better than those of a random ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipbench.records import Metric
from clipbench.statistics.chance import luckiest

Name = tuple[str, str]
HIT = "hit@"
NAMED = 5
"""Runs or settings that a warning names."""


def by_chance(values: Mapping[Name, float]) -> list[tuple[str, float]]:
    """Return the hit rates (as "t2i R@1") that a random ranking reaches too, each with how far luck gets it.

    values: by direction and metric; those without a chance level or number of queries are passed over, and
    those of which even a perfect score would be luck.
    """
    found = []
    for (direction, name), value in values.items():
        level, queries = values.get((direction, f"chance-{name}")), values.get((direction, "queries"))
        if not name.startswith(HIT) or level is None or not queries:
            continue
        bound = luckiest(level, round(queries))
        if value <= bound < 1.0:
            found.append((f"{direction} R@{name.removeprefix(HIT)}", bound))
    return found


def chance_notes(metrics: Sequence[Metric]) -> tuple[str, ...]:
    """Return one line where scores of a run are no better than those of a random ranking, else nothing."""
    found = by_chance({(m.direction, m.name): m.value for m in metrics})
    if not found:
        return ()
    told = ", ".join(f"{label} (up to {bound:.4f})" for label, bound in found)
    return (
        f"warning: within the 95 % interval of a random ranking: {told}; check model, ids and photographs",
    )


def chance_lines(numbers: Mapping[str, Mapping[Name, float]]) -> tuple[str, ...]:
    """Return one line that names what (a run, a setting) has an R@1 no better than a random one's, else nothing."""
    named = [
        name
        for name, values in numbers.items()
        if any("R@1" in label.split() for label, _ in by_chance(values))
    ]
    if not named:
        return ()
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    return (f"warning: R@1 within the 95 % interval of a random ranking: {', '.join(named[:NAMED])}{more}",)
