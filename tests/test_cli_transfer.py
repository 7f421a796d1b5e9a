"""`clipbench report --transfer`: every model and adapter on every dataset, and what each dataset was to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from adapt_toys import split
from cli_toys import good, misused

TRAIN = ("adapt", "train", "train", "--val", "val", "--model", "toy", "-q", "--epochs", "3", "--batch", "8")


@pytest.fixture
def runs(tmp_path: Path) -> None:
    for number, name in enumerate(("train", "val", "test")):
        (tmp_path / name).mkdir()
        split(tmp_path / name, name, number)
    good(*TRAIN, "--name", "one", "--head", "linear", "--rate", "0.05")
    for name in ("train", "val", "test"):
        for model in ("toy", "adapter:one"):
            good("evaluate", name, "--model", model, "-q")
    good("robustness", "sweep", "test", "--model", "adapter:one", "--perturb", "word-shuffle", "-q")


def test_every_pair_is_a_row_and_says_what_the_dataset_was_to_an_adapter(runs: None) -> None:
    rows = good("report", "--transfer", "--json").json["rows"]
    told = {
        (row["dataset"], row["model"]): (row["relation"], row["base"]) for row in rows if not row["level"]
    }
    assert told == {
        ("train", "toy"): (None, None),
        ("train", "toy + one"): ("learned from it", "toy"),
        ("val", "toy"): (None, None),
        ("val", "toy + one"): ("chosen on it", "toy"),
        ("test", "toy"): (None, None),
        ("test", "toy + one"): (None, "toy"),
    }
    clean = {(row["dataset"], row["model"]): row for row in rows if row["operation"] == "clean"}
    own, base = clean["test", "toy + one"], clean["test", "toy"]
    assert own["t2i_r1_change"] == pytest.approx(own["t2i_r1"] - base["t2i_r1"])
    assert base["t2i_r1_change"] is None
    (shuffled,) = [row for row in rows if row["operation"] == "word-shuffle"]
    assert shuffled["t2i_r1_change"] is None, "the base was not measured there: missing is not zero"

    # Filters choose rows; what an adapter stands on is looked up all the same.
    rows = good("report", "--transfer", "--model", "one", "--dataset", "test", "--json").json["rows"]
    assert {(row["dataset"], row["model"]) for row in rows} == {("test", "toy + one")}
    assert [row["t2i_r1_change"] is None for row in rows] == [False, True]
    said = good("report", "--transfer").out
    assert "learned from it" in said
    assert "word-shuffle" in said
    assert "different reports" in misused("report", "--transfer", "--anchors")

    # Evaluating where an adapter learned or was chosen says so.
    assert "one learned from train" in good("evaluate", "train", "--model", "adapter:one").err
    assert "chosen" in good("evaluate", "val", "--model", "adapter:one").err
    assert "learned" not in good("evaluate", "test", "--model", "adapter:one").err
