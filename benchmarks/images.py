"""What share of a model's own rate real files reach: python benchmarks/images.py [--images FOLDER]

For photographs of 500 × 375 and of 4000 × 3000 pixels, drawn here, or those of a folder: the rate of the encoder alone
on pixels prepared in memory, the rate from files to vectors as the command line has it (decoded beside an encoder that
leaves processors free, else in turn with it), their ratio, and the processor time of either work for one photograph.
Both are measured by turns, and the best of each counts. Goal: 97 %.

Where the encoder itself takes every core, as on a CPU, decoding cannot hide: the share that is possible then is printed
beside the ratio, from the processor times. With a GPU it is a matter of enough cores.

Then what JPEG's draft mode would gain, which decodes to a half, a quarter or an eighth of the size, and what it changes
in the pixels that the model sees: it is used only if that is nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from clipbench.encoders.images import PhotoFile, decode_ahead
from clipbench.encoders.loading import load
from clipbench.encoders.openclip import OpenClipEncoder
from clipbench.encoders.specification import parse
from clipbench.keys import bytes_digest
from clipbench.photographs.opening import photograph
from clipbench.study.embedding import encode
from clipbench.study.embedding.encode import Bar, Picture, ShardTask, shards
from clipbench.study.embedding.making import Here
from clipbench.study.workplace.progress import Silent

GOAL = 0.97
SIZES = ((500, 375), (4000, 3000))
DISTINCT = 6
"""Photographs drawn of a size; the others are copies of these, which are decoded all the same."""


def drawn(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """Photograph-like files: smooth colours with edges and grain, JPEG quality 90."""
    paths = []
    for number in range(count):
        path = folder / f"{size[0]}-{number:05d}.jpg"
        if number >= DISTINCT:
            shutil.copyfile(paths[number % DISTINCT], path)
        else:
            generator = np.random.default_rng(number)
            coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
            smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
            smooth[size[1] // 3 :: 7] //= 2
            grain = generator.integers(-9, 10, smooth.shape, dtype=np.int16)
            Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    return paths


@dataclass
class Kept:
    """Stands in for the store's pool of vectors: lacks everything, keeps what is written."""

    parts: list[np.ndarray] = field(default_factory=list)

    def adopt(self, _: Sequence[bytes]) -> bool:
        return False

    def write(self, _: Sequence[bytes], vectors: np.ndarray) -> None:
        self.parts.append(vectors)


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock and of processor time."""

    clock: float
    processor: float


def timed(work: Callable[[], object]) -> Spent:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - clock, time.process_time() - processor)


def best(times: Sequence[Spent]) -> Spent:
    return Spent(min(t.clock for t in times), min(t.processor for t in times))


def measure(encoder: OpenClipEncoder, paths: Sequence[Path], repeats: int) -> None:
    pictures = [Picture(str(n), path, bytes_digest(path.read_bytes())) for n, path in enumerate(paths)]
    tasks = [ShardTask(pictures=tuple(part)) for part in shards(pictures, encode.IMAGE_SHARD)]
    files = [PhotoFile(p.path, p.digest) for p in pictures]
    prepared: list[np.ndarray] = []

    def decode() -> None:
        prepared[:] = [one.pixels for one in decode_ahead(files, lambda _, image: encoder.prepare(image))]  # type: ignore[misc]

    def alone() -> None:
        size = encode.ENCODE_BATCH[encoder.device]
        for start in range(0, len(prepared), size):
            encoder.encode_images(np.stack(prepared[start : start + size]))

    def whole() -> None:
        list(Here(lambda: encoder).make(Kept(), tasks, Bar(Silent(), 0)))  # type: ignore[arg-type]

    decoding = timed(decode)
    encoder.encode_images(np.stack(prepared[: encoder.image_batch]))  # the first pass is slower
    runs = [(timed(alone), timed(whole)) for _ in range(repeats)]
    model, both = best([one for one, _ in runs]), best([other for _, other in runs])
    count = len(paths)
    width, height = Image.open(paths[0]).size
    print(
        f"{count} photographs of {width} × {height}, {sum(map(os.path.getsize, paths)) / count / 1e6:.1f} MB"
    )
    print(
        f"  encoder alone     {count / model.clock:8.1f} a second  {1000 * model.processor / count:7.1f} ms of CPU each"
    )
    print(
        f"  decoding alone    {count / decoding.clock:8.1f} a second  {1000 * decoding.processor / count:7.1f} ms of CPU each"
    )
    print(
        f"  files to vectors  {count / both.clock:8.1f} a second  {1000 * both.processor / count:7.1f} ms of CPU each"
    )
    print(f"  ratio {model.clock / both.clock:.1%} (goal {GOAL:.0%})", end="")
    if encoder.device == "cpu":
        print(
            f"; possible where both share the cores: {model.processor / (model.processor + decoding.processor):.1%}",
            end="",
        )
    print()


def draft(encoder: OpenClipEncoder, paths: Sequence[Path]) -> None:
    """Print what draft mode would gain and change."""
    with photograph(paths[0]) as image:
        size = image.size
    exact, plain = [], 0.0
    for path in paths:
        start = time.thread_time()
        with photograph(path) as image:
            exact.append(encoder.prepare(image))
        plain += time.thread_time() - start
    vectors = encoder.encode_images(np.stack(exact))
    for scale in (2, 4, 8):
        others, spent = [], 0.0
        for path in paths:
            start = time.thread_time()
            image = Image.open(path)
            image.draft("RGB", (size[0] // scale, size[1] // scale))
            others.append(encoder.prepare(image))
            spent += time.thread_time() - start
        away = np.abs(np.stack(others).astype(int) - np.stack(exact))
        cosines = (vectors * encoder.encode_images(np.stack(others))).sum(axis=1)
        print(
            f"  draft 1/{scale}: {spent / plain:.2f} of the time; {(away > 0).mean():.1%} of the values differ, "
            f"by up to {away.max()}; smallest cosine of the vectors {cosines.min():.6f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--pretrained", default="random:0")
    parser.add_argument("--images", type=Path, help="a folder of .jpg files")
    parser.add_argument("--count", type=int, default=192, help="photographs of each size")
    parser.add_argument("--batch", type=int, default=0, help="default: by device")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--device", default="auto")
    said = parser.parse_args()
    pretrained = None if ":" in said.model else said.pretrained
    encoder = load(parse(said.model, pretrained, device=said.device), image_batch=said.batch or None)
    if not isinstance(encoder, OpenClipEncoder):
        parser.error("this benchmark is about open_clip models")
    print(f"{encoder.identity.label}, {encoder.device}, {os.cpu_count()} cores")
    print("load before: {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()))
    with tempfile.TemporaryDirectory() as folder:
        if said.images is not None:
            measure(encoder, sorted(said.images.glob("*.jpg"))[: said.count], said.repeats)
            return
        for size in SIZES:
            paths = drawn(Path(folder), size, said.count)
            measure(encoder, paths, said.repeats)
            draft(encoder, paths[:DISTINCT])
    print("load after: {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()))


if __name__ == "__main__":
    main()
