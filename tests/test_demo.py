"""The tour of `clipbench demo`, typed in an empty folder, against the requirement and the README."""

import re
import shlex
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
        "dataset", "dataset", "embed", "evaluate", "robustness",
        "annotate", "annotate", "annotate", "annotate", "annotate",
        "dataset", "evaluate", "adapt", "evaluate", "adapt", "evaluate", "report", "evaluate", "report", "report",
    ]  # fmt: skip
    assert (tmp_path / "clipbench-demo" / "clipbench.db").is_file()
    assert len(list((tmp_path / "clipbench-demo" / "annotation" / "pictures").iterdir())) == 200

    shown = dict(re.findall(r"^(clean|word-\w+ +[\d.]+) +(?:0 +)?(0\.\d{4})", done.stdout, re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^(clean|word-\w+ +[\d.]+) +(?:0 +)?(0\.\d{4})", readme, re.MULTILINE))
    assert len(told) == 7
    # PNG bytes and float32 products differ by library version; the pictures and the story do not.
    for name, value in told.items():
        assert float(shown[name]) == pytest.approx(float(value), abs=0.01), name

    # The simulated annotators: 120 failures that both label, at the rate that the tour names beforehand.
    (rate,) = re.findall(r"two of them agree with a chance of ([\d.]+)", done.stdout)
    ((raw, low, high, items),) = re.findall(
        r"^raw agreement +([\d.]+) +([\d.]+) +([\d.]+) +(\d+)$",
        done.stdout.partition("Ambiguous against")[0],
        re.M,
    )
    assert items == "120"
    assert float(low) < float(raw) < float(high)
    spread = (float(rate) * (1 - float(rate)) / 120) ** 0.5
    assert float(raw) == pytest.approx(float(rate), abs=3 * spread)

    # Each command can be typed again by hand; the tables that people may have filled in stay as they are.
    for words in typed[5:10]:
        again = [sys.executable, "-m", "clipbench", *shlex.split(words)]
        repeated = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert repeated.returncode == 0, (words, repeated.stderr)
    table = tmp_path / "clipbench-demo" / "annotation" / "assign_A.csv"
    table.write_bytes(table.read_bytes().replace(b",,,failure:", b",Object,,failure:", 1))
    refused = subprocess.run(
        [sys.executable, "-m", "clipbench", *shlex.split(typed[6])],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "holds assign_A.csv already, and somebody may have filled it in" in refused.stderr
    assert b",Object," in table.read_bytes()
