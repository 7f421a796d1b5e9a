"""Options declared once, as a frozen record: every command that takes the record has each of its fields as an option."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, field, fields, is_dataclass
from functools import wraps
from inspect import Parameter
from typing import Annotated, Any, get_type_hints

from typer import Option

TYPER = "typer"
"""Under which name a field holds what typer must know of it."""


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command in whose signature each record of options is replaced by the record's fields.

    Typer reads the signature, so help, completion and defaults are those of options written out. Two options
    of one name are refused by `inspect.Signature`.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Output:
    ...     form: str = "table"
    >>> @expanded
    ... def show(run: str, output: Output) -> None:
    ...     print(run, output)
    >>> str(inspect.signature(show))
    "(*, run: str, form: str = 'table')"
    >>> show(run="latest", form="csv")
    latest Output(form='csv')
    """
    given = inspect.signature(command, eval_str=True).parameters
    records: dict[str, Any] = {
        name: one.annotation for name, one in given.items() if is_dataclass(one.annotation)
    }
    # By keyword only, so that an argument without a default may stand behind a record whose fields have some.
    parameters = [
        parameter
        for name, one in given.items()
        for parameter in (
            options_of(records[name]) if name in records else [one.replace(kind=Parameter.KEYWORD_ONLY)]
        )
    ]

    @wraps(command)
    def run(**values: Any) -> None:
        for name, record in records.items():
            values[name] = record(**{one.name: values.pop(one.name) for one in fields(record)})
        command(**values)

    run.__annotations__ = {}  # those of the command say what it takes, the signature what is typed
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    return run


def options_of(record: Any) -> Iterator[Parameter]:
    """Yield the fields of a record of options as parameters of a command."""
    hints = get_type_hints(record, include_extras=True)
    for one in fields(record):
        declared = one.metadata.get(TYPER)
        hint = hints[one.name] if declared is None else Annotated[hints[one.name], declared]
        default = Parameter.empty if one.default is MISSING else one.default
        yield Parameter(one.name, Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def option(says: str, *names: str, default: Any = None, panel: str | None = None, **more: Any) -> Any:
    """Return a field of a record that is an option. default: MISSING for one that has to be given.

    names: how it is typed, where that is not its name. panel: heading of the help it stands under. more: what
    `typer.Option` takes.
    """
    return field(default=default, metadata={TYPER: Option(*names, help=says, rich_help_panel=panel, **more)})


def switch(says: str, *names: str, panel: str | None = None, **more: Any) -> Any:
    """Return a field of a record that is an option without a value, off unless typed."""
    # Without the empty metavar help would show it as `<bool>`; without its name typer would offer --no-NAME.
    return option(says, *names, default=False, panel=panel, metavar="", **more)
