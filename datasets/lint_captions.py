"""Lint of texts: empty, over-long, repeated and dirty captions. Pure; reads no file."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable

from clipbench.datasets.findings import Finding, finding
from clipbench.records import Caption, Dataset

TOKENS_PER_WORD = 1.35
"""For the estimate without a tokenizer, on the high side: CLIP's BPE needs about 1.15 per word on Flickr8k, more
on rare words. Start and end token come on top."""


def folded(text: str) -> str:
    r"""Return a text as a lower-casing tokenizer sees it: case folded, white space runs as one space.

    >>> folded("A  dog runs .\n")
    'a dog runs .'
    """
    return " ".join(text.casefold().split())


def check_captions(
    dataset: Dataset, limit: int, count_tokens: Callable[[str], int] | None
) -> tuple[Finding, ...]:
    """Return the findings on the captions of a dataset, in the order of KINDS' caption checks."""
    captions = dataset.captions
    total = len(captions)
    # A collection that is there to be searched has none at all, and that is no finding.
    bare = (sample.id for sample in dataset.samples if captions and not sample.captions)
    words = [(caption, len(caption.text.split())) for caption in captions]
    return (
        *finding("image-without-captions", bare, len(dataset.samples)),
        *finding("empty-caption", (c.id for c, n in words if n == 0), total),
        *_long(captions, limit, count_tokens),
        *_repeats(dataset),
        *finding("one-word-caption", (shown(c) for c, n in words if n == 1 or _no_letters(c.text)), total),
        *finding("control-characters", (shown(c) for c in captions if _control(c.text)), total),
        *_edges(captions),
    )


def shown(caption: Caption) -> str:
    """Return a caption for people: id and text in quotes, cut at 60 characters, control characters escaped."""
    text = caption.text if len(caption.text) <= 60 else caption.text[:57] + "..."
    return f"{caption.id} {text!r}"


def _long(
    captions: tuple[Caption, ...], limit: int, count_tokens: Callable[[str], int] | None
) -> tuple[Finding, ...]:
    if count_tokens is None:
        long = (shown(c) for c in captions if len(c.text.split()) * TOKENS_PER_WORD + 2 > limit)
        return finding("long-caption", long, len(captions), f"over {limit} tokens, estimated from words")
    counts: dict[str, int] = {}
    for caption in captions:
        if caption.text not in counts:
            counts[caption.text] = count_tokens(caption.text)
    over = [c for c in captions if counts[c.text] > limit]
    longest = max((counts[c.text] for c in over), default=0)
    detail = f"over {limit} tokens by the tokenizer, longest {longest}"
    return finding("long-caption", (shown(c) for c in over), len(captions), detail)


def _repeats(dataset: Dataset) -> tuple[Finding, ...]:
    """Letter-for-letter repeats, within an image and across images; the detail counts repeats that case hides."""
    within: list[str] = []
    owners: dict[str, set[str]] = {}
    folds: dict[str, set[str]] = {}
    for sample in dataset.samples:
        own: set[str] = set()
        for caption in sample.captions:
            if caption.text in own:
                within.append(shown(caption))
            own.add(caption.text)
            owners.setdefault(caption.text, set()).add(sample.id)
            folds.setdefault(folded(caption.text), set()).add(sample.id)
    total = len(dataset.captions)
    across = [c for c in dataset.captions if len(owners[c.text]) > 1]
    texts = len({c.text for c in across})
    folded_total = sum(len(folds[folded(c.text)]) > 1 for c in dataset.captions)
    detail = f"{texts:,} texts; {folded_total:,} captions where case and spacing do not count"
    return (
        *finding("duplicate-caption-within", within, total),
        *finding("duplicate-caption-across", (shown(c) for c in across), total, detail),
    )


def _edges(captions: tuple[Caption, ...]) -> tuple[Finding, ...]:
    edged = [c for c in captions if c.text.strip() and c.text != c.text.strip()]
    leading = sum(c.text != c.text.lstrip() for c in edged)
    newline = sum("\n" in c.text or "\r" in c.text for c in captions)
    trailing = sum(c.text != c.text.rstrip() for c in edged)
    detail = f"{leading:,} leading, {trailing:,} trailing; {newline:,} of all captions hold a newline"
    return finding("edge-whitespace", (shown(c) for c in edged), len(captions), detail)


def _no_letters(text: str) -> bool:
    return bool(text.strip()) and not any(character.isalpha() for character in text)


def _control(text: str) -> bool:
    """Return whether a text holds controls (a newline at the end aside), U+FFFD, or invisible format characters."""
    body = text.rstrip("\r\n")
    if body.isprintable() and "\ufffd" not in body:
        return False
    kinds = Counter(unicodedata.category(character) for character in body)
    return kinds["Cc"] > 0 or kinds["Cf"] > 0 or "\ufffd" in body
