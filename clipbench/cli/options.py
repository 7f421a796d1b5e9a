"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a table is written to stdout."""

    table = "table"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"
    json = "json"


class Precision(StrEnum):
    """Arithmetic of the encoder."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


class Device(StrEnum):
    """Where the encoder runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        help="Folder of the experiment store. [default: $CLIPBENCH_STORE, else ./clipbench-store]",
        show_default=False,
        file_okay=False,
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to write the table.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars and no notes.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="open_clip architecture (ViT-B-32-quickgelu), hf-hub:ORG/NAME, local-dir:FOLDER, or `demo`.",
    ),
]
PretrainedOption = Annotated[
    str | None,
    typer.Option("--pretrained", "-p", help="open_clip pretrained tag (openai), or a checkpoint file."),
]
PrecisionOption = Annotated[Precision, typer.Option(help="Arithmetic of the encoder.")]
DeviceOption = Annotated[Device, typer.Option(help="Where the encoder runs.")]
