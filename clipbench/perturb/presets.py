"""Named lists of operations and levels, as data."""

from __future__ import annotations

from clipbench.perturb.image_operations import IMAGE_OPERATIONS
from clipbench.perturb.operation import Preset
from clipbench.perturb.text_operations import RATES, TEXT_OPERATIONS

_MM_TEXT = (
    "keyboard", "ocr", "char-insert", "char-replace", "char-swap", "char-delete",
    "synonym", "word-insert", "word-swap", "word-dropout", "punctuation-insert",
)  # fmt: skip
_MM_IMAGE = (
    "gaussian-noise", "shot-noise", "impulse-noise", "speckle-noise",
    "defocus-blur", "glass-blur", "motion-blur", "zoom-blur",
    "snow", "frost", "fog", "brightness",
    "contrast", "elastic", "pixelate", "jpeg",
)  # fmt: skip

PRESETS: tuple[Preset, ...] = (
    Preset(
        "source-study",
        "word dropout from 0 to .5 and a full word shuffle",
        (("word-dropout", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)), ("word-shuffle", None)),
    ),
    Preset(
        "mm-robustness",
        "11 of the 16 text and 16 of the 17 image operations of Qiu et al. 2024, five levels each; the five "
        "sentence rewrites come from the user (rewrite) and stylize needs a model",
        (*((name, RATES) for name in _MM_TEXT), *((name, None) for name in _MM_IMAGE)),
    ),
    Preset(
        "quick",
        "one operation of each kind, few levels: a first look in minutes",
        (
            ("keyboard", (0.15, 0.35)),
            ("word-dropout", (0.1, 0.3, 0.5)),
            ("word-shuffle", None),
            ("drop-nouns", None),
            ("colour-flip", None),
            ("gaussian-noise", (1.0, 3.0, 5.0)),
            ("defocus-blur", (1.0, 3.0, 5.0)),
            ("jpeg", (1.0, 3.0, 5.0)),
        ),
    ),
    Preset(
        "full",
        "every operation at its own levels, but for rewrites, which come from the user",
        (
            *((one.name, None) for one in TEXT_OPERATIONS if one.name != "rewrite"),
            *((one.name, None) for one in IMAGE_OPERATIONS),
        ),
    ),
)
