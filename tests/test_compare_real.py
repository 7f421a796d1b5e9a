"""The comparison on real photographs and captions, against numpy on the exported ledgers; and two splits refused."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import environment, good, refused

IMAGES = "60"
PAIR = ("latest:word-dropout=0.3,dataset=f8k-test,seed=1", "latest:clean,dataset=f8k-test")

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
            good("evaluate", name, "--model", model, "-q")
        perturb = ("--perturb", "word-dropout,word-shuffle", "--levels", "0.3", "--seeds", "2")
        good("robustness", "sweep", "f8k-test", "--model", model, *perturb, "-q")
    return folder


@pytest.fixture(autouse=True)
def here(store: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command mean that store."""
    monkeypatch.setenv("CLIPBENCH_STORE", str(store))


def ranks(run: str, direction: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the ranks of a run's queries and the numbers of their images, from its exported ledger."""
    rows = good("runs", "export", run, "--direction", direction).rows
    _, images = np.unique([row["own image"] for row in rows], return_inverse=True)
    return np.array([float(row["rank"]) for row in rows]), images


def test_runs_on_two_splits_are_refused_with_the_reason() -> None:
    told = refused("report", "--compare", "latest:clean,dataset=f8k-test", "latest:clean,dataset=f8k-own")
    assert "split: test / splits-70-15-15" in told
    assert "dataset fingerprint: " in told
    assert "queries: 300 captions, " in told


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_the_comparison_is_what_the_ledgers_say(direction: str) -> None:
    rows = good("report", "--compare", *PAIR, "--format", "csv").rows
    (before, images), (after, _) = ranks(PAIR[0], direction), ranks(PAIR[1], direction)
    random = np.random.default_rng(3)
    count = images.max() + 1
    signs = random.choice([-1.0, 1.0], size=(20_000, count))
    drawn = random.multinomial(count, np.full(count, 1 / count), size=20_000).astype(float)
    sizes = np.bincount(images)
    for metric, value in {
        "hit@1": lambda r: r <= 1,
        "hit@10": lambda r: r <= 10,
        "MRR": lambda r: 1 / r,
    }.items():
        [row] = [r for r in rows if (r["direction"], r["metric"]) == (direction, metric)]
        change = value(after).astype(float) - value(before).astype(float)
        sums = np.bincount(images, change)
        assert float(row["delta"]) == pytest.approx(change.mean())
        p = (1 + (np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).sum()) / 20_001
        assert float(row["p"]) == pytest.approx(p, abs=0.02)
        replicates = (drawn @ sums) / (drawn @ sizes)
        # A share of 60 images moves in steps, so the end is held between two quantiles close by.
        low, high = (float(row[f"delta percentile {end}"]) for end in ("low", "high"))
        below, above, under, over = np.quantile(replicates, [0.02, 0.03, 0.97, 0.98])
        assert below - 1e-9 <= low <= above + 1e-9
        assert under - 1e-9 <= high <= over + 1e-9
        if metric.startswith("hit"):
            assert int(row["fixed"]) == (~value(before) & value(after)).sum()
            assert int(row["broken"]) == (value(before) & ~value(after)).sum()


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
