"""What hostile or damaged input may do to the command line: one line on stderr, no traceback, no terminal obeyed."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import refused

from clipbench.cli import app as command_line
from clipbench.cli.console import visible


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("maximum recursion depth exceeded")])
def test_lack_of_memory_and_depth_end_in_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(command_line, "app", fails)
    monkeypatch.setattr(sys, "argv", ["clipbench"])
    with pytest.raises(SystemExit) as end:
        command_line.main()
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("error: stopped: it ")


def test_an_argument_that_is_not_utf_8_is_refused_before_any_work(tmp_path: Path) -> None:
    environment = {**os.environ, "CLIPBENCH_STORE": str(tmp_path / "store"), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "clipbench", "dataset", "add", "toys", "--captions", b"\xff\xfe.csv"],
        capture_output=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"an argument is not UTF-8: \\udcff\\udcfe.csv" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_file_name_cannot_make_a_terminal_do_things(tmp_path: Path) -> None:
    name = "\x1b]0;owned\x07\x1b[2J\u202egnp.csv"
    told = refused("dataset", "add", "toys", "--captions", tmp_path / name)
    assert "\x1b" not in told
    assert "\x07" not in told
    assert "\u202e" not in told
    assert "\\x1b]0;owned" in told
    assert visible("größe 犬 🐕.png\n\tnext") == "größe 犬 🐕.png\n\tnext"


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 50_000, json.dumps({"format": "clipbench bundle", "version": 1, "files": 7})],
)
def test_a_bundle_whose_nest_is_deep_or_whose_parts_are_none_is_one_clear_error(
    text: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("manifest.json", text)
    assert "1 problem" in refused("runs", "import", tmp_path / "x.zip")
