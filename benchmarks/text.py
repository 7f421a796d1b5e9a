"""How much faster texts are encoded at their own length: python benchmarks/text.py [--captions FILE]

One pass over the same captions in the same process: open_clip's own way (its tokenizer, padded, in order
of appearance) against clipbench's (cached tokenizer, sorted by length, cut at the longest of the batch).
Prints the ratio of the whole times, tokenising included, and the largest difference of the vectors.
The goal is a ratio of 5 or more on captions of about 13 tokens. On a CPU shared with others look at the
ratio of processor time, with OMP_NUM_THREADS=1: threads that wait for one another count as busy.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")
GOAL = 5.0

SUBJECTS = (
    "a dog",
    "two dogs",
    "a man",
    "a woman in a red coat",
    "three children",
    "a little girl",
    "people",
)
ACTIONS = ("runs", "is jumping", "plays with a ball", "sits", "walks slowly", "rides a bike", "looks up")
PLACES = (
    "on the beach",
    "in the park",
    "through tall grass",
    "near a wooden fence",
    "at night",
    "in the snow",
)
ENDINGS = ("", "", " .", " while others watch", " with a stick in its mouth", " under a cloudy sky")


def generated(count: int) -> list[str]:
    """Captions of a small word model, about 13 tokens each, no two alike."""
    draw = random.Random(0)  # noqa: S311  # nothing here is secret
    made: dict[str, None] = {}
    while len(made) < count:
        parts = (draw.choice(SUBJECTS), draw.choice(ACTIONS), draw.choice(PLACES))
        made[f"{' '.join(parts)}{draw.choice(ENDINGS)} {draw.randrange(100)}"] = None
    return list(made)


def captions(file: Path | None, count: int) -> list[str]:
    if file is None:
        return generated(count)
    lines = file.read_text(encoding="utf-8").splitlines()
    distinct = dict.fromkeys(line.split("\t")[-1].strip() for line in lines if line.strip())
    return random.Random(0).sample(list(distinct), min(count, len(distinct)))  # noqa: S311  # as above


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
    parser.add_argument(
        "--captions", type=Path, help="one caption a line, after the last tab if there is one"
    )
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()

    import open_clip
    import torch
    from torch.nn.functional import normalize

    from clipbench.encoders.loading import load
    from clipbench.encoders.openclip import OpenClipEncoder
    from clipbench.encoders.specification import parse

    texts = captions(arguments.captions, arguments.count)
    pretrained = None if ":" in arguments.model else arguments.pretrained
    encoder = load(parse(arguments.model, pretrained, device=arguments.device), text_batch=arguments.batch)
    assert isinstance(encoder, OpenClipEncoder)
    tokenizer = open_clip.get_tokenizer(arguments.model)

    def padded(some: list[str]) -> np.ndarray:
        batches = [some[start : start + arguments.batch] for start in range(0, len(some), arguments.batch)]
        with torch.inference_mode():
            ids = (tokenizer(batch).to(encoder.device) for batch in batches)
            return np.concatenate(
                [normalize(encoder.model.encode_text(i).float(), dim=-1).cpu().numpy() for i in ids]
            )

    padded(texts[:8]), encoder.encode_texts(texts[:8])  # the first pass of a process is slower
    ours, ours_cpu, own = timed(lambda: encoder.encode_texts(texts))
    theirs, theirs_cpu, full = timed(lambda: padded(texts))

    threads = torch.get_num_threads()
    print(f"{encoder.identity.label}, {encoder.device}, {threads} threads, trimmed: {encoder.trimmed}")
    print(f"{len(texts)} captions, {own.tokens.mean():.1f} tokens on average, batch {arguments.batch}")
    print(f"padded, in order   {theirs:8.2f} s   {len(texts) / theirs:8.1f} captions/s")
    print(f"trimmed, sorted    {ours:8.2f} s   {len(texts) / ours:8.1f} captions/s")
    print(f"ratio {theirs / ours:.2f}, of processor time {theirs_cpu / ours_cpu:.2f} (goal {GOAL:.0f})")
    print(f"largest difference {np.abs(full - own.vectors).max():.2e}")


if __name__ == "__main__":
    main()
