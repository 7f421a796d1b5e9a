"""Parts of a comparison: the queries of one kind, or the runs under one perturbation.

Knows how queries fall into groups; a query may be in none or, by category, in several. Compares nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError
from clipbench.records import Direction
from clipbench.store.dataset_columns import DatasetColumns
from clipbench.study.comparing.column_groups import groups_by_columns, is_of_columns
from clipbench.study.comparing.common import CommonQueries
from clipbench.study.comparing.values import QueryValues
from clipbench.study.runs.loaded import LoadedRun

Booleans: TypeAlias = npt.NDArray[np.bool_]

BY = (
    *("caption-length", "rank-bucket", "perturbation", "word WORD", "category"),
    *("column:NAME", "missing", "missing:NAME"),
)
"""What a comparison can be grouped by."""

LENGTHS = ((1, 6), (7, 9), (10, 12), (13, 16), (17, None))
"""Words of a caption, both ends inclusive: about even fifths of Flickr and COCO captions."""

BUCKETS = ((1, 1), (2, 5), (6, 10), (11, 100), (101, None))
"""Ranks in the baseline, both ends inclusive."""

Categories: TypeAlias = Mapping[str, Sequence[str]]
"""For every category, the ids of the captions that carry it."""


@dataclass(frozen=True, eq=False)
class QueryGroup:
    """Some queries: `members` (Q,) for each direction that has such queries. The name "" means all."""

    name: str
    members: Mapping[Direction, Booleans]


def group_notes(by: str) -> tuple[str, ...]:
    """Return what a reader must know of a grouping."""
    kind = by.partition(":")[0]
    notes = {
        "caption-length": "captions by their number of words; images as queries have none and are left out",
        "rank-bucket": "by the rank in the baseline: queries it got right can only fall and those it got "
        "wrong can only rise, so some of each difference is regression to the mean",
        "word": "captions that hold the word, whatever the case, and images with such a caption",
        "column": "captions and images by what the column says of the image: frequent values, the others together, "
        "numbers in quarters",
        "missing": "captions and images by which columns of the image are empty; where several are, a query is in "
        "several groups",
        "perturbation": "within each perturbation, against the baseline's model under the same perturbation",
    }
    return (notes[kind],) if kind in notes else ()


def query_groups(
    by: str,
    loaded_runs: Sequence[LoadedRun],
    common: Sequence[CommonQueries],
    values: Sequence[QueryValues],
    baseline: int,
    columns: DatasetColumns | None = None,
) -> tuple[QueryGroup, ...]:
    """Return the groups of queries, those without any left out.

    columns: of the first run's dataset, for groups by them. Raises CompareError for a word that names no grouping, or a grouping that leaves no query.
    """
    kind, _, word = by.partition(":")
    if kind == "rank-bucket":
        found = _by_rank(values, baseline)
    elif columns is not None and is_of_columns(by):
        places = _image_places(loaded_runs[0], common)
        found = [QueryGroup(name, _some(members)) for name, members in groups_by_columns(by, columns, places)]
    elif kind in {"caption-length", "word"}:
        texts = _texts(loaded_runs[0], common)
        found = _by_length(texts) if kind == "caption-length" else _by_word(word.strip(), texts, common)
    else:
        raise CompareError(
            f"there is no grouping by {by!r}; there are {', '.join(BY)}", "--by caption-length"
        )
    kept = tuple(group for group in found if group.members)
    if not kept:
        raise CompareError(f"no query falls into a group by {by!r}", "--by caption-length")
    return kept


def category_groups(categories: Categories, common: Sequence[CommonQueries]) -> tuple[QueryGroup, ...]:
    """Return a group per category of its captions, which are queries of t2i."""
    found = []
    for name, ids in categories.items():
        wanted = set(ids)
        members: dict[Direction, Booleans] = {
            one.direction: np.array([id_ in wanted for id_ in one.ids], dtype=np.bool_)
            for one in common
            if one.direction == "t2i"
        }
        found.append(QueryGroup(name, _some(members)))
    return tuple(group for group in found if group.members)


def _by_rank(values: Sequence[QueryValues], baseline: int) -> list[QueryGroup]:
    found = []
    for low, high in BUCKETS:
        members: dict[Direction, Booleans] = {}
        for part in values:
            if part.ranks is None:
                raise CompareError("a grouping by rank needs the ranks", "--by caption-length")
            # An expected rank between two buckets belongs to the better one: 5.5 is not yet 6.
            ranks = np.floor(part.ranks[baseline])
            members[part.direction] = (ranks >= low) & (ranks <= (high or np.inf))
        found.append(QueryGroup(f"rank {_range(low, high)}", _some(members)))
    return found


def _by_length(texts: Sequence[str]) -> list[QueryGroup]:
    lengths = np.array([len(text.split()) for text in texts])
    found = []
    for low, high in LENGTHS:
        inside = (lengths >= (0 if low == 1 else low)) & (lengths <= (high or np.inf))
        members: dict[Direction, Booleans] = {"t2i": inside}
        found.append(QueryGroup(f"{_range(low, high)} words", _some(members)))
    return found


def _by_word(word: str, texts: Sequence[str], common: Sequence[CommonQueries]) -> list[QueryGroup]:
    if not word:
        raise CompareError("a grouping by word needs the word", "--by word dog")
    # The word as a whole: "cat" is not in "cattle", and "T-shirt" is looked for with its hyphen.
    pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
    holds = np.array([pattern.search(text) is not None for text in texts])
    captions = next(one for one in common if one.direction == "t2i")
    images = np.bincount(captions.clusters[holds], minlength=captions.images) > 0
    named: dict[Direction, Booleans] = {"t2i": holds}
    others: dict[Direction, Booleans] = {"t2i": ~holds}
    for one in common:
        if one.direction == "i2t":
            named["i2t"], others["i2t"] = images[one.clusters], ~images[one.clusters]
    return [QueryGroup(f"with {word!r}", _some(named)), QueryGroup(f"without {word!r}", _some(others))]


def _texts(loaded: LoadedRun, common: Sequence[CommonQueries]) -> list[str]:
    """Return the clean captions of the t2i queries; of all captions where t2i was not ranked."""
    captions = loaded.gallery.captions
    for one in common:
        if one.direction == "t2i":
            return [captions[row].text for row in one.rows[0].tolist()]
    raise CompareError("the runs have no captions as queries (t2i)", "--by rank-bucket")


def _image_places(
    loaded: LoadedRun, common: Sequence[CommonQueries]
) -> dict[Direction, npt.NDArray[np.int64]]:
    """Return the image of every query as its position in the first run's dataset."""
    place_of = {sample.id: place for place, sample in enumerate(loaded.dataset.samples)}
    of_samples = np.array([place_of[sample.id] for sample in loaded.gallery.samples], dtype=np.int64)
    return {
        one.direction: of_samples[
            loaded.gallery.owners[one.rows[0]] if one.direction == "t2i" else one.rows[0]
        ]
        for one in common
    }


