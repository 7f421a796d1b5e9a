"""How much work a sweep is, and how long it will take on this machine, from a short probe."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.perturb.operation import ImageOperation
from clipbench.records import text_key
from clipbench.store.vectors import Pool
from clipbench.study.embedding.embed import photographs
from clipbench.study.embedding.encode import Transform
from clipbench.study.embedding.models import VectorSource
from clipbench.study.robustness.corruption import corruption
from clipbench.study.robustness.sweep import Plan
from clipbench.wording import plural

Pixels = npt.NDArray[np.uint8]

PROBE_TEXTS = 128
PROBE_IMAGES = 16
PROBE_CORRUPTED = 4
"""Pictures on which each image operation is timed, at one level in the middle of those that are left."""

SECONDS_A_RUN = 1.0
"""Ranking, intervals and storing of one run; small beside encoding, so a round figure serves."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds of encoding strings and pictures, and of evaluating the runs that are left."""

    texts: float
    images: float
    runs: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.texts + self.images + self.runs


def count_words(planned: Plan) -> str:
    """Return the size of a sweep for people: "24 runs: 7 stored, 17 to do; ..."."""
    total, stored = len(planned.runs), planned.stored
    return (
        f"{plural(total, 'run')}: {stored:,} stored, {total - stored:,} to do; "
        f"{plural(planned.strings, 'string')} and {plural(planned.pictures, 'picture')} to encode"
    )


def estimate(planned: Plan, source: VectorSource) -> Estimate:
    """Encode a few of the strings and pictures that are lacking, and scale their time up."""
    left = len(planned.runs) - planned.stored
    return Estimate(_texts(planned, source), _images(planned, source), left * SECONDS_A_RUN)


def _texts(planned: Plan, source: VectorSource) -> float:
    if not planned.strings:
        return 0.0
    strings = sorted({text for run in planned.runs if not run.stored for text in run.texts}, key=text_key)
    pool = Pool(source.store, source.identity.key, "text")
    lacking = [strings[i] for i in pool.missing([text_key(text) for text in strings])]
    probe = lacking[:PROBE_TEXTS]  # in the order of their keys: a random draw that is always the same
    source.encoder.encode_texts(probe[:8])
    began = time.monotonic()
    source.encoder.encode_texts(probe)
    return (time.monotonic() - began) / len(probe) * len(lacking)


def _images(planned: Plan, source: VectorSource) -> float:
    if not planned.pictures:
        return 0.0
    from clipbench.encoders.images import PhotoFile, decode_ahead

    encoder = source.encoder
    probe = photographs(planned.dataset)[0][:PROBE_IMAGES]
    files = [PhotoFile(p.path, p.digest) for p in probe]

    def seconds(see: Transform, count: int) -> float:
        """Return what opening and seeing one photograph takes; one that cannot be used takes its time too."""
        began = time.monotonic()
        ahead = decode_ahead(files[:count], lambda place, image: see(probe[place].id, image), workers=1)
        pixels = [one.pixels for one in ahead if one.pixels is not None]
        if pixels:
            encoder.encode_images(np.stack(pixels))
        return (time.monotonic() - began) / max(1, min(count, len(files)))

    def plain(_: str, image: Image.Image) -> Pixels:
        return encoder.prepare(image)

    seconds(plain, 1)  # a model's first batch is a slow one
    clean = seconds(plain, PROBE_IMAGES)
    few = seconds(plain, PROBE_CORRUPTED)
    left = [run.setting for run in planned.runs if not run.stored]
    corrupted = [(s.operation, s.perturbation) for s in left if isinstance(s.operation, ImageOperation)]
    more = 0.0
    for name in dict.fromkeys(operation.name for operation, _ in corrupted):
        settings = [pair for pair in corrupted if pair[0].name == name]
        see = corruption(encoder, *settings[len(settings) // 2])
        more += max(0.0, seconds(see, PROBE_CORRUPTED) - few) * len(settings)
    return clean * planned.pictures + more * len(planned.dataset.samples)


def words(found: Estimate) -> str:
    """Return an estimate for people."""
    minutes = found.seconds / 60
    size = f"{minutes:.0f} minutes" if minutes >= 2 else f"{found.seconds:.0f} s"
    parts = f"strings {found.texts:.0f} s, pictures {found.images:.0f} s, runs {found.runs:.0f} s"
    return f"about {size} on this machine ({parts})"
