"""Estimates from samples of a gallery: exact counts, intervals that cover, and names that say what they are."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import good, refused

from clipbench.home import Home
from clipbench.metrics.positives import Positives
from clipbench.metrics.thresholds import best_positives, count_above
from clipbench.statistics.random_groups import Samples, hit_at, least_k, mean_rank, median_rank
from clipbench.store.engine import open_store
from clipbench.store.queries import list_runs

MODEL = ("--model", "imported:drawn")


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_counts_above_a_threshold_are_those_of_the_sorted_scores() -> None:
    draws = np.random.default_rng(0)
    gallery, queries = unit(draws.normal(size=(700, 8))), unit(draws.normal(size=(90, 8)))
    gallery[300:320] = gallery[5]  # tied with whoever has item 5 for its own
    own = draws.integers(0, 700, 90)
    own[:20] = 5
    positives = Positives(np.arange(91), own)
    best = best_positives(gallery, queries, positives)
    counted = count_above(gallery, queries, best.score)
    scores = queries.astype(np.float64) @ gallery.T.astype(np.float64)
    place = scores[np.arange(90), own]
    assert counted.above.tolist() == (scores > place[:, None] + 1e-12).sum(axis=1).tolist()
    assert counted.tied.tolist() == (np.abs(scores - place[:, None]) < 1e-12).sum(axis=1).tolist()
    assert counted.tied[:20].tolist() == [21] * 20
    items = np.arange(0, 350)
    among = count_above(gallery[items], queries, best.score)
    assert (among.tied - best.hits_among(items, 700))[:20].tolist() == [20] * 20
    found = counted.above > 0
    assert counted.top[found].tolist() == scores.argmax(axis=1)[found].tolist()
    assert (counted.top[~found] == -1).all()


def drawn_world(draws: np.random.Generator, items: int, queries: int) -> np.ndarray:
    """Whether an item (N) is above a query's positive (Q), of vectors with hubs: errors of queries go together."""
    asked = draws.normal(size=(queries, 12)).astype(np.float32)
    gallery = draws.normal(size=(items, 12)) + draws.normal(size=12)
    own = unit(0.4 * asked + draws.normal(size=asked.shape))
    asked = unit(asked)
    above: np.ndarray = asked @ unit(gallery).T > (asked * own).sum(axis=1)[:, None]
    return above


def test_intervals_cover_the_whole_gallery_as_often_as_they_say() -> None:
    draws = np.random.default_rng(5)
    items, queries, half, repeats, times = 4000, 250, 100, 8, 100
    k = 150
    assert k >= least_k(items, 2 * half * repeats)
    inside, away = np.zeros(3), np.zeros(3)
    for _ in range(times):
        above = drawn_world(draws, items, queries).astype(np.float32)
        ranks = 1 + above.sum(axis=1)
        parts = draws.permutation(items)[: 2 * half * repeats].reshape(2 * repeats, half)
        member = np.zeros((items, 2 * repeats), dtype=np.float32)
        member[parts.ravel(), np.repeat(np.arange(2 * repeats), half)] = 1
        counts = (above @ member).T.astype(np.int64)
        none, one = np.zeros(queries, dtype=np.int64), np.ones(queries, dtype=np.int64)
        samples = Samples(counts, counts * 0, one, none, none.astype(bool), none * 1.0, half, items)
        told = (mean_rank(samples, 0.9), median_rank(samples, 0.9), hit_at(samples, k, 0.9))
        truth = (ranks.mean(), float(np.median(ranks)), float((ranks <= k).mean()))
        inside += [bound.low <= true <= bound.high for (_, bound), true in zip(told, truth, strict=True)]
        away += [value / true - 1 for (value, _), true in zip(told, truth, strict=True)]
    # 100 draws of .9 lie within .82 and .97.
    assert (inside / times > 0.82).all(), inside / times
    assert (inside / times < 0.99).all(), inside / times
    assert (np.abs(away / times) < 0.02).all(), away / times


def run(*words: str) -> str:
    return good(*words).out


