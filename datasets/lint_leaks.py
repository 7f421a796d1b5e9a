"""Lint across splits: images and captions that a split shares with another. Pure; reads no file."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.datasets.findings import Finding, finding
from clipbench.datasets.lint_captions import folded, shown
from clipbench.records import Dataset


def check_leaks(dataset: Dataset, others: Sequence[Dataset]) -> tuple[Finding, ...]:
    """Return what `dataset` shares with `others`: image ids, image bytes, caption texts.

    Texts are compared as a lower-casing tokenizer sees them, as CLIP's is; the detail says how many are equal
    letter for letter. An image found by its id is not counted again by its bytes or captions.
    """
    ids: dict[str, str] = {}
    digests: dict[str, str] = {}
    texts: dict[str, str] = {}
    exact: set[str] = set()
    for other in others:
        for sample in other.samples:
            ids.setdefault(sample.id, other.split)
            if sample.digest is not None:
                digests.setdefault(sample.digest, f"{sample.id} in {other.split}")
            for caption in sample.captions:
                texts.setdefault(folded(caption.text), f"{caption.id} in {other.split}")
                exact.add(caption.text)
    same_id = [f"{s.id} in {ids[s.id]}" for s in dataset.samples if s.id in ids]
    rest = [s for s in dataset.samples if s.id not in ids]
    same_bytes = [
        f"{s.id} = {digests[s.digest]}" for s in rest if s.digest is not None and s.digest in digests
    ]
    captions = [c for s in rest for c in s.captions if c.text.strip() and folded(c.text) in texts]
    letter = sum(c.text in exact for c in captions)
    same_text = (f"{shown(c)} = {texts[folded(c.text)]}" for c in captions)
    return (
        *finding("leaked-image-id", same_id, len(dataset.samples)),
        *finding("leaked-image", same_bytes, len(dataset.samples)),
        *finding("leaked-caption", same_text, len(dataset.captions), f"{letter:,} letter for letter"),
    )
