"""`clipbench adapt`: a head is an encoder of its own, found again, carried in a file, and never near the test set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from adapt_toys import split
from cli_toys import cli, good, refused

from clipbench.adapters.heads import HeadOptions
from clipbench.adapters.training import Recipe
from clipbench.adapters.weights import recipe_json, recipe_of
from clipbench.home import locate
from clipbench.store.adapters import list_adapters, load_adapter, load_weights
from clipbench.store.embeddings import find_set, load_vectors
from clipbench.store.engine import open_store
from clipbench.store.verify import verify
from clipbench.study.adapting import unfinished
from clipbench.study.adapting.facts import ALPHA, DEFAULTS
from clipbench.study.comparing.references import resolve_one
from clipbench.study.runs.run_kinds import derived

TRAIN = ("adapt", "train", "train", "--val", "val", "--model", "toy", "-q", "--epochs", "3", "--batch", "8")


@pytest.fixture
def sets(tmp_path: Path) -> None:
    for number, name in enumerate(("train", "val", "test")):
        other = tmp_path / name
        other.mkdir()
        split(other, name, number)


def test_the_same_training_is_found_and_not_repeated(sets: None) -> None:
    first = good(*TRAIN, "--name", "one", "--json").json
    again = good(*TRAIN[:-4], *TRAIN[-4:], "--json").json
    assert first == again
    (adapter,) = list_adapters(open_store(locate()))
    assert (adapter.name, adapter.record["base"]["label"]) == ("one", "toy")
    assert [entry["epoch"] for entry in adapter.log] == [0, 1, 2, 3]
    aloud = [word for word in TRAIN if word != "-q"]
    assert "stored before under the name one; nothing" in good(*aloud, "--name", "two").err
    assert "stored before; nothing" in good(*aloud, "--name", "one").err
    good(*TRAIN, "--seed", "1")
    assert len(list_adapters(open_store(locate()))) == 2


def test_an_adapter_goes_wherever_a_model_goes(sets: None) -> None:
    good(*TRAIN, "--name", "one", "--head", "linear", "--rate", "0.05")
    good("evaluate", "test", "--model", "adapter:one", "-q")
    store = open_store(locate())
    run = resolve_one(store, "latest")
    adapter = load_adapter(store, "one")
    assert (run.encoder, run.model) == (adapter.encoder, "toy + one")
    good(
        "robustness",
        "sweep",
        "test",
        "--model",
        "adapter:one",
        "--perturb",
        "word-dropout",
        "--levels",
        "0.3",
        "-q",
    )
    good("evaluate", "test", "--model", "toy", "-q")
    assert good("report", "--compare", "latest", run.key, "--json").json
    good("improve", "prompts", "test", "--model", "adapter:one", "--set", "photo", "--pool", "max", "-q")
    assert verify(store, deep=True, recompute=derived).problems == ()


def test_a_head_may_stand_on_a_head(sets: None) -> None:
    good(*TRAIN, "--name", "one", "--head", "linear", "--rate", "0.05")
    on_one = [word if word != "toy" else "adapter:one" for word in TRAIN]
    good(*on_one, "--name", "two", "--head", "diagonal", "--rate", "0.05")
    good("evaluate", "test", "--model", "adapter:two", "-q")
    store = open_store(locate())
    assert resolve_one(store, "latest").model == "toy + one + two"
    assert load_adapter(store, "two").base == load_adapter(store, "one").encoder


def test_a_share_of_a_head_is_an_adapter_of_its_own(sets: None) -> None:
    good(*TRAIN, "--name", "one", "--head", "linear", "--rate", "0.05")
    rows = good("adapt", "interpolate", "one", "--at", "0,0.5,1", "--json").json["rows"]
    assert [row["share"] for row in rows] == [0, 0.5, 1]
    assert rows[2]["adapter"] == "one"
    log = load_adapter(open_store(locate()), "one").log
    assert rows[0]["rsum"] == log[0]["scores"]["rsum"], "nothing of it is the base"
    assert good("adapt", "interpolate", "one", "--at", "0,0.5,1", "--json").json["rows"] == rows
    good("evaluate", "test", "--model", f"adapter:{rows[1]['adapter']}", "-q")
    good(*TRAIN, "--name", "tower", "--head", "two-tower")
    assert "replaces the vector" in refused("adapt", "interpolate", "tower")


def test_an_untrained_copy_scores_exactly_the_bases_figures(sets: None) -> None:
    good(*TRAIN[:-4], "--epochs", "0", "--name", "untrained")
    runs = []
    for model in ("toy", "adapter:untrained"):
        good("evaluate", "test", "--model", model, "-q")
        runs.append(resolve_one(open_store(locate()), "latest"))
    store = open_store(locate())
    vectors = []
    for run in runs:
        found = find_set(store, run.spec.texts)
        assert found is not None
        vectors.append(load_vectors(store, found))
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    rows = [good("runs", "export", run.key).rows for run in runs]
    assert [r["rank"] for r in rows[0]] == [r["rank"] for r in rows[1]]


def test_training_and_validation_share_no_image(sets: None) -> None:
    words = ("adapt", "train", "train", "--val", "train", "--model", "toy", "-q")
    assert "train and train share 12 of 12 images" in refused(*words)


def test_a_stopped_training_goes_on_to_the_same_weights(sets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_training = (*TRAIN, "--name", "whole", "--head", "linear", "--rate", "0.01")
    good(*whole_training)
    whole = load_weights(open_store(locate()), load_adapter(open_store(locate()), "whole").key)
    good("adapt", "delete", "whole", "--yes")
    save, count = unfinished.Unfinished.save, []

    def stopping(self, state) -> None:
        save(self, state)
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(unfinished.Unfinished, "save", stopping)
    stopped = cli(*whole_training)
    assert stopped.code == 130
    assert "the finished epochs are kept" in stopped.err
    (kept,) = list_adapters(open_store(locate()))
    assert (kept.name, kept.record["best_epoch"], len(kept.log)) == ("whole-after-1", 1, 2)
    assert "the best of them (1) is stored as adapter:whole-after-1" in stopped.err
    monkeypatch.setattr(unfinished.Unfinished, "save", save)
    good(*whole_training)
    assert load_weights(open_store(locate()), load_adapter(open_store(locate()), "whole").key) == whole


def test_a_file_of_an_adapter_comes_back_and_a_changed_one_does_not(sets: None, tmp_path: Path) -> None:
    good(*TRAIN, "--name", "one", "--head", "linear")
    file = tmp_path / "one.safetensors"
    good("adapt", "export", "one", "--out", file)
    key = load_adapter(open_store(locate()), "one").key
    good("adapt", "delete", "one", "--yes")
    assert "adapter:again" in good("adapt", "import", file, "--name", "again").out
    assert load_adapter(open_store(locate()), "again").key == key
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(bytes(changed))
    assert "do not have the key" in refused("adapt", "import", file)
    file.write_bytes(b"no adapter")
    assert "no file of an adapter" in refused("adapt", "import", file)


def test_names_are_one_word_and_mean_one_adapter(sets: None) -> None:
    good(*TRAIN, "--name", "one")
    assert "means another adapter" in refused(*TRAIN, "--name", "one", "--seed", "3")
    assert "cannot name an adapter" in refused(*TRAIN, "--name", "a b", "--seed", "3")
    assert "there is no adapter 'two'; there are: one" in refused(
        "evaluate", "test", "--model", "adapter:two"
    )


def test_training_under_noise_is_another_training(sets: None) -> None:
    good(*TRAIN, "--name", "plain")
    good(*TRAIN, "--name", "noisy", "--noise", "word-dropout=0.2")
    assert "word_dropout 0.2" in good("adapt", "show", "noisy").out.replace("-", "_")
    good(*TRAIN, "--name", "blurred", "--noise", "gaussian-blur=2")
    assert "gaussian-blur 2" in good("adapt", "show", "blurred").out
    assert len({one.request for one in list_adapters(open_store(locate()))}) == 3
    assert "takes 1 perturbation" in refused(*TRAIN, "--noise", "word-dropout=0.2,word-shuffle")


def test_recipes_survive_json_and_defaults_are_told_without_torch() -> None:
    recipe = Recipe(head="low-rank", options=HeadOptions(rank=3), rate=1e-5, seed=4)
    assert recipe_of(recipe_json(recipe)) == recipe
    assert recipe_json(Recipe()) == {}
    plain = Recipe()
    assert {name: getattr(plain, name) for name in DEFAULTS} == dict(DEFAULTS)
    assert ALPHA["alpha"] == plain.options.alpha