def numbers(*words: str) -> dict[str, dict[str, float]]:
    rows = json.loads(run("evaluate", "big", *MODEL, "-q", "--resamples", "100", "--json", *words))["rows"]
    return {row["metric"]: row for row in rows if row["direction"] == "t2i"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 3,000 images of which 200 have a caption, at a cosine of about .5 to it."""
    folder = tmp_path_factory.mktemp("sampled")
    draws = np.random.default_rng(3)
    texts = unit(draws.normal(size=(200, 24)))
    images = unit(draws.normal(size=(3000, 24)) + 0.4 * draws.normal(size=24))
    images[:200] = unit(0.45 * texts + unit(draws.normal(size=texts.shape)))
    captions = [
        {"image_path": f"{i}.jpg", "captions": [f"caption {i}"] if i < 200 else []} for i in range(3000)
    ]
    (folder / "c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in captions))
    np.save(folder / "i.npy", images)
    np.save(folder / "t.npy", texts)
    (folder / "i.txt").write_text("".join(f"{i}.jpg\n" for i in range(3000)))
    (folder / "t.txt").write_text("".join(f"{i}.jpg#0\n" for i in range(200)))
    at = ("--store", str(folder / "store"), "-q")
    run("dataset", "add", "big", "--captions", str(folder / "c.jsonl"), "--captions-only", *at)
    sides = ("--images", "i.npy", "--image-ids", "i.txt", "--texts", "t.npy", "--text-ids", "t.txt")
    paths = [str(folder / word) if word[0] != "-" else word for word in sides]
    run("embed", "import", "big", "--model", "drawn", *paths, *at)
    return folder / "store"


@pytest.fixture(autouse=True)
def here(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPBENCH_STORE", str(store))


def assert_near(row: dict[str, float], value: float) -> None:
    """That intervals cover as often as they say is simulated above; here one is twice as wide."""
    reach = row["high"] - row["low"]
    assert 0 < reach < 0.3 * value
    assert abs(row["value"] - value) <= reach


SAMPLED = ("--gallery-sample", "400", "--repeats", "6")


def test_a_sampled_run_estimates_the_whole_and_names_its_numbers_so() -> None:
    whole = numbers("--k", "200", "--k", "500")
    told = numbers(*SAMPLED, "--k", "200", "--k", "500")
    for name in ("hit@200", "hit@500", "MeanR"):
        assert name not in told
        row = told[f"{name} sampled"]
        assert_near(row, whole[name]["value"])
        assert "6 random samples of 400 of its 3,000 items" in str(row["method"])
    assert (told["gallery"]["value"], told["items sampled"]["value"]) == (3000, 2400)
    protocols = [row["protocol"] for row in json.loads(run("runs", "list", "--json"))["rows"]]
    assert any("estimated from 6 samples of 400" in protocol for protocol in protocols)
    assert "R@500 sampled" in run("evaluate", "big", *MODEL, *SAMPLED, "--k", "200", "--k", "500", "-q")


def test_with_an_exact_head_small_cutoffs_are_those_of_the_whole_gallery() -> None:
    whole = numbers("--k", "1", "--k", "5", "--k", "10", "--k", "500")
    told = numbers(*SAMPLED, "--exact-head", "10", "--k", "1", "--k", "5", "--k", "10", "--k", "500")
    for name in ("hit@1", "hit@5", "hit@10"):
        assert told[name]["value"] == pytest.approx(whole[name]["value"], abs=1e-12)
        assert whole[name]["value"] > 0
    assert_near(told["hit@500 sampled"], whole["hit@500"]["value"])
    assert_near(told["MeanR sampled"], whole["MeanR"]["value"])


def test_what_a_sample_does_not_tell_is_refused_with_what_does() -> None:
    words = ("evaluate", "big", *MODEL, *SAMPLED)
    told = refused(*words, "--k", "10")
    assert "they hold 8.0 of the first 10 items, 50 are needed" in told
    assert "--k 63 or more, or --exact-head 10" in told
    assert "whole" in refused("evaluate", "big", *MODEL, "--gallery-sample", "600")
    assert "folds" in refused(*words, "--fold", "100")
    assert "even number" in refused("evaluate", "big", *MODEL, "--gallery-sample", "101")
    assert "--exact-head goes with" in refused("evaluate", "big", *MODEL, "--exact-head", "5")
    assert "one --model at a time" in refused(*words, "--model", "demo")


def cutoffs(*words: str) -> dict[str, list[str]]:
    rows = json.loads(run("evaluate", "big", *MODEL, "-q", "--resamples", "100", "--json", *words))["rows"]
    names = {d: [row["metric"] for row in rows if row["direction"] == d] for d in ("t2i", "i2t")}
    return {d: [name for name in found if name.startswith("hit")] for d, found in names.items()}


def test_without_cutoffs_each_gallery_has_those_that_are_told_of_it() -> None:
    told = cutoffs(*SAMPLED)
    # 2,400 of 3,000 images: 50 of them are expected among the first 63. The 200 captions are ranked whole.
    assert told["t2i"] == ["hit@100 sampled", "hit@200 sampled", "hit@500 sampled"]
    assert told["i2t"] == ["hit@1", "hit@5", "hit@10", "hit@100"]
    near = cutoffs("--gallery-sample", "100", "--repeats", "3")  # K from 500; 2,000 is the last below 3,000
    assert near["t2i"] == ["hit@500 sampled", "hit@1000 sampled", "hit@2000 sampled"]
    assert cutoffs(*SAMPLED, "--exact-head", "10")["t2i"][:4] == [
        "hit@1",
        "hit@5",
        "hit@10",
        "hit@100 sampled",
    ]


def test_a_cutoff_that_is_the_whole_gallery_is_refused() -> None:
    words = ("evaluate", "big", *MODEL, *SAMPLED)
    assert "R@3,000 is 1 by definition where 3,000 items" in refused(*words, "--k", "3000")
    assert cutoffs(*SAMPLED, "--k", "2500")["i2t"] == ["hit@2500"]


def test_a_run_counts_its_queries_and_not_the_half_samples(store: Path) -> None:
    numbers(*SAMPLED)
    runs = list_runs(open_store(Home(store)))
    sizes = {(run.kind, run.n_queries, run.n_images, run.n_texts) for run in runs if run.kind == "sampled"}
    assert sizes == {("sampled", 400, 3000, 200)}
    run("store", "verify", "--quick")


def test_sampled_runs_are_verified_and_not_compared_query_by_query() -> None:
    numbers(*SAMPLED)
    whole = json.loads(run("runs", "list", "--json", "--limit", "9"))["rows"]
    kinds = {row["kind"]: row["run"] for row in whole}
    if "evaluate" not in kinds:
        numbers()
        kinds |= {row["kind"]: row["run"] for row in json.loads(run("runs", "list", "--json"))["rows"]}
    assert "no query's rank" in refused("report", "--compare", kinds["evaluate"], kinds["sampled"])
    assert "no query's rank" in refused("report", "--compare", kinds["sampled"], kinds["evaluate"])
    run("store", "verify")
