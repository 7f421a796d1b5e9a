"""What adding a large collection costs: seconds and the largest memory of `clipbench dataset add`, in each form.

    python benchmarks/adding.py [--images 200000] [--folder FOLDER] [--keep] [FORM ...]

Draws N photographs of 8 × 8 pixels with five captions each, in shards of 10,000, as tar, Parquet, JSON lines and CSV
beside a folder of files, and a folder with .txt files; adds each to a store of its own, and prints whether all have the
same fingerprint.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

SHARD = 10_000
WORDS = [
    "a",
    "dog",
    "runs",
    "over",
    "the",
    "green",
    "grass",
    "near",
    "water",
    "with",
    "two",
    "children",
    "and",
    "an",
    "old",
    "red",
    "ball",
    "under",
    "blue",
    "sky",
    "while",
    "people",
    "watch",
    "from",
    "small",
    "wooden",
    "house",
]
SCHEMA = pa.schema(
    [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("caption", pa.list_(pa.string())),
    ]
)


def png(number: int) -> bytes:
    """Return a picture of one colour, another for each number."""
    rows = b"".join(b"\0" + number.to_bytes(3, "little") * 8 for _ in range(8))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def drawn(images: int) -> Iterator[tuple[str, bytes, list[str]]]:
    """Yield each photograph's name, bytes and captions."""
    draws = random.Random(0)  # noqa: S311, words
    for number in range(images):
        captions = [f"{' '.join(draws.choices(WORDS, k=11))} {number}-{n}" for n in range(5)]
        yield f"{number // SHARD:03}/{number:08}.png", png(number), captions


def as_tar(place: Path, images: int) -> tuple[str, ...]:
    tar = None
    for number, (name, data, captions) in enumerate(drawn(images)):
        if number % SHARD == 0:
            if tar is not None:
                tar.close()
            tar = tarfile.open(place / f"{number // SHARD:03}.tar", "w")  # noqa: SIM115, one after another
        for member, content in ((name, data), (f"{name[:-4]}.txt", "\n".join(captions).encode())):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    tar.close()
    return ("--captions", str(place))


def as_parquet(place: Path, images: int) -> tuple[str, ...]:
    rows: list[dict[str, object]] = []
    for number, (name, data, captions) in enumerate(drawn(images), start=1):
        rows.append({"image": {"bytes": data, "path": name}, "caption": captions})
        if number % SHARD == 0 or number == images:
            file = place / f"{number // SHARD:03}.parquet"
            parquet.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), file, row_group_size=1000)
            rows = []
    return ("--captions", str(place))


def as_files(place: Path, images: int, *, texts: bool) -> tuple[str, ...]:
    for name, data, captions in drawn(images):
        file = place / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        if texts:
            file.with_suffix(".txt").write_text("\n".join(captions))
    return ("--images", str(place))


def as_lines(place: Path, images: int) -> tuple[str, ...]:
    words = as_files(place, images, texts=False)
    with (place / "captions.jsonl").open("w") as file:
        for name, _, captions in drawn(images):
            file.writelines(json.dumps({"image_path": name, "caption": c}) + "\n" for c in captions)
    return ("--captions", str(place / "captions.jsonl"), *words)


def as_csv(place: Path, images: int) -> tuple[str, ...]:
    words = as_files(place, images, texts=False)
    with (place / "captions.csv").open("w") as file:
        file.write("image,caption\n")
        for name, _, captions in drawn(images):
            file.writelines(f"{name},{c}\n" for c in captions)
    return ("--captions", str(place / "captions.csv"), *words)


FORMS = {
    "tar": as_tar,
    "parquet": as_parquet,
    "jsonl": as_lines,
    "csv": as_csv,
    "folder": lambda place, images: as_files(place, images, texts=True),
}


def measured(words: tuple[str, ...], store: Path) -> tuple[float, float, int, str]:
    """Return seconds by the clock and of the processors, the largest memory in bytes, and what was printed."""
    environment = {**os.environ, "CLIPBENCH_STORE": str(store)}
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(  # noqa: S603, ourselves
            [sys.executable, "-m", "clipbench", "dataset", "add", "drawn", *words, "-q"],
            stdout=output,
            env=environment,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        output.seek(0)
        text = output.read().strip()
    assert status == 0, text
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, text


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("forms", nargs="*", metavar="FORM", help=", ".join(FORMS))
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "clipbench-adding")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    fingerprints = set()
    for form in asked.forms or FORMS:
        place = asked.folder / form
        place.mkdir(parents=True)
        words = FORMS[form](place, asked.images)
        clock, processors, memory, text = measured(words, asked.folder / f"store-{form}")
        print(
            f"{form:8} {clock:7.1f} s, of processors {processors:6.1f} s, {memory / 1e6:6.0f} MB", flush=True
        )
        fingerprints.add(text.rpartition(" ")[2])
        if not asked.keep:
            shutil.rmtree(place)
            shutil.rmtree(asked.folder / f"store-{form}")
    print("one fingerprint" if len(fingerprints) == 1 else f"fingerprints differ: {fingerprints}")


if __name__ == "__main__":
    main()
