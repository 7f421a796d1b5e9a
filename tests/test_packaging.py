"""What is put on the registry works by itself, and a checkout works where git made no links."""

import email
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import sqlmodel
from wheels import HELP, PYTHONS, STEPS, Tried, interpreter, try_out

ROOT = Path(__file__).parent.parent
OUTER = ("datasets", "store", "migrations")
SHIPPED = ("clipbench", *OUTER, "pyproject.toml", "README.md", "LICENSE", "docs/clipbench.1")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
PRESENT = Path(sqlmodel.__file__).parent.parent
"""Where the packages of this environment are."""


def linkless(folder: Path) -> Path:
    """Copy the project as git checks it out on Windows: a link is a text file that holds its target."""
    folder.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for name in OUTER:
        link = folder / "clipbench" / name
        link.unlink()
        link.write_text(f"../{name}")
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return linkless(tmp_path_factory.mktemp("project") / "clipbench")


@pytest.fixture(scope="module")
def built(checkout: Path) -> Path:
    """The sdist, and the wheel that is built from it, in a folder."""
    pytest.importorskip("build")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(checkout.parent / "dist")],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return checkout.parent / "dist"


def modules() -> set[str]:
    """Every module and data file as a wheel names it."""
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "clipbench").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for name in OUTER:
        found |= {
            f"clipbench/{path.relative_to(ROOT)}"
            for path in (ROOT / name).rglob("*.py")
            if "__pycache__" not in path.parts
        }
    return found


def run(folder: Path, code: str) -> str:
    """What Python prints that finds clipbench in `folder`."""
    done = subprocess.run(
        [sys.executable, *code.split()] if code.startswith("-m") else [sys.executable, "-c", code],
        cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_checkout_without_links_is_imported_as_it_is_and_so_it_is_by_workers(checkout: Path) -> None:
    told = run(
        checkout,
        "from inspect import getfile\nfrom multiprocessing import get_context\n"
        "from clipbench.store.engine import open_store\n"
        "import clipbench.datasets.formats as formats, clipbench.store.upgrade as upgrade\n"
        "if __name__ == '__main__':\n"
        "    with get_context('spawn').Pool(1) as pool:\n"
        "        print(formats.__file__, upgrade.SCRIPTS, pool.apply(getfile, (open_store,)))",
    )
    places = (checkout / "datasets/formats.py", checkout / "migrations", checkout / "store/engine.py")
    assert told.split() == list(map(str, places))
    assert run(checkout, "-m clipbench --version").startswith("clipbench ")


def test_an_installed_clipbench_is_in_one_folder() -> None:
    import clipbench

    assert len(clipbench.__path__) == 1, "the links are there, or it is installed"


@pytest.mark.slow
def test_sdist_and_wheel_hold_every_module_and_no_more(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    beside = {name for name in packed if ".data/" in name}
    assert packed - beside == modules()
    assert [name.partition(".data/")[2] for name in beside] == ["data/share/man/man1/clipbench.1"]
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert not [member.name for member in archive if member.issym() or member.islnk()]
    assert names >= {"store/engine.py", "datasets/formats.py", "migrations/env.py", "LICENSE", "README.md"}


@pytest.mark.slow
def test_metadata_say_what_a_registry_shows(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        told = email.message_from_bytes(archive.read(name))
    assert told["Name"] == "clipbench"
    assert told["License-Expression"] == "MIT"
    assert told["Description-Content-Type"] == "text/markdown"
    assert "# clipbench" in told.get_payload()
    assert told["Requires-Python"] == ">=3.11"
    assert " @ " not in " ".join(told.get_all("Requires-Dist")), "a registry takes no link to a repository"


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
def test_a_wheel_works_in_an_empty_environment(python: str, built: Path, tmp_path: Path) -> None:
    """The packages beside it are those of this Python; of another it can use the ones without compiled parts."""
    found = interpreter(python)
    if found is None:
        pytest.skip(f"no {python} on this machine")
    (wheel,) = built.glob("*.whl")
    tried = Tried(tmp_path, found, wheel, PRESENT)
    ours = python == f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert try_out(tried, STEPS if ours else (HELP,)) == VERSION
    assert tried.python("import clipbench; print(clipbench.__file__)").startswith(str(tmp_path))


@pytest.mark.slow
def test_a_checkout_without_links_is_installed_for_work_on_it(checkout: Path, tmp_path: Path) -> None:
    tried = Tried(tmp_path, sys.executable, checkout, PRESENT, editable=True)
    told = tried.python("import clipbench.store as s, clipbench.datasets as d; print(s.__file__, d.__file__)")
    assert told.split() == [str(checkout / "store/__init__.py"), str(checkout / "datasets/__init__.py")]
    assert "Usage: clipbench" in tried.clipbench("--help")
