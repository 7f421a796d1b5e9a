"""Command groups that differ from typer's: one in the order of work, one with a command that needs no name.

The first also words the help of every command: what an option takes is a word in capitals, never `<str>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from typer.core import TyperGroup

METAVARS: Mapping[object, str] = {bool: "", int: "N", float: "NUMBER", Path: "PATH"}
"""What stands beside an option that says no metavar of its own; a WORD for anything else."""


def say_types(command: Any) -> None:
    """Give every option and argument of a command, and of those below it, a metavar in place of its Python type."""
    help_option = command.get_help_option
    command.get_help_option = lambda context: _untyped(help_option(context))
    for parameter in command.params:
        descriptor = getattr(parameter, "type_descriptor", None)
        if descriptor is None:  # an older typer, which keeps types elsewhere: then its own words stay
            continue
        if parameter.param_type_name == "argument":
            parameter.metavar = parameter.metavar or f"{parameter.name}".upper()
            parameter.display_type_rich = lambda **_: None  # the metavar stands in its place already
        elif parameter.metavar is None and getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        elif parameter.metavar is None and descriptor.is_choice:
            parameter.metavar = str(parameter.display_type(None)).strip("<>").removeprefix("list[").strip("]")
        elif parameter.metavar is None:
            parameter.metavar = METAVARS.get(_element(descriptor.annotation), "WORD")
    for inner in getattr(command, "commands", {}).values():
        say_types(inner)


def _untyped(option: Any) -> Any:
    if option is not None:
        option.metavar = ""
    return option


def _element(annotation: Any) -> object:
    """Return the type of one value: of `list[Path] | None` it is Path."""
    inner = [one for one in getattr(annotation, "__args__", ()) if one is not type(None)]
    return _element(inner[0]) if inner else annotation


class InOrderOfWork(TyperGroup):
    """The whole command line, its commands listed as one comes to need them; typer sorts groups to the end."""

    order: ClassVar[tuple[str, ...]] = (
        *("demo", "dataset", "models", "embed", "evaluate", "robustness", "annotate"),
        *("improve", "adapt", "index", "search", "serve", "report", "replicate", "run"),
        *("runs", "store", "doctor"),
    )

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        say_types(self)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the whole command line; typer adds those about completion late."""
        parameters: list[Any] = super().get_params(ctx)
        for one in parameters:
            one.metavar = (
                "" if getattr(one, "is_flag", False) or one.name.endswith("completion") else one.metavar
            )
        return parameters

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, those that `order` does not know last."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: self.order.index(name) if name in self.order else len(names))


class WithDefault(TyperGroup):
    """A group whose `default` command is meant where the first word names no command of the group."""

    default: ClassVar[str] = "run"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name in front where a dataset or an option stands first."""
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
