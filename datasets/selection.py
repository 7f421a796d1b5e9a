"""From rows to samples: caption ids, grouping by image, splits, split lists, drawing N, first K captions.

Pure: knows rows and records, and opens no file except a split list. Nothing here depends on the order of a set.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipbench.datasets.listing import spelling, visible
from clipbench.datasets.rows import Note, Row, note
from clipbench.datasets.textfile import read_text
from clipbench.errors import DatasetError, Problem
from clipbench.keys import item_key
from clipbench.records import Caption, Sample
from clipbench.tabular.text import split_lines
from clipbench.wording import plural

LABEL = re.compile(r"(?:^|[^a-z])(train|restval|val|dev|test)(?:images|set|split|list|ids)?$")


@dataclass(frozen=True, slots=True)
class Listed:
    """One name of a split list with its 1-based line."""

    name: str
    line: int


def number(rows: list[Row], file: str) -> tuple[tuple[Row, ...], tuple[Note, ...], tuple[Problem, ...]]:
    """Return the rows with a caption id each, unique in the source; rows that only repeat another are dropped.

    A caption id with two texts or two images, and an image with two files, are problems. The list is used up
    on the way, for a million rows would be there twice.
    """
    numbered: list[Row] = []
    own_ids = any(
        row.caption_id is not None for row in rows
    )  # where all are counted here, none is there twice
    rows.reverse()
    repeated: list[str] = []
    problems: list[Problem] = []
    counts: Counter[str] = Counter()
    captions: dict[str, Row] = {}
    files: dict[str, Row] = {}
    while rows:
        given = rows.pop()
        first = files.setdefault(given.image, given)
        if first.path != given.path:
            where = f" (line {first.line})" if first.line else ""
            problems.append(
                Problem(file, given.line, f"image {given.image} is {given.path}, before {first.path}{where}")
            )
        if given.caption is None:
            numbered.append(given)
            continue
        row = given
        if given.caption_id is None:
            own_id = f"{given.image}#{counts[given.image]}"
            # Equal strings once: an image has several captions, and each row came with its own.
            path = first.path if first.path == given.path else given.path
            row = Row(first.image, path, given.caption, own_id, given.split, given.line, given.cells)
            counts[given.image] += 1
        if not own_ids:
            numbered.append(row)
            continue
        known = captions.setdefault(row.caption_id or "", row)
        if known is row:
            numbered.append(row)
        elif (known.image, known.caption, known.split) == (row.image, row.caption, row.split):
            repeated.append(row.caption_id or "")
        else:
            problems.append(Problem(file, row.line, _clash(known, row)))
    message = f"{plural(len(repeated), 'exact repetition')} of a caption with its id left out"
    return tuple(numbered), note("repeated-rows", message, repeated), tuple(problems)


def _clash(known: Row, row: Row) -> str:
    where = f" (line {known.line})" if known.line else ""
    if known.image != row.image:
        return (
            f"caption id {row.caption_id} belongs to image {known.image}{where} already, here to {row.image}"
        )
    if known.caption != row.caption:
        return f"caption id {row.caption_id} has another text already{where}"
    return f"caption id {row.caption_id} is in split {known.split}{where} already, here in {row.split}"


def group(rows: Iterable[Row]) -> tuple[Sample, ...]:
    """Return one sample per image in order of first occurrence, its captions in the order of the rows."""
    captions: dict[str, list[Caption]] = {}
    paths: dict[str, str | None] = {}
    for row in rows:
        own = captions.setdefault(row.image, [])
        paths.setdefault(row.image, row.path)
        if row.caption is not None:
            own.append(Caption(row.caption_id or "", row.caption))
    return tuple(Sample(image, tuple(own), paths[image]) for image, own in captions.items())


def of_split(rows: Sequence[Row], split: str | None) -> tuple[tuple[Row, ...], str]:
    """Return the rows of a split, or of several joined by "+", and the split's label.

    Without a split: all rows, labelled with the one split they are all in, else "all".
    Raises DatasetError where the source records no splits or none of that name.
    """
    images = Counter(name for _, name in dict.fromkeys((row.image, row.split) for row in rows))
    names = sorted(name for name in images if name is not None)
    if split is None:
        only = names[0] if len(names) == 1 and None not in images else "all"
        return tuple(rows), only
    if not names:
        hint = (
            "--split-file LIST names the images of a split, one per line; --make-splits 70/15/15 makes three"
        )
        raise DatasetError(f"split {split!r} was asked, and this source records no splits", hint)
    wanted = split.split("+")
    for name in wanted:
        if name not in names:
            known = ", ".join(f"{n} ({plural(images[n], 'image')})" for n in names)
            raise DatasetError(f"there is no split {name!r}; the source has {known}", f"--split {names[0]}")
    return tuple(row for row in rows if row.split in wanted), split


def read_list(path: Path) -> tuple[tuple[Listed, ...], tuple[Problem, ...]]:
    """Return the names of a split list in order; a name listed twice is a problem. Raises as `read_text` does."""
    first: dict[str, int] = {}
    problems = []
    for line, text in enumerate(split_lines(read_text(path)), start=1):
        name = text.strip()
        if name in first:
            problems.append(Problem(str(path), line, f"{name} is listed on line {first[name]} already"))
        elif name:
            first[name] = line
    return tuple(Listed(name, line) for name, line in first.items()), tuple(problems)


def list_label(path: Path) -> str:
    """Return the split that a list's file name tells of, else its stem.

    >>> list_label(Path("Flickr_8k.testImages.txt")), list_label(Path("val.txt")), list_label(Path("my-60.txt"))
    ('test', 'val', 'my-60')
    """
    found = LABEL.search(path.stem.lower())
    return found[1] if found else path.stem


def of_list(
    samples: Sequence[Sample], names: Sequence[Listed]
) -> tuple[tuple[Sample, ...], tuple[Listed, ...], tuple[Note, ...]]:
    """Return the listed samples in the list's order, the names that no sample answers to, and what to say.

    A name is an image id, a path, or a file name that only one image has; failing that, one of these without
    its ending or spelt otherwise (Unicode form, percent signs), where that means one image alone.
    """
    exact = _unambiguous(samples, _names)
    exact |= {sample.path: place for place, sample in enumerate(samples) if sample.path}
    exact |= {sample.id: place for place, sample in enumerate(samples)}
    stems = _unambiguous(samples, lambda sample: {name.rpartition(".")[0] for name in _names(sample)} - {""})
    spellings = _unambiguous(samples, lambda sample: {spelling(name) for name in _names(sample)})
    places: dict[int, str] = {}
    unknown: list[Listed] = []
    stemmed: list[str] = []
    respelt: list[str] = []
    doubled: list[str] = []
    for listed in names:
        name = listed.name
        place = exact.get(name)
        if place is None and (place := stems.get(name)) is not None:
            stemmed.append(f"{name} is {samples[place].id}")
        elif place is None and (place := spellings.get(spelling(name))) is not None:
            respelt.append(f"{visible(name, samples[place].id)} is {samples[place].id}")
        if place is None:
            unknown.append(listed)
        elif place in places:
            doubled.append(f"{name} is {places[place]}")
        else:
            places[place] = name
    notes = (
        *note(
            "names-without-ending",
            f"{plural(len(stemmed), 'name')} of the split list without ending",
            stemmed,
        ),
        *note(
            "names-spelt-otherwise",
            f"{plural(len(respelt), 'name')} of the split list spelt otherwise",
            respelt,
        ),
        *note(
            "names-of-one-image", f"{plural(len(doubled), 'image')} listed by two names, taken once", doubled
        ),
    )
    return tuple(samples[place] for place in places), tuple(unknown), notes


def _names(sample: Sample) -> set[str]:
    """Return what a sample may be called: its id, its path, its file name."""
    return {sample.id} | ({sample.path, sample.path.rpartition("/")[2]} if sample.path else set())


def _unambiguous(samples: Sequence[Sample], names: Callable[[Sample], set[str]]) -> dict[str, int]:
    """Return the position of each sample by every name that it alone has."""
    places: dict[str, int] = {}
    shared: set[str] = set()
    for place, sample in enumerate(samples):
        for name in names(sample):
            if places.setdefault(name, place) != place:
                shared.add(name)
    return {name: place for name, place in places.items() if name not in shared}


def draw(samples: Sequence[Sample], count: int, seed: int) -> tuple[Sample, ...]:
    """Return `count` samples drawn by a hash of (seed, image id), in their order.

    What is drawn depends on neither order nor what else is in the list, and a smaller draw of the same seed is
    part of a larger one. Raises DatasetError where there are fewer.
    """
    if count > len(samples):
        message = f"a sample of {count:,} was asked, there are {plural(len(samples), 'image')}"
        raise DatasetError(message, f"--sample {len(samples)} or less")
    ranked = sorted(samples, key=lambda s: (item_key(("sample", str(seed), s.id)), s.id))
    drawn = {sample.id for sample in ranked[:count]}
    return tuple(sample for sample in samples if sample.id in drawn)


def first_captions(samples: Sequence[Sample], limit: int | None) -> tuple[Sample, ...]:
    """Return the samples with at most `limit` captions each, the first ones; all of them for None."""
    if limit is None:
        return tuple(samples)
    return tuple(replace(s, captions=s.captions[:limit]) if len(s.captions) > limit else s for s in samples)
