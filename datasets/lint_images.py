"""Lint of photographs: missing, damaged, changed, repeated and unusual files. Decodes every image in a pool.

Knows files and pixels. Each is opened as for an encoder, so that what passes here is evaluated there. What is
wrong with a file becomes a finding and never an exception.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.datasets.findings import Finding, finding
from clipbench.datasets.photographs import LEAVES, MISSING
from clipbench.errors import PhotographError
from clipbench.foreign_files import inside
from clipbench.photographs.ahead import ahead
from clipbench.photographs.facts import PhotographFacts, facts
from clipbench.photographs.opening import (
    ChangedPhotographError,
    DamagedPhotographError,
    GiantPhotographError,
    MissingContainerError,
    MissingPhotographError,
    as_seen,
    colours,
    decoded,
    quiet_pillow,
)
from clipbench.records import Dataset, Sample

TINY = 32
"""Shortest side in pixels below which a photograph is called tiny: a patch of ViT-B/32."""

STRIPE = 256
"""Rows of pixels that are hashed together."""

THUMBNAIL = 16
BITS = 3
SIMILAR = 4.0
"""Two photographs are similar where at most 3 of the 64 gradient signs of 9 × 8 thumbnails differ (a difference
hash), and 16 × 16 grey thumbnails differ by at most this mean grey value of 255, which keeps plain areas apart."""


@dataclass(frozen=True, slots=True)
class Look:
    """What decoding one file told. `fault` is a finding's kind, None where the image is sound."""

    sample: Sample
    fault: str | None
    reason: str = ""
    facts: PhotographFacts | None = None
    pixels: bytes | None = None
    gradient: int | None = None
    thumbnail: npt.NDArray[np.float32] | None = None


def check_images(
    dataset: Dataset, *, similar: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> tuple[Finding, ...]:
    """Return the findings on the photographs of a dataset. `similar` also looks for near-identical ones."""
    total = len(dataset.samples)
    with_file = [s for s in dataset.samples if s.path is not None or s.problem is not None]
    found = finding(
        "no-photographs", (s.id for s in dataset.samples if s.path is None and not s.problem), total
    )
    looks = _looks(dataset.image_folder, with_file, on_progress, similar=similar)
    for kind in ("missing-image", "unreadable-image", "truncated-image", "giant-image", "changed-image"):
        found += finding(kind, (_named(look) for look in looks if look.fault == kind), len(looks))
    sound = [look for look in looks if look.fault is None]
    return found + _copies(sound) + _names(with_file) + _modes(sound)


def _looks(
    folder: Path | None,
    samples: Sequence[Sample],
    on_progress: Callable[[int, int], None] | None,
    *,
    similar: bool,
) -> list[Look]:
    looks: list[Look] = []
    root = None if folder is None else folder.resolve()
    threads = min(8, os.cpu_count() or 1)
    with quiet_pillow():
        for look in ahead(lambda sample: _look(root, sample, similar=similar), samples, threads):
            looks.append(look)
            if on_progress is not None:
                on_progress(len(looks), len(samples))
    return looks


def _look(root: Path | None, sample: Sample, *, similar: bool) -> Look:
    if sample.problem is not None:
        return _recorded(sample, sample.problem)
    if root is None or sample.path is None:
        return Look(sample, "missing-image", MISSING)
    if not inside(sample.path):
        return Look(sample, "unreadable-image", LEAVES)
    try:
        with decoded(root / sample.path, sample.digest) as raw:
            return _measured(sample, raw, similar=similar)
    except MissingPhotographError as error:
        told = f"{MISSING}: {error}" if isinstance(error, MissingContainerError) else MISSING
        return Look(sample, "missing-image", told)
    except PhotographError as error:
        return Look(sample, _kind(error), str(error))


def _kind(error: PhotographError) -> str:
    """Return the kind of finding that an error tells of."""
    kinds = (
        (ChangedPhotographError, "changed-image"),
        (GiantPhotographError, "giant-image"),
        (DamagedPhotographError, "truncated-image"),
    )
    return next((kind for type_, kind in kinds if isinstance(error, type_)), "unreadable-image")


def _recorded(sample: Sample, problem: str) -> Look:
    if problem.startswith(MISSING):
        return Look(sample, "missing-image", problem)
    kind = "giant-image" if "more pixels than the limit" in problem else "unreadable-image"
    return Look(sample, kind, problem.removeprefix("unreadable: "))


def _measured(sample: Sample, raw: Image.Image, *, similar: bool) -> Look:
    seen = facts(raw)
    rgb = colours(as_seen(raw), "RGBA" if seen.alpha else "RGB")
    hasher = hashlib.blake2b(f"{rgb.mode} {rgb.size}".encode(), digest_size=16)
    for top in range(0, rgb.height, STRIPE):  # not all at once: of a large picture that is another copy
        hasher.update(rgb.crop((0, top, rgb.width, min(rgb.height, top + STRIPE))).tobytes())
    if not similar:
        return Look(sample, None, "", seen, hasher.digest())
    grey = rgb.convert("L")
    steps = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    small = np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), dtype=np.float32)
    gradient = int.from_bytes(np.packbits(np.diff(steps, axis=1) > 0).tobytes(), "big")
    return Look(sample, None, "", seen, hasher.digest(), gradient, small)


