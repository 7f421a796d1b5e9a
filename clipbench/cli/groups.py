"""Command groups that differ from typer's: one that imports a command when it is run, one with a command that needs no name.

The first also words the help of every command: what an option takes is a word in capitals, never `<str>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from typer.core import TyperGroup

from clipbench.cli.commands import COMMANDS

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


class Loaded(Mapping[str, Any]):
    """The commands themselves by name, each loaded when it is first looked up."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            command = COMMANDS[name].load()
            say_types(command)
            self._loaded[name] = command
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class WholeCommandLine(TyperGroup):
    """The group of all commands: to list them imports none, to run one imports that one."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        say_types(self)
        self.commands = Loaded()  # type: ignore[assignment]  # typer's may be added to

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the whole command line; typer adds those about completion late."""
        parameters: list[Any] = super().get_params(ctx)
        for one in parameters:
            one.metavar = (
                "" if getattr(one, "is_flag", False) or one.name.endswith("completion") else one.metavar
            )
        return parameters

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands in the order of work."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what help and completion show of a command: its name and its line."""
        del ctx
        return COMMANDS[cmd_name].shown if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that the words ask for, which is to be run or asked for its own help, and the rest."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else self.commands[name], rest


class WithDefault(TyperGroup):
    """A group whose `default` command is meant where the first word names no command of the group."""

    default: ClassVar[str] = "run"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name in front where a dataset or an option stands first."""
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
