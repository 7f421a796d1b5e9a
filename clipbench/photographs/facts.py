"""What the header of an opened photograph says, for those who look a collection over."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from clipbench.photographs.opening import orientation


@dataclass(frozen=True, slots=True)
class PhotographFacts:
    """What a header says. `mode` is Pillow's ("RGB", "CMYK", "P", "L", "I;16" ...)."""

    width: int
    height: int
    format: str
    mode: str
    alpha: bool
    rotated: bool
    frames: int


def facts(image: Image.Image) -> PhotographFacts:
    """Return what an opened image's header says; damaged EXIF data counts as none."""
    alpha = image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info
    rotated = orientation(image) not in (0, 1)
    size = (image.width, image.height)
    return PhotographFacts(*size, image.format or "", image.mode, alpha, rotated, _frames(image))


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1)) if getattr(image, "is_animated", False) else 1
    except Exception:  # it reads later frames, which may be damaged; only the first is used
        return 1
