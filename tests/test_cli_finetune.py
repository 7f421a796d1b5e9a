"""`clipbench adapt finetune`: a model of its own comes out, found again, chosen on validation, and measured rightly."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import cli, good, refused
from finetune_toys import written
from test_cli_adapt import split

from clipbench.adapters.finetuning import RATES, FinetuneRecipe
from clipbench.encoders.loading import load
from clipbench.encoders.specification import parse
from clipbench.errors import DatasetError, StoreError
from clipbench.home import locate
from clipbench.keys import short
from clipbench.records import Caption, Sample
from clipbench.store.adapters import list_adapters, load_adapter
from clipbench.store.engine import open_store
from clipbench.store.queries import list_runs, resolve_run
from clipbench.store.runs import StoredRun
from clipbench.store.verify import verify
from clipbench.study.adapting import finetune
from clipbench.study.adapting.facts import FINETUNING
from clipbench.study.adapting.fair import checked_scores
from clipbench.study.adapting.finetune import recipe_json
from clipbench.study.adapting.model_folders import model_folder
from clipbench.study.runs.run_kinds import derived


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"local-dir:{written(tmp_path_factory.mktemp('models') / 'tiny', 'resnet')}"


@pytest.fixture
def sets(tmp_path: Path) -> None:
    for number, name in enumerate(("train", "val", "test")):
        (tmp_path / name).mkdir()
        split(tmp_path / name, name, number)


def words(model: str, *more: str, part: str = "full", epochs: int = 2) -> tuple[str, ...]:
    plain = ("adapt", "finetune", "train", "--val", "val", "--model", model, "--unfreeze", part, "-q")
    return (*plain, "--epochs", str(epochs), "--batch", "6", "--rate", "0.01", *more)


def weights(name: str) -> dict[str, Any]:
    store = open_store(locate())
    folder = model_folder(store, load_adapter(store, name))
    encoder: Any = load(parse(f"local-dir:{folder}", device="cpu"))
    return {name: value.numpy() for name, value in encoder.model.state_dict().items()}


def newest() -> StoredRun:
    store = open_store(locate())
    return resolve_run(store, list_runs(store)[0].key)


def test_the_result_is_a_model_that_every_command_takes(sets: None, model: str) -> None:
    first = good(*words(model, "--name", "mine"), "--json").json
    assert good(*words(model), "--json").json == first
    store = open_store(locate())
    (record,) = list_adapters(store)
    assert (record.name, record.record["kind"]) == ("mine", "finetuned")
    assert [entry["epoch"] for entry in record.log] == [0, 1, 2]
    folder = model_folder(store, record)
    told = json.loads((folder / "clipbench.json").read_text())
    assert told["key"] == record.key
    assert told["record"]["train"]["name"] == "train"
    runs = []
    for spelling in (f"local-dir:{folder}", "adapter:mine"):
        good("evaluate", "test", "--model", spelling, "-q")
        runs.append(newest())
    assert runs[0].key == runs[1].key
    assert (runs[0].encoder, runs[0].model) == (record.encoder, "mine")
    assert "mine" in good("adapt", "list").out
    assert "weights: full" in good("adapt", "show", "mine").out
    assert "model of its own" in refused("adapt", "export", "mine", "--out", "x.safetensors")
    assert verify(store, deep=True, recompute=derived).problems == ()
    good("adapt", "delete", "mine", "--yes")
    assert not folder.exists()


def test_an_untrained_copy_is_the_base_itself(sets: None, model: str) -> None:
    good(*words(model, "--name", "copy", epochs=0))
    store = open_store(locate())
    record = load_adapter(store, "copy")
    assert record.encoder == record.base
    good("evaluate", "test", "--model", model, "-q")
    run = newest()
    good("evaluate", "test", "--model", f"local-dir:{model_folder(store, record)}", "-q")
    assert [one.key for one in list_runs(store)] == [run.key]


def test_a_copy_that_does_not_score_as_the_model_does_is_refused(
    sets: None, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good("embed", "val", "--model", model, "-q")
    own = finetune.changeable

    def other(encoder: Any) -> Any:
        changed = own(encoder)
        changed.model.text_projection.data.mul_(-1)
        return changed

    monkeypatch.setattr(finetune, "changeable", other)
    assert "one of them is not this model" in refused(*words(model))


def gallery(images: int = 6, captions: int = 2) -> tuple[list[Sample], np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(images, 8))
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    samples = [
        Sample(f"i{n}", tuple(Caption(f"i{n}#{c}", "x") for c in range(captions)), f"i{n}.png", f"digest-{n}")
        for n in range(images)
    ]
    owners = np.repeat(np.arange(images), captions)
    return samples, pictures.astype(np.float32), pictures[owners].astype(np.float32), owners


def test_a_gallery_that_repeats_images_is_refused() -> None:
    samples, images, texts, owners = gallery()
    assert checked_scores(samples, images, texts, owners)["t2i hit@1"] == 1
    # The study's gallery: the image of every caption, one row a caption.
    rows = [samples[n] for n in owners]
    with pytest.raises(DatasetError, match="gallery repeats images: 12 rows of 6 images"):
        checked_scores(rows, images[owners], texts, np.arange(len(texts)))
    renamed = [Sample(f"row {n}", one.captions[:1], one.path, one.digest) for n, one in enumerate(rows)]
    with pytest.raises(DatasetError, match="12 names for 6 different files"):
        checked_scores(renamed, images[owners], texts, np.arange(len(texts)))


def test_a_ground_truth_of_another_list_is_refused() -> None:
    samples, images, texts, owners = gallery()
    with pytest.raises(DatasetError, match="ground truth indexes another list"):
        checked_scores(samples, images, texts, owners[::-1].copy())
    with pytest.raises(DatasetError, match="12 image vectors are not those of a gallery of 6"):
        checked_scores(samples, images[owners], texts, owners)


def test_what_is_below_chance_is_an_error() -> None:
    samples, images, texts, owners = gallery(images=40)
    with pytest.raises(DatasetError, match="do not belong together"):
        checked_scores(samples, images, -texts, owners)


def test_models_between_have_the_two_as_their_ends(sets: None, model: str) -> None:
    done = good(
        *words(model, "--name", "mine", "--interpolate", "0:1:0.5", "--origin", "test"), "--json"
    ).json
    rows = done[-1]["rows"]
    assert [(row["model"], row["alpha"]) for row in rows] == [
        ("(the base)", 0),
        ("mine-0.5", 0.5),
        ("mine", 1),
    ]
    store = open_store(locate())
    log = load_adapter(store, "mine").log
    assert rows[0]["val_rsum"] == log[0]["scores"]["rsum"]
    assert rows[2]["val_rsum"] == max(entry["scores"]["rsum"] for entry in log)
    base: Any = load(parse(model, device="cpu"))
    tuned, half = weights("mine"), weights("mine-0.5")
    for name, value in base.model.state_dict().items():
        if value.is_floating_point():
            np.testing.assert_allclose(half[name], (value.numpy() + tuned[name]) / 2, atol=1e-6)
    good("evaluate", "test", "--model", "adapter:mine-0.5", "-q")
    assert rows[1]["run"] in {short(run.key) for run in list_runs(store)}
    shares = good("adapt", "interpolate", "mine", "--at", "0.5,1", "-q", "--json").json["rows"]
    assert [(row["share"], row["adapter"], row["rsum"]) for row in shares] == [
        (row["alpha"], row["model"], row["val_rsum"]) for row in rows[1:]
    ]
    again = good(*words(model, "--interpolate", "0.5", "--origin", "test"), "--json").json
    assert again[-1]["rows"] == rows
    assert "weights: full × 0.5" in good("adapt", "show", "mine-0.5").out


def test_a_stopped_fine_tuning_goes_on(sets: None, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good(*words(model, "--name", "whole", epochs=3))
    whole = weights("whole")
    good("adapt", "delete", "whole", "--yes")
    save, count = finetune.save_state, []

    def stopping(state: Any, path: Path) -> None:
        save(state, path)
        if len(count) == 2:
            raise KeyboardInterrupt
        count.append(1)

    monkeypatch.setattr(finetune, "save_state", stopping)
    stopped = cli(*words(model, "--name", "whole", epochs=3))
    assert stopped.code == 130
    assert "the finished epochs are kept" in stopped.err
    monkeypatch.setattr(finetune, "save_state", save)
    plan = good(*words(model, "--dry-run", epochs=3), "--json").json[0]["rows"]
    assert {row["what"]: row["value"] for row in plan}["state"] == "stopped after epoch 1"
    good(*words(model, "--name", "whole", epochs=3))
    again = weights("whole")
    assert all(np.array_equal(whole[name], again[name]) for name in whole)


def test_a_plan_is_made_without_storing_anything(sets: None, model: str) -> None:
    rows = good(*words(model, "--dry-run", "--interpolate", "0:1:0.25"), "--json").json[0]["rows"]
    plan = {row["what"]: row["value"] for row in rows}
    assert (plan["state"], plan["training images"], plan["epochs"]) == ("not begun", 12, "2 of 2 batches")
    assert plan["models to write"].startswith("4 ")
    store = open_store(locate())
    assert list_adapters(store) == ()
    assert not store.home.artifacts.exists()
    assert not store.home.embeddings.exists()


def test_what_cannot_be_done_is_said_in_a_line(sets: None, model: str) -> None:
    assert "share 12 of 12 images" in refused(*words(model), "--val", "train")
    assert "share 12 of 12 images" in refused(*words(model), "--origin", "train")
    assert "no open_clip model" in refused(*words("toy"))
    assert "would lose small steps" in refused(*words(model), "--precision", "bf16")
    assert "alpha 0..1" in refused(*words(model), "--interpolate", "0:2:1")
    good("adapt", "train", "train", "--val", "val", "--model", "toy", "--epochs", "1", "--name", "head", "-q")
    assert "means another adapter" in refused(*words(model), "--name", "head")
    assert "has no weights to fine-tune" in refused(*words("adapter:head"))
    assert "cannot name a folder" in refused(*words(model), "--name", "a/b")


def test_a_folder_outside_the_store_is_never_touched(sets: None, model: str, tmp_path: Path) -> None:
    good(*words(model, "--name", "mine", epochs=0))
    store = open_store(locate())
    one = load_adapter(store, "mine")
    for folder in ("../else", "artifacts/models/..", "artifacts/models", str(tmp_path)):
        with pytest.raises(StoreError, match="not the store's"):
            model_folder(store, replace(one, record={**one.record, "folder": folder}))


def test_recipes_leave_out_what_does_not_matter_and_defaults_are_told_without_torch() -> None:
    assert recipe_json(FinetuneRecipe()) == {"part": "norm"}
    assert recipe_json(FinetuneRecipe(part="full", rank=3, probe_rate=1.0)) == {"part": "full"}
    assert recipe_json(FinetuneRecipe(part="lora", rank=3)) == {"part": "lora", "rank": 3}
    plain = FinetuneRecipe()
    assert {name: getattr(plain, name) for name in FINETUNING} == dict(FINETUNING)
    assert RATES["norm"] == plain.rate
