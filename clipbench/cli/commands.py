"""Every command of `clipbench`: its name, the module it is in, and the line that `clipbench --help` shows of it.

To import all commands takes longer than most of them run, so the module of a command is imported when the command is
asked for; the list of commands and completion need names and lines alone. A test holds the lines equal to what the
commands say of themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand


@dataclass(frozen=True)
class Listed:
    """A command or group as the list of commands shows it. module: where it is, under `name` or, a group, as `app`."""

    name: str
    module: str
    line: str

    @cached_property
    def shown(self) -> TyperCommand:
        """What stands for the command where it is only listed."""
        return TyperCommand(self.name, help=self.line)

    def load(self) -> Any:
        """Import the module and return the command, as typer makes it."""
        module = import_module(self.module)
        around = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_show_locals=False)
        if hasattr(module, "app"):
            around.add_typer(module.app, name=self.name)
        else:
            around.command(self.name, cls=getattr(module, "COMMAND", None))(getattr(module, self.name))
        return typer.main.get_group(around).commands[self.name]


_CLI = "clipbench.cli"

COMMANDS: Mapping[str, Listed] = {
    one.name: one
    for one in (
        Listed(
            "demo",
            f"{_CLI}.demo",
            "Take the whole tour offline in under two minutes: drawn scenes, a drawn catalogue, the bundled tiny model.",
        ),
        Listed("dataset", f"{_CLI}.dataset", "Bring captioned image collections into the store."),
        Listed(
            "models",
            f"{_CLI}.models",
            "List the models on this machine with their sizes, then the usual names of open_clip.",
        ),
        Listed(
            "embed",
            f"{_CLI}.embed",
            "Turn a dataset into vectors: `clipbench embed DATASET --model MODEL`.",
        ),
        Listed(
            "evaluate",
            f"{_CLI}.evaluate",
            "Measure text→image and image→text retrieval of DATASET, and store the run with its ledger.",
        ),
        Listed(
            "robustness",
            f"{_CLI}.robustness",
            "Corrupt captions and photographs, and measure what that costs.",
        ),
        Listed(
            "annotate",
            f"{_CLI}.annotate",
            "Draw failures, have people label them, measure agreement, summarise.",
        ),
        Listed(
            "improve",
            f"{_CLI}.improve",
            "Improve without training: prompts and re-ranking, with honest controls.",
        ),
        Listed("adapt", f"{_CLI}.adapt", "Train small heads on stored vectors, and see what they bring."),
        Listed("index", f"{_CLI}.index", "Indexes of stored vectors, judged by what they lose."),
        Listed(
            "search",
            f"{_CLI}.search",
            "Find photographs by words, by a picture, or by a photograph or caption that is stored.",
        ),
        Listed(
            "serve",
            f"{_CLI}.serve",
            "Serve a page to search photographs by words or pictures, and the API behind it; Ctrl-C ends it.",
        ),
        Listed(
            "report",
            f"{_CLI}.report",
            "Print stored runs with their metrics; CSV and JSON hold every metric with its interval.",
        ),
        Listed(
            "replicate",
            f"{_CLI}.replicate",
            "Do a published study again: check its data, run its steps, set its figures beside yours.",
        ),
        Listed(
            "run",
            f"{_CLI}.replicate",
            "Measure datasets × models × perturbations as a file says, ending in a leaderboard of each dataset.",
        ),
        Listed("runs", f"{_CLI}.runs", "Look at stored runs, export their ledgers, tag and delete them."),
        Listed(
            "store", f"{_CLI}.store", "Look after the store: what is in it, is it whole, copy it, tidy it."
        ),
        Listed(
            "doctor",
            f"{_CLI}.doctor",
            "Check the installation, a model's offline readiness and device parity, and the metrics themselves.",
        ),
        Listed(
            "browse",
            f"{_CLI}.browse",
            "Serve a page to look through the store: runs, comparisons, queries, sweeps, photographs. Ctrl-C ends it.",
        ),
    )
}
"""In the order in which one comes to need them."""
