"""A command with several modes: each a function with its own options, and all of them one command.

Which options a mode heeds follows from its function's parameters. An option that the mode asked for would not
look at is refused: nothing that was typed goes unheard.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

import typer

from clipbench.cli.expanding import expanded, options_of


@dataclass(frozen=True)
class Mode:
    """One thing that a command does. asked_by: the options that ask for it together, none for the plain one."""

    run: Callable[..., None]
    asked_by: tuple[str, ...]
    parameters: Mapping[str, Parameter]

    def heeds(self, name: str) -> bool:
        """Whether an option means something here."""
        return name in self.parameters or name in self.asked_by


def mode(run: Callable[..., None], *asked_by: str) -> Mode:
    """Return the mode of a function, whose records of options are expanded."""
    command = expanded(run)
    return Mode(command, asked_by, inspect.signature(command).parameters)


def one_command(modes: Sequence[Mode], flags: Any, doc: str) -> Callable[..., None]:
    """Return the command that has every option of the modes and runs the one that is asked for.

    flags: a record of the options that only ask for a mode. What only some modes need is not needed by the
    command. Same names are same options, as the first mode that has one declares it.
    """
    parameters = {parameter.name: parameter for parameter in options_of(flags)}
    for one in modes:
        for name, parameter in one.parameters.items():
            optional = (
                parameter if parameter.default is not Parameter.empty else parameter.replace(default=None)
            )
            parameters.setdefault(name, optional)

    def command(context: typer.Context, **values: Any) -> None:
        asked = asked_mode(modes, context)
        asked.run(**{name: values[name] for name in asked.parameters})

    about = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    command.__doc__, command.__annotations__ = doc, {}
    command.__dict__["__signature__"] = inspect.Signature([about, *parameters.values()])
    return command


def asked_mode(modes: Sequence[Mode], context: typer.Context) -> Mode:
    """Return the mode that was asked for; raise UsageError for two at a time, and for an option it does not heed."""
    sources = ((name, context.get_parameter_source(name)) for name in context.params)
    # By name: typer has a copy of click of its own, whose sources are not those of click.
    typed = {name for name, source in sources if source is not None and source.name == "COMMANDLINE"}
    names = {one.name or "": as_typed(one) for one in context.command.params}
    asking = {name for one in modes for name in one.asked_by} & typed
    asked = next((one for one in modes if asking == set(one.asked_by)), None)
    if asked is None:
        context.fail(
            f"{in_words(sorted(names[n] for n in asking), 'and')} are different reports: ask for one at a time"
        )
    for name in context.params:
        if name in typed and not asked.heeds(name):
            context.fail(
                f"{names[name]} goes with {heeding(modes, name, names)}, not with {mode_name(asked, names)}"
            )
    return asked


def as_typed(option: Any) -> str:
    """Return an option as it is typed: its long spelling, or an argument's name."""
    long = [spelling for spelling in option.opts if spelling.startswith("--")]
    return str(long[0] if long else option.metavar or option.name)


def mode_name(one: Mode, names: Mapping[str, str]) -> str:
    """Return what a mode is called."""
    return " with ".join(names[name] for name in one.asked_by) or "the plain list"


def heeding(modes: Sequence[Mode], name: str, names: Mapping[str, str]) -> str:
    """Return the modes that heed an option, in words; what goes with --a goes with --a and --b together."""
    able = [one for one in modes if one.heeds(name)]
    least = [
        one
        for one in able
        if not any(set(other.asked_by) < set(one.asked_by) for other in able if other.asked_by)
    ]
    return in_words([mode_name(one, names) for one in least], "or")


def in_words(words: Collection[str], last: str) -> str:
    """Return words as a list.

    >>> in_words(["a", "b", "c"], "or")
    'a, b or c'
    """
    *others, end = words
    return f"{', '.join(others)} {last} {end}" if others else end
