"""A contact sheet: the found photographs in one picture, each with its rank, score and name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from clipbench.reports.searching.tables import title
from clipbench.reports.searching.thumbnails import Thumbnail, thumbnails
from clipbench.study.output.whole_files import whole_file
from clipbench.study.searching.asking import Found, Place

TILE = 224
GAP = 12
LINE = 17
COLUMNS = 5
PAPER, INK, FAINT, EMPTY = (255, 255, 255), (20, 20, 20), (100, 100, 100), (238, 240, 242)


def write_sheet(place: Place, found: Found, out: Path, *, force: bool = False) -> int:
    """Write the sheet of what was found as PNG, and return how many photographs could not be shown.

    Raises ClipbenchError where `out` exists and `force` is False, or cannot be written.
    """
    with whole_file(out, force=force) as path:
        shown = thumbnails(place, found.result.hits, TILE)
        contact_sheet(title(found), shown).save(path, "PNG")
    return sum(one.picture is None for one in shown)


def contact_sheet(heading: str, shown: Sequence[Thumbnail]) -> Image.Image:
    """Return thumbnails in rows of five under a heading, best first."""
    columns = max(1, min(COLUMNS, len(shown)))
    rows = -(-len(shown) // columns)
    step_x, step_y, top = TILE + GAP, TILE + 2 * LINE + GAP, GAP + LINE + GAP
    font = ImageFont.load_default(13)
    width = max(GAP + columns * step_x, 2 * TILE)
    sheet = Image.new("RGB", (width, top + rows * step_y), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), _fitting(draw, heading, font, width - 2 * GAP), INK, font)
    for number, one in enumerate(shown):
        left, upper = GAP + number % columns * step_x, top + number // columns * step_y
        _paste(sheet, draw, one, (left, upper), font)
        words = f"{one.hit.rank}   {one.hit.score:.3f}"
        draw.text((left, upper + TILE + 2), words, INK, font)
        draw.text((left, upper + TILE + 2 + LINE), _fitting(draw, one.hit.id, font, TILE), FAINT, font)
    return sheet


def _paste(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    one: Thumbnail,
    corner: tuple[int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    left, upper = corner
    draw.rectangle((left, upper, left + TILE - 1, upper + TILE - 1), EMPTY)
    if one.picture is None:
        draw.text(
            (left + 6, upper + 6),
            _fitting(draw, f"no photograph: {one.problem}", font, TILE - 12),
            FAINT,
            font,
        )
        return
    fitted = ImageOps.contain(one.picture, (TILE, TILE), Image.Resampling.LANCZOS)
    sheet.paste(fitted, (left + (TILE - fitted.width) // 2, upper + (TILE - fitted.height) // 2))


def _fitting(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> str:
    """Return a text in one line, cut to a width in pixels; characters that the font cannot draw become `?`."""
    # Pillow's own font has Latin letters only, and would draw a box for the rest.
    line = (
        " ".join(text.split())
        .replace("“", '"')
        .replace("”", '"')
        .encode("latin-1", "replace")
        .decode("latin-1")
    )
    if draw.textlength(line, font) <= width:
        return line
    while line and draw.textlength(line + "...", font) > width:
        line = line[:-1]
    return line + "..."
