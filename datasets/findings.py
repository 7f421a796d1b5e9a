"""The nouns of lint: a finding, its severity, and the thresholds above which it fails.

Knows every kind of finding and no check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clipbench.datasets.rows import EXAMPLES
from clipbench.errors import DatasetError

Severity: TypeAlias = Literal["error", "warning", "info"]

KINDS: Mapping[str, tuple[Severity, str]] = {
    "missing-image": ("error", "photographs are missing"),
    "unreadable-image": ("error", "photographs are no usable images"),
    "truncated-image": ("error", "photographs have a sound header and pixels that do not decode"),
    "giant-image": ("error", "photographs have more pixels than the limit"),
    "changed-image": ("error", "photographs are not the bytes that were read"),
    "image-without-captions": ("warning", "images have no captions: distractors in every gallery"),
    "empty-caption": ("error", "captions are empty"),
    "leaked-image-id": ("error", "images are in another split too"),
    "leaked-image": ("warning", "photographs are the same bytes as one in another split"),
    "leaked-caption": ("warning", "captions have the text of one in another split"),
    "duplicate-image": ("warning", "photographs are the same bytes as another"),
    "duplicate-pixels": ("warning", "photographs have the pixels of another in other bytes"),
    "similar-image": ("info", "photographs look like another"),
    "long-caption": ("warning", "captions are longer than the context"),
    "duplicate-caption-within": ("warning", "captions repeat another of the same image"),
    "duplicate-caption-across": ("warning", "captions have the text of another image's"),
    "one-word-caption": ("warning", "captions are one word or less than a word"),
    "control-characters": ("warning", "captions hold control or replacement characters"),
    "edge-whitespace": ("info", "captions start or end with white space"),
    "name-case-clash": ("warning", "file names differ only in case"),
    "name-stem-clash": ("info", "file names differ only in their ending"),
    "no-photographs": ("info", "images come without photographs"),
    "tiny-image": ("info", "photographs are smaller than 32 pixels on a side"),
    "mode-grey": ("info", "photographs are grey"),
    "mode-palette": ("info", "photographs use a palette"),
    "mode-cmyk": ("info", "photographs are CMYK"),
    "mode-alpha": ("info", "photographs have transparency"),
    "mode-deep": ("info", "photographs have more than 8 bits per channel"),
    "exif-rotated": ("info", "photographs are turned by their EXIF orientation"),
    "animated": ("info", "files hold several frames, of which the first is used"),
}
"""Kind -> severity and what is so, as "<count> <text>"."""

THRESHOLDS: Mapping[str, float | None] = {
    kind: 0.0 if severity == "error" else None for kind, (severity, _) in KINDS.items()
}
"""Largest share (count / examined) that passes. By default an error may not occur at all, the rest always passes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing found, with how often among how many, and the first few examples in dataset order.

    `detail` adds what the count alone does not say. `threshold` is the largest share that passes by default,
    None where the kind never fails by default.
    """

    kind: str
    severity: Severity
    count: int
    of: int
    examples: tuple[str, ...]
    detail: str = ""

    @property
    def threshold(self) -> float | None:
        """The default threshold of the kind."""
        return THRESHOLDS[self.kind]

    @property
    def message(self) -> str:
        """One sentence: count, number examined, what is so."""
        text = f"{self.count:,} of {self.of:,} {KINDS[self.kind][1]}"
        return f"{text} ({self.detail})" if self.detail else text


def finding(kind: str, concerned: Iterable[str], of: int, detail: str = "") -> tuple[Finding, ...]:
    """Return one finding on all that is concerned, or nothing where nothing is."""
    names = list(concerned)
    if not names:
        return ()
    return (Finding(kind, KINDS[kind][0], len(names), of, tuple(names[:EXAMPLES]), detail),)


def failed(
    findings: Sequence[Finding], thresholds: Mapping[str, float | None] | None = None
) -> tuple[Finding, ...]:
    """Return the findings whose share exceeds its threshold: the given one of its kind, else the default.

    A threshold of None lets everything pass. Raises DatasetError for a kind that does not exist and for a
    share outside 0..1.
    """
    given = thresholds or {}
    for kind, share in given.items():
        if kind not in KINDS:
            raise DatasetError(f"lint knows no finding {kind!r}", f"one of: {', '.join(KINDS)}")
        if share is not None and not 0.0 <= share <= 1.0:
            raise DatasetError(
                f"threshold {share} of {kind} is not within 0..1", f"{kind}=0.05 allows five percent"
            )
    limits = {**THRESHOLDS, **given}
    return tuple(f for f in findings if _exceeds(f, limits[f.kind]))


def _exceeds(found: Finding, limit: float | None) -> bool:
    return limit is not None and found.count > limit * found.of
