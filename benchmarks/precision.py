"""How much faster int8 encodes texts and photographs than fp32 on this processor, side by side, and how near it stays.

    python benchmarks/precision.py [--model ViT-B-32] [--pretrained random:0] [--texts FILE] [--images 16] [--repeats 3]

Both encoders take the same batches in turn; quote the ratio of the best times. Texts: a file with one a line, else drawn
captions. Rates do not depend on the weights, cosines do: random ones say little about a trained model.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clipbench.encoders.loading import load
from clipbench.encoders.openclip import OpenClipEncoder
from clipbench.encoders.specification import parse

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


def in_turn(
    first: Callable[[], npt.NDArray[np.float32]], second: Callable[[], npt.NDArray[np.float32]], repeats: int
) -> tuple[list[float], npt.NDArray[np.float64]]:
    """Return the best seconds of each, and the cosines of what they gave."""
    best = [float("inf")] * 2
    given: list[npt.NDArray[np.float32]] = [np.empty(0, np.float32)] * 2
    for _ in range(repeats):
        for number, encode in enumerate((first, second)):
            began = time.process_time()
            given[number] = encode()
            best[number] = min(best[number], time.process_time() - began)
    return best, np.einsum("ij,ij->i", given[0].astype(np.float64), given[1])


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
    texts = asked.texts.read_text().splitlines()[: asked.count] if asked.texts else drawn(asked.count)
    shape = (asked.images, *whole.preprocessing.size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for what, count, encode in (
        ("texts", len(set(texts)), lambda one: one.encode_texts(texts).vectors),
        ("images", asked.images, lambda one: one.encode_images(pixels)),
    ):
        best, cosines = in_turn(lambda e=encode: e(whole), lambda e=encode: e(coarse), asked.repeats)  # type: ignore[misc]
        rates = [count / seconds for seconds in best]
        print(
            f"{what:<7} fp32 {rates[0]:8.1f}, int8 {rates[1]:8.1f} a processor second: {rates[1] / rates[0]:.2f} ×; "
            f"cosine {cosines.min():.5f} at least, {cosines.mean():.5f} on average"
        )


if __name__ == "__main__":
    main()
