"""Real photographs, a real model: scores fall with the level, and the clean level is the evaluation."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import good

pytestmark = [pytest.mark.slow, pytest.mark.shared]


@pytest.fixture(scope="module")
def store(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 photographs of Flickr8k's test split."""
    folder = tmp_path_factory.mktemp("real") / "store"
    data = shared / "data" / "flickr8k"
    good(
        "dataset", "add", "f8k", "--captions", data / "Flickr8k.token.txt", "--images", data / "Images",
        "--split-file", data / "Flickr_8k.testImages.txt", "--sample", "200", "-q",
        store=folder,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def model(shared: Path) -> str:
    return f"local-dir:{shared / 'models' / 'flickr8k-lite'}"


def test_dropout_and_shuffle_break_retrieval_step_by_step(store: Path, model: str) -> None:
    done = good(
        "robustness", "sweep", "f8k", "--model", model, "--preset", "source-study", "--seeds", "2", "--json",
        store=store,
    )  # fmt: skip
    rows = done.json[0]["rows"]
    clean = rows[0]["t2i hit@1"]
    dropout = [row for row in rows if row["operation"] == "word-dropout"]
    assert [row["level"] for row in dropout] == [0.1, 0.2, 0.3, 0.4, 0.5]
    for metric in ("t2i hit@1", "t2i hit@5", "t2i hit@10", "both rsum"):
        scores = [rows[0][metric], *(row[metric] for row in dropout)]
        assert scores == sorted(scores, reverse=True)
    ranks = [rows[0]["t2i MedR"], *(row["t2i MedR"] for row in dropout)]
    assert ranks == sorted(ranks)
    # Word errors are what was asked for, and at .5 about half of the hits are lost (200 photographs are few).
    for row in dropout:
        assert row["audit word_error_rate"] == pytest.approx(row["level"], abs=0.02)
    assert dropout[-1]["t2i hit@1"] < 0.6 * clean
    assert dropout[-1]["t2i hit@1 drop low"] > 0
    shuffled = rows[-1]
    assert shuffled["operation"] == "word-shuffle"
    assert dropout[2]["t2i hit@1"] < shuffled["t2i hit@1"] < clean
    plain = good("evaluate", "f8k", "--model", model, "--json", store=store).json["rows"]
    assert clean == next(r["value"] for r in plain if (r["direction"], r["metric"]) == ("t2i", "hit@1"))


def test_noise_on_photographs_breaks_retrieval_step_by_step(store: Path, model: str) -> None:
    done = good(
        "robustness", "sweep", "f8k", "--model", model, "--perturb", "gaussian-noise", "--levels", "1,3,5",
        "--json",
        store=store,
    )  # fmt: skip
    rows = done.json[0]["rows"]
    for metric in ("t2i hit@5", "both rsum"):
        scores = [row[metric] for row in rows]
        assert scores == sorted(scores, reverse=True)
    distances = [row["audit psnr"] for row in rows[1:]]
    assert distances == sorted(distances, reverse=True)
