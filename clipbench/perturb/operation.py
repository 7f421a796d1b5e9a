"""What an operation is: the records of text and image operations, their signatures and their families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

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
class Preset:
    """A named list of operations. `None` for levels means the operation's own."""

    name: str
    description: str
    entries: tuple[tuple[str, tuple[float, ...] | None], ...]
