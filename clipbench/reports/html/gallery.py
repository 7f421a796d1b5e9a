"""Queries to look at, as cards with pictures: the worst failures, and what changed most between two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.reports.html.pictures import Pictures, Shot
from clipbench.reports.html.rendering import shown_rank
from clipbench.study.comparing.failures import WorstFailure
from clipbench.study.comparing.flips import ChangedQuery, TopResult
from clipbench.study.runs.loaded import LoadedRun


@dataclass(frozen=True, slots=True)
class Quote:
    """A caption; `words` say what it is where it is not the query's own."""

    text: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One query. first: the images found first, best first. kind, change: of a query that changed, else empty."""

    quotes: tuple[Quote, ...]
    shots: tuple[Shot, ...]
    first: tuple[Shot, ...] = ()
    kind: str = ""
    change: str = ""


def failure_card(one: WorstFailure, pictures: Pictures) -> Card:
    """Return a failure: the caption, its own image, and the images found first, or the one where no more is known."""
    words = f"own image, rank {shown_rank(one.rank)}, score {one.own_score:.3f}"
    shots = [pictures.shot(one.own, words)]
    if not one.first:
        shots.append(pictures.shot(one.found, f"found first, score {one.found_score:.3f}"))
    first = [
        pictures.shot(found.sample, f"score {found.score:.3f}", right=found.right) for found in one.first
    ]
    return Card(_quotes(one.caption.text, [("encoded as", one.text)]), tuple(shots), tuple(first))


def changed_card(
    one: ChangedQuery,
    pair: tuple[LoadedRun, LoadedRun],
    labels: tuple[str, str],
    pictures: Sequence[Pictures],
) -> Card:
    """Return a query that changed; pair, labels and pictures are those of baseline and run."""
    of_images = one.direction == "t2i"
    sides = list(zip((one.before, one.after), pair, labels, pictures, strict=True))
    right = [label for result, _, label, _ in sides if of_images and result.right]
    words = "own image" if of_images else "query"
    words += f", ✓ first in {' and '.join(right)}" if right else ""
    shots = [pictures[0].shot(pair[0].gallery.samples[one.image], words)]
    # A run that found the own image first needs no picture of its own.
    shots += [_first(one, *side) for side in sides if not (of_images and side[0].right)]
    texts = [(f"in {label}", result.text) for result, _, label, _ in sides]
    change = f"{one.direction}, rank {shown_rank(one.before.rank)} → {shown_rank(one.after.rank)}"
    quotes = _quotes(one.caption, texts) if of_images else ()
    return Card(quotes, tuple(shots), kind=one.kind, change=change)


def _first(one: ChangedQuery, found: TopResult, loaded: LoadedRun, label: str, pictures: Pictures) -> Shot:
    words = f"{'✓ ' if found.right else ''}first in {label}"
    if one.direction == "t2i" and found.top1 is not None:
        return pictures.shot(loaded.gallery.images[found.top1], words)
    return Shot(found.top1_id, words, said=found.top1_text if found.top1_text is not None else found.top1_id)


def _quotes(caption: str | None, others: Sequence[tuple[str, str | None]]) -> tuple[Quote, ...]:
    """Return the caption, and what the runs encoded where that was something else."""
    own = () if caption is None else (Quote(caption),)
    return (*own, *(Quote(text, words) for words, text in others if text is not None and text != caption))
