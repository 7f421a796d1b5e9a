"""How the command line starts: which modules it imports for what it is asked, whatever the machine's speed."""

import subprocess
import sys

import pytest
from cli_toys import cli
from typer.main import get_command

from clipbench.cli.app import app
from clipbench.cli.commands import COMMANDS


def imported(code: str, *, before: str = "") -> set[str]:
    """The modules that are there after `code` has run in a fresh interpreter."""
    told = f"{before}\n{code}\nimport sys; sys.stderr.write(chr(0).join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stderr.split("\0"))


def after(*words: str) -> set[str]:
    """The modules that are there after a command has run."""
    code = (
        f"import sys; sys.argv = ['clipbench', *{words!r}]\n"
        "from clipbench.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code"
    )
    return imported(code)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_the_line_it_says_of_itself(name: str) -> None:
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    first = " ".join(command.help.split("\n\n")[0].split())
    assert COMMANDS[name].line == first


def test_every_module_of_a_command_is_there_and_is_imported_when_it_is_asked_for() -> None:
    modules = after("report", "--help")
    groups = {one.module for one in COMMANDS.values()}
    assert modules & groups == {COMMANDS["report"].module}


def test_help_of_the_whole_imports_no_command() -> None:
    modules = after("--help")
    assert not modules & {one.module for one in COMMANDS.values()}
    assert not {name.partition(".")[0] for name in modules} & {"numpy", "sqlalchemy", "sqlmodel", "torch"}


def test_completion_of_a_name_imports_no_command() -> None:
    words = "_CLIPBENCH_COMPLETE='complete_bash', COMP_WORDS='clipbench re', COMP_CWORD='1'"
    modules = imported(
        "from clipbench.__main__ import main\ntry: main()\nexcept SystemExit: pass",
        before=f"import os; os.environ.update({words})",
    )
    assert not modules & {one.module for one in COMMANDS.values()}


def test_a_word_that_is_no_command_is_told_with_the_nearest() -> None:
    done = cli("repport")
    assert done.code == 2
    assert "Did you mean 'report'" in done.err
