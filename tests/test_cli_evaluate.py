"""`clipbench evaluate`: its numbers are those of an independent computation from the definitions."""

import math
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, cli, collection, draw, good, refused, write_csv

Floats = npt.NDArray[np.float64]
NAMES = ("hit@1", "hit@5", "hit@10", "MedR", "MeanR", "MRR", "R-Precision", "mAP@R", "nDCG@10")


def measured(*words: str | Path) -> dict[tuple[str, str], dict[str, float]]:
    """The metrics of the run that `evaluate` prints as JSON, by direction and name."""
    table = good("evaluate", *words, "--json").json
    return {(row["direction"], row["metric"]): row for row in table["rows"]}


def values(*words: str | Path) -> dict[tuple[str, str], float]:
    return {name: row["value"] for name, row in measured(*words).items()}


def imported(
    folder: Path, name: str, images: Floats, texts: Floats, image_ids: Sequence[str], text_ids: Sequence[str]
) -> str:
    """Attach these vectors to a dataset and return the words for --model."""
    for side, rows, ids in (("images", images, image_ids), ("texts", texts, text_ids)):
        np.save(folder / f"{side}.npy", rows.astype(np.float32))
        (folder / f"{side}.txt").write_text("\n".join(ids))
    good("embed", "import", name, "--model", "mine", "--images", folder / "images.npy",
         "--image-ids", folder / "images.txt", "--texts", folder / "texts.npy",
         "--text-ids", folder / "texts.txt")  # fmt: skip
    return "imported:mine"


