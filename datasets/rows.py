"""The nouns of reading: what is asked, what a format yields, what the reader remarks.

A format turns its files into `Row`s and knows nothing of splits, samples or photographs; `reading` does the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from clipbench.datasets.caption_template import CaptionTemplate
from clipbench.errors import DatasetError, Problem
from clipbench.tabular.records import Quoting

IMAGE = "image"
"""Splits are grouped by photographs alone where nothing else is said."""

EXAMPLES = 5
"""How many examples a note or finding names; the count is always complete."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns (or JSON fields) to use; None looks for the well-known names.

    templates: compose the captions of each row from its columns, in place of a caption column.
    required: rows in which one of these columns is empty are left out.
    """

    image: str | None = None
    caption: str | None = None
    image_id: str | None = None
    caption_id: str | None = None
    split: str | None = None
    templates: tuple[CaptionTemplate, ...] = ()
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How a collection is cut. shares: of train, val and test, in whatever unit; 0 makes no such split.

    group_by: "image", "text", or a column's name. Equal photographs stay together whatever it is.
    """

    shares: tuple[float, float, float]
    seed: int = 0
    group_by: str = IMAGE

    @property
    def words(self) -> str:
        """The shares as they are typed."""
        return "/".join(f"{share:g}" for share in self.shares)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Everything that a reading is asked for.

    captions: the caption file, or the folder for the format "folder". format: None detects it.
    name: None takes the caption file's stem. images: the folder that image paths start from; None looks
    beside the caption file. captions_only: read no photographs at all.
    split: a split the source itself records, or several joined by "+" ("train+restval").
    split_file: image names, one per line; it gives the choice and the order, and `split` then only the label.
    max_captions: the first K captions of each image; None keeps all.
    sample: N images drawn by a hash of (seed, image id), kept in order.
    columns, quoting: for tables and JSON lines; quoting "none" takes quotation marks as plain characters.
    meta: the ids of a frozen caption list ("coco-frozen"). file_names_only: drop the folders from image paths.
    follow_links: take photographs that are links out of their folder (Hugging Face, DVC, git-annex).
    drop_uncaptioned: leave out images without captions; they are kept otherwise, as distractors.
    splits: how the collection is cut into several datasets, None for one.
    allow_missing: share in 0..1 of images that may lack a usable photograph, and of listed names without an image.
    no_captions: take the photographs of a folder alone, whatever texts lie beside them; those that cannot be
    read are told and may be any number.
    """

    captions: Path
    format: str | None = None
    name: str | None = None
    images: Path | None = None
    captions_only: bool = False
    split: str | None = None
    split_file: Path | None = None
    max_captions: int | None = None
    sample: int | None = None
    seed: int = 0
    columns: Columns = field(default_factory=Columns)
    quoting: Quoting = "csv"
    meta: Path | None = None
    file_names_only: bool = False
    follow_links: bool = False
    drop_uncaptioned: bool = False
    allow_missing: float = 0.0
    splits: SplitPlan | None = None
    no_captions: bool = False

    @property
    def missing_allowed(self) -> float:
        """The share of images that may lack a usable photograph."""
        return 1.0 if self.no_captions else self.allow_missing

    @property
    def caption_policy(self) -> str:
        """The policy's name as a Dataset records it: "all" or "first<K>"."""
        return "all" if self.max_captions is None else f"first{self.max_captions}"


def caption_limit(policy: str) -> int | None:
    """Return the captions kept per image under a policy's name, None for all of them.

    >>> caption_limit("all"), caption_limit("first5")
    (None, 5)

    Raises DatasetError for any other word.
    """
    if policy == "all":
        return None
    digits = policy.removeprefix("first")
    if (
        policy.startswith("first")
        and digits.isascii()
        and digits.isdigit()
        and 0 < int(digits[:9]) == int(digits)
    ):
        return int(digits)
    raise DatasetError(
        f"no caption policy is called {policy!r}", "use all, first5 or first<K> with K of 1 or more"
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One caption of one image as the source holds it, or an image that the source lists without a caption.

    image: the image's id. path: its file, relative to the images folder, None where the source names none.
    caption: the exact text, None for an image without captions. caption_id: None has it numbered
    `<image>#<n>`, n counting from 0 within the image. line: 1-based, 0 where lines mean nothing (JSON).
    cells: what the columns that play no role hold, one for each of `Parsed.columns`.
    """

    image: str
    path: str | None
    caption: str | None
    caption_id: str | None = None
    split: str | None = None
    line: int = 0
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on something that was read and is no error. `count` is complete, `examples` are the first few."""

    kind: str
    count: int
    message: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(self.examples)
        if not shown:
            return self.message
        return f"{self.message}: {shown}{', ...' if self.count > len(self.examples) else ''}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a format found: rows in the order of the source, remarks, and everything wrong with the file.

    columns: names of the other columns, whose values the rows hold as cells.
    """

    rows: tuple[Row, ...]
    notes: tuple[Note, ...] = ()
    problems: tuple[Problem, ...] = ()
    columns: tuple[str, ...] = ()


def note(kind: str, message: str, concerned: Iterable[str]) -> tuple[Note, ...]:
    """Return one Note on all that is concerned, or nothing where nothing is."""
    names = list(concerned)
    return (Note(kind, len(names), message, tuple(names[:EXAMPLES])),) if names else ()
