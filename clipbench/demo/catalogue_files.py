"""The drawn catalogue on the disk: a table and its pictures, as somebody's catalogue would lie there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from clipbench.demo.catalogue import PRODUCTS, VERSION, picture, products, table
from clipbench.demo.scenes.collection import write_whole
from clipbench.keys import bytes_digest, file_digest

TABLE, MANIFEST = "products.csv", "manifest.json"


def draw(folder: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Draw the catalogue into `folder` and return its table; what is there and whole is kept.

    `progress` is called with (pictures done, pictures in all). The manifest is written last, so it stands for a
    complete catalogue; an interrupted drawing is simply repeated.
    """
    if _is_complete(folder):
        return folder / TABLE
    folder.mkdir(parents=True, exist_ok=True)
    drawn = list(products())
    digests: dict[str, str] = {}
    for product in drawn:
        name, data = product.row["image"], picture(product)
        write_whole(folder / name, data)
        digests[name] = bytes_digest(data)
        if progress:
            progress(len(digests), PRODUCTS)
    text = table(drawn).encode()
    write_whole(folder / TABLE, text)
    manifest = {"version": VERSION, "files": {TABLE: bytes_digest(text), **digests}}
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    return folder / TABLE


def _is_complete(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        files = manifest["files"]
        return (
            manifest["version"] == VERSION
            and len(files) == PRODUCTS + 1
            and all(file_digest(folder / name) == known for name, known in files.items())
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False
