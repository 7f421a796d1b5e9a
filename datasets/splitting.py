"""Cuts one collection into train, validation and test: whole groups, ordered by a hash, whatever the order of the rows.

Knows samples and the other columns of their rows. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clipbench.datasets.fields import shown
from clipbench.datasets.rows import IMAGE, SplitPlan
from clipbench.errors import DatasetError
from clipbench.keys import item_key
from clipbench.metrics.positives import folded
from clipbench.records import Sample

SPLITS = ("train", "val", "test")
TEXT, COLUMN = "text", "column:"
"""What samples are grouped by: equal captions, or a column (its name alone does, too, unless it is a word of ours)."""

EXAMPLE = "--make-splits 70/15/15"


def parse_shares(text: str) -> tuple[float, float, float]:
    """Return the shares of train, val and test.

    >>> parse_shares("70/15/15")
    (70.0, 15.0, 15.0)

    Raises DatasetError for anything but three numbers of which train's and another are above 0.
    """
    try:
        train, val, test = (float(part) for part in text.split("/"))
    except ValueError:
        raise DatasetError(f"{text!r} is not three shares: of train, val and test", EXAMPLE) from None
    if not (0 < train < 1e9 and 0 <= val < 1e9 and 0 <= test < 1e9 and val + test > 0):
        raise DatasetError(f"shares {text} leave nothing to train or to measure on", EXAMPLE)
    return train, val, test


def split_positions(
    samples: Sequence[Sample], columns: Sequence[str], cells: Sequence[Sequence[str]], plan: SplitPlan
) -> dict[str, tuple[int, ...]]:
    """Return for each split the positions of its samples, in order.

    columns, cells: the other columns, one row of cells for each sample. Groups are ordered by a hash of the seed and
    of what they have in common, then cut at the shares; a group goes where its middle lies. Raises DatasetError for a
    column that there is not, and where a split would hold nothing.
    """
    group_of = _groups([_tokens(samples, columns, cells, plan.group_by), _photographs(samples)])
    members: dict[str, list[int]] = {}
    for place, name in enumerate(group_of):
        members.setdefault(name, []).append(place)
    ordered = sorted(members, key=lambda name: (item_key(("split", str(plan.seed), name)), name))
    total = sum(plan.shares)
    ends = [sum(plan.shares[: n + 1]) / total * len(samples) for n in range(len(SPLITS))]
    out: dict[str, list[int]] = {
        name: [] for name, share in zip(SPLITS, plan.shares, strict=True) if share > 0
    }
    start = 0
    for group in ordered:
        middle = start + len(members[group]) / 2
        start += len(members[group])
        split = next(n for n, end in zip(SPLITS, ends, strict=True) if middle < end or n == SPLITS[-1])
        out[split if split in out else max(out, key=SPLITS.index)] += members[group]
    for split, places in out.items():
        if not places:
            raise DatasetError(
                f"{len(members):,} groups by {plan.group_by} leave the split {split} empty at {plan.words}",
                f"other shares ({EXAMPLE}), or another --group-by",
            )
    return {split: tuple(sorted(places)) for split, places in out.items()}


def _tokens(
    samples: Sequence[Sample], columns: Sequence[str], cells: Sequence[Sequence[str]], group_by: str
) -> list[list[str]]:
    """Return what each sample shares with others of its group; nothing where it has nothing to share."""
    if group_by == IMAGE:
        return [[] for _ in samples]
    if group_by == TEXT:
        said = [[folded(caption.text) for caption in sample.captions] for sample in samples]
        return [[f"text {text}" for text in texts if text] for texts in said]
    name = group_by.removeprefix(COLUMN)
    if name not in columns:
        raise DatasetError(
            f"there is no column {name!r} to group by; there are {shown(columns)}",
            f"--group-by {TEXT}, --group-by {IMAGE}, or one of these columns",
        )
    place = columns.index(name)
    values = [" ".join(row[place].split()) for row in cells]
    return [[f"cell {value}"] if value else [] for value in values]


def _photographs(samples: Sequence[Sample]) -> list[list[str]]:
    return [[f"image {sample.digest or sample.id}"] for sample in samples]


def _groups(shared: Iterable[Sequence[Sequence[str]]]) -> list[str]:
    """Return each sample's group: all that are joined by things they share, called by the first of these by name."""
    of_each = [[token for tokens in both for token in tokens] for both in zip(*shared, strict=True)]
    parent: dict[str, str] = {}

    def root(token: str) -> str:
        while parent.setdefault(token, token) != token:
            parent[token] = parent[parent[token]]
            token = parent[token]
        return token

    for tokens in of_each:
        for token in tokens:
            low, high = sorted((root(tokens[0]), root(token)))
            parent[high] = low
    return [root(tokens[0]) for tokens in of_each]
