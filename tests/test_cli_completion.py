"""Tab completes names from the store; where there is no store it completes nothing and makes none."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, good


def completed(line: str) -> list[str]:
    """Return what bash would offer at the end of a line."""
    done = subprocess.run(
        [sys.executable, "-m", "clipbench"],
        env={
            **os.environ,
            "_CLIPBENCH_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split()) - (not line.endswith(" "))),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_datasets_runs_and_operations_are_completed(tmp_path: Path) -> None:
    added(tmp_path)
    good("evaluate", "toys", "--model", "toy", "--tag", "first")
    assert completed("clipbench evaluate t") == ["toys"]
    assert completed("clipbench evaluate x") == []
    (key,) = [row["run"] for row in good("runs", "list", "--json").json["rows"]]
    assert completed("clipbench runs show ") == [
        "latest",
        "latest:clean",
        "first",
        key.removeprefix("run:")[:10],
    ]
    assert "family:word-order" in completed("clipbench robustness sweep toys --perturb family:w")
    assert completed("clipbench robustness sweep toys --perturb word-drop") == ["word-dropout"]


def test_a_store_can_be_named_on_the_line(tmp_path: Path) -> None:
    added(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    assert completed(f"clipbench evaluate --store {elsewhere} ") == []
    assert not elsewhere.exists()


def test_what_is_no_store_has_no_names(own_home: Path) -> None:
    own_home.mkdir(parents=True, exist_ok=True)
    (own_home / "clipbench.db").write_text("no database")
    assert completed("clipbench evaluate ") == []
