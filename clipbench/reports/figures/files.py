"""Figures to files: PNG, SVG and PDF of the same bytes for the same data, whole or not at all.

Same bytes means: with the same versions of matplotlib and FreeType. No date, no program name and no
random ids are written.
"""

from __future__ import annotations

import hashlib
import io
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.style import DPI, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_NAME = 100
UNSIGNED: Mapping[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""The formats, and what matplotlib would write into each of itself and of the day."""
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


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, ...]:
    """Write a figure as PNG (200 dpi), SVG (text as text) and PDF into a folder; return the three paths.

    Each file appears whole under its final name, or the old one stays. Raises ClipbenchError where the
    folder cannot be written.
    """
    written = {folder / f"{safe_name(name)}.{kind}": _drawn(figure, kind) for kind in UNSIGNED}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in written.items():
            _write(path, data)
    except OSError as error:
        raise ClipbenchError(
            f"cannot write the figure to {folder}: {error.strerror or error}",
            "name a folder you can write to",
        ) from error
    return tuple(written)


def _drawn(figure: Figure, kind: str) -> bytes:
    data = io.BytesIO()
    title = str(figure.get_label())
    metadata = UNSIGNED[kind] | ({"Title": title} if title and kind != "png" else {})
    with drawing():
        figure.savefig(data, format=kind, dpi=DPI, metadata=metadata)
    return data.getvalue()


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
