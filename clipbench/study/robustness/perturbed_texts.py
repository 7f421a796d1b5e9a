"""The captions of a text setting, and the account of what it did to them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from clipbench.keys import Json
from clipbench.perturb.apply_text import perturb_captions
from clipbench.perturb.audit import TextAudit, TokenCounts, audit
from clipbench.perturb.legacy import legacy_texts
from clipbench.perturb.operation import TextOperation
from clipbench.records import Caption
from clipbench.study.robustness.settings import Setting, SweepRequest, shown_operation

CountTokens = Callable[[Sequence[str]], npt.NDArray[np.int32]]


def perturbed_texts(captions: Sequence[Caption], setting: Setting, request: SweepRequest) -> tuple[str, ...]:
    """Return the captions' texts under a setting, in order; their own where it does not touch them."""
    operation, level = setting.operation, setting.perturbation.level
    if not isinstance(operation, TextOperation):
        return tuple(caption.text for caption in captions)
    if request.legacy is not None and setting.is_legacy:
        texts = [caption.text for caption in captions]
        return legacy_texts(texts, operation.name, level, request.legacy)
    return perturb_captions(captions, operation, level, setting.perturbation.seed, setting.resources)


def without_repeats(
    planned: Sequence[tuple[Setting, tuple[str, ...]]],
) -> list[tuple[Setting, tuple[str, ...]]]:
    """Return the settings without those that only repeat another seed of the same operation and level.

    An operation that draws nothing gives every seed the same captions; running it once says it all.
    """
    seen: set[tuple[str, float, tuple[str, ...]]] = set()
    kept = []
    for setting, texts in planned:
        outcome = (shown_operation(setting.perturbation), setting.perturbation.level, texts)
        if outcome not in seen:
            seen.add(outcome)
            kept.append((setting, texts))
    return kept


def text_audit(
    before: Sequence[str], after: Sequence[str], count: CountTokens, limit: int
) -> dict[str, Json]:
    """Return what was achieved: changed captions, error rates, token lengths, truncations."""
    old, new = count(before), count(after)
    tokens = TokenCounts(
        before=int(old.sum()),
        after=int(new.sum()),
        truncated_before=int((old > limit).sum()),
        truncated_after=int((new > limit).sum()),
    )
    found = audit(zip(before, after, strict=True), tokens)
    return {**asdict(found), **_rates(found)}


def _rates(found: TextAudit) -> dict[str, Json]:
    return {
        "changed_rate": found.changed_rate,
        "word_error_rate": found.word_error_rate,
        "character_error_rate": found.character_error_rate,
        "token_ratio": found.token_ratio,
    }
