"""Gives samples their photographs: digests where they are sound, problems or notes where they are not.

Knows requests, samples and rows; what a file is like is for `photographs` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from clipbench.datasets.listing import visible
from clipbench.datasets.photographs import LINKED, LINKED_TEXT, NOWHERE, Photograph, inspect
from clipbench.datasets.rows import Note, ReadRequest, Row, note
from clipbench.errors import Problem
from clipbench.foreign_files import inside
from clipbench.records import Sample
from clipbench.wording import plural


@dataclass(frozen=True, slots=True)
class Attached:
    """Samples with what was found of their photographs; `problems` are those that nobody allowed to be there."""

    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[Note, ...] = ()


def attach(
    request: ReadRequest,
    folder: Path | None,
    samples: Sequence[Sample],
    first: Mapping[str, Row],
    on_progress: Callable[[int, int], None] | None,
) -> Attached:
    """Return the samples with digests, and their missing photographs as problems or, where allowed, as a note.

    first: the first row of each image, for its line and path.
    """
    if folder is None:
        return Attached(tuple(replace(sample, path=None) for sample in samples))
    paths = [path for sample in samples if (path := _path(request, sample)) is not None]
    looked = iter(inspect(folder, paths, on_progress, follow_links=request.follow_links))
    known = {sample.id: next(looked) for sample in samples if sample.path is not None}
    file = str(request.captions)
    out: list[Sample] = []
    problems: list[Problem] = []
    for sample in samples:
        found = known.get(sample.id)
        if found is None:
            out.append(replace(sample, problem="missing"))
            problems.append(Problem(file, first[sample.id].line, f"image {sample.id} names no photograph"))
            continue
        usable = found.path if inside(found.path) else None
        out.append(replace(sample, path=usable, digest=found.digest, problem=found.problem))
        if found.problem is not None:
            problems.append(Problem(file, first[sample.id].line, _words(found)))
    collisions = _collisions(file, known, first)
    spelt = [
        f"{found.asked} is {visible(found.path, found.asked or '')}"
        for found in known.values()
        if found.respelt
    ]
    message = f"{plural(len(spelt), 'photograph')} spelt otherwise on the disk (Unicode form, percent signs)"
    notes = note("spelt-otherwise", message, spelt)
    if len(problems) > request.missing_allowed * len(samples):
        return Attached(tuple(out), (*problems, *collisions), notes)
    message = f"{len(problems):,} of {plural(len(samples), 'photograph')} missing or unreadable"
    notes += note("missing-photographs", message, (problem.message for problem in problems))
    return Attached(tuple(out), collisions, notes)


def hint(problems: Sequence[Problem], folder: Path | None) -> str:
    """Return what to do about photographs that are missing or unreadable."""
    if any(problem.message.endswith((LINKED, LINKED_TEXT)) for problem in problems):
        return (
            "--follow-links takes photographs that are links out of their folder, as in Hugging Face snapshots, "
            "DVC and git-annex; --allow-missing 1 records them as unreadable"
        )
    fetch = "git annex get, dvc pull or the like fetches what links lead to; "
    return (
        f"{fetch if any(problem.message.endswith(NOWHERE) for problem in problems) else ''}"
        f"the photographs were looked for in {folder}; --images FOLDER looks elsewhere, --file-names-only drops "
        f"folders from paths, --allow-missing 1 records them as missing"
    )


def _path(request: ReadRequest, sample: Sample) -> str | None:
    if sample.path is None or not request.file_names_only:
        return sample.path
    return PurePosixPath(sample.path).name


def _words(found: Photograph) -> str:
    near = f" (there is {visible(found.near, found.path)})" if found.near else ""
    name = visible(found.path, found.near) if found.near else found.path
    return f"photograph {name}: {found.problem}{near}"


def _collisions(file: str, known: Mapping[str, Photograph], first: Mapping[str, Row]) -> tuple[Problem, ...]:
    """Return images of several paths in the source that a rewrite (folders dropped, spelling) makes one file."""
    owners: dict[str, str] = {}
    problems: list[Problem] = []
    for image, found in known.items():
        owner = owners.setdefault(found.path, image)
        one, other = first[owner], first[image]
        rewritten = {(one.path, known[owner].path), (other.path, found.path)}
        if one.path == other.path or all(path == now for path, now in rewritten):
            continue
        where = f" (line {one.line})" if one.line else ""
        here, there = other.path or image, one.path or owner
        message = f"{visible(here, there)} would be the same photograph as {visible(there, here)}{where}: {found.path}"
        problems.append(Problem(file, other.line, message))
    return tuple(problems)
