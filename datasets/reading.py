"""Reads a captioned image collection: a ReadRequest in, a Dataset with notes out, or one error with every problem.

The order of work: parse, number captions, choose the split, draw, cut captions, look at the photographs. Nothing
is written anywhere, so nothing can be half imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipbench.datasets import flickr8k, selection
from clipbench.datasets.attaching import attach, hint
from clipbench.datasets.formats import FORMATS, Format, format_named, recognise
from clipbench.datasets.photographs import LINKED_TEXT, NOWHERE
from clipbench.datasets.rows import Columns, Note, ReadRequest, Row, SplitPlan, note
from clipbench.datasets.splitting import split_positions
from clipbench.errors import DatasetError, InputError, Problem
from clipbench.foreign_files import inside
from clipbench.keys import Json, file_digest
from clipbench.photographs.containers import contained
from clipbench.records import Dataset, Sample
from clipbench.wording import plural

__all__ = ["FORMATS", "Progress", "ReadRequest", "Reading", "read"]

Progress = Callable[[int, int], None]
"""Called with (photographs done, photographs in all)."""

PROBE = 200
"""How many image paths are tried to find out which folder they start from."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A dataset and what is worth saying about how it was read.

    columns, cells: the other columns of a table, and what they hold for each sample, by an image's first row.
    """

    dataset: Dataset
    notes: tuple[Note, ...]
    columns: tuple[str, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the split, the draw and the caption policy leave."""

    samples: tuple[Sample, ...]
    label: str
    unknown: tuple[selection.Listed, ...]
    listed: int
    split_list: Path | None
    notes: tuple[Note, ...]
    problems: tuple[Problem, ...]


def read(request: ReadRequest, on_progress: Progress | None = None) -> Reading:
    """Read a dataset.

    Samples come in the order of the split list where there is one, else of first occurrence in the source;
    captions in the order of the source, their texts exactly as it holds them.

    Raises InputError with every problem at once (file and line), DatasetError where a file is absent, the
    format cannot be told, or an option does not fit the format.
    """
    try:
        return _read(request, on_progress)
    except OSError as error:
        message = f"cannot read {error.filename or request.captions}: {error.strerror or error}"
        raise DatasetError(message, "check the path and its permissions") from error


def _read(request: ReadRequest, on_progress: Progress | None) -> Reading:
    form, notes = _format(request)
    _check(request, form)
    parsed = form.parse(request)
    file = str(request.captions)
    given, parsed = list(parsed.rows), replace(parsed, rows=())
    rows, own, clashes = selection.number(given, file)
    notes += parsed.notes + own
    problems = parsed.problems + clashes
    links = tuple(p for p in problems if p.message in {LINKED_TEXT, NOWHERE})
    if not rows:
        advice = hint(links, request.captions) if links else None
        raise InputError(f"cannot read {file}", problems or [Problem(file, 0, "holds no captions")], advice)
    choice = _choose(request, form, rows)
    first = {row.image: row for row in reversed(rows)}
    del rows  # of an image, its first row is all that is needed from here on
    folder, found = _images_folder(request, form, choice.samples)
    attached = attach(request, folder, choice.samples, first, on_progress)
    uncaptioned, bare = _uncaptioned(request, choice)
    notes += choice.notes + found + attached.notes
    problems += choice.problems + attached.problems + uncaptioned
    if problems:
        raise InputError(
            f"cannot read {file}", problems, _hint(problems, attached.problems + links, uncaptioned, folder)
        )
    dataset = Dataset(
        name=request.name or request.captions.resolve().stem,
        format=form.name,
        split=choice.label,
        caption_policy=request.caption_policy,
        samples=attached.samples,
        image_folder=folder,
        source=_source(request, choice),
    )
    cells = tuple(first[sample.id].cells for sample in dataset.samples) if parsed.columns else ()
    return Reading(dataset, notes + bare, parsed.columns, cells)


def cut(reading: Reading, plan: SplitPlan) -> tuple[Reading, ...]:
    """Return the splits of a reading as datasets of their own, called NAME-train, NAME-val and NAME-test.

    Raises DatasetError as `split_positions` does.
    """
    whole = reading.dataset
    parts = split_positions(whole.samples, reading.columns, reading.cells, plan)
    made: dict[str, Json] = {"make_splits": plan.words, "split_seed": plan.seed, "group_by": plan.group_by}
    return tuple(
        Reading(
            replace(
                whole,
                name=f"{whole.name}-{split}",
                split=split,
                samples=tuple(whole.samples[place] for place in places),
                source={**whole.source, **made},
            ),
            (),
            reading.columns,
            tuple(reading.cells[place] for place in places) if reading.columns else (),
        )
        for split, places in parts.items()
    )


