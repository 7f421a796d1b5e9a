"""Options that several commands share, so that they read and mean the same everywhere.

A single option is an annotated type; options that belong together are a frozen record, which `expanded`
turns into options again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from typer import Argument, Option

from clipbench.cli import completion
from clipbench.cli.expanding import option, switch

Format: TypeAlias = Literal["table", "csv", "markdown", "latex", "latex-tabularx", "latex-siunitx", "json"]
"""How a table is written to stdout."""


def flag(*names: str, says: str, **more: Any) -> Any:
    """Return an option that takes no value. Without the empty metavar, help would show it as `<bool>`."""
    return Option(*names, metavar="", help=says, **more)


StoreOption = Annotated[
    Path | None,
    Option(
        "--store",
        metavar="FOLDER",
        help="Folder of the experiment store. [default: $CLIPBENCH_STORE, else ./clipbench-store]",
        show_default=False,
    ),
]
DatasetArgument = Annotated[
    str,
    Argument(metavar="DATASET", help="Name of a stored dataset.", autocompletion=completion.datasets),
]
RUN_WORDS = (
    "A key's beginning, a tag, latest, latest:clean, latest:word-dropout=0.3, or model=WORDS,dataset=NAME."
)
"""What a run may be called, wherever one is asked for."""

RunArgument = Annotated[
    str,
    Argument(
        metavar="RUN",
        help=RUN_WORDS,
        autocompletion=completion.runs,
    ),
]
MissingOption = Annotated[
    float,
    Option(
        "--allow-missing",
        min=0.0,
        max=1.0,
        metavar="SHARE",
        help="Share of photographs that may be unusable.",
    ),
]
QuietOption = Annotated[bool, flag("--quiet", "-q", says="No progress bars and no notes.")]
YesOption = Annotated[bool, flag("--yes", "-y", says="Do not ask.")]
ForceOption = Annotated[bool, flag("--force", says="Overwrite what is there.")]


def with_matplotlib(folder: Path | None) -> Path | None:
    """Return where figures go. Raises ClipbenchError before any work where they cannot be drawn."""
    if folder is not None:
        from clipbench.reports.figures.style import require_matplotlib

        require_matplotlib()
    return folder


FiguresOption = Annotated[
    Path | None,
    Option(
        "--figures",
        metavar="FOLDER",
        callback=with_matplotlib,
        help="Write the figures there, as PNG, SVG and PDF.",
    ),
]
ConfidenceOption = Annotated[
    float, Option(min=0.51, max=0.999, metavar="SHARE", help="Confidence of intervals.")
]
MODELS = (
    "open_clip architecture (ViT-B-32-quickgelu), hf-hub:ORG/NAME, local-dir:FOLDER, hf:NAME, python:MODULE:FUNC, "
    "imported:WORDS, adapter:NAME, or demo (knows drawn scenes only). `clipbench models` lists what is here."
)
"""What --model takes."""

ModelOption = Annotated[str, Option("--model", "-m", metavar="MODEL", help=MODELS)]
ModelsOption = Annotated[
    list[str],
    Option("--model", "-m", metavar="MODEL", help=f"{MODELS} Several times for several models, ranked."),
]
PretrainedOption = Annotated[
    str | None,
    Option(
        "--pretrained", "-p", metavar="TAG", help="open_clip pretrained tag (openai), or a checkpoint file."
    ),
]
PrecisionOption = Annotated[
    Literal["fp32", "bf16", "fp16", "int8"], Option(help="Arithmetic of the encoder; int8 is for CPUs.")
]


@dataclass(frozen=True)
class EncoderOptions:
    """Which weights of a model, in which arithmetic, and where they run."""

    pretrained: PretrainedOption = None
    precision: PrecisionOption = "fp32"
    device: Literal["auto", "cpu", "cuda", "mps"] = option("Where the encoder runs.", default="auto")


@dataclass(frozen=True)
class OutputOptions:
    """How a result is written to stdout."""

    form: Format = option(
        f"{', '.join(get_args(Format))}: how to write it.",
        "--format",
        "-f",
        default="table",
        metavar="FORMAT",
    )
    json: bool = switch("The same as --format json.", "--json")
    columns: list[str] | None = option("Only these columns, in this order: a,b,c.", metavar="NAMES")

    @property
    def chosen(self) -> Format:
        """The format that --format and --json ask for together."""
        return "json" if self.json else self.form

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are asked for, () for all of them."""
        return tuple(name for names in self.columns or () for name in names.split(","))

    @property
    def for_programs(self) -> bool:
        """Whether the format is read by programs, which want every number in full rather than a few."""
        return self.chosen in {"csv", "json"}
