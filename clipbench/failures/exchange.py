"""The exchange table of the source study: six classic columns, and ours after them.

    idx,caption,gt_img_idx,pred_img_idx,category,ambiguous_subtype | item,caption_id,gt_image_id,pred_image_id,notes

idx counts captions from 0, gt_img_idx and pred_img_idx count images from 0. Knows columns and cells, no
files. A spreadsheet takes a cell that begins with = + - @ for a formula: such cells get a quote mark in
front when written and lose it when read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CLASSIC = ("idx", "caption", "gt_img_idx", "pred_img_idx", "category", "ambiguous_subtype")
OURS = ("item", "caption_id", "gt_image_id", "pred_image_id", "notes")
COLUMNS = (*CLASSIC, *OURS)
ANNOTATOR, SOURCE_FILE = "annotator", "__source_file"
"""Columns that say who labelled each row: by name, or by the file that the row was merged from."""

NEEDED = ("caption", "category")
"""Without these a table holds no labels."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

UNFIT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML, and so no spreadsheet, can hold. Source: ECMA-376, ST_Xstring."""

_ESCAPED = re.compile("_x([0-9A-F]{4})_")
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-F]{4}_)")
"""A spreadsheet takes a cell that begins like this for a formula, and runs it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a label file as it was read; what a file does not say is empty.

    line: 1-based, 0 where lines mean nothing (JSON); `where` then says which label it is. annotator: who
    gave it, where the file itself says so. source_file: the file that the row was merged from, likewise.
    """

    line: int
    where: str = ""
    annotator: str = ""
    source_file: str = ""
    idx: str = ""
    caption: str = ""
    gt_img_idx: str = ""
    pred_img_idx: str = ""
    category: str = ""
    ambiguous_subtype: str = ""
    item: str = ""
    caption_id: str = ""
    gt_image_id: str = ""
    pred_image_id: str = ""
    notes: str = ""


def entry(line: int, cells: Mapping[str, str]) -> Entry:
    """Return the row whose cells stand under these column names; other columns are left aside."""
    return Entry(
        line=line,
        annotator=cells.get(ANNOTATOR, "").strip(),
        source_file=cells.get(SOURCE_FILE, "").strip(),
        **{name: cells.get(name, "") for name in COLUMNS},
    )


def missing_columns(header: Sequence[str]) -> tuple[str, ...]:
    """Return the columns without which the rows mean nothing, of those a header lacks.

    >>> missing_columns(["caption", "category", "item"]), missing_columns(["caption", "category"])
    ((), ('idx', 'gt_img_idx'))
    """
    lacking = [name for name in NEEDED if name not in header]
    if not {"item", "caption_id", "idx", "gt_img_idx", "gt_image_id"} & set(header):
        lacking += ["idx", "gt_img_idx"]
    return tuple(lacking)


def guarded(text: str) -> str:
    r"""Return a cell that no spreadsheet takes for a formula, and that holds nothing it cannot hold.

    Characters that XML has none for (a NUL, most controls) are written as Office does: `_xHHHH_`. What looks
    like either mark without being one is marked too, so that `unguarded` gives every text back.

    >>> guarded("=1+1"), guarded("'=1+1"), guarded("a dog"), guarded("a\0b"), guarded("_x0000_")
    ("'=1+1", "''=1+1", 'a dog', 'a_x0000_b', '_x005F_x0000_')
    """
    text = fitting(text)
    return "'" + text if text.lstrip("'").startswith(FORMULA_STARTS) else text


def unguarded(text: str) -> str:
    r"""Return what `guarded` was given.

    A text that was never guarded and has what looks like its marks cannot be told from one that was: where
    texts are compared, both readings count.

    >>> unguarded("'=1+1"), unguarded("'tis a dog"), unguarded("a_x0000_b"), unguarded("_x00e9_")
    ('=1+1', "'tis a dog", 'a\x00b', '_x00e9_')
    """
    if text.startswith("'") and text.lstrip("'").startswith(FORMULA_STARTS):
        text = text[1:]
    return unfitted(text)


def fitting(text: str) -> str:
    r"""Return a text with the characters that spreadsheets and some databases cannot hold as `_xHHHH_`.

    >>> fitting("a\0b"), fitting("snake_x005F_case")
    ('a_x0000_b', 'snake_x005F_x005F_case')
    """
    if UNFIT.search(text) or _ESCAPED.search(text):
        return UNFIT.sub(lambda found: f"_x{ord(found[0]):04X}_", _LOOKS_ESCAPED.sub("_x005F_", text))
    return text


def unfitted(text: str) -> str:
    """Return what `fitting` was given; other text that looks like an escape stays as it is."""
    whole = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return whole if UNFIT.search(whole) or "_x005F_" in text else text