def _some(members: Mapping[Direction, Booleans]) -> dict[Direction, Booleans]:
    return {direction: inside for direction, inside in members.items() if inside.any()}


def _range(low: int, high: int | None) -> str:
    """Return a range in words.

    >>> _range(1, 1), _range(2, 5), _range(101, None)
    ('1', '2–5', '101+')
    """
    if high is None:
        return f"{low}+"
    return str(low) if low == high else f"{low}–{high}"


def perturbation_pairs(
    loaded_runs: Sequence[LoadedRun], baseline: int
) -> list[tuple[str, int, tuple[int, ...]]]:
    """Return (perturbation in words, its baseline, the others) for every perturbation of the runs.

    The baseline of each is the run of the baseline's encoder. Raises CompareError where a perturbation has
    no such run, or several.
    """
    encoder = loaded_runs[baseline].run.encoder
    by_setting: dict[str, list[int]] = {}
    for number, loaded in enumerate(loaded_runs):
        by_setting.setdefault(loaded.run.perturbation.key, []).append(number)
    found = []
    for numbers in by_setting.values():
        own = [number for number in numbers if loaded_runs[number].run.encoder == encoder]
        own = [baseline] if baseline in own else own
        setting = loaded_runs[numbers[0]].run.perturbation
        words = setting.words
        if len(own) != 1:
            raise CompareError(
                f"under {words} {len(own)} of {len(numbers)} runs are of the baseline's model "
                f"{loaded_runs[baseline].run.model}, and 1 is needed",
                "name one run of each model under each perturbation, e.g. "
                f"latest:{setting.operation}={setting.level:g},model={loaded_runs[baseline].run.model}",
            )
        others = tuple(number for number in numbers if number not in own)
        if others:
            found.append((words, own[0], others))
    if not found:
        raise CompareError(
            "no perturbation has runs of two models, so there is nothing to compare within it",
            "clipbench report --compare RUN RUN without --by perturbation",
        )
    return found
