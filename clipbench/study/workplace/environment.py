"""Where and with what a result was made: versions, platform, git state, command."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from clipbench.keys import Json

LIBRARIES = (
    "clipbench",
    "numpy",
    "scipy",
    "torch",
    "torchvision",
    "open_clip_torch",
    "timm",
    "pillow",
    "h5py",
)


def library_versions(names: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """Return the installed version of each library; one that is not installed is left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Json]:
    """Return {"commit", "dirty"} of the working tree around `folder`, empty where there is none."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {}
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  (a fixed program and fixed words, no shell)
            ["git", *words],  # noqa: S607  (git is where PATH says)
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def environment() -> Mapping[str, Json]:
    """Return what a reader needs to repeat a result: platform, Python, libraries, git state."""
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "libraries": library_versions(),
        "git": git_state(Path.cwd()),
    }


def command_line() -> str:
    """Return the command as it was typed, quoted for a shell, with the program's bare name first."""
    program = Path(sys.argv[0])
    # `python -m clipbench` runs clipbench/__main__.py.
    name = program.parent.name if program.name == "__main__.py" else program.name
    return shlex.join([name, *sys.argv[1:]])
