"""How the command line starts: which modules it imports for what it is asked, whatever the machine's speed."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_toys import added, cli, good
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


# What is stored needs no model

WITHOUT_TORCH = """
import sys
from typer.main import get_command

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "open_clip", "transformers"}:
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Nothing())
from clipbench.cli.app import app

for line in sys.argv[1].splitlines():
    get_command(app).main(line.split(), prog_name="clipbench", standalone_mode=False)
import clipbench.browse_page.application
"""
"""Runs commands, one a line, in an interpreter in which nobody can import torch."""

STORED = """
evaluate toys --model demo -q
embed toys --model demo -q
report
report --format csv
report --compare latest:clean latest:word-dropout=0.5
report --leaderboard
report --sweep drops
report --html page.html
runs list
runs show latest:clean
runs export latest:clean -o ledger.csv
robustness sweeps
robustness sweep toys --model demo --perturb word-dropout --levels 0,0.5 --seeds 1 --name drops -q
index list
search --dataset toys --model demo --caption p000.png#0
dataset show toys
store info
store verify --quick
store gc --dry-run
"""


def test_commands_that_find_everything_stored_import_no_torch(tmp_path: Path) -> None:
    added(tmp_path)
    good("evaluate", "toys", "--model", "demo", "-q")
    good(*next(line for line in STORED.splitlines() if line.startswith("robustness sweep ")).split())
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, STORED.strip()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


LOOKING = """
import atexit, gc, sys
looked = []
gc.callbacks.append(lambda phase, info: looked.append(info) if phase == "start" else None)
atexit.register(lambda: sys.stderr.write(f"{len(looked)} {gc.get_freeze_count() > 10_000}"))
sys.argv = ["clipbench", *sys.argv[1:]]
from clipbench.__main__ import main
del looked[:]
main()
"""
"""Tells how often Python looked for garbage while a command ran, and whether it will look through it all once more."""


@pytest.mark.parametrize("words", [("--help",), ("report",), ("evaluate", "toys", "--model", "toy", "-q")])
def test_nothing_is_searched_for_garbage_by_a_command_that_finds_all_stored(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    added(tmp_path)
    good("evaluate", "toys", "--model", "toy", "-q")
    done = subprocess.run(
        [sys.executable, "-c", LOOKING, *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0
    assert done.stderr == "0 True"
