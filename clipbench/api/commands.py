"""Every command as a call: options are keywords, results are returned, and errors are raised.

A call goes through the command line's own parsing, so that it means, checks and refuses the same.
"""

from __future__ import annotations

import io
import shlex
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

from clipbench.api.result import Result
from clipbench.cli.misuse import misuse
from clipbench.cli.output import collecting
from clipbench.errors import ClipbenchError
from clipbench.reports.tables import Table

READING = frozenset(
    {
        *(
            "evaluate",
            "report",
            "search",
            "doctor",
            "replicate",
            "robustness sweep",
            "robustness gallery",
        ),
        *("dataset list", "dataset show", "dataset lint", "runs list", "runs show"),
        *("robustness list", "robustness preview", "robustness sweeps", "improve prompts", "improve rerank"),
        *("adapt list", "adapt show", "adapt ablate", "index list", "index show", "index sweep"),
        *(
            "annotate list",
            "annotate results",
            "annotate agreement",
            "annotate summary",
            "store info",
            "store views",
        ),
    }
)
"""Commands that find what is stored when they are called again, so that their numbers in full may be asked for later."""


@cache
def commands() -> Mapping[str, Any]:
    """Every command that does something, by its words: "robustness sweep"."""
    from typer.main import get_command

    from clipbench.cli.app import app

    found: dict[str, Any] = {}

    def walk(words: tuple[str, ...], command: Any) -> None:
        if not hasattr(command, "commands"):
            found[" ".join(words)] = command
            return
        for name, child in command.commands.items():
            walk((*words, name), child)

    walk((), get_command(app))
    return found


def call(folder: Path, name: str, arguments: Sequence[object], options: Mapping[str, object]) -> Result:
    """Run a command on the store at `folder`. Raises ClipbenchError for all that the command line tells in one line."""
    if name not in commands():
        raise ClipbenchError(f"there is no command {name!r}", f"one of: {', '.join(sorted(commands()))}")
    place = [f"--store={folder}"] if _takes(name, "store") else []
    typed = [*place, *argv(name, arguments, options)]
    tables, text = _run([*name.split(), *typed])
    command = shlex.join(["clipbench", *name.split(), *typed])
    if name not in READING or not _takes(name, "json"):
        return Result(tables, text, command)
    return Result(tables, text, command, lambda: _run([*name.split(), "--json", *typed])[0])


def _takes(name: str, option: str) -> bool:
    return any(one.name == option for one in commands()[name].params)


def argv(name: str, arguments: Sequence[object], options: Mapping[str, object]) -> list[str]:
    """Return what is typed behind a command: dry_run=True is --dry-run, a list is an option several times.

    None and False are left out. Raises ClipbenchError for an option that the command has not.
    """
    known = {one.name: one for one in commands()[name].params}
    words: list[str] = []
    for key, value in options.items():
        option = known.get(key) or known.get(f"{key}_")
        if option is None or not option.opts[0].startswith("-"):
            have = ", ".join(sorted(key for key, one in known.items() if one.opts[0].startswith("-")))
            raise ClipbenchError(f"`clipbench {name}` has no option {key!r}", f"it has {have}")
        spelling = max(option.opts, key=len)
        values = value if isinstance(value, list | tuple) else [value]
        for one in values:
            if one is None or one is False:
                continue
            words += [spelling] if one is True else [f"{spelling}={one}"]
    # Behind --, so that a name that begins with a dash is a name.
    return [*words, *(["--"] if arguments else []), *(str(one) for one in arguments)]


def _run(words: Sequence[str]) -> tuple[tuple[Table, ...], str]:
    from typer.main import get_command

    from clipbench.cli.app import app

    text = io.StringIO()
    with collecting() as tables, redirect_stdout(text), misuse(f"clipbench {words[0]} --help"):
        code = get_command(app).main(list(words), prog_name="clipbench", standalone_mode=False)
    if code:
        raise ClipbenchError(text.getvalue().strip() or f"`clipbench {words[0]}` found something wrong")
    return tuple(tables), text.getvalue()
