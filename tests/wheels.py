"""A wheel tried in an empty environment: what is installed there, what its command says, what its first step does.

    python tests/wheels.py dist            every python3.11 to 3.13 on this machine, dependencies from the registry
    python tests/wheels.py dist python3.12 that one

Nothing of the checkout is in reach: the commands run in an empty folder, with Python's own path alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PYTHONS = ("python3.11", "python3.12", "python3.13")
HELP = ("--help", "Usage: clipbench")
FIRST_STEP = ("dataset add scenes --format scenes --sample 12", "scenes: added: 12 images")
"""The first step of `clipbench demo`, at a small size."""

STEPS = (HELP, FIRST_STEP)
MODEL_STEP = ("evaluate scenes --model demo -q", "R@10")
"""Loads the bundled model too, which takes as long as torch does."""


class Tried:
    """An empty environment in `folder` with clipbench in it, from a wheel or a checkout.

    present: a folder of packages of the same Python that stand in for the dependencies; None takes them from the
    registry. editable: installed as a checkout that is worked on.
    """

    def __init__(
        self, folder: Path, python: str, project: Path, present: Path | None = None, *, editable: bool = False
    ) -> None:
        self.bin = folder / "environment" / "bin"
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        self._run(python, "-m", "venv", *(["--without-pip"] if present else []), str(self.bin.parent))
        if present is None:
            self._run(self.bin / "python", "-m", "pip", "install", "--quiet", str(project))
            return
        packages = next(self.bin.parent.glob("lib/python*/site-packages"))
        # Behind what is installed here on the path; the .pth files over there, of editable installs say, are not read.
        (packages / "present.pth").write_text(f"{present}\n")
        self._run(
            *(sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", "--quiet"),
            *("--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed", "--no-compile"),
            *(["--editable"] if editable else []),
            str(project),
        )

    def python(self, code: str) -> str:
        """Return what a line of Python prints there."""
        return self._run(self.bin / "python", "-c", code)

    def clipbench(self, words: str) -> str:
        """Return what the installed command prints."""
        return self._run(self.bin / "clipbench", *words.split())

    def _run(self, *words: str | Path) -> str:
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CLIPBENCH"))
        }
        done = subprocess.run(
            [str(word) for word in words],
            cwd=self.work,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
        return done.stdout


def try_out(tried: Tried, steps: Sequence[tuple[str, str]]) -> str:
    """Run commands from the wheel, each with what it must say; return the version.

    Raises RuntimeError where something is wrong.
    """
    version = tried.clipbench("--version").split()[-1]
    for words, expected in steps:
        if expected not in tried.clipbench(words):
            raise RuntimeError(f"clipbench {words} does not say {expected!r}")
    return version


def interpreter(python: str) -> str | None:
    """Return the Python of this name that can be started: on the path, else of pyenv; None for none.

    pyenv puts commands on the path that may only say that no version is chosen.
    """
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    kept = sorted(root.glob(f"versions/{python.removeprefix('python')}.*/bin/{python}"))
    for found in (shutil.which(python), *map(str, reversed(kept))):
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return None


def main(words: Sequence[str]) -> int:
    """Try the newest wheel of a folder with each Python; return the exit code."""
    folder, *pythons = words
    wheels = sorted(Path(folder).resolve().glob("*.whl"), key=lambda file: file.stat().st_mtime)
    if not wheels:
        print(f"no wheel in {folder}: python -m build")  # noqa: T201
        return 1
    for python in pythons or PYTHONS:
        found = interpreter(python)
        if found is None:
            print(f"{python}: not on this machine, not tried")  # noqa: T201
            continue
        with tempfile.TemporaryDirectory() as place:
            version = try_out(Tried(Path(place), found, wheels[-1]), (*STEPS, MODEL_STEP))
        print(f"{python}: clipbench {version} works in an empty environment")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
