"""Command groups that differ from typer's: one in the order of work, one with a command that needs no name."""

from __future__ import annotations

from typing import Any, ClassVar

from typer.core import TyperGroup


class InOrderOfWork(TyperGroup):
    """The whole command line, its commands listed as one comes to need them; typer sorts groups to the end."""

    order: ClassVar[tuple[str, ...]] = (
        *("demo", "dataset", "embed", "evaluate", "robustness", "annotate"),
        *("improve", "adapt", "index", "search", "serve", "report", "replicate", "run"),
        *("runs", "store", "doctor"),
    )

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
