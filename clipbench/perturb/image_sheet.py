"""Contact sheets: one photograph under every severity of an operation, side by side, labelled.

Draws a picture and returns it; what becomes of it is up to the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipbench.perturb.image_audit import difference
from clipbench.perturb.image_pixels import Pixels, check
from clipbench.perturb.image_streams import generator
from clipbench.perturb.operation import ImageOperation

if TYPE_CHECKING:
    from PIL import Image

GAP = 6
LINE = 15
PAPER, INK, FAINT = (255, 255, 255), (20, 20, 20), (110, 110, 110)


def contact_sheet(
    original: Pixels, *operations: ImageOperation, seed: int = 0, image_id: str = "preview", width: int = 224
) -> Image.Image:
    """Return a sheet with one row per operation: the original, then every severity with PSNR and SSIM.

    original: uint8 (H, W, 3), corrupted as it is; a picture wider than `width` pixels is shown smaller,
    a narrower one as it is. The corruptions are those of a run with this seed and image id.
    """
    from PIL import Image, ImageDraw, ImageFont

    pixels = check(original)
    shown = min(width, pixels.shape[1])
    size = (shown, max(1, round(pixels.shape[0] * shown / pixels.shape[1])))
    columns = 1 + max((len(operation.levels) for operation in operations), default=0)
    step_x, step_y = size[0] + GAP, size[1] + 2 * LINE + GAP
    sheet = Image.new("RGB", (columns * step_x + GAP, max(1, len(operations)) * step_y + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for row, operation in enumerate(operations):
        for column, (picture, title, note) in enumerate(_row(pixels, operation, seed, image_id)):
            left, top = GAP + column * step_x, GAP + row * step_y
            draw.text((left, top), title, INK, font)
            draw.text((left, top + LINE), note, FAINT, font)
            tile = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
            sheet.paste(tile, (left, top + 2 * LINE))
    return sheet


def _row(
    pixels: Pixels, operation: ImageOperation, seed: int, image_id: str
) -> list[tuple[Pixels, str, str]]:
    """Return picture, title and note of each tile."""
    tiles = [(pixels, operation.name, "original")]
    for level in operation.levels:
        severity = int(level)
        corrupted = operation.apply(pixels, severity, generator(operation.name, seed, image_id, severity))
        tiles.append((corrupted, f"severity {severity}", _note(pixels, corrupted)))
    return tiles


def _note(clean: Pixels, corrupted: Pixels) -> str:
    found = difference(clean, corrupted)
    distance = "identical" if found.psnr is None else f"{found.psnr:.1f} dB"
    return distance if found.ssim is None else f"{distance}, SSIM {found.ssim:.2f}"
