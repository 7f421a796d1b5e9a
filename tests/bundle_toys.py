"""What tests of bundles do to their members; no test is in here."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cli_toys import added, environment, good

from clipbench.home import Home
from clipbench.store.engine import Store, open_store
from clipbench.study.bundles.archive import json_bytes, write_members

Members = dict[str, bytes]


def fresh(folder: Path) -> Store:
    return open_store(Home(folder / "elsewhere"))


def rewritten(members: Members, folder: Path, change: Callable[[Members], None]) -> Path:
    """Write a bundle with a change and a manifest that fits it, as someone who knows the format would."""
    changed = dict(members)
    change(changed)
    write_members(changed, folder / "changed.zip", force=True)
    return folder / "changed.zip"


def one(members: Members, start: str, end: str = ".json") -> str:
    return next(name for name in sorted(members) if name.startswith(start) and name.endswith(end))


def edit(members: Members, name: str, change: Callable[[Any], None]) -> None:
    value = json.loads(members[name])
    change(value)
    members[name] = json_bytes(value)


def array(members: Members, name: str) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = np.load(io.BytesIO(members[name]), allow_pickle=False)
    return found


def clean_run(members: Members) -> str:
    for name in sorted(members):
        if name.endswith("run.json") and json.loads(members[name])["kind"] == "evaluate":
            return name.removesuffix("/run.json")
    raise AssertionError("no clean run")


def zipped(path: Path, entries: list[tuple[str, bytes]], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, kind)
    return path


def two_runs(folder: Path) -> None:
    """Make a store of a clean and a perturbed run in a folder, and the bundle of both."""
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "source", images=6)
        good(
            "robustness",
            "sweep",
            "toys",
            "--model",
            "toy",
            "--perturb",
            "word-dropout",
            "--levels",
            "0.5",
            "-q",
        )
        good("runs", "export", "latest:clean", "latest:word-dropout", "--bundle", folder / "runs.zip")
