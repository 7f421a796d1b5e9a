"""Where a store is looked for: what is no place for one is said at once, and looking leaves nothing behind."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, cli, collection, good, refused, write_csv
from store_toys import toy_dataset

from clipbench.cli.app import app
from clipbench.errors import StoreError
from clipbench.home import Home
from clipbench.store import protected
from clipbench.store.datasets import list_datasets, save_dataset
from clipbench.store.engine import prepare_store

READERS: dict[str, tuple[str, ...]] = {
    "evaluate": ("toys", "--model", "toy"),
    "report": (),
    "dataset list": (),
    "dataset show": ("toys",),
    "dataset lint": ("toys",),
    "dataset rename": ("toys", "other"),
    "dataset remove": ("toys", "--yes"),
    "embed run": ("toys", "--model", "toy"),
    "embed adopt": ("toys", "parts", "--model", "toy"),
    "embed import": ("toys", "--model", "toy", "--images", "x.npy"),
    "embed export": ("toys", "--model", "toy", "--out", "x.h5"),
    "robustness preview": ("toys", "--perturb", "word-dropout"),
    "robustness sweep": ("toys", "--model", "toy", "--perturb", "word-dropout"),
    "robustness gallery": ("toys", "--model", "toy"),
    "robustness export": ("toys", "--out", "x", "--perturb", "word-dropout"),
    "robustness sweeps": (),
    "improve prompts": ("toys", "--model", "toy", "--pool", "max"),
    "improve rerank": ("toys", "--model", "toy"),
    "adapt train": ("toys", "--val", "toys", "--model", "toy"),
    "adapt finetune": ("toys", "--val", "toys", "--model", "toy", "--unfreeze", "norm"),
    "adapt ablate": ("toys", "--val", "toys", "--test", "toys", "--model", "toy"),
    "adapt interpolate": ("one",),
    "adapt list": (),
    "adapt show": ("one",),
    "adapt export": ("one", "--out", "x.safetensors"),
    "adapt import": ("labels.csv",),
    "adapt delete": ("one", "--yes"),
    "index build": ("toys", "--model", "toy"),
    "index list": (),
    "index show": ("one",),
    "index verify": (),
    "index delete": ("one", "--yes"),
    "index sweep": ("toys", "--model", "toy"),
    "search": ("words",),
    "serve": (),
    "browse": (),
    "run": ("labels.csv",),
    "annotate sample": (),
    "annotate assign": (),
    "annotate list": (),
    "annotate simulate": (),
    "annotate serve": (),
    "annotate export-page": (),
    "annotate adjudicate": (),
    "annotate results": (),
    "annotate gallery": (),
    "annotate export": (),
    "annotate import": ("labels.csv",),
    "annotate summary": (),
    "annotate agreement": (),
    "runs list": (),
    "runs show": (),
    "runs export": ("latest",),
    "runs tag": ("latest", "t"),
    "runs delete": ("latest", "--yes"),
    "store info": (),
    "store verify": (),
    "store gc": (),
    "store backup": ("copy",),
    "store recover": (),
}
"""Every command that looks into a store that must be there, with what it cannot do without."""

MAKERS = {"dataset add", "runs import", "demo", "doctor", "models", "replicate"}
"""Commands that make a store, or look at the place only."""


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield " ".join(words), command
        return
    for name, below in command.commands.items():
        yield from leaves(below, (*words, name))


def test_every_command_with_a_store_is_in_these_tests() -> None:
    with_store = {
        name
        for name, command in leaves(typer.main.get_command(app))
        if any(parameter.name == "store" for parameter in command.params)
    }
    assert with_store == READERS.keys() | MAKERS


@pytest.mark.parametrize("name", READERS)
def test_no_command_makes_a_store_by_looking_for_one(
    name: str, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "labels.csv", [("a", "b")])
    before = sorted(tmp_path.rglob("*"))
    done = cli(*name.split(), *READERS[name])
    assert done.code in {1, 2}, done
    if done.code == 1:
        assert f"there is no store at {own_home}" in done.err
        assert "try: clipbench dataset add" in done.err
    assert sorted(tmp_path.rglob("*")) == before


def test_adding_and_importing_that_fail_leave_no_store_behind(own_home: Path, tmp_path: Path) -> None:
    file = collection(tmp_path, 3)
    (tmp_path / "photos" / "p001.png").unlink()
    refused("dataset", "add", "toys", "--captions", file, "--images", tmp_path / "photos")
    refused("dataset", "add", "toys", "--captions", tmp_path / "none.csv", "--images", tmp_path)
    refused("runs", "import", tmp_path / "captions.csv")
    deep = tmp_path / "new" / "deep"
    refused("dataset", "add", "toys", "--captions", tmp_path / "none.csv", "--store", deep)
    assert not own_home.exists()
    assert not deep.parent.exists()


def test_a_store_is_made_when_it_is_first_used_and_is_like_any_other(tmp_path: Path) -> None:
    store = prepare_store(Home(tmp_path / "a" / "b"))
    assert not (tmp_path / "a").exists()
    save_dataset(store, toy_dataset())
    assert [summary.name for summary in list_datasets(prepare_store(store.home))] == ["toy"]
    assert list_datasets(prepare_store(Home(tmp_path / "c"))) == ()


@pytest.mark.parametrize("words", [("report",), ("evaluate", "toys", "--model", "toy"), ("store", "info")])
@pytest.mark.parametrize("below", ["", "sub/store"])
def test_a_file_is_no_place_for_a_store(words: tuple[str, ...], below: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("mine")
    for done in (refused(*words, "--store", plain / below), refused(*words, store=plain / below)):
        assert (
            done == f"error: {plain} is a file, and a store is a folder\n  try: name a folder with --store\n"
        )
    assert plain.read_text() == "mine"


def test_a_new_store_is_refused_a_bad_place_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("dataset", "add", "toys", "--captions", tmp_path / "none.csv", "--store")
    (tmp_path / "plain").write_text("mine")
    assert "is a file, and a store is a folder" in refused(*words, tmp_path / "plain" / "new")
    assert "the name is too long" in refused(*words, tmp_path / ("x" * 300))
    monkeypatch.setattr(protected.os, "access", lambda *_: False)
    told = refused(*words, tmp_path / "new" / "store")
    assert f"the store at {tmp_path / 'new' / 'store'}: nothing may be written in {tmp_path}" in told


def test_a_database_that_may_not_be_looked_at_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", forbidden)
    with pytest.raises(StoreError, match="may not be looked into by you"):
        prepare_store(Home(tmp_path))


def test_a_backup_inside_the_store_is_refused(own_home: Path, tmp_path: Path) -> None:
    added(tmp_path, images=3)
    for folder in (own_home, own_home / "embeddings" / "copy", own_home / "artifacts" / ".." / "copy"):
        assert "is the store itself, or inside it" in refused("store", "backup", folder)
    assert not (own_home / "copy").exists()
    good("store", "backup", tmp_path / "copy")
