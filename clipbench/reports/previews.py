"""Previews as tables and pictures: captions before and after, contact sheets with every severity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipbench.errors import ClipbenchError, PhotographError
from clipbench.perturb.difference import Marked, mark
from clipbench.records import Perturbation
from clipbench.reports.figures.files import safe_name
from clipbench.reports.tables import Column, Table
from clipbench.study.output.whole_files import whole_file
from clipbench.study.robustness.preview import CaptionPreview, Preview
from clipbench.study.robustness.settings import shown_operation

BRACKETS = ("[", "]")
BOLD = ("**", "**")


def preview_table(preview: CaptionPreview, marks: tuple[str, str] = BRACKETS) -> Table:
    """Return one row per caption; changed words stand between `marks`."""
    rows = []
    for caption, text in preview.shown:
        before, after = mark(caption.text, text)
        rows.append((caption.id, marked_words(before, marks), marked_words(after, marks)))
    columns = (Column("caption"), Column("before"), Column("after"))
    return Table(f"{setting_words(preview.setting)}: {count_words(preview)}", columns, tuple(rows))


def preview_records(previews: Sequence[CaptionPreview]) -> Table:
    """Return one row per setting and caption for programs, with the exact texts and the marked ones."""
    rows = []
    for one in previews:
        setting = one.setting
        for caption, text in one.shown:
            before, after = mark(caption.text, text)
            both = (marked_words(before, BRACKETS), marked_words(after, BRACKETS))
            head = (shown_operation(setting), setting.level, setting.seed, caption.id)
            rows.append((*head, caption.text, text, *both))
    names = ("operation", "level", "seed", "caption_id", "original", "text", "original_marked", "text_marked")
    return Table("Preview", tuple(Column(name) for name in names), tuple(rows))


def marked_words(words: Marked, marks: tuple[str, str]) -> str:
    """Return the words with marks around each run of changed ones.

    >>> marked_words((("a", False), ("red", True), ("big", True), ("ball", False)), BRACKETS)
    'a [red big] ball'
    """
    parts: list[str] = []
    inside = False
    for word, changed in words:
        if changed and not inside:
            parts.append(marks[0] + word)
        elif inside and not changed:
            parts[-1] += marks[1]
            parts.append(word)
        else:
            parts.append(word)
        inside = changed
    if inside:
        parts[-1] += marks[1]
    return " ".join(parts)


def setting_words(setting: Perturbation) -> str:
    """Return a setting in words."""
    return f"{shown_operation(setting)}, level {setting.level:g}, seed {setting.seed}"


def count_words(preview: CaptionPreview) -> str:
    """Return in words how many captions a setting changes, and how many of them are shown."""
    shown = len(preview.shown)
    many = f"{preview.changed:,} of {preview.captions:,} captions change"
    return f"{many}; {shown} of them" if shown < preview.changed else many


def write_sheets(preview: Preview, folder: Path) -> tuple[tuple[Path, ...], dict[str, str]]:
    """Write a contact sheet for each photograph, a row per operation; return the files, and what could not be shown.

    Raises ClipbenchError where the folder cannot be written, or no photograph can be shown.
    """
    from clipbench.perturb.image_sheet import contact_sheet

    paths: list[Path] = []
    unusable = dict(preview.unusable)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, (image_id, pixels) in enumerate(preview.photographs, start=1):
            try:
                sheet = contact_sheet(pixels, *preview.operations, seed=preview.seed, image_id=image_id)
            except PhotographError as error:
                if image_id == preview.photographs[-1][0] and not paths:
                    raise ClipbenchError(f"photograph {image_id}: {error.message}", error.hint) from error
                unusable[image_id] = error.message
                continue
            path = folder / f"sheet-{number:02d}-{safe_name(Path(image_id).stem)}.png"
            with whole_file(path, force=True) as partial:
                sheet.save(partial, "PNG")
            paths.append(path)
    except OSError as error:
        raise ClipbenchError(
            f"cannot write to {folder}: {error.strerror or error}", "--out names another place"
        ) from error
    return tuple(paths), unusable
