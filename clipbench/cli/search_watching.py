"""Query after query with one model: lines of words, with the options of `clipbench search` where wanted."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument

from clipbench.cli.console import note, print_error
from clipbench.cli.expanding import expanded
from clipbench.cli.misuse import misuse
from clipbench.cli.options import OutputOptions
from clipbench.cli.search_options import LookOptions, QueryOptions
from clipbench.cli.search_results import show
from clipbench.errors import ClipbenchError

if TYPE_CHECKING:
    from clipbench.study.searching.asking import Asked, Found, Place

HELP = "words, or words --without WORDS --image FILE --like ID --where CONDITION -n N; an empty line or Ctrl-D ends"


def watch_queries(place: Place, query: QueryOptions, look: LookOptions, output: OutputOptions) -> None:
    """Answer queries from stdin until it ends; a wrong one is told and the next one asked for.

    What was typed with the command (--top, --where, ...) holds for every query that says nothing else. As JSON,
    each answer is one line.
    """
    if sys.stdin.isatty():
        note(HELP)
    for line in _lines():
        try:
            found = place.find(asked_line(line, query))
            if output.chosen == "json":
                _print_line(found, output)
            else:
                show(place, found, look, output)
        except ClipbenchError as error:
            if output.chosen == "json":  # a line for every line, so that a program keeps step
                sys.stdout.write(json.dumps({"error": error.message}) + "\n")
            else:
                print_error(error)
        sys.stdout.flush()


def asked_line(line: str, query: QueryOptions) -> Asked:
    """Return the query of a line: all of it words, unless it has options.

    Raises ClipbenchError for an option that there is not.
    """
    if not any(sign in f" {line} " for sign in (" --", " -n ")):
        return _with(query, QueryOptions(), line.split(), set())
    try:
        words = shlex.split(line)
    except ValueError:  # an apostrophe is no open quotation here
        words = line.split()
    return _parsed(words, query)


def _parsed(words: list[str], query: QueryOptions) -> Asked:
    parsed: list[Asked] = []
    command = _command()
    with misuse(HELP), command.make_context("search", words) as context:
        # By name: typer has a copy of click of its own, whose sources are not those of click.
        sources = {name: context.get_parameter_source(name) for name in context.params}
        typed = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
        values = {name: value for name, value in context.params.items() if name != "words"}
        parsed.append(_with(query, QueryOptions(**values), context.params["words"] or [], typed))
    return parsed[0]


def _with(query: QueryOptions, line: QueryOptions, words: list[str], typed: set[str]) -> Asked:
    """Return the query of a line, with what the command said where the line says nothing."""
    kept = ("where", "top", "min_score", "weight")
    values = {name: getattr(line if name in typed else query, name) for name in kept}
    parts = {name: getattr(line, name) for name in ("image", "like", "caption", "without")}
    return QueryOptions(**parts, **values).asked(words)


@cache
def _command() -> Any:
    @expanded
    def line(
        words: Annotated[list[str] | None, Argument()] = None, query: QueryOptions = QueryOptions()
    ) -> None:
        del words, query

    app = typer.Typer(add_completion=False)
    app.command(context_settings={"help_option_names": []})(line)
    return typer.main.get_command(app)


def _lines() -> Iterator[str]:
    """Yield what is typed, line by line, with a prompt where somebody types; end at an empty line there."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # one odd byte is no reason to stop
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    with suppress(ImportError):
        import readline  # noqa: F401, gives lines that can be edited, and those before
    with suppress(EOFError, KeyboardInterrupt):
        while line := _typed().strip():
            yield line
    sys.stderr.write("\n")


def _typed() -> str:
    """Return a line that somebody types; the prompt is no result, so where those go elsewhere it is on stderr."""
    if sys.stdout.isatty():
        return input("search> ")
    sys.stderr.write("search> ")
    sys.stderr.flush()
    return input()


def _print_line(found: Found, output: OutputOptions) -> None:
    from clipbench.reports.choosing import with_columns
    from clipbench.reports.searching.tables import hit_table
    from clipbench.reports.tables import json_value

    table = hit_table(found)
    if output.names:
        [table] = with_columns([table], output.names)
    sys.stdout.write(json.dumps(json_value(table)) + "\n")
