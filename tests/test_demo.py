"""The tour of `clipbench demo`, typed in an empty folder, against the requirement and the README."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_demo_runs_from_an_empty_folder_and_prints_what_the_readme_shows(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "clipbench", "demo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    typed = re.findall(r"^\$ clipbench (.+)$", done.stdout, re.MULTILINE)
    assert [words.split()[0] for words in typed] == [
        "dataset", "dataset", "embed", "evaluate", "robustness", "report",
    ]  # fmt: skip
    assert (tmp_path / "clipbench-demo" / "clipbench.db").is_file()

    shown = dict(re.findall(r"^(clean|word-\w+ +[\d.]+) +(?:0 +)?(0\.\d{4})", done.stdout, re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^(clean|word-\w+ +[\d.]+) +(?:0 +)?(0\.\d{4})", readme, re.MULTILINE))
    assert len(told) == 7
    # PNG bytes and float32 products differ by library version; the pictures and the story do not.
    for name, value in told.items():
        assert float(shown[name]) == pytest.approx(float(value), abs=0.01), name
