"""The `clipbench` command: the commands of `clipbench.cli.commands`, and errors as one line and an exit code.

Exit codes: 0 done, 1 a failure the user can mend (told in one line with the next command), 2 wrong
usage, 130 interrupted. Commands are imported when they are asked for, and heavy libraries inside them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from clipbench.cli.console import print_error
from clipbench.cli.groups import WholeCommandLine
from clipbench.errors import ClipbenchError, StoppedError
from clipbench.foreign_files import reason

app = typer.Typer(
    name="clipbench",
    cls=WholeCommandLine,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""How well does a CLIP-style model retrieve, how fast does it break, why does it fail, and is the
    difference real?

    New here? `clipbench demo` shows the whole tour offline in under two minutes.""",
)


def _print_version(asked: bool) -> None:
    if asked:
        from clipbench.version import __version__

        typer.echo(f"clipbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def check_arguments(words: Sequence[str]) -> None:
    """Raise ClipbenchError for a word that is not UTF-8: names go into reports, which are, so before any work."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            shown = word.encode("utf-8", "backslashreplace").decode()
            raise ClipbenchError(
                f"an argument is not UTF-8: {shown}",
                "give the file or folder a name of whole characters (mv)",
            ) from error


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        _run()
    except SystemExit as end:
        # typer and rich answer a pipe whose reader (head, less) went away with an error; that is no error of ours.
        if _left(end):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        raise


def _left(end: SystemExit) -> bool:
    """Whether the reader of our output went away, which shows at the latest when the last of it is written."""
    if isinstance(end.__context__, BrokenPipeError):
        return True
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return True
    return False


def _run() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Captions hold characters that a terminal's encoding may lack; they are no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    try:
        check_arguments(sys.argv[1:])
        app(prog_name="clipbench")
    except StoppedError as stop:
        print_error(stop)
        sys.exit(130)
    except KeyboardInterrupt:
        # Before there was work to tell of, or after it.
        print_error(StoppedError("interrupted: what was stored before is stored", "the same command again"))
        sys.exit(130)
    except ClipbenchError as error:
        print_error(error)
        sys.exit(1)
    except (MemoryError, RecursionError, UnicodeError) as error:
        # What a damaged or hostile input may ask for in a place that no reader foresaw.
        print_error(
            ClipbenchError(f"stopped: {reason(error)}", "look at the last file you named; is it damaged?")
        )
        sys.exit(1)
    except BrokenPipeError as error:
        raise SystemExit(0) from error
    except OSError as error:
        # What no command foresaw: a full disk beneath the output, a folder that may not be read.
        print_error(ClipbenchError(f"the operating system refused: {error}"))
        sys.exit(1)
