"""Small collections of coloured squares that share no picture, for adapters; no test is in here."""

from __future__ import annotations

from pathlib import Path

from cli_toys import COLOURS, NAMES, good
from PIL import Image


def split(folder: Path, name: str, number: int) -> None:
    """Add pictures of their own: the number is painted into a corner, so that no two sets share a file."""
    rows = ["image,caption"]
    for n in range(12):
        colour = NAMES[n % len(NAMES)]
        image = Image.new("RGB", (40, 40), COLOURS[colour])
        image.paste((number * 40, n * 10, 90), (0, 0, 6, 6))
        image.save(folder / f"{name}-{n}.png")
        rows += [f"{name}-{n}.png,a {colour} thing {n}", f"{name}-{n}.png,{colour} number {n} of {name}"]
    (folder / "captions.csv").write_text("\n".join(rows) + "\n")
    good("dataset", "add", name, "--captions", folder / "captions.csv", "--images", folder, "-q")
