"""What 1e6, 1e8 and 1e9 images cost: time to encode, bytes, memory of indexes, machines of a Milvus cluster.

    python benchmarks/scale.py                          print the table that docs/scale.md holds
    python benchmarks/scale.py --gpu-images 3000        the same for another card
    python benchmarks/scale.py --figure docs/images     draw it

Bytes follow from formats, and are exact; times are rates times sizes, and rates are those of a machine: CPU's were measured
(docs/benchmarks.md), GPU's are stated.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZES = (10**6, 10**8, 10**9)
DIMENSION, CAPTIONS = 512, 5
"""Of ViT-B/32, and captions an image as in COCO."""

KEY = 16
"""Bytes of an item's key, which stands beside its vector."""

LINKS, BYTES, REAL, NUMBER = 16, 32, 4, 8
"""Links of a node of HNSW and bytes of a code of IVF-PQ, our defaults; bytes of a float and of a faiss id."""

GIB = 1 << 30


@dataclass(frozen=True)
class Rates:
    """Items a second of one machine. pairs: cosines that are computed and counted for exact ranks."""

    images: float
    captions: float
    pairs: float


CPU = Rates(images=16.0, captions=112.9, pairs=31_000 * 155_000 / 37)
"""Measured with ViT-B/32 in fp32 on two processors: benchmarks/images.py, text.py and ranks.py."""

GPU = Rates(images=1_000.0, captions=10_000.0, pairs=CPU.pairs)
"""Stated for ViT-B/32 on one card, decoding included. Ranks are counted on the processors all the same."""

QUERIES = 10_000
"""Captions whose exact ranks are asked for."""


@dataclass(frozen=True)
class Node:
    """A machine of a Milvus cluster that holds a part of the index. share: of its memory that the index may take."""

    memory: int = 64 * GIB
    share: float = 0.7


NODE = Node()


def lists(items: int) -> int:
    """Return how many lists an inverted file has by default."""
    return round(4 * math.sqrt(items))


def exact_bytes(items: int, dimension: int = DIMENSION) -> int:
    """Return the bytes of vectors in fp32, which is all that exact search needs."""
    return items * dimension * REAL


def stored_bytes(items: int, dimension: int = DIMENSION) -> int:
    """Return the bytes of vectors and keys in the files of a store."""
    return exact_bytes(items, dimension) + items * KEY


def hnsw_bytes(items: int, dimension: int = DIMENSION, links: int = LINKS) -> float:
    """Return the bytes of a graph of faiss: vectors, two times the links at the bottom, a level and an offset a node.

    A node is on level l with probability links^-l, and has as many links there.
    """
    above = sum(links**-level for level in range(1, 12)) * links
    return items * (dimension * REAL + (2 * links + above) * 4 + 4 + 8)


def ivf_pq_bytes(items: int, dimension: int = DIMENSION, code: int = BYTES) -> float:
    """Return the bytes of lists of codes: code and id of each item, the centres, and the 256 words of each byte."""
    return items * (code + NUMBER) + lists(items) * dimension * REAL + 256 * dimension * REAL


def milvus_nodes(size: float, node: Node = NODE) -> int:
    """Return how many machines hold an index of so many bytes."""
    return max(1, math.ceil(size / (node.memory * node.share)))


def encode_seconds(images: int, rates: Rates) -> float:
    """Return the seconds in which one machine encodes images and their captions."""
    return images / rates.images + images * CAPTIONS / rates.captions


def duration(seconds: float) -> str:
    """Return a time for people.

    >>> duration(1500), duration(5e5), duration(1e9)
    ('25 minutes', '5.8 days', '32 years')
    """
    for unit, least, name in ((31_557_600, 2, "years"), (86_400, 2, "days"), (3600, 2, "hours")):
        if seconds >= least * unit:
            return f"{_few(seconds / unit)} {name}"
    return f"{_few(seconds / 60)} minutes" if seconds >= 120 else f"{seconds:.0f} s"


