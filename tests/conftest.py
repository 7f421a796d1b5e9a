"""Fixtures every test has: a store of its own, no network, the tiny model and the real data."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
os.environ["HF_HUB_OFFLINE"] = "1"
# readline, which pytest's debugger loads, tells every child of a terminal of 80 columns that there is not.
os.environ["COLUMNS"] = "200"

# A shell starts background jobs with Ctrl-C ignored, and children inherit that; ours have to be interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every machine; `pytest --hypothesis-profile explore` looks for new ones.
settings.register_profile("seeded", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("seeded")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a store of its own, empty and not yet made."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CLIPBENCH_STORE", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of research data beside the project; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("no research data beside the project")
    return folder
