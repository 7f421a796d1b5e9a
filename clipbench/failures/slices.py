"""Who labels what: a drawn sample cut into an overlap that everyone labels, own parts, and a backup.

Knows positions of a sample and names of annotators; writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.errors import ClipbenchError

OVERLAP, BACKUP = "overlap", "backup"
RESERVED = frozenset({OVERLAP, BACKUP})
"""Names of parts, which cannot be names of annotators."""

_BETWEEN = dict.fromkeys(map(ord, "-._+@"))
_PREFIXES = ("assign_", "labels_", "overlap_")
"""How the files begin that are made for one annotator."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Positions start to stop of the sample; `part` is "overlap", "backup" or an annotator's name."""

    part: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def slices(
    size: int, annotators: Sequence[str], *, overlap: int, per_annotator: int, backup: int
) -> tuple[Slice, ...]:
    """Return the parts of a sample of `size` items: the overlap first, each annotator's own, the backup last.

    As in the source study: 200 items are 30 + 3 × 50 + 20. The backup is the last `backup` items; what lies
    between stays unassigned. Raises ClipbenchError for names that cannot be, and parts that do not fit.
    """
    _check_names(annotators)
    wanted = overlap + per_annotator * len(annotators) + backup
    if min(overlap, per_annotator, backup) < 0 or not overlap + per_annotator:
        raise ClipbenchError(
            f"overlap {overlap}, {per_annotator} per annotator and backup {backup} give nobody anything to do",
            "--overlap 30 --per-annotator 50 --backup 20",
        )
    if wanted > size:
        raise ClipbenchError(
            f"the sample has {size} failures, and {overlap} + {len(annotators)} × {per_annotator} + {backup} "
            f"= {wanted} are wanted",
            "draw a larger sample (annotate sample --n), or make the parts smaller",
        )
    parts = [Slice(OVERLAP, 0, overlap)]
    start = overlap
    for name in annotators:
        parts.append(Slice(name, start, start + per_annotator))
        start += per_annotator
    parts.append(Slice(BACKUP, size - backup, size))
    return tuple(part for part in parts if len(part))


def _check_names(annotators: Sequence[str]) -> None:
    if not annotators:
        raise ClipbenchError("nobody is named to annotate", "--annotators A,B,C")
    seen: set[str] = set()
    for name in annotators:
        check_annotator(name)
        if name.casefold() in seen:
            raise ClipbenchError(f"the annotator {name!r} is named twice", "--annotators A,B,C")
        seen.add(name.casefold())


def check_annotator(name: str) -> str:
    """Return the name of an annotator. Raises ClipbenchError where it cannot be one.

    A name is part of file names, so it holds letters, digits and what mail addresses have besides.

    >>> check_annotator("ann_lee+labels@example.org")
    'ann_lee+labels@example.org'
    """
    plain = name.translate(_BETWEEN)
    if not plain.isalnum() or not name[0].isalnum() or len(name) > 60 or name.casefold() in RESERVED:
        raise ClipbenchError(
            f"{name!r} cannot be the name of an annotator: letters, digits and - . _ + @ between them, up to 60, "
            f"and not {' or '.join(sorted(RESERVED))}",
            "--annotator NAME",
        )
    return name


def file_annotator(stem: str) -> str | None:
    """Return the annotator that a file name without its ending tells: what follows its prefix or last underscore.

    >>> file_annotator("assign_A"), file_annotator("table of_B"), file_annotator("assign_overlap")
    ('A', 'B', None)
    >>> file_annotator("labels_ann_lee@example.org")
    'ann_lee@example.org'
    """
    prefix = next((known for known in _PREFIXES if stem.startswith(known)), None)
    _, found, name = stem.rpartition("_") if prefix is None else ("", prefix, stem.removeprefix(prefix))
    if not found or not name:
        return None
    try:
        return check_annotator(name)
    except ClipbenchError:
        return None
