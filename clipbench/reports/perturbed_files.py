"""Writes perturbed captions and pictures to a folder, so that others can use exactly the same inputs.

    FOLDER/manifest.json                         settings with their keys, and the digest of every file
    FOLDER/captions/keyboard-0.25-seed0.jsonl    one caption a line, exact; takes the way back by --from-file
    FOLDER/captions/keyboard-0.25-seed0.csv      the same for spreadsheets: no cell is taken for a formula
    FOLDER/pictures/jpeg-3-seed0/000001-dog.png  what jpeg made of the first photograph
    FOLDER/pictures/jpeg-3-seed0.jsonl           image id, file and digests

The manifest comes last: a folder without one is not complete.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.keys import Json, bytes_digest
from clipbench.records import Dataset, Perturbation
from clipbench.reports.tables import Column, Table, to_csv
from clipbench.study.output.whole_files import whole_file
from clipbench.study.robustness.perturbed import (
    PerturbedCaptions,
    PerturbedPicture,
    image_settings,
    perturbed_captions,
    perturbed_pictures,
)
from clipbench.study.robustness.settings import SweepRequest, shown_operation
from clipbench.study.workplace.progress import Progress
from clipbench.version import __version__

if TYPE_CHECKING:
    from clipbench.study.embedding.models import VectorSource

MANIFEST = "manifest.json"
FIELDS = ("caption_id", "image_id", "original", "text", "operation", "level", "seed")
LONGEST_STEM = 60


@dataclass(frozen=True)
class Written:
    """What an export wrote: files by kind, and the photographs that could not be used, with the reason."""

    captions: tuple[Path, ...]
    pictures: tuple[Path, ...]
    unusable: Mapping[str, str]


def write_inputs(
    dataset: Dataset,
    request: SweepRequest,
    folder: Path,
    progress: Progress,
    source: VectorSource | None = None,
    *,
    force: bool = False,
) -> Written:
    """Write every setting of a request, and a manifest that says what they are.

    source: the model whose input pictures are, where corruptions apply to that. Raises ClipbenchError where
    the folder holds an export and `force` is False, or cannot be written, or a model is needed.
    """
    manifest = folder / MANIFEST
    if manifest.exists() and not force:
        raise ClipbenchError(f"{folder} holds an export already", "--force, or --out with another folder")
    entries: list[Json] = []
    written: list[Path] = []
    pictured: list[Path] = []
    unusable: dict[str, str] = {}
    try:
        manifest.unlink(missing_ok=True)  # a folder that is half overwritten is not complete
        for captions in perturbed_captions(dataset, request):
            paths = _write_captions(captions, folder)
            written += paths
            entries.append(_entry(captions.setting, folder, paths, {"captions": len(captions.rows)}))
        for setting in image_settings(request):
            made = perturbed_pictures(dataset, setting, source, progress)
            path, count, lost = _write_pictures(setting.perturbation, made, folder)
            unusable |= lost
            pictured.append(path)
            facts: dict[str, Json] = {"pictures": count, "unusable": dict(lost)}
            entries.append(_entry(setting.perturbation, folder, [path], facts))
        with whole_file(manifest, force=True) as partial:
            partial.write_text(_manifest(dataset, source, entries), encoding="utf-8")
    except OSError as error:
        raise ClipbenchError(
            f"cannot write to {folder}: {error.strerror or error}", "--out names another place"
        ) from error
    return Written(tuple(written), tuple(pictured), unusable)


def _manifest(dataset: Dataset, source: VectorSource | None, entries: list[Json]) -> str:
    found: dict[str, Json] = {
        "clipbench": __version__,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "dataset_key": dataset.key,
        "images": len(dataset.samples),
        "captions": len(dataset.captions),
        "model": None if source is None else source.identity.label,
        "encoder_key": None if source is None else source.identity.key,
        "settings": entries,
    }
    return json.dumps(found, indent=2) + "\n"


def _entry(setting: Perturbation, folder: Path, paths: Iterable[Path], facts: Mapping[str, Json]) -> Json:
    files: Json = {path.relative_to(folder).as_posix(): bytes_digest(path.read_bytes()) for path in paths}
    return {
        "key": setting.key,
        "operation": setting.operation,
        "target": setting.target,
        "level": setting.level,
        "seed": setting.seed,
        "parameters": setting.parameters,
        **facts,
        "sha256": files,
    }


def _write_captions(captions: PerturbedCaptions, folder: Path) -> tuple[Path, Path]:
    setting = captions.setting
    tail = (setting.operation, setting.level, setting.seed)
    rows = [(caption.id, image, caption.text, text, *tail) for image, caption, text in captions.rows]
    place = folder / "captions"
    place.mkdir(parents=True, exist_ok=True)
    exact, sheet = place / f"{stem(setting)}.jsonl", place / f"{stem(setting)}.csv"
    lines = [_json_line(dict(zip(FIELDS, row, strict=True))) for row in rows]
    for path, text in (
        (exact, "".join(lines)),
        (sheet, to_csv(Table("", tuple(map(Column, FIELDS)), tuple(rows)))),
    ):
        with whole_file(path, force=True) as partial:
            partial.write_bytes(text.encode("utf-8", "surrogatepass"))
    return exact, sheet


def _write_pictures(
    setting: Perturbation, made: Iterable[PerturbedPicture], folder: Path
) -> tuple[Path, int, dict[str, str]]:
    """Write PNGs and their list; return the list's path, how many there are, and what cannot be used."""
    from PIL import Image

    place = folder / "pictures" / stem(setting)
    place.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    lost: dict[str, str] = {}
    for picture in made:
        if picture.pixels is None:
            lost[picture.id] = picture.problem
            continue
        data = io.BytesIO()
        Image.fromarray(picture.pixels).save(data, "PNG")
        path = place / f"{len(lines) + 1:06d}-{_plain(Path(picture.id).stem)}.png"
        path.write_bytes(data.getvalue())
        record: dict[str, Json] = {
            "image_id": picture.id,
            "file": path.relative_to(folder).as_posix(),
            "sha256": bytes_digest(data.getvalue()),
            "pixels_sha256": bytes_digest(picture.pixels.tobytes()),
            "height": picture.pixels.shape[0],
            "width": picture.pixels.shape[1],
            "operation": setting.operation,
            "level": setting.level,
            "seed": setting.seed,
        }
        lines.append(_json_line(record))
    listed = place.with_name(f"{place.name}.jsonl")
    with whole_file(listed, force=True) as partial:
        partial.write_bytes("".join(lines).encode("utf-8", "surrogatepass"))
    return listed, len(lines), lost


def _json_line(record: Mapping[str, Json]) -> str:
    text = json.dumps(record, ensure_ascii=False)
    # Half a surrogate pair has no UTF-8, so such a line is written with escapes.
    return (text if text.isprintable() else json.dumps(record)) + "\n"


def stem(setting: Perturbation) -> str:
    """Return a setting as a file name without ending.

    >>> stem(Perturbation("keyboard", "text", 0.25, 1))
    'keyboard-0.25-seed1'
    """
    name = _plain(shown_operation(setting).replace(": ", "-"))
    return f"{name}-{setting.level:g}-seed{setting.seed}"


def _plain(text: str) -> str:
    """Return text as a piece of a file name that every system takes."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:LONGEST_STEM] or "unnamed"