def _format(request: ReadRequest) -> tuple[Format, tuple[Note, ...]]:
    if request.format is not None:
        return format_named(request.format), ()
    found = recognise(request.captions, bare=request.no_captions)
    if request.no_captions and found.name == "folder":
        return FORMATS[found.name], ()
    message = f"{request.captions.name} was taken for {found.name}: {found.reason}"
    return FORMATS[found.name], (Note("format", 1, message),)


def _check(request: ReadRequest, form: Format) -> None:
    """Refuse options that mean nothing, or nothing to this format."""
    if request.max_captions is not None and request.max_captions < 1:
        raise DatasetError(
            f"at most {request.max_captions} captions per image leave none", "--max-captions 1 or more"
        )
    if request.sample is not None and request.sample < 1:
        raise DatasetError(f"a sample of {request.sample} images is none", "--sample 1 or more")
    if not 0.0 <= request.allow_missing <= 1.0:
        raise DatasetError(
            f"allowed missing share {request.allow_missing} is not within 0..1", "--allow-missing 0.05"
        )
    _check_no_captions(request, form)
    if request.captions_only and request.follow_links:
        raise DatasetError("--follow-links means nothing with --captions-only", "leave one of them out")
    if request.captions_only and request.images is not None:
        raise DatasetError(
            "an images folder was given together with --captions-only", "leave one of them out"
        )
    if request.columns.templates and (request.columns.caption or request.columns.caption_id):
        raise DatasetError(
            "captions are composed by --caption-template, so no column holds them",
            "leave --caption-column and --caption-id-column out; {COLUMN} in a template is the column's text",
        )
    given = {
        "columns": ("--image-column and the like", request.columns != Columns()),
        "quoting": ("--no-quotes", request.quoting != "csv"),
        "meta": ("--meta", request.meta is not None),
    }
    for option, (typed, present) in given.items():
        if present and option not in form.options:
            users = ", ".join(f.name for f in FORMATS.values() if option in f.options)
            raise DatasetError(f"{typed} means nothing to the format {form.name}", f"it is for: {users}")


def _check_no_captions(request: ReadRequest, form: Format) -> None:
    if request.no_captions and ("no_captions" not in form.options or request.captions_only):
        raise DatasetError(
            "--no-captions takes the photographs of a folder", "--images FOLDER --no-captions alone"
        )
    if request.no_captions and (request.drop_uncaptioned or request.max_captions is not None):
        raise DatasetError("with --no-captions there are no captions to choose from", "leave the option out")


def _choose(request: ReadRequest, form: Format, rows: Sequence[Row]) -> _Choice:
    split_list, split = request.split_file, request.split
    if split_list is None and split is not None and form.split_list is not None:
        split_list = form.split_list(request.captions, split)
        split = "dev" if split == "val" else split
        if split_list is None:
            message = f"no official list of split {split!r} lies beside {request.captions.name}"
            raise DatasetError(message, "--split-file LIST names the images of a split, one per line")
    notes: tuple[Note, ...] = ()
    unknown: tuple[selection.Listed, ...] = ()
    problems: tuple[Problem, ...] = ()
    if split_list is None:
        kept, label = selection.of_split(rows, split)
        samples = selection.group(kept)
        if split is not None:
            notes += _in_two_splits(rows, {s.id for s in samples}, split.split("+"))
    else:
        names, problems = selection.read_list(split_list)
        samples, unknown, notes = selection.of_list(selection.group(rows), names)
        label = split or selection.list_label(split_list)
        notes += flickr8k.list_note(split_list, len(names))
    listed = len(samples) + len(unknown)
    if request.drop_uncaptioned:
        bare = [sample.id for sample in samples if not sample.captions]
        samples = tuple(sample for sample in samples if sample.captions)
        notes += note(
            "images-without-captions", f"{plural(len(bare), 'image')} without captions left out", bare
        )
    if request.sample is not None and (request.sample <= len(samples) or not (unknown or problems)):
        samples = selection.draw(samples, request.sample, request.seed)
    samples = selection.first_captions(samples, request.max_captions)
    return _Choice(samples, label, unknown, listed, split_list, notes, problems)


def _in_two_splits(rows: Sequence[Row], chosen: set[str], wanted: Sequence[str]) -> tuple[Note, ...]:
    other = dict.fromkeys(row.image for row in rows if row.image in chosen and row.split not in wanted)
    message = f"{plural(len(other), 'image')} of this split also has captions in another split"
    return note("image-in-two-splits", message, other)


