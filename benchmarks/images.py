"""What share of a model's own rate real files reach: python benchmarks/images.py [--images FOLDER]

Decodes files in worker threads while the model encodes, as the command line does, and compares with the
model alone on the same pixels, already prepared in memory. Goal: 85 % or more. Without --images it draws
photographs of 500 × 375 pixels. On a CPU shared with others look at the share of processor time, with
OMP_NUM_THREADS=1: threads that wait for one another count as busy.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

T = TypeVar("T")
GOAL = 0.85


def drawn(folder: Path, count: int) -> list[Path]:
    """Photograph-like files: smooth colours with grain, JPEG quality 90, about 100 kB."""
    paths = []
    for number in range(count):
        generator = np.random.default_rng(number)
        coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC)).astype(np.int16)
        grain = generator.normal(0, 6, smooth.shape).astype(np.int16)
        path = folder / f"{number:05d}.jpg"
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    return paths


def in_batches(items: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    batch: list[np.ndarray] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def timed(work: Callable[[], T]) -> tuple[float, float, T]:
    """Seconds by the clock and of processor time; only the second is of use on a busy CPU."""
    clock, processor = time.perf_counter(), time.process_time()
    done = work()
    return time.perf_counter() - clock, time.process_time() - processor, done


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--pretrained", default="random:0")
    parser.add_argument("--images", type=Path, help="a folder of .jpg files")
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--batch", type=int, default=0, help="default: by device")
    parser.add_argument("--workers", type=int, default=0, help="default: processors less one, at most 8")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()

    import torch

    from clipbench.encoders.images import PhotoFile, decode_ahead
    from clipbench.encoders.loading import load
    from clipbench.encoders.openclip import OpenClipEncoder
    from clipbench.encoders.specification import parse

    pretrained = None if ":" in arguments.model else arguments.pretrained
    spec = parse(arguments.model, pretrained, device=arguments.device)
    encoder = load(spec, image_batch=arguments.batch or None)
    assert isinstance(encoder, OpenClipEncoder)

    with tempfile.TemporaryDirectory() as folder:
        if arguments.images is not None:
            paths = sorted(arguments.images.glob("*.jpg"))[: arguments.count]
        else:
            paths = drawn(Path(folder), arguments.count)
        files = [PhotoFile(path) for path in paths]

        def pixels() -> Iterator[np.ndarray]:
            ahead = decode_ahead(
                files, lambda _, image: encoder.prepare(image), workers=arguments.workers or None
            )
            for decoded in ahead:
                assert decoded.pixels is not None, decoded.problem
                yield decoded.pixels

        decoding, _, prepared = timed(lambda: list(pixels()))
        encoder.encode_images(np.stack(prepared[: encoder.image_batch]))  # the first pass is slower

        def vectors(source: Iterable[np.ndarray]) -> np.ndarray:
            return np.concatenate([encoder.encode_images(b) for b in in_batches(source, encoder.image_batch)])

        alone, alone_cpu, without_files = timed(lambda: vectors(prepared))
        whole, whole_cpu, with_files = timed(lambda: vectors(pixels()))

    print(f"{encoder.identity.label}, {encoder.device}, {torch.get_num_threads()} threads")
    print(f"{len(files)} files, batch {encoder.image_batch}, channels last: {encoder.channels_last}")
    print(f"decoding alone     {len(files) / decoding:8.1f} images/s")
    print(f"model alone        {len(files) / alone:8.1f} images/s")
    print(f"files to vectors   {len(files) / whole:8.1f} images/s")
    print(f"share {alone / whole:.0%}, of processor time {alone_cpu / whole_cpu:.0%} (goal {GOAL:.0%})")
    print(f"largest difference {np.abs(without_files - with_files).max():.1e}")


if __name__ == "__main__":
    main()
