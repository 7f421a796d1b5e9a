"""The command line as a whole: help, exit codes, what goes to which stream, and what is never loaded."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, cli, good, misused, refused

from clipbench import __version__
from clipbench.cli.app import app, main
from clipbench.store.upgrade import REVISIONS
from clipbench.study.workplace.environment import command_line

PROGRAM = (sys.executable, "-m", "clipbench")


def commands() -> dict[tuple[str, ...], object]:
    """Every command and group by its words."""
    found: dict[tuple[str, ...], object] = {}

    def walk(words: tuple[str, ...], command: object) -> None:
        found[words] = command
        for name, sub in getattr(command, "commands", {}).items():
            walk((*words, name), sub)

    walk((), get_command(app))
    return found


COMMANDS = commands()
GROUPS = [words for words, command in COMMANDS.items() if hasattr(command, "commands")]
LEAVES = [words for words in COMMANDS if words not in GROUPS]


@cache
def help_of(words: tuple[str, ...], columns: int = 100) -> str:
    done = cli(*words, "--help", columns=columns)
    assert (done.code, done.err) == (0, "")
    return done.out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_names_every_option_and_argument_and_says_what_each_is(words: tuple[str, ...]) -> None:
    text = " ".join(help_of(words).replace("│", " ").split())
    for parameter in COMMANDS[words].params:  # type: ignore[attr-defined]
        is_option = parameter.param_type_name == "option"
        if is_option and parameter.hidden:
            continue  # an old spelling, which goes on working for one version
        for name in parameter.opts if is_option else [parameter.metavar or parameter.name]:
            assert name in text, f"{name} is not in the help of {' '.join(words)}"
        assert parameter.help, f"{parameter.name} of {' '.join(words)} has no help"
    for name, command in getattr(COMMANDS[words], "commands", {}).items():
        assert f"│ {name} " in help_of(words)
        assert command.get_short_help_str(limit=200)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_says_what_options_take_in_words_and_no_python_types(words: tuple[str, ...]) -> None:
    assert not re.search(r"<\w|list\[|_\b", help_of(words).replace("open_clip", "")), help_of(words)


@pytest.mark.parametrize("columns", [80, 100])
def test_help_fits_the_terminal(columns: int) -> None:
    for words in COMMANDS:
        lines = help_of(words, columns).splitlines()
        assert max(map(len, lines)) <= columns
        assert not any("…" in line for line in lines), f"something is cut in the help of {' '.join(words)}"


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_a_group_alone_shows_its_help(words: tuple[str, ...]) -> None:
    done = cli(*words)
    assert done.code == 2
    assert done.out.strip() == help_of(words).strip()


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_wrong_usage_ends_with_code_2(words: tuple[str, ...]) -> None:
    assert "--no-such-option" in misused(*words, "--no-such-option")


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("runs", "nonsense"),
        ("dataset", "add"),
        ("dataset", "add", "toys"),
        ("dataset", "add", "toys", "--format", "scenes", "--captions", "x.csv"),
        ("dataset", "add", "toys", "--captions", "x.csv", "--max-captions", "5", "--policy", "all"),
        ("dataset", "add", "toys", "--captions", "x.csv", "--max-captions", "0"),
        ("dataset", "add", "toys", "--captions", "x.csv", "--sample", "-3"),
        ("dataset", "add", "toys", "--captions", "x.csv", "--allow-missing", "7"),
        ("dataset", "show", "toys", "--format", "xml"),
        ("embed", "toys"),
        ("embed", "toys", "--model", "toy", "--only", "sound"),
        ("evaluate", "toys", "--model", "toy", "--k", "0"),
        ("evaluate", "toys", "--model", "toy", "--k", "many"),
        ("evaluate", "toys", "--model", "toy", "--ties", "maybe"),
        ("evaluate", "toys", "--model", "toy", "--fold", "1"),
        ("evaluate", "toys", "--model", "toy", "--resamples", "5"),
        ("evaluate", "toys", "--model", "toy", "--confidence", "1"),
        ("report", "--since", "yesterday"),
        ("report", "--limit", "0"),
        ("runs", "list", "--limit", "-1"),
        ("runs", "export", "latest", "--direction", "up"),
        ("runs", "tag", "latest"),
        ("store", "backup"),
    ],
    ids=" ".join,
)
def test_a_command_typed_wrong_ends_with_code_2_and_says_how_to_get_help(words: tuple[str, ...]) -> None:
    told = misused(*words)
    assert "-h' for help" in told
    assert not Path(os.environ["CLIPBENCH_STORE"]).exists()


READERS = [
    ("dataset", "list"),
    ("dataset", "show", "toys"),
    ("dataset", "lint", "toys"),
    ("embed", "toys", "--model", "toy"),
    ("embed", "export", "toys", "--model", "toy", "--out", "x.h5"),
    ("embed", "import", "toys", "--model", "words", "--images", "x.npy"),
    ("evaluate", "toys", "--model", "toy"),
    ("report",),
    ("runs", "list"),
    ("runs", "show"),
    ("runs", "export", "latest"),
    ("runs", "tag", "latest", "good"),
    ("runs", "delete", "latest", "--yes"),
    ("store", "info"),
    ("store", "verify"),
    ("store", "gc", "--yes"),
    ("store", "backup", "copy"),
]


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_where_there_is_no_store_a_command_says_so_and_makes_none(
    words: tuple[str, ...], own_home: Path
) -> None:
    told = refused(*words)
    assert f"there is no store at {own_home}" in told
    assert "try: clipbench dataset add" in told
    assert not own_home.exists()


def test_a_store_of_a_newer_schema_is_left_alone(own_home: Path, tmp_path: Path) -> None:
    added(tmp_path, images=2)
    with closing(sqlite3.connect(own_home / "clipbench.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = (own_home / "clipbench.db").read_bytes()
    file = tmp_path / "captions.csv"
    for words in [*READERS, ("dataset", "add", "more", "--captions", str(file), "--captions-only")]:
        told = refused(*words)
        assert "has schema 9999" in told
        assert f"knows none newer than {REVISIONS[-1]}" in told
        assert "try: pip install --upgrade clipbench" in told
    assert (own_home / "clipbench.db").read_bytes() == before


def test_another_programs_database_is_left_alone(own_home: Path) -> None:
    own_home.mkdir()
    (own_home / "clipbench.db").write_text("a diary")
    assert "is not an SQLite file" in refused("report")
    assert (own_home / "clipbench.db").read_text() == "a diary"


def test_the_store_option_wins_over_the_environment(tmp_path: Path, own_home: Path) -> None:
    added(tmp_path, images=2)
    other = tmp_path / "other"
    assert f"there is no store at {other}" in refused("dataset", "list", "--store", other)
    assert own_home.exists()


def test_h_is_help() -> None:
    assert good("runs", "tag", "-h").out == help_of(("runs", "tag"))


def test_the_version_is_the_packages() -> None:
    assert good("--version").out == f"clipbench {__version__}\n"


def test_typers_own_test_runner_drives_the_same_command_line() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"clipbench {__version__}\n")


def process(*words: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False, env=environment, **more
    )  # type: ignore[call-overload, no-any-return]


def test_python_m_clipbench_tells_users_errors_in_one_line_and_a_hint(own_home: Path) -> None:
    done = process("report")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"error: there is no store at {own_home}",
        "  try: clipbench dataset add, or --store PATH",
    ]


@pytest.mark.parametrize("program", ["/usr/bin/clipbench", "/lib/clipbench/__main__.py", "clipbench"])
def test_a_command_is_recorded_as_one_would_type_it(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [program, "evaluate", "my toys", "--model", "toy"])
    assert command_line() == "clipbench evaluate 'my toys' --model toy"


def test_a_reader_that_leaves_a_pipe_early_hears_nothing() -> None:
    line = f"{sys.executable} -m clipbench store views | head -n 1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_finds_no_room_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "store", "views"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_without_unicode_gets_what_it_can_show() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*PROGRAM, "store", "views", "--format", "markdown"],
        capture_output=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.decode("ascii").startswith("**Views")


HEAVY = [
    "torch",
    "open_clip",
    "torchvision",
    "scipy",
    "h5py",
    "matplotlib",
    "pandas",
    "pyarrow",
    "alembic",
    "PIL",
]


LOOKING = [
    "report", "report --json", "runs list", "runs show", "runs tag latest x", "runs delete x --yes",
    "store info", "store views", "dataset list", "dataset show toys",
]  # fmt: skip
EACH = """
import sys
from clipbench.cli.app import main
for words in sys.argv[1:]:
    sys.argv = ["clipbench", *words.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
    print(words, [m for m in HEAVY if m in sys.modules], file=sys.stderr)
"""


def test_commands_that_only_look_things_up_load_no_heavy_library(tmp_path: Path) -> None:
    added(tmp_path, images=3)
    good("evaluate", "toys", "--model", "toy", "-q")
    code = EACH.replace("HEAVY", repr(HEAVY))
    done = subprocess.run([sys.executable, "-c", code, *LOOKING], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines() == [f"{words} []" for words in LOOKING]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")
def test_a_terminal_gets_bars_on_stderr_and_the_table_on_stdout(tmp_path: Path) -> None:
    import pty

    added(tmp_path)
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*PROGRAM, "embed", "toys", "--model", "toy"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        check=False,
    )
    os.close(theirs)
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert done.stdout.startswith("toys × toy (fp32)\n")
    assert "images" in drawn
    assert "12/12" in drawn
    assert "24/24" in drawn
    assert "━" not in done.stdout


def test_ctrl_c_outside_the_work_is_told_in_two_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clipbench.cli.app.app", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err.splitlines() == [
        "interrupted: what was stored before is stored",
        "  try: the same command again",
    ]