def _images_folder(
    request: ReadRequest, form: Format, samples: Sequence[Sample]
) -> tuple[Path | None, tuple[Note, ...]]:
    """Return the folder that image paths start from: the one asked, else the likeliest that holds some of them."""
    paths = [s.path for s in samples if s.path is not None]
    if request.images is not None:
        if paths and contained(paths[0]) is not None and request.images != request.captions:
            raise DatasetError(
                f"the photographs are inside of {request.captions.name}, so no folder of them is looked at",
                "leave --images out",
            )
        if not request.images.is_dir():
            raise DatasetError(
                f"{request.images} is no folder", "--images FOLDER names the folder of the photographs"
            )
        return request.images.absolute(), ()
    if request.captions_only or not paths:
        message = (
            "photographs were not asked for" if request.captions_only else "the source names no photographs"
        )
        return None, (Note("captions-only", len(samples), message),)
    folders = [folder for folder in form.image_folders(request.captions.absolute()) if folder.is_dir()]
    probes = [path for path in paths[:PROBE] if inside(path)]
    for folder in folders:
        if any(_is_file(_file_of(folder / path)) for path in probes):
            return folder, (Note("images-folder", 1, f"photographs are taken from {folder}"),)
    if folders:
        return folders[0], (Note("images-folder", 1, f"photographs were looked for in {folders[0]}"),)
    message = f"no folder of photographs was found beside {request.captions.name}"
    raise DatasetError(message, "--images FOLDER, or --captions-only to do without photographs")


def _file_of(path: Path) -> Path:
    """Return the file that must be there for a photograph to be: its own, or the one it is in."""
    place = contained(path)
    return path if place is None else place.container


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system takes
        return False


def _uncaptioned(request: ReadRequest, choice: _Choice) -> tuple[tuple[Problem, ...], tuple[Note, ...]]:
    """Return what is said of images without captions, and of listed names that the source does not have."""
    if not choice.samples and not choice.unknown:
        return (Problem(str(choice.split_list or request.captions), 0, "names no image"),), ()
    bare = [sample.id for sample in choice.samples if not sample.captions]
    problems: list[Problem] = []
    if request.no_captions:
        return (), ()  # as it was asked for
    if bare and len(bare) == len(choice.samples):
        message = f"none of {plural(len(bare), 'image')} has a caption"
        problems.append(Problem(str(request.captions), 0, message))
    if not choice.samples or len(choice.unknown) > request.allow_missing * choice.listed:
        problems += [
            Problem(
                str(choice.split_list),
                listed.line,
                f"{listed.name} has no captions in {request.captions.name}",
            )
            for listed in choice.unknown
        ]
    unknown = [listed.name for listed in choice.unknown]
    message = f"{plural(len(unknown), 'name')} of the split list without captions left out"
    kept = (
        f"{plural(len(bare), 'image')} without captions kept, as distractors in every gallery of images "
        "(--drop-uncaptioned leaves them out)"
    )
    notes = note("names-without-captions", message, unknown) + note("images-without-captions", kept, bare)
    empty = [c.id for sample in choice.samples for c in sample.captions if not c.text.strip()]
    said = f"{plural(len(empty), 'caption')} without a word kept, as queries that say nothing"
    return tuple(problems), notes + note("empty-captions", said, empty)


def _hint(
    problems: Sequence[Problem],
    missing: Sequence[Problem],
    uncaptioned: Sequence[Problem],
    folder: Path | None,
) -> str:
    if any(" would be the same photograph as " in problem.message for problem in missing):
        return (
            "name every photograph in one way, by its whole path (no --file-names-only), or rename the files"
        )
    if missing:
        return hint(missing, folder)
    if uncaptioned:
        return "--allow-missing 1 reads the rest and names these in the notes"
    if any(problem.message.endswith((" is empty", " is missing")) for problem in problems):
        return "mend the file and run the command again; --require COLUMN leaves out rows where it is empty"
    return "mend the file and run the command again"


def _source(request: ReadRequest, choice: _Choice) -> dict[str, Json]:
    """Return how the dataset was read: provenance, no part of its identity."""
    captions = request.captions.absolute()
    source: dict[str, Json] = {"captions": str(captions)}
    if captions.is_file() and not any(contained(sample.path or "") for sample in choice.samples[:1]):
        source["captions_sha256"] = file_digest(captions)
    if choice.split_list is not None:
        source |= {
            "split_file": str(choice.split_list.absolute()),
            "split_sha256": file_digest(choice.split_list),
        }
    if request.sample is not None:
        source |= {"sample": request.sample, "seed": request.seed}
    if request.columns.templates:
        source["caption_templates"] = [template.text for template in request.columns.templates]
    if request.columns.required:
        source["required_columns"] = list(request.columns.required)
    if request.follow_links:
        source["follow_links"] = True
    if request.drop_uncaptioned:
        source["drop_uncaptioned"] = True
    if request.no_captions:
        source["no_captions"] = True
    if request.allow_missing:
        source["allow_missing"] = request.allow_missing
        source["listed_without_captions"] = [listed.name for listed in choice.unknown]
    return source
