"""Everything that a device does, in one run of a few minutes: python benchmarks/device.py [--device cuda] [--small]

For the torch device of this machine (CUDA, MPS), or for its CPU where there is none, which it says:

1. Ranks: counted on the device and on the processor, equal to the bit; times of both, and of the bare product there.
2. Texts: trimmed, sorted and shared beginnings against padded in order of appearance.
3. Images: files to vectors with decoding ahead, against decoding and encoding by turns.
4. The device's vectors against the processor's, within the bound that `clipbench doctor` allows.

It ends with 1 where ranks differ or vectors are further apart than the bound.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import numpy as np
from images import Kept, drawn  # the benchmarks beside this one
from ranks import Size, draw
from text import generated

from clipbench.encoders.loading import load
from clipbench.encoders.openclip import OpenClipEncoder
from clipbench.encoders.specification import parse
from clipbench.keys import bytes_digest
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank, rank_on_device
from clipbench.photographs.opening import photograph
from clipbench.study.embedding import encode
from clipbench.study.embedding.encode import Bar, Picture, ShardTask, shards
from clipbench.study.embedding.making import Here
from clipbench.study.installation.health import PARITY
from clipbench.study.workplace.progress import Silent

T = TypeVar("T")


def waiting(device: str) -> Callable[[], None]:
    """Return what waits until the device has done all that it was given."""
    import torch

    return {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}.get(device, lambda: None)


def timed(device: str, work: Callable[[], T]) -> tuple[float, T]:
    wait = waiting(device)
    wait()
    start = time.perf_counter()
    done = work()
    wait()
    return time.perf_counter() - start, done


def ranks(device: str, size: Size) -> bool:
    """Print both ways to count, and return whether the ledgers are the same."""
    import torch

    images, texts, owners = draw(size)
    positives = own(owners, size.images)
    heard: list[str] = []
    rank_on_device(
        images[:64], images[:64], own(np.arange(64), 64), np.arange(64), device
    )  # starts the device
    there, mine = timed(
        device, lambda: rank_on_device(images, texts, positives, owners, device, heard=heard.append)
    )
    here, usual = timed("cpu", lambda: rank(images, texts, positives, owners))
    left, right = torch.from_numpy(images).to(device), torch.from_numpy(texts).to(device)

    def product() -> None:
        for start in range(0, size.texts, 8192):
            left @ right[start : start + 8192].t()

    product()
    bare, _ = timed(device, product)
    same = all(
        np.array_equal(getattr(mine[d], field.name), getattr(usual[d], field.name))
        for d in usual
        for field in fields(usual[d])
    )
    print(f"ranks {size.images:,} × {size.texts:,} × {size.dimension}")
    print(
        f"  {device} {there:.2f} s, processor {here:.2f} s: {here / there:.1f} times; product alone {bare:.3f} s"
    )
    print(
        f"  ledgers {'equal to the bit' if same else 'DIFFER'}; {'; '.join(heard) or 'nothing left for the processor'}"
    )
    return same


def texts(encoder: OpenClipEncoder, count: int) -> np.ndarray:
    """Print both ways to encode captions, and return the vectors."""
    import open_clip
    import torch
    from torch.nn.functional import normalize

    captions = generated(count)
    tokenizer = open_clip.get_tokenizer("ViT-B-32")

    def padded() -> np.ndarray:
        with torch.inference_mode():
            parts = [captions[i : i + encoder.text_batch] for i in range(0, count, encoder.text_batch)]
            ids = (tokenizer(part).to(encoder.device) for part in parts)
            return np.concatenate(
                [normalize(encoder.model.encode_text(i).float(), dim=-1).cpu().numpy() for i in ids]
            )

    encoder.encode_texts(captions[:64]), padded()
    theirs, full = timed(encoder.device, padded)
    ours, mine = timed(encoder.device, lambda: encoder.encode_texts(captions).vectors)
    print(f"texts, {count:,} captions")
    print(f"  {count / ours:,.0f} a second, padded in order {count / theirs:,.0f}: {theirs / ours:.1f} times")
    print(f"  largest difference of the two {np.abs(mine - full).max():.1e}")
    return mine


def images(encoder: OpenClipEncoder, paths: list[Path]) -> np.ndarray:
    """Print both ways to encode photographs, and return the vectors."""
    pictures = [Picture(str(n), path, bytes_digest(path.read_bytes())) for n, path in enumerate(paths)]
    tasks = [ShardTask(pictures=tuple(part)) for part in shards(pictures, encode.IMAGE_SHARD)]
    size = encode.ENCODE_BATCH[encoder.device]

    def prepared(part: list[Path]) -> np.ndarray:
        rows = []
        for path in part:
            with photograph(path) as image:
                rows.append(encoder.prepare(image))
        return np.stack(rows)

    def by_turns() -> np.ndarray:
        parts = [paths[i : i + size] for i in range(0, len(paths), size)]
        return np.concatenate([encoder.encode_images(prepared(part)) for part in parts])

    def ahead() -> np.ndarray:
        kept = Kept()
        list(Here(lambda: encoder).make(kept, tasks, Bar(Silent(), 0)))  # type: ignore[arg-type]
        return np.concatenate(kept.parts)

    pixels = prepared(paths[:size])
    encoder.encode_images(pixels)
    alone, _ = timed(encoder.device, lambda: encoder.encode_images(pixels))
    theirs, one = timed(encoder.device, by_turns)
    ours, other = timed(encoder.device, ahead)
    rate = len(pixels) / alone
    print(f"images, {len(paths):,} files")
    print(
        f"  {len(paths) / ours:,.1f} a second, by turns {len(paths) / theirs:,.1f}: {theirs / ours:.1f} times"
    )
    print(
        f"  encoder alone {rate:,.1f} a second, so {len(paths) / ours / rate:.0%} of it; {os.cpu_count()} cores decode"
    )
    print(f"  largest difference of the two {np.abs(one - other).max():.1e}")
    return other


def main() -> int:
    import torch

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", help="default: cuda, else mps, else cpu")
    parser.add_argument("--small", action="store_true", help="sizes for a CPU, about a minute")
    said = parser.parse_args()
    found = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = said.device or found
    name = torch.cuda.get_device_name() if device == "cuda" else device
    print(f"{name}, torch {torch.__version__}, {os.cpu_count()} cores")
    if device == "cpu":
        print(
            "THERE IS NO GPU HERE, or it was not asked for: this is torch on the processor, a trial of the script alone"
        )
    small = said.small or device == "cpu"
    good = ranks(device, Size(500, 2500, 512) if small else Size(5_000, 25_000, 512))
    if not small:
        good &= ranks(device, Size(31_000, 155_000, 512))
    there, here = (load(parse("ViT-B-32", "random:0", device=place)) for place in (device, "cpu"))
    if not (isinstance(there, OpenClipEncoder) and isinstance(here, OpenClipEncoder)):
        parser.error("this benchmark is about open_clip models")
    few = 32
    away = np.abs(
        texts(there, 128 if small else 20_000)[:few] - here.encode_texts(generated(few)).vectors
    ).max()
    with tempfile.TemporaryDirectory() as folder:
        paths = drawn(Path(folder), (500, 375), 64 if small else 4_000)
        vectors = images(there, paths)[:6]
        if not small:
            images(there, drawn(Path(folder), (4000, 3000), 400))
        pixels = []
        for path in paths[:6]:
            with photograph(path) as image:
                pixels.append(here.prepare(image))
        away = max(away, np.abs(vectors - here.encode_images(np.stack(pixels))).max())
    print(f"vectors of {device} against the processor's: largest difference {away:.1e} (bound {PARITY:g})")
    return 0 if good and away <= PARITY else 1


if __name__ == "__main__":
    sys.exit(main())