def amount(size: float) -> str:
    """Return bytes for people, in powers of ten.

    >>> amount(2.048e9), amount(5.12e11)
    ('2.0 GB', '510 GB')
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{_few(size / unit)} {name}"
    return f"{size:,.0f} bytes"


def _few(value: float) -> str:
    """Return two digits of a number."""
    if value < 10:
        return f"{value:.1f}"
    return f"{round(value, -len(str(int(value))) + 2):,.0f}"


Row = tuple[str, Callable[[int], str]]


def rows(gpu: Rates = GPU, cpu: Rates = CPU, node: Node = NODE) -> tuple[Row, ...]:
    """Return what the table tells of a number of images."""

    def nodes(size: float) -> str:
        count = milvus_nodes(size, node)
        return f"{count:,} machine" + "s" * (count > 1)

    return (
        ("captions", lambda n: f"{n * CAPTIONS:,}"),
        ("encode, 2 processors", lambda n: duration(encode_seconds(n, cpu))),
        ("GPU hours", lambda n: _few(encode_seconds(n, gpu) / 3600)),
        ("encode, 8 GPUs", lambda n: duration(encode_seconds(n, gpu) / 8)),
        ("encode, 64 GPUs", lambda n: duration(encode_seconds(n, gpu) / 64)),
        ("image vectors, fp32 (as stored, exact search)", lambda n: amount(stored_bytes(n))),
        ("caption vectors, fp32", lambda n: amount(stored_bytes(n * CAPTIONS))),
        ("image vectors, fp16", lambda n: amount(exact_bytes(n) / 2)),
        (f"image vectors, PQ of {BYTES} bytes", lambda n: amount(n * BYTES)),
        ("memory of `hnsw`", lambda n: amount(hnsw_bytes(n))),
        ("memory of `ivf-pq`", lambda n: amount(ivf_pq_bytes(n))),
        ("Milvus, graph", lambda n: nodes(hnsw_bytes(n))),
        ("Milvus, codes", lambda n: nodes(ivf_pq_bytes(n))),
        (f"exact ranks of {QUERIES:,} captions, 2 processors", lambda n: duration(n * QUERIES / cpu.pairs)),
    )


def table(gpu: Rates = GPU) -> str:
    """Return the table in Markdown, a column a size."""
    head = ["| images |", *(f" {n:,} |" for n in SIZES)]
    lines = ["".join(head), "|---|" + "--:|" * len(SIZES)]
    lines += [f"| {name} |" + "".join(f" {of(n)} |" for n in SIZES) for name, of in rows(gpu)]
    return "\n".join(lines)


@dataclass(frozen=True)
class Panel:
    """Lines over the number of images, and heights that a reader knows."""

    label: str
    lines: dict[str, list[float]]
    marks: dict[str, float]


STEPS = [10 ** (5 + step / 4) for step in range(17)]


def panels() -> tuple[Panel, Panel]:
    """Return hours of encoding, and GB of memory."""

    def hours(rates: Rates, machines: int) -> list[float]:
        return [encode_seconds(int(n), rates) / machines / 3600 for n in STEPS]

    times = {"2 processors": hours(CPU, 1), **{f"{n} GPU{'s' * (n > 1)}": hours(GPU, n) for n in (1, 8, 64)}}
    memory = {
        "hnsw, exact": [hnsw_bytes(int(n)) / 1e9 for n in STEPS],
        "fp16": [exact_bytes(int(n)) / 2e9 for n in STEPS],
        "ivf-pq": [ivf_pq_bytes(int(n)) / 1e9 for n in STEPS],
    }
    return (
        Panel("hours to encode", times, {"an hour": 1.0, "a day": 24.0, "a month": 720.0}),
        Panel("GB of memory", memory, {"16 GB": 16.0, "64 GB": 64.0, "1 TB": 1000.0}),
    )


def draw(folder: Path) -> Path:
    """Draw time and memory against the number of images, and write scale.png."""
    from clipbench.reports.figures.page import finish, new_figure
    from clipbench.reports.figures.style import DPI, WIDTHS, drawing

    note = (
        f"ViT-B/32, {DIMENSION} dimensions, {CAPTIONS} captions an image. Two processors as measured; a GPU as stated: "
        f"{GPU.images:,.0f} images and {GPU.captions:,.0f} captions a second. Memory of the images' index."
    )
    with drawing():
        figure = new_figure(WIDTHS["double"])
        for axes, panel in zip(figure.subplots(1, 2), panels(), strict=True):
            _draw(axes, panel)
        finish(figure, "What encoding takes, and what searching holds in memory", tall=2.4, note=note)
        path = folder / "scale.png"
        figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def _draw(axes: Any, panel: Panel) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    from clipbench.reports.figures.style import GREY, NOTE, PALE, TICK, stroke

    beside = {"textcoords": "offset points", "annotation_clip": False}
    for name, value in panel.marks.items():
        axes.axhline(value, color=PALE, linewidth=0.7, zorder=0)
        axes.annotate(name, (STEPS[0], value), xytext=(3, 2), color=GREY, size=NOTE, **beside)
    for number, (name, values) in enumerate(panel.lines.items()):
        look = stroke(number)
        axes.plot(STEPS, values, linestyle=look.dashes, color=look.colour, linewidth=1.2)
        axes.annotate(name, (STEPS[-1], values[-1]), xytext=(4, -2), color=look.colour, size=TICK, **beside)
    axes.set(xscale="log", yscale="log", xlim=(STEPS[0], STEPS[-1]), xlabel="images", ylabel=panel.label)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"1e{math.log10(n):.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.12g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())


def main() -> None:
    """Print the table, or draw the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gpu-images", type=float, default=GPU.images, help="images a second of one card")
    parser.add_argument(
        "--gpu-captions", type=float, default=GPU.captions, help="captions a second of one card"
    )
    parser.add_argument("--figure", type=Path, metavar="FOLDER", help="write scale.png there")
    asked = parser.parse_args()
    print(table(Rates(asked.gpu_images, asked.gpu_captions, CPU.pairs)))
    if asked.figure is not None:
        print(f"wrote {draw(asked.figure)}")


if __name__ == "__main__":
    main()
