"""Options that say what to do to captions and photographs; the commands of `robustness` share them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clipbench.cli import completion
from clipbench.cli.options import flag


class Place(StrEnum):
    """Where an image corruption acts."""

    model_input = "model_input"
    source = "source"


PerturbOption = Annotated[
    list[str] | None,
    typer.Option(
        "--perturb",
        metavar="OPERATION",
        help="Operation, family:NAME, or several with commas (`robustness list` names them).",
        autocompletion=completion.operations,
    ),
]
PresetOption = Annotated[
    list[str] | None,
    typer.Option("--preset", metavar="PRESET", help="source-study, mm-robustness, quick, or full."),
]
LevelsOption = Annotated[
    str | None,
    typer.Option(
        "--levels",
        "--level",
        metavar="LEVELS",
        help="0:0.5:0.1 (from, to, step) or 0.1,0.3: rates of captions, or severities where only "
        "photographs are corrupted. [default: the operations' own]",
    ),
]
SeveritiesOption = Annotated[
    str | None,
    typer.Option(
        "--severities",
        metavar="LEVELS",
        help="1,3,5: severities of photographs beside --levels.",
    ),
]
SeedsOption = Annotated[
    int, typer.Option("--seeds", min=1, max=1000, metavar="N", help="How many seeds: 0, 1, ... N-1.")
]
ApplyOption = Annotated[
    Place,
    typer.Option(
        "--apply",
        metavar="PLACE",
        help="model_input (after resizing, as the constants were tuned) or source (the file's own pixels).",
    ),
]
LegacyOption = Annotated[
    bool, flag("--legacy-stream", says="The source study's single generator for dropout and shuffle.")
]
WordnetOption = Annotated[
    Path | None,
    typer.Option(
        "--wordnet",
        metavar="DIR",
        help="Synonyms from your WordNet: its `dict` folder, or nltk_data. [default: a small table]",
    ),
]
TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template", metavar="TEXT", help='Of prompt-template: "a photo of {}" with {} for the caption.'
    ),
]
FromFileOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--from-file",
        metavar="FILE",
        help="Captions rewritten by you: CSV, TSV or JSONL with caption_id and text.",
    ),
]
LabelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--label", metavar="NAME", help="What to call each --from-file, in order. [default: the file's name]"
    ),
]
FiguresOption = Annotated[
    Path | None,
    typer.Option("--figures", metavar="FOLDER", help="Write the figures there, as PNG and SVG."),
]
