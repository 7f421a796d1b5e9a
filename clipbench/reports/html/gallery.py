"""Queries to look at, as cards with pictures: the worst failures, and what changed most between two runs."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.records import Sample
from clipbench.reports.html.elements import Child, Markup, element, joined, quoted
from clipbench.reports.html.pictures import Pictures
from clipbench.study.comparing.failures import WorstFailure
from clipbench.study.comparing.flips import ChangedQuery, TopResult
from clipbench.study.runs.loaded import LoadedRun


def failure_cards(failures: Sequence[WorstFailure], pictures: Pictures) -> Markup:
    """Return a card per failure: the caption, its own image, and the image found first."""
    return element("div", {"class": "cards"}, *(_failure(one, pictures) for one in failures))


def _failure(one: WorstFailure, pictures: Pictures) -> Markup:
    shots = element(
        "div",
        {"class": "shots"},
        _shot(one.own, f"own image, rank {_rank(one.rank)}, score {one.own_score:.3f}", pictures),
        _shot(one.found, f"found first, score {one.found_score:.3f}", pictures),
    )
    return element(
        "article", {"class": "card"}, *_captions(one.caption.text, (("encoded as", one.text),)), shots
    )


def _captions(caption: str | None, others: Sequence[tuple[str, str | None]]) -> list[Child]:
    """Return the caption, and what the runs encoded where that was something else."""
    parts: list[Child] = []
    if caption is not None:
        parts.append(element("blockquote", {"dir": "auto", "class": "foreign"}, caption))
    for words, text in others:
        if text is not None and text != caption:
            parts.append(element("p", {"class": "note"}, f"{words}: "))
            parts.append(element("blockquote", {"dir": "auto", "class": "foreign second"}, text))
    return parts


def _shot(sample: Sample, words: str, pictures: Pictures) -> Markup:
    told = element("figcaption", {}, quoted(sample.id), element("br"), words)
    return element("figure", {}, pictures.markup(sample, words), told)


def changed_cards(
    changed: Sequence[ChangedQuery],
    sides: tuple[LoadedRun, LoadedRun],
    labels: tuple[str, str],
    pictures: Sequence[Pictures],
) -> Markup:
    """Return a card per query that changed; sides, labels and pictures are those of baseline and run."""
    cards = [_changed(one, sides, labels, pictures) for one in changed]
    if not cards:
        return element("p", {"class": "note"}, "no query changed its rank")
    return element("div", {"class": "cards"}, *cards)


def _changed(
    one: ChangedQuery,
    sides: tuple[LoadedRun, LoadedRun],
    labels: tuple[str, str],
    pictures: Sequence[Pictures],
) -> Markup:
    own = sides[0].gallery.samples[one.image]
    kind = element(
        "p",
        {"class": "note"},
        element("span", {"class": f"tag {one.kind}"}, one.kind),
        f" {one.direction}, rank {_rank(one.before.rank)} → {_rank(one.after.rank)}",
    )
    both = ((one.before, sides[0], labels[0], pictures[0]), (one.after, sides[1], labels[1], pictures[1]))
    texts = [(f"in {label}", found.text) for found, _, label, _ in both]
    # A run that found the own image first needs no picture of its own.
    shown = [told for told in both if not (one.direction == "t2i" and told[0].right)]
    right = [label for found, _, label, _ in both if one.direction == "t2i" and found.right]
    words = "query" if one.direction == "i2t" else "own image"
    words += f", ✓ first in {' and '.join(right)}" if right else ""
    shots = [_shot(own, words, pictures[0]), *(_first(one, *told) for told in shown)]
    return element(
        "article",
        {"class": "card"},
        kind,
        *(_captions(one.caption, texts) if one.direction == "t2i" else []),
        element("div", {"class": "shots"}, *shots),
    )


def _first(one: ChangedQuery, found: TopResult, side: LoadedRun, label: str, album: Pictures) -> Markup:
    words = f"{'✓ ' if found.right else ''}first in {label}"
    if one.direction == "t2i" and found.top1 is not None:
        return _shot(side.gallery.images[found.top1], words, album)
    text = found.top1_text if found.top1_text is not None else found.top1_id
    told = element("figcaption", {}, quoted(found.top1_id), element("br"), words)
    return element("figure", {}, element("div", {"class": "said"}, quoted(text)), told)


def _rank(rank: float) -> str:
    """Return a rank, which is no whole number where it is expected over ties.

    >>> _rank(3.0), _rank(2.5), _rank(1204.0)
    ('3', '2.5', '1,204')
    """
    return f"{rank:,.0f}" if rank == int(rank) else f"{rank:,.1f}"


def notes(failures: Sequence[WorstFailure]) -> Markup:
    """Return what the cards of failures show."""
    return joined(
        [
            element(
                "p",
                {"class": "note"},
                f"The {len(failures)} captions whose own image scores farthest below the image found first; "
                "of several captions for which one image stands in another's place, the worst. Scores are "
                "cosine similarities. Photographs are shown as they are in the folder, also where a run saw "
                "them corrupted.",
            )
        ]
    )