def oracle(scores: Floats, positives: Sequence[set[int]], ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Every measure of one direction from a matrix of scores, averaged over all orders of tied items.

    By definition and without the counting of the code under test: an item's place is uniform within its
    tie group, so each expectation is a sum over places.
    """
    per_query: dict[str, list[float]] = {}
    for row, right in zip(scores, positives, strict=True):
        for name, value in _one_query(row, right, ks).items():
            per_query.setdefault(name, []).append(value)
    found = {name: float(np.mean(of)) for name, of in per_query.items() if name != "rank"}
    found["MedR"], found["MeanR"] = float(np.median(per_query["rank"])), float(np.mean(per_query["rank"]))
    return found


def _one_query(row: Floats, right: set[int], ks: Sequence[int]) -> dict[str, float]:
    best = max(row[i] for i in right)
    g = sum(s > best for s in row)
    t = sum(s == best for s in row)
    p = sum(row[i] == best for i in right)
    # P(the first of p positives among t tied is the j-th) for j = 1..t-p+1
    first = {j: math.comb(t - j, p - 1) / math.comb(t, p) for j in range(1, t - p + 2)}
    found = {f"hit@{k}": sum(share for j, share in first.items() if g + j <= k) for k in ks}
    found |= {f"chance-hit@{k}": 1 - math.comb(len(row) - len(right), k) / math.comb(len(row), k) for k in ks}
    found["MRR"] = sum(share / (g + j) for j, share in first.items())
    found["rank"] = sum(share * (g + j) for j, share in first.items())
    found["tied"] = float(t > p)
    return found


def unique_oracle(scores: Floats, positives: Sequence[set[int]]) -> dict[str, float]:
    """The measures over several places, for scores without ties."""
    rows = []
    for row, right in zip(scores, positives, strict=True):
        order = np.argsort(-row)
        relevant = np.isin(order, list(right))
        R = len(right)
        precision = np.cumsum(relevant) / np.arange(1, len(row) + 1)
        gains = relevant[:10] / np.log2(np.arange(2, len(relevant[:10]) + 2))
        ideal = sum(1 / math.log2(i + 2) for i in range(min(R, 10)))
        rows.append((relevant[:R].sum() / R, (relevant[:R] * precision[:R]).sum() / R, gains.sum() / ideal))
    return dict(zip(("R-Precision", "mAP@R", "nDCG@10"), np.mean(rows, axis=0).tolist(), strict=True))


def own(owners: Sequence[int], images: int) -> tuple[list[set[int]], list[set[int]]]:
    """Positives of captions (their image) and of images (their captions)."""
    return [{o} for o in owners], [{c for c, o in enumerate(owners) if o == i} for i in range(images)]


def unit(rows: Floats) -> Floats:
    scaled: Floats = (
        (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    )
    return scaled


def assert_equal(found: Mapping[tuple[str, str], float], direction: str, wanted: Mapping[str, float]) -> None:
    for name, value in wanted.items():
        if name != "tied":
            assert found[direction, name] == pytest.approx(value, abs=1e-9), (direction, name)


OWNERS = [image for image in range(15) for _ in range(1 + image % 3)]
IDS = [f"p{i:03}.png" for i in range(15)]
CAPTION_IDS = [f"p{o:03}.png#{OWNERS[:c].count(o)}" for c, o in enumerate(OWNERS)]


@pytest.fixture
def ragged(tmp_path: Path) -> str:
    """Fifteen images with one, two, three captions in turn."""
    return added(tmp_path, images=15, captions=(1, 2, 3))


def test_the_numbers_of_ragged_captions_are_the_definitions(ragged: str, tmp_path: Path) -> None:
    draws = np.random.default_rng(7)
    images = unit(draws.normal(size=(15, 12)))
    texts = unit(images[OWNERS] + draws.normal(scale=0.45, size=(30, 12)))
    model = imported(tmp_path, ragged, images, texts, IDS, CAPTION_IDS)
    table = measured(ragged, "--model", model)
    found = {name: row["value"] for name, row in table.items()}
    scores, (t2i, i2t) = texts @ images.T, own(OWNERS, 15)
    wanted = {
        "t2i": oracle(scores, t2i) | unique_oracle(scores, t2i),
        "i2t": oracle(scores.T, i2t) | unique_oracle(scores.T, i2t),
    }
    for direction, numbers in wanted.items():
        assert_equal(found, direction, numbers)
        assert {name for d, name in found if d == direction} >= {*NAMES, "queries", "gallery", "tied-queries"}
    hits = [wanted[d][f"hit@{k}"] for d in wanted for k in (1, 5, 10)]
    assert found["both", "rsum"] == pytest.approx(100 * sum(hits))
    counts = [found[d, name] for d in ("t2i", "i2t") for name in ("queries", "gallery", "tied-queries")]
    assert counts == [30, 15, 0, 15, 30, 0]
    assert 0 < found["t2i", "hit@1"] < 1, "the toy must not be too easy to tell anything"
    for (direction, name), row in table.items():
        if (direction, name) in {(d, n) for d in wanted for n in NAMES} | {("both", "rsum")}:
            assert row["low"] <= row["value"] <= row["high"]
            assert row["low"] < row["high"] or row["value"] == 1
            assert "cluster bootstrap over images, 2,000 resamples" in str(row["method"])
        else:
            assert row["low"] is row["high"] is None


@pytest.fixture
def tied(ragged: str, tmp_path: Path) -> tuple[str, str, Floats]:
    """Vectors along few axes, so that most scores are tied exactly; the scores of captions by images."""
    draws = np.random.default_rng(3)
    images, texts = np.eye(5)[draws.integers(0, 5, 15)], np.eye(5)[draws.integers(0, 5, 30)]
    return ragged, imported(tmp_path, ragged, images, texts, IDS, CAPTION_IDS), texts @ images.T


def test_ties_count_by_their_expected_value(tied: tuple[str, str, Floats]) -> None:
    dataset, model, scores = tied
    found = values(dataset, "--model", model, "--k", "1", "--k", "2", "--k", "7")
    t2i, i2t = own(OWNERS, 15)
    for direction, matrix, positives in (("t2i", scores, t2i), ("i2t", scores.T, i2t)):
        wanted = oracle(matrix, positives, ks=(1, 2, 7))
        assert_equal(found, direction, wanted)
        assert found[direction, "tied-queries"] == round(wanted["tied"] * len(matrix)) > 5
    assert ("both", "rsum") not in found, "RSUM needs K = 1, 5 and 10"
    assert ("t2i", "hit@5") not in found


def test_optimistic_and_pessimistic_ties_bound_the_expected_ones(tied: tuple[str, str, Floats]) -> None:
    dataset, model, scores = tied
    t2i, _ = own(OWNERS, 15)
    best = [row[next(iter(right))] for row, right in zip(scores, t2i, strict=True)]
    ranks = {
        "optimistic": [1 + sum(s > b for s in row) for row, b in zip(scores, best, strict=True)],
        "pessimistic": [sum(s >= b for s in row) for row, b in zip(scores, best, strict=True)],
    }
    expected = values(dataset, "--model", model)
    for policy, of in ranks.items():
        found = values(dataset, "--model", model, "--ties", policy)
        assert_equal(found, "t2i", {f"hit@{k}": float(np.mean(np.array(of) <= k)) for k in (1, 5, 10)})
        assert_equal(found, "t2i", {"MeanR": float(np.mean(of)), "MedR": float(np.median(of))})
        assert (found["t2i", "MeanR"] < expected["t2i", "MeanR"]) is (policy == "optimistic")


def test_a_model_that_gives_everything_one_score_gets_exactly_chance(ragged: str, tmp_path: Path) -> None:
    model = imported(tmp_path, ragged, np.eye(4)[[0] * 15], np.eye(4)[[0] * 30], IDS, CAPTION_IDS)
    found = values(ragged, "--model", model)
    for direction in ("t2i", "i2t"):
        for k in (1, 5, 10):
            assert found[direction, f"hit@{k}"] == pytest.approx(
                found[direction, f"chance-hit@{k}"], abs=1e-12
            )
    assert found["t2i", "MedR"] == found["t2i", "MeanR"] == 8


def test_duplicate_aware_lets_equal_captions_share_their_images(tmp_path: Path) -> None:
    names = draw(tmp_path / "photos", 6)
    texts = ["a dog", "A dog.", "a cat", "a fish", "a bird", "a cow"]
    file = write_csv(tmp_path / "c.csv", list(zip(names, texts, strict=True)))
    good("dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "-q")
    draws = np.random.default_rng(5)
    images = unit(draws.normal(size=(6, 8)))
    model = imported(tmp_path, "toys", images, unit(images + draws.normal(scale=0.9, size=(6, 8))), names,
                     [f"{name}#0" for name in names])  # fmt: skip
    scores = np.load(tmp_path / "texts.npy").astype(float) @ images.T
    shared = [{0, 1}, {0, 1}, {2}, {3}, {4}, {5}]
    strict, aware = values("toys", "--model", model), values("toys", "--model", model, "--duplicate-aware")
    assert_equal(strict, "t2i", oracle(scores, [{i} for i in range(6)], ks=(1, 5)))
    assert_equal(aware, "t2i", oracle(scores, shared, ks=(1, 5)))
    assert_equal(aware, "i2t", oracle(scores.T, shared, ks=(1, 5)))
    assert strict != aware
    assert "right is every image with an equal caption" in good("runs", "show", "latest").out


def test_folds_are_galleries_of_their_own_averaged_with_their_spread(ragged: str, tmp_path: Path) -> None:
    draws = np.random.default_rng(11)
    images = unit(draws.normal(size=(15, 6)))
    texts = unit(images[OWNERS] + draws.normal(scale=0.6, size=(30, 6)))
    model = imported(tmp_path, ragged, images, texts, IDS, CAPTION_IDS)
    found = values(ragged, "--model", model, "--fold", "5", "--k", "1", "--k", "2")
    parts: dict[str, list[dict[str, float]]] = {"t2i": [], "i2t": []}
    for start in (0, 5, 10):
        rows = [c for c, o in enumerate(OWNERS) if start <= o < start + 5]
        scores = texts[rows] @ images[start : start + 5].T
        t2i, i2t = own([OWNERS[c] - start for c in rows], 5)
        parts["t2i"].append(oracle(scores, t2i, ks=(1, 2)) | unique_oracle(scores, t2i))
        parts["i2t"].append(oracle(scores.T, i2t, ks=(1, 2)) | unique_oracle(scores.T, i2t))
    for direction, of in parts.items():
        for name in ("hit@1", "hit@2", "MRR", "MedR", "MeanR", "mAP@R", "chance-hit@1"):
            numbers = [part[name] for part in of]
            assert found[direction, name] == pytest.approx(np.mean(numbers))
            if not name.startswith("chance"):
                assert found[direction, f"{name} fold-sd"] == pytest.approx(np.std(numbers, ddof=1))
    assert (found["t2i", "queries"], found["t2i", "gallery"], found["i2t", "gallery"]) == (30, 5, 10)
    shown = good("runs", "show", "latest").out
    assert "t2i sd over folds" in shown
    assert "mean over 3 folds of 5 images" in shown


def test_a_gallery_that_folds_do_not_divide_is_refused(ragged: str) -> None:
    told = refused("evaluate", ragged, "--model", "toy", "--fold", "4")
    assert "15 images cannot be cut into folds of 4 without a rest" in told
    assert "folds" in refused("evaluate", ragged, "--model", "toy", "--fold", "5", "--duplicate-aware")


def test_what_is_not_embedded_is_embedded_and_what_is_stored_is_shown(tmp_path: Path) -> None:
    added(tmp_path)
    first = good("evaluate", "toys", "--model", "toy")
    again = good("evaluate", "toys", "--model", "toy", "--device", "cpu")
    assert first.err == ""
    assert again.err == "note: this run was stored before; nothing was computed again\n"
    assert again.out == first.out
    assert good("evaluate", "toys", "--model", "toy", "--quiet").err == ""
    assert len(good("runs", "list", "--json").json["rows"]) == 1
    assert good("embed", "toys", "--model", "toy", "--json").json["rows"][0]["encoded_now"] == 0


def test_every_other_protocol_is_another_run(tmp_path: Path) -> None:
    added(tmp_path)
    for words in ([], ["--k", "3"], ["--ties", "optimistic"], ["--duplicate-aware"], ["--resamples", "300"]):
        good("evaluate", "toys", "--model", "toy", *words)
    assert len({row["run"] for row in good("runs", "list", "--json").json["rows"]}) == 5
    # The order of the cutoffs and their repetition mean nothing.
    done = good("evaluate", "toys", "--model", "toy", "--k", "10", "--k", "1", "--k", "5", "--k", "5")
    assert "stored before" in done.err


def test_the_table_says_which_interval_it_shows(tmp_path: Path) -> None:
    added(tmp_path)
    assert "t2i 95 % interval" in good("evaluate", "toys", "--model", "toy").out
    done = good("evaluate", "toys", "--model", "toy", "--confidence", "0.999")
    assert "t2i 99.9 % interval" in done.out
    assert "intervals: 99.9 % cluster bootstrap" in done.out
    wide = measured("toys", "--model", "toy", "--confidence", "0.999")["t2i", "MRR"]
    narrow = measured("toys", "--model", "toy")["t2i", "MRR"]
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


def test_an_image_left_out_is_left_out_with_its_captions_and_named(tmp_path: Path) -> None:
    file = collection(tmp_path, 10, captions=(2,))
    good("dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "-q")
    (tmp_path / "photos" / "p003.png").write_text("no image")
    assert "p003.png" in refused("evaluate", "toys", "--model", "toy")
    done = good("evaluate", "toys", "--model", "toy", "--allow-missing", "0.1")
    assert "left out, with their captions: 1 of 10 images: p003.png (the file has changed" in done.out
    found = values("toys", "--model", "toy", "--allow-missing", "0.1")
    assert (found["t2i", "queries"], found["t2i", "gallery"]) == (18, 9)
    left = {row["query"] for row in good("runs", "export", "latest", "--direction", "t2i").rows}
    assert {f"p003.png#{j}" for j in range(2)} & left == set()
    # The same nine images alone give the same numbers.
    rows = [line.split(",", 1) for line in file.read_text().splitlines()[1:] if not line.startswith("p003")]
    alone = write_csv(tmp_path / "nine.csv", [(name, text.strip('"')) for name, text in rows])
    good("dataset", "add", "nine", "-c", alone, "--images", tmp_path / "photos", "-q")
    assert values("nine", "--model", "toy") == found


def test_images_without_captions_are_distractors_of_t2i(tmp_path: Path) -> None:
    names = draw(tmp_path / "photos", 5)
    coco = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [{"id": 10 + i, "image_id": i, "caption": f"a picture of {i}"} for i in (0, 2, 3, 4)],
    }
    import json

    (tmp_path / "captions.json").write_text(json.dumps(coco))
    words = ("-c", tmp_path / "captions.json", "--images", tmp_path / "photos")
    assert "1 image without captions kept" in good("dataset", "add", "toys", *words).err
    found = values("toys", "--model", "toy")
    assert (found["t2i", "queries"], found["t2i", "gallery"], found["i2t", "queries"]) == (4, 5, 4)
    good("dataset", "add", "less", *words, "--drop-uncaptioned")
    found = values("less", "--model", "toy")
    assert (found["t2i", "queries"], found["t2i", "gallery"], found["i2t", "queries"]) == (4, 4, 4)
    assert "--drop-uncaptioned" in refused("evaluate", "toys", "--model", "toy", "--fold", "2")
    good("dataset", "lint", "toys")
    good("robustness", "gallery", "toys", "--model", "toy")
    good("robustness", "sweep", "toys", "--model", "toy", "--perturb", "word-dropout", "--levels", "0.3")
    good("store", "verify", "--deep")
    good("evaluate", "toys", "--model", "toy", "--tag", "whole")
    first = {row["top1"] for row in good("runs", "export", "whole", "--direction", "t2i").rows}
    assert first <= {str(i) for i in range(5)}
    good("annotate", "sample", "whole", "--n", "1")
    good("report", "whole", "--html", tmp_path / "page.html")


def test_tags_are_hung_on_the_run(tmp_path: Path) -> None:
    added(tmp_path)
    good("evaluate", "toys", "--model", "toy", "--tag", "first", "--tag", "clean")
    good("evaluate", "toys", "--model", "toy", "--tag", "again")
    (run,) = good("runs", "list", "--tag", "again", "--json").json["rows"]
    assert run["tags"] == "again clean first"
    told = refused("evaluate", "toys", "--model", "toy", "--k", "3", "--tag", "two words")
    assert "cannot be a tag" in told
    assert len(good("runs", "list", "--json").json["rows"]) == 1, "refused before the run was made"


def test_one_image_has_no_interval(tmp_path: Path) -> None:
    added(tmp_path, images=1)
    table = measured("toys", "--model", "toy")
    assert table["t2i", "hit@1"]["value"] == 1
    assert all(row["low"] is None for row in table.values())


def test_resampling_depends_on_the_seed_alone(tmp_path: Path) -> None:
    added(tmp_path)
    first = measured("toys", "--model", "toy", "--seed", "4")
    good("runs", "delete", "latest", "--yes")
    assert measured("toys", "--model", "toy", "--seed", "4") == first
    other = measured("toys", "--model", "toy", "--seed", "5")
    assert other["t2i", "MRR"]["value"] == first["t2i", "MRR"]["value"]
    assert other["t2i", "MRR"]["low"] != first["t2i", "MRR"]["low"]


def test_cutoffs_grow_the_hits(tmp_path: Path) -> None:
    added(tmp_path)
    words = [word for k in range(1, 13) for word in ("--k", str(k))]
    found = values("toys", "--model", "toy", *words)
    hits = [found["t2i", f"hit@{k}"] for k in range(1, 13)]
    assert all(a <= b for a, b in pairwise(hits))
    assert hits[-1] == 1


def test_a_run_over_nothing_is_refused(tmp_path: Path) -> None:
    added(tmp_path, images=2)
    for name in ("p000.png", "p001.png"):
        (tmp_path / "photos" / name).write_text("no image")
    done = cli("evaluate", "toys", "--model", "toy", "--allow-missing", "1")
    assert done.code == 1
    assert "2 of 2 photographs of toys cannot be used" in done.err
