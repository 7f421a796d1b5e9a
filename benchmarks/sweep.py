"""How much encoder time a caption sweep saves: python benchmarks/sweep.py [--captions FILE] [--count 5000]

The preset of the source study (word dropout 0 to .5 and a shuffle, five seeds) on ViT-B/32 shapes with random
weights, in one process: (a) every padded string of every level and seed, in order of appearance, with
open_clip's own tokenizer; (b) what a sweep does: each unique string once, trimmed and sorted by length, with
the cached tokenizer. (b) is timed whole. (a) is timed on a part, half of it before (b) and half after, evenly
spread over all its batches, and scaled up: whole it would take hours. Prints the ratio and its two parts, how
many fewer strings there are and how much less each costs. The goal is 10 or more.

On a CPU shared with others look at the ratio of processor time, with OMP_NUM_THREADS=1. The default takes
about two minutes; --count 5000 is the size of Flickr8k's test split.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from text import captions  # the benchmark beside this one: real captions, or generated ones

from clipbench.perturb.registry import select
from clipbench.records import Caption
from clipbench.study.robustness.perturbed_texts import perturbed_texts, without_repeats
from clipbench.study.robustness.settings import SweepRequest, settings

GOAL = 10.0
SEEDS = 5
CHUNK = 1024
"""Strings of a shard, as `clipbench.study.embedding.encode` cuts them."""


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock and of processor time, for so many strings."""

    strings: int
    clock: float
    processor: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.strings + other.strings, self.clock + other.clock, self.processor + other.processor)

    def scaled(self, strings: int) -> Spent:
        times = strings / self.strings
        return Spent(strings, self.clock * times, self.processor * times)


def timed(strings: int, work: Callable[[], object]) -> Spent:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Spent(strings, time.perf_counter() - clock, time.process_time() - processor)


def swept(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return all strings of all levels and seeds in order, the clean ones for every seed, and the unique ones."""
    some = [Caption(str(number), text) for number, text in enumerate(texts)]
    request = SweepRequest(select("source-study"), tuple(range(SEEDS)))
    runs = [(one, perturbed_texts(some, one, request)) for one in settings(request)]
    every = [text for one, found in runs for text in found * (SEEDS if one.is_clean else 1)]
    return every, sorted({text for _, found in without_repeats(runs) for text in found})


def spread(items: Sequence[str], batch: int, count: int, part: int) -> list[list[str]]:
    """Return `count` batches evenly spread over all, every second one, beginning with `part` 0 or 1."""
    starts = np.linspace(0, max(0, len(items) - batch), 2 * count).astype(int)[part::2]
    return [list(items[start : start + batch]) for start in starts.tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--pretrained", default="random:0")
    parser.add_argument(
        "--captions", type=Path, help="one caption a line, after the last tab if there is one"
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--batches", type=int, default=6, help="batches of (a) before (b), and after it")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()

    import open_clip
    import torch
    from torch.nn.functional import normalize

    from clipbench.encoders.loading import load
    from clipbench.encoders.openclip import OpenClipEncoder
    from clipbench.encoders.specification import parse

    texts = captions(arguments.captions, arguments.count)
    every, unique = swept(texts)
    pretrained = None if ":" in arguments.model else arguments.pretrained
    encoder = load(parse(arguments.model, pretrained, device=arguments.device), text_batch=arguments.batch)
    assert isinstance(encoder, OpenClipEncoder)
    tokenizer = open_clip.get_tokenizer(arguments.model)

    def padded(batches: Sequence[list[str]]) -> None:
        with torch.inference_mode():
            for batch in batches:
                ids = tokenizer(batch).to(encoder.device)
                normalize(encoder.model.encode_text(ids).float(), dim=-1).cpu().numpy()

    def ours() -> None:
        order = sorted(unique, key=lambda text: (len(text.split()), text))
        for start in range(0, len(order), CHUNK):
            encoder.encode_texts(order[start : start + CHUNK])

    padded([texts[:8]]), encoder.encode_texts(texts[:8])  # the first pass of a process is slower
    parts = [spread(every, arguments.batch, arguments.batches, part) for part in (0, 1)]
    before = timed(sum(map(len, parts[0])), lambda: padded(parts[0]))
    mine = timed(len(unique), ours)
    after = timed(sum(map(len, parts[1])), lambda: padded(parts[1]))
    whole = (before + after).scaled(len(every))

    tokens = encoder.count_tokens(unique)
    print(f"{encoder.identity.label}, {encoder.device}, {torch.get_num_threads()} threads")
    print(f"{len(texts):,} captions, dropout 0 to .5 and shuffle, {SEEDS} seeds")
    print(
        f"(a) every string, padded   {len(every):9,} strings {whole.clock:9.1f} s   "
        f"(scaled up from {(before + after).strings:,} strings in {(before + after).clock:.1f} s)"
    )
    print(
        f"(b) unique, trimmed        {len(unique):9,} strings {mine.clock:9.1f} s   "
        f"({tokens.mean():.1f} tokens on average)"
    )
    fewer = len(every) / len(unique)
    ratio, processor = whole.clock / mine.clock, whole.processor / mine.processor
    print(f"{fewer:.2f} times fewer strings × {ratio / fewer:.2f} times less time for each")
    print(f"ratio {ratio:.1f}, of processor time {processor:.1f} (goal {GOAL:.0f})")


if __name__ == "__main__":
    main()
