"""How much faster int8 encodes texts and photographs than fp32 on this processor, side by side, and how near it stays.

    python benchmarks/precision.py [--model ViT-B-32] [--pretrained random:0] [--texts FILE] [--images 16] [--repeats 3]

Both encoders take the same batches in turn; quote the ratio of the best times. Texts: a file with one a line, else drawn
captions. Rates do not depend on the weights, cosines do: random ones say little about a trained model.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.encoders.loading import load
from clipbench.encoders.openclip import OpenClipEncoder
from clipbench.encoders.specification import parse

Items: TypeAlias = "list[str] | npt.NDArray[np.uint8]"

WORDS = (
    "two",
    "red",
    "dogs",
    "a",
    "man",
    "runs",
    "along",
    "the",
    "beach",
    "with",
    "blue",
    "ball",
    "and",
    "boy",
)


def drawn(count: int) -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, size=random.integers(5, 20))) for _ in range(count)]


def in_turn(ways: Sequence[Callable[[], npt.NDArray[np.float32]]], repeats: int) -> list[float]:
    """Return the least processor seconds of each."""
    best = [float("inf")] * len(ways)
    for _ in range(repeats):
        for number, encode in enumerate(ways):
            began = time.process_time()
            encode()
            best[number] = min(best[number], time.process_time() - began)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--pretrained", default=None)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    encoders = [load(parse(asked.model, asked.pretrained, precision=one)) for one in ("fp32", "int8")]
    whole, coarse = (one for one in encoders if isinstance(one, OpenClipEncoder))
    plain = replace(whole, shared_by=None)
    texts = asked.texts.read_text().splitlines()[: asked.count] if asked.texts else drawn(asked.count)
    shape = (asked.images, *whole.preprocessing.size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    compare("texts", texts, plain, coarse, asked.repeats)
    compare("texts, beginnings shared in fp32", texts, whole, coarse, asked.repeats)
    compare("images", pixels, whole, coarse, asked.repeats)


def compare(what: str, items: Items, whole: OpenClipEncoder, coarse: OpenClipEncoder, repeats: int) -> None:
    """Print the rates of two encoders for texts or prepared photographs, and how near their vectors are."""

    def encode(encoder: OpenClipEncoder) -> npt.NDArray[np.float32]:
        return (
            encoder.encode_texts(items).vectors if isinstance(items, list) else encoder.encode_images(items)
        )

    seconds = in_turn([lambda: encode(whole), lambda: encode(coarse)], repeats)
    cosines = np.einsum("ij,ij->i", encode(whole).astype(np.float64), encode(coarse))
    print(
        f"{what}: fp32 {len(items) / seconds[0]:.1f}, int8 {len(items) / seconds[1]:.1f} a processor second: "
        f"{seconds[0] / seconds[1]:.2f} ×; cosine {cosines.min():.5f} at least, {cosines.mean():.5f} on average"
    )


if __name__ == "__main__":
    main()
