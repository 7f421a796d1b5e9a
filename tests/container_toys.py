"""One small collection in every form: a folder, tar shards, Parquet files, a saved Arrow folder; no test is in here."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from cli_toys import caption, draw
from pyarrow import ipc, parquet

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema([("image", PICTURE), ("caption", pa.list_(pa.string()))])

Content = Mapping[str, tuple[bytes, list[str]]]
"""Name of a photograph -> its bytes and captions."""


def folder(place: Path, images: int = 12) -> Path:
    """Draw photographs, each with two captions in a .txt file."""
    for number, name in enumerate(draw(place, images)):
        text = f"{caption(number)}\n{caption(number, 1)}\n"
        (place / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    return place


def content(place: Path) -> dict[str, tuple[bytes, list[str]]]:
    """Return what a folder of `folder` holds."""
    return {
        file.name: (file.read_bytes(), file.with_suffix(".txt").read_text("utf-8").splitlines())
        for file in sorted(place.glob("*.png"))
    }


def member(tar: tarfile.TarFile, name: str, data: bytes, **also: Any) -> None:
    """Put a member into a tar."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in also.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))


def tars(place: Path, held: Content, shards: int = 2) -> Path:
    """Write tar shards, texts before photographs and not in the order of names."""
    place.mkdir(parents=True)
    names = sorted(held, reverse=True)
    for shard in range(shards):
        with tarfile.open(place / f"s-{shard:03}.tar", "w") as tar:
            for name in names[shard::shards]:
                member(tar, f"./{name[:-4]}.txt", "\n".join(held[name][1]).encode())
                member(tar, f"./{name}", held[name][0])
    return place


def json_tar(path: Path, held: Content, **also: Any) -> Path:
    """Write a tar whose captions are lists in JSON members."""
    with tarfile.open(path, "w") as tar:
        for name, (data, captions) in held.items():
            member(tar, name, data)
            told = {"captions": captions, "width": 24, **also}
            member(tar, f"{name[:-4]}.json", json.dumps(told).encode())
    return path


def table(held: Content) -> pa.Table:
    rows = [{"image": {"bytes": d, "path": n}, "caption": c} for n, (d, c) in held.items()]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def parquets(place: Path, held: Content, files: int = 2, rows: int = 4) -> Path:
    """Write Parquet files of small row groups."""
    place.mkdir(parents=True)
    whole = table(held)
    size = -(-whole.num_rows // files)
    for number in range(files):
        part = whole.slice(number * size, size)
        parquet.write_table(part, place / f"part-{number}.parquet", row_group_size=rows)
    return place


def arrow(place: Path, held: Content, files: int = 2, *, options: Any = None) -> Path:
    """Write what `save_to_disk` writes: Arrow streams, state and info."""
    place.mkdir(parents=True)
    whole = table(held)
    size = -(-whole.num_rows // files)
    names = [f"data-{number:05}-of-{files:05}.arrow" for number in range(files)]
    for number, name in enumerate(names):
        with ipc.new_stream(str(place / name), SCHEMA, options=options) as writer:
            writer.write_table(whole.slice(number * size, size), max_chunksize=4)
    state(place, names)
    (place / "dataset_info.json").write_text("{}")
    return place


def state(place: Path, names: Sequence[str]) -> None:
    """Write the list of a saved folder's Arrow files."""
    listed = {"_data_files": [{"filename": name} for name in names]}
    (place / "state.json").write_text(json.dumps(listed))


def every_form(place: Path, images: int = 12) -> dict[str, Path]:
    """Return one collection in each form, by the format's name; "folder" is the plain one."""
    plain = folder(place / "plain", images)
    held = content(plain)
    return {
        "folder": plain,
        "webdataset": tars(place / "tars", held),
        "parquet": parquets(place / "parquet", held),
        "hf-disk": arrow(place / "saved", held),
    }
