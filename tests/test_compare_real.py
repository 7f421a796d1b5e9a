"""The comparison on real photographs and captions, against numpy on the exported ledgers; and two splits refused."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import environment, good, refused
from compare_oracle import VALUES, check_corrections, check_line, ledger

IMAGES = "60"
PAIR = ("latest:word-dropout=0.3,dataset=f8k-test,seed=1", "f8k-test-fp32")

pytestmark = [pytest.mark.slow, pytest.mark.shared]


@pytest.fixture(scope="module")
def store(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official test split and the 70/15/15 one, 60 photographs of each; two seeds and two precisions."""
    folder = tmp_path_factory.mktemp("real") / "store"
    data, model = shared / "data" / "flickr8k", f"local-dir:{shared / 'models' / 'flickr8k-lite'}"
    sources = ("--format", "flickr8k", "--images", data / "Images", "--captions", data / "Flickr8k.token.txt")
    own = data / "splits-70-15-15" / "test.txt"
    splits = {
        "f8k-test": ("--split-file", data / "Flickr_8k.testImages.txt", "--split", "test"),
        "f8k-own": ("--split-file", own, "--split", "splits-70-15-15"),
    }
    with environment(CLIPBENCH_STORE=str(folder)):
        for name, split in splits.items():
            good("dataset", "add", name, *sources, *split, "--sample", IMAGES, "-q")
            good("evaluate", name, "--model", model, "--tag", f"{name}-fp32", "-q")
        perturb = ("--perturb", "word-dropout,word-shuffle", "--levels", "0.3", "--seeds", "2")
        good("robustness", "sweep", "f8k-test", "--model", model, *perturb, "-q")
        good("evaluate", "f8k-test", "--model", model, "--precision", "bf16", "--tag", "bf16", "-q")
    return folder


@pytest.fixture(autouse=True)
def here(store: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command mean that store."""
    monkeypatch.setenv("CLIPBENCH_STORE", str(store))


def test_runs_on_two_splits_are_refused_with_the_reason() -> None:
    told = refused("report", "--compare", "latest:clean,dataset=f8k-test", "latest:clean,dataset=f8k-own")
    assert "split: test / splits-70-15-15" in told
    assert "dataset fingerprint: " in told
    assert "queries: 300 captions, " in told


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_the_comparison_is_what_the_ledgers_say(direction: str) -> None:
    rows = good("report", "--compare", *PAIR, "--format", "csv").rows
    before, after = (ledger(run, direction) for run in PAIR)
    own = [row for row in rows if row["direction"] == direction and row["metric"] in VALUES]
    assert {row["metric"] for row in own} == set(VALUES)
    for row in own:
        check_line(row, before, after)
    check_corrections(rows)


def test_lengths_and_words_are_compared_as_the_ledgers_say() -> None:
    before, after = (ledger(run, "t2i") for run in PAIR)
    lengths = np.array([len(text.split()) for text in before.captions])
    dogs = np.array(
        [re.search(r"(?<!\w)dog(?!\w)", text, re.IGNORECASE) is not None for text in before.captions]
    )
    parts = {
        ("caption-length",): {"7–9 words": (lengths >= 7) & (lengths <= 9), "10–12 words": (lengths >= 10) & (lengths <= 12)},
        ("word", "dog"): {"with 'dog'": dogs, "without 'dog'": ~dogs},
    }  # fmt: skip
    for by, groups in parts.items():
        rows = good("report", "--compare", *PAIR, "--by", *by, "--format", "csv").rows
        for group, members in groups.items():
            own = [row for row in rows if (row["group"], row["direction"]) == (group, "t2i")]
            assert len(own) == 4
            for row in own:
                check_line(row, before.only(members), after.only(members))
        check_corrections(rows)


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_two_precisions_are_compared_as_the_ledgers_say(direction: str) -> None:
    rows = good("report", "--compare", "f8k-test-fp32", "bf16", "--format", "csv").rows
    for row in rows:
        if row["direction"] == direction and row["metric"] in VALUES:
            check_line(row, ledger("f8k-test-fp32", direction), ledger("bf16", direction))
    check_corrections(rows)
    assert all(abs(float(row["delta"])) < 0.05 for row in rows if row["metric"].startswith("hit@"))


def test_every_form_of_the_comparison_is_written(tmp_path: Path) -> None:
    assert (
        r"\toprule" in good("report", "--compare", *PAIR, "--by", "caption-length", "--format", "latex").out
    )
    every = ("report", "--compare", PAIR[1], "all:dataset=f8k-test,kind=robustness")
    assert "word-shuffle" in good(*every, "--format", "markdown").out
    good(*every, "--html", tmp_path / "report.html", "--flips", "5")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") > 20
    assert "word-dropout" in good("report", "--compare", *PAIR, "--flips", "5").out
