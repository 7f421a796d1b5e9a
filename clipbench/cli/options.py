"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from clipbench.cli import completion


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


def flag(*names: str, says: str) -> Any:
    """Return an option that takes no value. Without the empty metavar, help would show it as `<bool>`."""
    return typer.Option(*names, metavar="", help=says)


StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="Folder of the experiment store. [default: $CLIPBENCH_STORE, else ./clipbench-store]",
        show_default=False,
    ),
]
FormatOption = Annotated[
    Format, typer.Option("--format", "-f", metavar="FORMAT", help=f"{', '.join(Format)}: how to write it.")
]
DatasetArgument = Annotated[
    str,
    typer.Argument(metavar="DATASET", help="Name of a stored dataset.", autocompletion=completion.datasets),
]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Beginning of a run's key, a tag, or `latest`.",
        autocompletion=completion.runs,
    ),
]
MissingOption = Annotated[
    float,
    typer.Option(
        "--allow-missing",
        min=0.0,
        max=1.0,
        metavar="SHARE",
        help="Share of photographs that may be unusable.",
    ),
]
JsonOption = Annotated[bool, flag("--json", says="The same as --format json.")]
QuietOption = Annotated[bool, flag("--quiet", "-q", says="No progress bars and no notes.")]
YesOption = Annotated[bool, flag("--yes", "-y", says="Do not ask.")]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="open_clip architecture (ViT-B-32-quickgelu), hf-hub:ORG/NAME, local-dir:FOLDER, or `demo`.",
    ),
]
PretrainedOption = Annotated[
    str | None,
    typer.Option(
        "--pretrained", "-p", metavar="TAG", help="open_clip pretrained tag (openai), or a checkpoint file."
    ),
]
PrecisionOption = Annotated[Precision, typer.Option(help="Arithmetic of the encoder.")]
DeviceOption = Annotated[Device, typer.Option(help="Where the encoder runs.")]
