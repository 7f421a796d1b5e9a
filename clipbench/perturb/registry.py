"""What an operation is, and how one is found by name, family or preset.

The operations themselves are listed in `text_operations` and `image_operations`, the presets in
`presets`; they are imported where they are needed, so that this module can be imported by all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.perturb.resources import TextResources
from clipbench.perturb.streams import Stream
from clipbench.records import Caption

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""An RGB image, uint8, shape (H, W, 3)."""

TextApply: TypeAlias = Callable[[Caption, float, Stream, TextResources], str]
"""Caption, rate in (0, 1], the caption's own stream, resources -> the new text."""

ImageApply: TypeAlias = Callable[[Pixels, int, np.random.Generator], Pixels]
"""Image, severity in 1..5, the image's own generator -> a new image of the same shape."""

Meaning: TypeAlias = Literal["kept", "changed", "unclear"]
"""Whether a person would still say that the caption describes the photo."""

TextNeed: TypeAlias = Literal["synonyms", "rewrites", "template"]

TEXT_FAMILIES = ("char", "char-extra", "word", "word-order", "word-class", "control", "sentence")
IMAGE_FAMILIES = ("image-noise", "image-blur", "image-weather", "image-digital", "image-geometric")
FAMILIES = (*TEXT_FAMILIES, *IMAGE_FAMILIES)


@dataclass(frozen=True, slots=True)
class TextOperation:
    """One way to corrupt a caption.

    levels: the default rates. graded: False where the operation has one setting, so that only rates
    0 (identity) and 1 exist. level_means: what a rate counts. needs: the resources it reads.
    source: the paper it is taken from. version is raised whenever its output changes.
    """

    name: str
    family: str
    levels: tuple[float, ...]
    apply: TextApply
    meaning: Meaning
    source: str
    level_means: str
    description: str
    needs: tuple[TextNeed, ...] = ()
    graded: bool = True
    version: int = 1


@dataclass(frozen=True, slots=True)
class ImageOperation:
    """One way to corrupt a photograph. `deterministic` is True where it draws no random number.

    source: the paper or code its constants are taken from. version is raised whenever its output changes.
    """

    name: str
    family: str
    apply: ImageApply
    deterministic: bool
    source: str
    description: str
    levels: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0)
    version: int = 1


Operation: TypeAlias = TextOperation | ImageOperation


@dataclass(frozen=True, slots=True)
class Selection:
    """An operation and the levels to run it at."""

    operation: Operation
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Preset:
    """A named list of operations. `None` for levels means the operation's own."""

    name: str
    description: str
    entries: tuple[tuple[str, tuple[float, ...] | None], ...]


def text_operations() -> tuple[TextOperation, ...]:
    """Return all text operations in the order of their list."""
    from clipbench.perturb.text_operations import TEXT_OPERATIONS

    return TEXT_OPERATIONS


def image_operations() -> tuple[ImageOperation, ...]:
    """Return all image operations in the order of their list."""
    from clipbench.perturb.image_operations import IMAGE_OPERATIONS

    return IMAGE_OPERATIONS


def presets() -> tuple[Preset, ...]:
    """Return all presets."""
    from clipbench.perturb.presets import PRESETS

    return PRESETS


def operations() -> list[Operation]:
    """Return all operations, those of text first."""
    return [*text_operations(), *image_operations()]


@cache
def _by_name() -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for one in operations():
        if _plain(one.name) in found:
            raise ValueError(f"two operations are called {one.name}")
        found[_plain(one.name)] = one
    return found


def operation(name: str) -> Operation:
    """Return the operation of this name; `_` and `-` are the same. Raises ClipbenchError."""
    found = _by_name().get(_plain(name))
    if found is None:
        raise _unknown("operation", name, [one.name for one in _by_name().values()])
    return found


def text_operation(name: str) -> TextOperation:
    """Return the text operation of this name. Raises ClipbenchError, also for an image operation."""
    found = operation(name)
    if not isinstance(found, TextOperation):
        raise ClipbenchError(f"{found.name} corrupts images, not captions", "clipbench robustness list")
    return found


def image_operation(name: str) -> ImageOperation:
    """Return the image operation of this name. Raises ClipbenchError, also for a text operation."""
    found = operation(name)
    if not isinstance(found, ImageOperation):
        raise ClipbenchError(f"{found.name} corrupts captions, not images", "clipbench robustness list")
    return found


def select(spec: str) -> tuple[Selection, ...]:
    """Return what a specification names: an operation, `family:NAME`, a preset, or several with commas.

    An operation named twice is taken once, with the levels of its first mention. Operations that need
    data from the user (`rewrite`) are taken only by name. Raises ClipbenchError for an unknown name.
    """
    chosen: dict[str, Selection] = {}
    for part in (part.strip() for part in spec.split(",")):
        for one in _select_one(part):
            chosen.setdefault(one.operation.name, one)
    return tuple(chosen.values())


def _select_one(part: str) -> list[Selection]:
    if part.startswith("family:"):
        family = part.removeprefix("family:")
        if family not in FAMILIES:
            raise _unknown("family", family, FAMILIES)
        return [_whole(one) for one in _by_name().values() if one.family == family and not _needs_user(one)]
    for preset in presets():
        if preset.name == part:
            found = ((operation(name), levels) for name, levels in preset.entries)
            return [Selection(one, one.levels if levels is None else levels) for one, levels in found]
    known = [one.name for one in _by_name().values()]
    if _plain(part) not in _by_name():
        families = [f"family:{family}" for family in FAMILIES]
        raise _unknown("operation, family or preset", part, [*known, *families, *(p.name for p in presets())])
    return [_whole(operation(part))]


def _whole(one: Operation) -> Selection:
    return Selection(one, one.levels)


def _needs_user(one: Operation) -> bool:
    return isinstance(one, TextOperation) and "rewrites" in one.needs


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _unknown(what: str, name: str, known: Iterable[str]) -> ClipbenchError:
    near = difflib.get_close_matches(_plain(name), list(known), n=3, cutoff=0.5)
    close = f"; did you mean {' or '.join(near)}?" if near else ""
    return ClipbenchError(f"no {what} is called '{name}'{close}", "clipbench robustness list")