def _named(look: Look) -> str:
    return f"{look.sample.path or look.sample.id}: {look.reason}"


def _copies(looks: Sequence[Look]) -> tuple[Finding, ...]:
    """Return duplicates by bytes, then by pixels, then by looks, each kind without what the kind before names."""
    first: dict[str, Look] = {}
    bytes_twins: list[tuple[Look, Look]] = []
    for look in looks:
        twin = first.setdefault(look.sample.digest or look.sample.id, look)
        if twin is not look:
            bytes_twins.append((twin, look))
    pixels: dict[bytes | None, Look] = {}
    pixel_twins: list[tuple[Look, Look]] = []
    for look in first.values():
        twin = pixels.setdefault(look.pixels, look)
        if twin is not look:
            pixel_twins.append((twin, look))
    return (
        *finding("duplicate-image", _pairs(bytes_twins), len(looks)),
        *finding("duplicate-pixels", _pairs(pixel_twins), len(looks)),
        *finding("similar-image", _pairs(_similar(list(pixels.values()))), len(looks)),
    )


def _similar(looks: Sequence[Look]) -> list[tuple[Look, Look]]:
    """Pair each photograph with the first earlier one that looks like it.

    Of 64 bits in four bands of 16, at most three differ, so that one band is equal: only those are compared.
    """
    bands: dict[tuple[int, int], list[Look]] = defaultdict(list)
    pairs = []
    for look in looks:
        if look.gradient is None or look.thumbnail is None:
            continue
        keys = [(shift, look.gradient >> shift & 0xFFFF) for shift in (0, 16, 32, 48)]
        twin = next((known for key in keys for known in bands[key] if _alike(known, look)), None)
        if twin is not None:
            pairs.append((twin, look))
            continue
        for key in keys:
            bands[key].append(look)
    return pairs


def _alike(known: Look, look: Look) -> bool:
    if known.thumbnail is None or look.thumbnail is None or known.gradient is None or look.gradient is None:
        return False
    if (known.gradient ^ look.gradient).bit_count() > BITS:
        return False
    return float(np.abs(known.thumbnail - look.thumbnail).mean()) <= SIMILAR


def _pairs(twins: Iterable[tuple[Look, Look]]) -> list[str]:
    return [f"{look.sample.path} = {twin.sample.path}" for twin, look in twins]


def _names(samples: Sequence[Sample]) -> tuple[Finding, ...]:
    """Return names that one file system holds apart and another, or a sidecar file, does not."""
    paths = list(dict.fromkeys(s.path for s in samples if s.path is not None))
    cases: dict[str, str] = {}
    stems: dict[str, str] = {}
    by_case: list[str] = []
    by_stem: list[str] = []
    for path in paths:
        other = cases.setdefault(path.casefold(), path)
        if other != path:
            by_case.append(f"{path} and {other}")
            continue
        other = stems.setdefault(str(PurePosixPath(path).with_suffix("")), path)
        if other != path:
            by_stem.append(f"{path} and {other}")
    return (
        *finding("name-case-clash", by_case, len(paths)),
        *finding("name-stem-clash", by_stem, len(paths)),
    )


def _modes(looks: Sequence[Look]) -> tuple[Finding, ...]:
    found: tuple[Finding, ...] = ()
    named = [(look.sample.path or look.sample.id, look.facts) for look in looks if look.facts is not None]
    modes = Counter(seen.mode for _, seen in named)
    spread = ", ".join(f"{mode} {count:,}" for mode, count in sorted(modes.items()))
    tests: tuple[tuple[str, Callable[[PhotographFacts], bool]], ...] = (
        ("tiny-image", lambda seen: min(seen.width, seen.height) < TINY),
        ("mode-grey", lambda seen: seen.mode in {"1", "L", "LA"}),
        ("mode-palette", lambda seen: seen.mode in {"P", "PA"}),
        ("mode-cmyk", lambda seen: seen.mode == "CMYK"),
        ("mode-alpha", lambda seen: seen.alpha),
        ("mode-deep", lambda seen: seen.mode.startswith(("I", "F"))),
        ("exif-rotated", lambda seen: seen.rotated),
        ("animated", lambda seen: seen.frames > 1),
    )
    for kind, test in tests:
        detail = f"modes: {spread}" if kind.startswith("mode") else ""
        found += finding(kind, (name for name, seen in named if test(seen)), len(named), detail)
    return found
