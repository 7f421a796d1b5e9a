"""Lint: everything about a dataset that makes its numbers doubtful, counted and named.

    findings = lint(dataset, other_splits=[train])
    failed(findings)                        # those above their thresholds

The checks are in `lint_images`, `lint_captions` and `lint_leaks`, the kinds and thresholds in `findings`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clipbench.datasets.findings import KINDS, THRESHOLDS, Finding, Severity, failed
from clipbench.datasets.lint_captions import check_captions
from clipbench.datasets.lint_images import check_images
from clipbench.datasets.lint_leaks import check_leaks
from clipbench.records import Dataset

__all__ = ["KINDS", "THRESHOLDS", "Finding", "Severity", "failed", "lint"]

CONTEXT = 77
"""Context length of CLIP's text tower, start and end token included."""

ORDER: tuple[Severity, ...] = ("error", "warning", "info")


def lint(
    dataset: Dataset,
    other_splits: Sequence[Dataset] = (),
    tokenizer_limit: int = CONTEXT,
    count_tokens: Callable[[str], int] | None = None,
    *,
    similar: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Finding, ...]:
    """Return what is found, errors first, then warnings, then statistics; nothing found is no finding.

    count_tokens: length of a text in tokens, start and end included; without it, length is estimated from words,
    and the finding says so. similar: look for near-identical photographs too. Every photograph is decoded in full.
    """
    found = (
        *check_images(dataset, similar=similar, on_progress=on_progress),
        *check_captions(dataset, tokenizer_limit, count_tokens),
        *check_leaks(dataset, other_splits),
    )
    return tuple(sorted(found, key=lambda f: ORDER.index(f.severity)))
