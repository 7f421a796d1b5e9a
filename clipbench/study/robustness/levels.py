"""The words of a command line to operations and their levels: `--perturb`, `--levels`, `--severities`. Pure.

Captions take rates between 0 and 1, photographs severities from 1 to 5; one list never means both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from clipbench.errors import ClipbenchError
from clipbench.perturb.apply_text import check_level
from clipbench.perturb.operation import ImageOperation, Operation, TextOperation
from clipbench.perturb.registry import Selection, operation, select

MOST_LEVELS = 100

Levels = tuple[float, ...]


def selections(
    words: Sequence[str], levels: Levels | None = None, severities: Levels | None = None
) -> tuple[Selection, ...]:
    """Return the operations that the words name (operations, family:NAME, presets), at the levels given.

    levels: rates of the text operations; severities of the image operations where there are no others.
    severities: of the image operations. An operation with one setting keeps it. Level 0 is the clean run.
    Raises ClipbenchError for an unknown word, and where levels do not fit an operation or fit none.
    """
    chosen: dict[str, Selection] = {}
    for word in words:
        for one in select(word):
            chosen.setdefault(one.operation.name, one)
    found = tuple(chosen.values())
    texts = [one.operation for one in found if isinstance(one.operation, TextOperation)]
    images = [one.operation for one in found if isinstance(one.operation, ImageOperation)]
    if levels is not None and severities is None and images:
        if texts:
            raise ClipbenchError(
                f"{texts[0].name} takes rates between 0 and 1, {images[0].name} severities from 1 to 5, "
                "so one list of levels cannot serve both",
                "--levels 0.1,0.3 for the captions and --severities 1,3,5 for the photographs",
            )
        levels, severities = None, levels
    _refuse_idle("--levels", levels, [one for one in texts if one.graded], texts)
    _refuse_idle("--severities", severities, [one for one in images if len(one.levels) > 1], images)
    return tuple(Selection(one.operation, _fitting(one, levels, severities)) for one in found)


def _fitting(one: Selection, rates: Levels | None, severities: Levels | None) -> Levels:
    chosen = one.operation
    if isinstance(chosen, TextOperation):
        if rates is None or not chosen.graded:
            return one.levels
        for rate in rates:
            check_level(chosen, rate)
        return rates
    if severities is None or len(chosen.levels) == 1:
        return one.levels
    unfit = [level for level in severities if level not in {0.0, *chosen.levels}]
    if unfit:
        known = ", ".join(f"{level:g}" for level in chosen.levels)
        raise ClipbenchError(
            f"{chosen.name} has the severities {known}, not {unfit[0]:g}", f"some of {known}"
        )
    return severities


def _refuse_idle(
    option: str, given: Levels | None, graded: Sequence[Operation], asked: Sequence[Operation]
) -> None:
    if given is None or graded:
        return
    names = ", ".join(one.name for one in asked[:3])
    why = f"{names} has one setting only" if names else "no operation that is named takes them"
    raise ClipbenchError(f"{option} means nothing here: {why}", f"leave {option} out")


def levels_of(word: str) -> Levels:
    """Return the levels that "0:0.5:0.1" (both ends, step) or "0.1,0.3" names.

    >>> levels_of("0:0.5:0.1")
    (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    >>> levels_of("1,3,5")
    (1.0, 3.0, 5.0)

    Raises ClipbenchError for anything else.
    """
    unfit = ClipbenchError(f"{word!r} names no levels", "0:0.5:0.1 (from, to, step) or 0.1,0.3")
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


def settings_of(word: str) -> tuple[Selection, ...]:
    """Return the operations of "word-dropout=0.5,word-shuffle", each at its one level; 1 where none is typed.

    >>> [(one.operation.name, one.levels) for one in settings_of("word-dropout=0.5,word-shuffle")]
    [('word-dropout', (0.5,)), ('word-shuffle', (1.0,))]

    Raises ClipbenchError for an unknown operation, or a level that it does not have.
    """
    found = []
    for part in (part.strip() for part in word.split(",") if part.strip()):
        name, _, typed = part.partition("=")
        chosen = operation(name)
        try:
            level = float(typed or 1)
        except ValueError:
            raise ClipbenchError(f"{typed!r} is no level of {name}", "word-dropout=0.5") from None
        if level == 0:
            raise ClipbenchError(f"{name} at level 0 is the clean run, which is made anyway", "leave it out")
        if isinstance(chosen, TextOperation):
            check_level(chosen, level)
        found.append(Selection(chosen, _fitting(Selection(chosen, (level,)), (level,), (level,))))
    return tuple(found)
