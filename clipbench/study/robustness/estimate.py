"""How much work a sweep is, and how long it will take on this machine, from a short probe."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from clipbench.perturb.operation import ImageOperation
from clipbench.records import text_key
from clipbench.store.vectors import Pool
from clipbench.study.embed import photographs
from clipbench.study.models import VectorSource
from clipbench.study.robustness.corruption import corruption
from clipbench.study.robustness.sweep import Plan

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
        f"{total:,} runs: {stored:,} stored, {total - stored:,} to do; "
        f"{planned.strings:,} strings and {planned.pictures:,} pictures to encode"
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
    from clipbench.encoders.images import PhotoFile, read_photo

    probe = photographs(planned.dataset)[0][:PROBE_IMAGES]
    first = read_photo(PhotoFile(probe[0].path, probe[0].digest))
    source.encoder.encode_images(source.encoder.prepare(first)[None])  # a model's first batch is a slow one
    began = time.monotonic()
    images = [read_photo(PhotoFile(p.path, p.digest)) for p in probe]
    pixels = [source.encoder.prepare(image) for image in images]
    source.encoder.encode_images(np.stack(pixels))
    plain = (time.monotonic() - began) / len(probe) * planned.pictures
    left = [run.setting for run in planned.runs if not run.stored]
    corrupted = [(s.operation, s.perturbation) for s in left if isinstance(s.operation, ImageOperation)]
    seconds = 0.0
    for name in dict.fromkeys(operation.name for operation, _ in corrupted):
        settings = [pair for pair in corrupted if pair[0].name == name]
        see = corruption(source.encoder, *settings[len(settings) // 2])
        few = list(zip(probe, images, strict=True))[:PROBE_CORRUPTED]
        began = time.monotonic()
        for picture, image in few:
            see(picture.id, image)
        seconds += (time.monotonic() - began) / len(few) * len(settings)
    return plain + seconds * len(planned.dataset.samples)


def words(found: Estimate) -> str:
    """Return an estimate for people."""
    minutes = found.seconds / 60
    size = f"{minutes:.0f} minutes" if minutes >= 2 else f"{found.seconds:.0f} s"
    parts = f"strings {found.texts:.0f} s, pictures {found.images:.0f} s, runs {found.runs:.0f} s"
    return f"about {size} on this machine ({parts})"
