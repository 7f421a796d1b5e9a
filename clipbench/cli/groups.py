"""A command group with one command that needs no name: `clipbench embed DATASET`."""

from __future__ import annotations

from typing import Any, ClassVar

from typer.core import TyperGroup


class WithDefault(TyperGroup):
    """A group whose `default` command is meant where the first word names no command of the group."""

    default: ClassVar[str] = "run"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name in front where a dataset or an option stands first."""
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
