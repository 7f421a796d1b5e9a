"""Figures to files: PNG and SVG of the same bytes for the same data, whole or not at all.

Same bytes means: with the same versions of matplotlib and FreeType. No date, no program name and no
random ids are written.
"""

from __future__ import annotations

import hashlib
import io
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.style import DPI, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_NAME = 100
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def safe_name(name: str) -> str:
    """Return a file name of letters, digits, - and _ that every system takes, without an ending.

    Names that would lose letters carry a digest of what they were, so that two stay two.

    >>> safe_name("R@10, ViT-B/32"), safe_name("../../etc/passwd"), safe_name("aux")
    ('R-10-ViT-B-32', 'etc-passwd', 'figure-aux')
    """
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    safe = re.sub(r"-{2,}", "-", safe).strip("-")
    lost = not name.isascii() or len(safe) > LONGEST_NAME or not safe
    if lost:
        mark = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        safe = f"{safe[:LONGEST_NAME] or 'figure'}-{mark}"
    return f"figure-{safe}" if RESERVED.fullmatch(safe) else safe


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write a figure as PNG (200 dpi) and SVG (text as text) into a folder; return both paths.

    Each file appears whole under its final name, or the old one stays. Raises ClipbenchError where the
    folder cannot be written.
    """
    paths = (folder / f"{safe_name(name)}.png", folder / f"{safe_name(name)}.svg")
    images = (_png(figure), _svg(figure))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in zip(paths, images, strict=True):
            _write(path, data)
    except OSError as error:
        raise ClipbenchError(
            f"cannot write the figure to {folder}: {error.strerror or error}",
            "name a folder you can write to",
        ) from error
    return paths


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    with drawing():
        figure.savefig(data, format="png", dpi=DPI, metadata={"Software": None})
    return data.getvalue()


def _svg(figure: Figure) -> bytes:
    data = io.BytesIO()
    title = str(figure.get_label())
    metadata = {"Date": None, "Creator": None} | ({"Title": title} if title else {})
    with drawing():
        figure.savefig(data, format="svg", metadata=metadata)
    return data.getvalue()


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
