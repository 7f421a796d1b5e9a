"""Shows previews: captions with changed words in colour, or in brackets where there is no colour."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clipbench.cli.console import notes
from clipbench.cli.drawing import printable
from clipbench.cli.options import OutputOptions
from clipbench.cli.output import columns, emit
from clipbench.errors import ClipbenchError

if TYPE_CHECKING:
    from rich.text import Text

    from clipbench.perturb.difference import Marked
    from clipbench.study.robustness.preview import CaptionPreview, Preview

INDENT = "  "


def show_previews(preview: Preview, out: Path | None, output: OutputOptions) -> None:
    """Print the captions, write the contact sheets and name them.

    Raises ClipbenchError where there are sheets to write and no folder is named.
    """
    from clipbench.reports.previews import BOLD, preview_records, preview_table, write_sheets

    if preview.operations and out is None:
        names = ", ".join(one.name for one in preview.operations[:3])
        raise ClipbenchError(f"{names}: contact sheets need a folder to go to", "--out FOLDER")
    captions = list(preview.captions)
    if output.for_programs:
        emit(preview_records(captions), output)
    elif output.chosen != "table" or output.names:
        emit([preview_table(one, BOLD) for one in captions], output)
    else:
        for one in captions:
            _show(one)
    if out is not None and preview.operations:
        paths, unusable = write_sheets(preview, out)
        for path in paths:
            typer.echo(path, err=output.for_programs)
        notes(f"photograph {id_} is not shown: {reason}" for id_, reason in unusable.items())


def _show(preview: CaptionPreview) -> None:
    """Print one setting: a heading, then each caption's id and its two texts beneath."""
    from rich.console import Console
    from rich.text import Text

    from clipbench.perturb.difference import mark
    from clipbench.reports.previews import count_words, setting_words
    from clipbench.reports.sweeps.tables import source_notes

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    console = Console(width=columns(), highlight=False, markup=False, emoji=False)
    console.print(Text(f"{setting_words(preview.setting)}: {count_words(preview)}", style="bold"))
    for told in source_notes(preview.setting.parameters):
        console.print(Text(told, style="dim"))
    for caption, text in preview.shown:
        before, after = mark(caption.text, text)
        console.print(Text(f"\n{INDENT}{printable(caption.id)}", style="dim"))
        for name, words, style in (("before", before, "red"), ("after ", after, "green")):
            line = Text().append(f"{INDENT}{name}  ", "dim")
            line.append_text(_words(words, style if colour else None))
            console.print(line)
    console.print()


def _words(words: Marked, style: str | None) -> Text:
    from rich.text import Text

    from clipbench.reports.previews import BRACKETS, marked_words

    if style is None:
        return Text(printable(marked_words(words, BRACKETS)))
    line = Text()
    for number, (word, changed) in enumerate(words):
        line.append(" " if number else "")
        line.append(printable(word), f"bold {style}" if changed else None)
    return line
