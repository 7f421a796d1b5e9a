"""What a sweep asks for, and the settings that follow: one perturbation each, the clean one first. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from clipbench.errors import ClipbenchError
from clipbench.keys import Json
from clipbench.perturb.apply_text import text_perturbation
from clipbench.perturb.legacy import LegacyStream, legacy_perturbation
from clipbench.perturb.registry import ImageOperation, Operation, Selection, TextOperation, select
from clipbench.perturb.resources import DEFAULT_RESOURCES, TextResources
from clipbench.records import CLEAN, Perturbation

MOST_LEVELS = 100

Place: TypeAlias = Literal["model_input", "source"]
"""Where an image corruption acts: on what the model sees (the constants were tuned there), or on the file."""


@dataclass(frozen=True)
class SweepRequest:
    """Which operations at which levels under which seeds.

    legacy: reproduce the source study's single shared generator for dropout and shuffle; one seed then.
    """

    selections: tuple[Selection, ...]
    seeds: tuple[int, ...] = (0,)
    place: Place = "model_input"
    resources: TextResources = DEFAULT_RESOURCES
    legacy: LegacyStream | None = None


@dataclass(frozen=True)
class Setting:
    """One perturbation of a sweep with the operation that makes it; None for the clean one."""

    perturbation: Perturbation
    operation: Operation | None = field(default=None, compare=False)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is changed."""
        return self.operation is None


def selections(words: Sequence[str], levels: tuple[float, ...] | None) -> tuple[Selection, ...]:
    """Return the operations that the words name (operations, family:NAME, presets), at `levels` if given.

    Raises ClipbenchError for an unknown word, or where levels do not fit an operation.
    """
    chosen: dict[str, Selection] = {}
    for word in words:
        for one in select(word):
            chosen.setdefault(one.operation.name, one)
    if levels is None:
        return tuple(chosen.values())
    return tuple(Selection(one.operation, _fitting(one.operation, levels)) for one in chosen.values())


def _fitting(operation: Operation, levels: tuple[float, ...]) -> tuple[float, ...]:
    graded = not isinstance(operation, TextOperation) or operation.graded
    if isinstance(operation, ImageOperation) and not set(levels) <= {0.0, *operation.levels}:
        known = ", ".join(f"{level:g}" for level in operation.levels)
        raise ClipbenchError(f"{operation.name} has the severities {known}", f"--levels {known}")
    # An operation with one setting has no use for a list of rates.
    return levels if graded else operation.levels


def levels_of(word: str) -> tuple[float, ...]:
    """Return the levels that "0:0.5:0.1" (both ends, step) or "0.1,0.3" names.

    >>> levels_of("0:0.5:0.1")
    (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    >>> levels_of("1,3,5")
    (1.0, 3.0, 5.0)

    Raises ClipbenchError for anything else.
    """
    unfit = ClipbenchError(f"{word!r} names no levels", "--levels 0:0.5:0.1 or --levels 0.1,0.3")
    try:
        numbers = [float(part) for part in re.split("[:,]", word)]
    except ValueError:
        raise unfit from None
    if not all(math.isfinite(number) for number in numbers):
        raise unfit
    if ":" not in word:
        return tuple(numbers)
    if len(numbers) != 3 or "," in word:
        raise unfit
    low, high, step = numbers
    if step <= 0 or not 0 <= (high - low) / step <= MOST_LEVELS:
        raise unfit
    return tuple(round(low + i * step, 10) for i in range(int((high - low) / step + 1e-6) + 1))


def settings(request: SweepRequest) -> tuple[Setting, ...]:
    """Return the clean setting and then each operation × level × seed, every setting once."""
    found: dict[str, Setting] = {CLEAN.key: Setting(CLEAN)}
    for one in request.selections:
        for level in one.levels:
            if level == 0:
                continue
            for seed in _seeds(one.operation, request):
                setting = Setting(_perturbation(one.operation, level, seed, request), one.operation)
                found.setdefault(setting.perturbation.key, setting)
    return tuple(found.values())


def _seeds(operation: Operation, request: SweepRequest) -> tuple[int, ...]:
    fixed = isinstance(operation, ImageOperation) and operation.deterministic
    return request.seeds[:1] if fixed or request.legacy is not None else request.seeds


def _perturbation(operation: Operation, level: float, seed: int, request: SweepRequest) -> Perturbation:
    if isinstance(operation, ImageOperation):
        parameters: Mapping[str, Json] = {"version": operation.version, "apply": request.place}
        return Perturbation(operation.name, "image", level, seed, parameters)
    if request.legacy is not None:
        return legacy_perturbation(operation.name, level, request.legacy)
    return text_perturbation(operation, level, seed, request.resources)
