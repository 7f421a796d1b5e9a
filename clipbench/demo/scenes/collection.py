"""The drawn scenes of the demo: pictures, captions and the truth about both, made from nothing.

A scene is named by version, split and number; each name has its own stream of random numbers, so any
scene can be drawn alone. Graphs and captions are the same everywhere; the bytes of a PNG file also
depend on the Pillow build, whose compressor may differ, and so their digests are written down.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipbench.demo.scenes.captions import SceneCaption, write_captions
from clipbench.demo.scenes.drawing import draw_scene
from clipbench.demo.scenes.graph import SPLITS, Aspect, SceneGraph, draw_family
from clipbench.demo.scenes.stream import Stream
from clipbench.demo.scenes.truth import Saying
from clipbench.errors import DatasetError
from clipbench.keys import bytes_digest, file_digest
from clipbench.records import Caption, Dataset, Sample

VERSION = 1
IMAGES: Mapping[str, int] = {"train": 20_000, "val": 520, "test": 520}
FAMILY_SIZES = (1, 1, 2, 2, 3, 4)
"""How many scenes a family of near-duplicates may hold, all equally likely."""

SCENES, MANIFEST = "scenes.jsonl", "manifest.json"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene with its captions. `family` numbers the near-duplicates that belong together.

    `changed` is what differs from the first scene of the family, None for that first scene.
    """

    id: str
    family: int
    changed: Aspect | None
    graph: SceneGraph
    captions: tuple[SceneCaption, ...]


def plan(split: str, *, version: int = VERSION) -> Iterator[Scene]:
    """Yield the scenes of a split in order, with captions, nothing drawn. Raises DatasetError."""
    _check(split, version)
    seen: set[SceneGraph] = set()
    family = 0
    while len(seen) < IMAGES[split]:
        stream = Stream("family", version, split, family)
        for graph, changed in draw_family(stream, split, stream.pick(FAMILY_SIZES)):
            if graph not in seen and len(seen) < IMAGES[split]:
                number = len(seen)
                seen.add(graph)
                captions = write_captions(graph, Stream("captions", version, split, number))
                yield Scene(f"{split}-{number:05d}", family, changed, graph, captions)
        family += 1


def picture(scene: Scene, *, version: int = VERSION) -> bytes:
    """Return the PNG file of a scene, 128 × 128 pixels, without touching the disk."""
    split, _, number = scene.id.rpartition("-")
    buffer = io.BytesIO()
    draw_scene(scene.graph, Stream("picture", version, split, int(number))).save(buffer, "PNG")
    return buffer.getvalue()


def draw(folder: Path, split: str, *, version: int = VERSION, progress: Progress | None = None) -> Path:
    """Draw a split into `folder/<split>` and return that folder; what is there and whole is kept.

    `progress` is called with (pictures done, pictures in all). The manifest is written last, so it
    stands for a complete split; an interrupted drawing is simply repeated. Raises DatasetError for an
    unknown split or version.
    """
    _check(split, version)
    home = folder / split
    if _is_complete(home, version):
        return home
    home.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    images: dict[str, str] = {}
    for scene in plan(split, version=version):
        data = picture(scene, version=version)
        write_whole(home / f"{scene.id}.png", data)
        images[f"{scene.id}.png"] = bytes_digest(data)
        lines.append(json.dumps(_as_json(scene), sort_keys=True) + "\n")
        if progress:
            progress(len(lines), IMAGES[split])
    text = "".join(lines).encode()
    write_whole(home / SCENES, text)
    manifest = {"version": version, "split": split, "scenes": bytes_digest(text), "images": images}
    write_whole(home / MANIFEST, json.dumps(manifest, indent=1).encode())
    return home


def read(folder: Path, split: str) -> Dataset:
    """Return a drawn split as a Dataset, every picture checked. Raises DatasetError if it is not whole."""
    home = folder / split
    manifest = _manifest(home)
    samples = []
    changed = []
    for scene in scenes(folder, split):
        name = f"{scene.id}.png"
        path = home / name
        found = file_digest(path) if path.is_file() else None
        if found is None or found != manifest["images"].get(name):
            changed.append(name)
        captions = tuple(Caption(f"{scene.id}#{n}", c.text) for n, c in enumerate(scene.captions))
        samples.append(Sample(scene.id, captions, name, found))
    if changed:
        raise DatasetError(
            f"{len(changed)} of {len(samples)} pictures in {home} are missing or changed, first {changed[0]}",
            "clipbench demo (draws them again)",
        )
    source = {"folder": str(home), "version": manifest["version"]}
    return Dataset("scenes", "scenes", split, "all", tuple(samples), home, source)


def scenes(folder: Path, split: str) -> tuple[Scene, ...]:
    """Return the scenes of a drawn split with all that is known of them. Raises DatasetError."""
    home = folder / split
    expected = _manifest(home)["scenes"]
    data = (home / SCENES).read_bytes() if (home / SCENES).is_file() else b""
    if bytes_digest(data) != expected:
        raise DatasetError(f"{home / SCENES} is missing or changed", "clipbench demo (draws it again)")
    return tuple(_from_json(json.loads(line)) for line in data.decode().splitlines())


def graphs(folder: Path, split: str) -> Mapping[str, SceneGraph]:
    """Return the scene graph of every image of a drawn split, by image id. Raises DatasetError."""
    return {scene.id: scene.graph for scene in scenes(folder, split)}


def _check(split: str, version: int) -> None:
    if split not in SPLITS:
        raise DatasetError(f"the drawn scenes have no split {split!r}", f"one of: {', '.join(SPLITS)}")
    if version != VERSION:
        raise DatasetError(f"drawn scenes of version {version} were asked for; this is version {VERSION}")


def _manifest(home: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((home / MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        raise DatasetError(f"no drawn scenes in {home}", "clipbench demo (draws them)") from None
    return manifest


def _is_complete(home: Path, version: int) -> bool:
    try:
        manifest = _manifest(home)
        return (
            manifest["version"] == version
            and len(manifest["images"]) == IMAGES[home.name]
            and file_digest(home / SCENES) == manifest["scenes"]
            and all(file_digest(home / name) == known for name, known in manifest["images"].items())
        )
    except (DatasetError, FileNotFoundError, KeyError):
        return False


def write_whole(path: Path, data: bytes) -> None:
    """Write a whole file or none, under a name of this process until it is complete."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(data)
    partial.replace(path)


def _as_json(scene: Scene) -> dict[str, Any]:
    captions = [
        {"id": f"{scene.id}#{n}", "text": c.text, "detail": c.detail, "says": c.says.as_json()}
        for n, c in enumerate(scene.captions)
    ]
    return {
        "id": scene.id,
        "family": scene.family,
        "changed": scene.changed,
        "graph": scene.graph.as_json(),
        "captions": captions,
    }


def _from_json(value: Mapping[str, Any]) -> Scene:
    captions = tuple(
        SceneCaption(c["text"], c["detail"], Saying.from_json(c["says"])) for c in value["captions"]
    )
    graph = SceneGraph.from_json(value["graph"])
    return Scene(value["id"], value["family"], value["changed"], graph, captions)
