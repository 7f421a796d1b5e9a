"""Published numbers: the table is sound, and a run is held against what it can be held against only."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import good
from compare_toys import Bench, bench

from clipbench.records import CLEAN, Caption, Dataset, EncoderIdentity, Perturbation, Protocol, Sample
from clipbench.reports.comparing.published import published_table, published_verdict
from clipbench.study.comparing import published
from clipbench.study.comparing.published import collection_of, compare_with_published, is_model
from clipbench.study.comparing.published_table import (
    COLLECTIONS,
    OPEN_CLIP,
    PUBLISHED,
    Collection,
    PublishedScores,
)

OPENAI = EncoderIdentity(
    "open_clip",
    "ViT-B-32-quickgelu openai",
    "x",
    "ViT-B-32-quickgelu",
    "openai",
    "w",
    "quick_gelu",
    {},
    {},
    "fp32",
    6,
)


def named(pattern: str, images: int, captions: int = 1) -> Dataset:
    samples = tuple(
        Sample(
            pattern.format(i),
            tuple(Caption(f"{i}#{j}", f"thing {i} {j}") for j in range(captions)),
            path=pattern.format(i),
            digest=f"{i:064x}",
        )
        for i in range(images)
    )
    return Dataset("data", "csv", "test", "all", samples)


def test_published_scores_are_shares_that_rise_with_k() -> None:
    for anchor in PUBLISHED:
        assert anchor.collection in COLLECTIONS
        assert anchor.scores
        for direction in ("t2i", "i2t"):
            rising = [anchor.scores[direction, k] for k in (1, 5, 10) if (direction, k) in anchor.scores]
            assert rising == sorted(rising)
            assert all(0 < score < 1 for score in rising)
        assert anchor.source.startswith("https://") or anchor.source.startswith("the replicated study")


def test_no_table_is_there_twice() -> None:
    keys = [(a.collection, a.architecture, a.pretrained, a.operation, a.level, a.source) for a in PUBLISHED]
    assert len(keys) == len(set(keys))
    assert sum(a.source == OPEN_CLIP for a in PUBLISHED) >= 20


def test_the_well_known_numbers_are_these() -> None:
    def scores(collection: str) -> list[float]:
        [anchor] = [
            a for a in PUBLISHED
            if (a.collection, a.architecture, a.pretrained) == (collection, "ViT-B-32", "openai")
        ]  # fmt: skip
        return [round(100 * score, 1) for score in anchor.scores.values()]

    assert scores("Flickr30k") == [58.8, 83.6, 90.0, 78.9, 94.9, 98.2]
    assert scores("COCO-5k") == [30.4, 55.9, 66.9, 50.1, 75.0, 83.5]


@pytest.mark.parametrize(
    ("pattern", "images", "name"),
    [
        ("10000{:05}.jpg", 7, "Flickr30k"),
        ("COCO_val2014_{:012}.jpg", 7, "COCO-5k"),
        ("{:012}.jpg", 5000, "COCO val2017"),
        ("123_{:010x}.jpg", 7, "Flickr8k 70/15/15"),
        ("photo {}.jpg", 7, None),
    ],
)
def test_a_collection_is_known_by_its_file_names(pattern: str, images: int, name: str | None) -> None:
    found = collection_of(named(pattern, images))
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("identity", "is_it"),
    [
        (OPENAI, True),
        (replace(OPENAI, architecture="ViT-B-32"), True),
        (replace(OPENAI, pretrained="laion2b_e16"), False),
        (replace(OPENAI, architecture="ViT-B-32-256"), False),
        (replace(OPENAI, kind="imported", pretrained=None, label="imported:ViT-B/32 openai"), True),
        (
            replace(OPENAI, kind="imported", pretrained=None, label="imported:ViT-B-32-quickgelu, openai"),
            True,
        ),
        (replace(OPENAI, kind="imported", pretrained=None, label="imported:ViT-B-32-256 openai"), False),
        (replace(OPENAI, kind="imported", pretrained=None, label="imported:mine"), False),
        (replace(OPENAI, kind="toy", label="ViT-B-32 openai"), False),
    ],
)
def test_a_model_is_known_by_architecture_and_tag(identity: EncoderIdentity, is_it: bool) -> None:  # noqa: FBT001
    anchor = next(a for a in PUBLISHED if (a.architecture, a.pretrained) == ("ViT-B-32", "openai"))
    assert is_model(identity, anchor) is is_it


@pytest.mark.parametrize("architecture", ["ViT-B-32", "ViT-B-32-quickgelu"])
def test_one_tag_with_two_activations_is_two_models(architecture: str) -> None:
    identity = replace(OPENAI, architecture=architecture, pretrained="laion400m_e32")
    brought = replace(OPENAI, kind="imported", pretrained=None, label=f"{architecture} laion400m_e32")
    for one in (identity, brought):
        fitting = {a.architecture for a in PUBLISHED if is_model(one, a)}
        assert fitting == {architecture}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, PublishedScores]:
    """A store, and an anchor of its own for a collection of 6 images and 12 captions."""
    import re

    collection = Collection("Small", re.compile(r"s\d\.jpg"), 6, (12,), "all six")
    anchor = PublishedScores(
        "Small", "ViT-B-32", "openai", {("t2i", 1): 0.5, ("i2t", 5): 1.0}, "https://example.org"
    )
    monkeypatch.setattr(published, "PUBLISHED", (anchor,))
    monkeypatch.setattr(published, "COLLECTIONS", {"Small": collection})
    monkeypatch.setattr(
        published, "load_encoder", lambda _store, _key: replace(OPENAI, architecture="ViT-B-32")
    )
    return bench(tmp_path / "store"), anchor


def test_a_run_is_held_against_every_score_both_have(
    small: tuple[Bench, PublishedScores], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, anchor = small
    run = made.run(named("s{}.jpg", 6, 2), 0.8)
    [one] = compare_with_published(made.store, [run])
    assert [(s.direction, s.k, s.published) for s in one.scores] == [("t2i", 1, 0.5), ("i2t", 5, 1.0)]
    scores = {("t2i", 1): one.scores[0].value + 0.001, ("i2t", 5): one.scores[1].value - 0.004}
    monkeypatch.setattr(published, "PUBLISHED", (replace(anchor, scores=scores),))
    [near] = compare_with_published(made.store, [run])
    assert near.agrees
    assert published_verdict(near) == "within ±0.005 (largest 0.0040)"
    monkeypatch.setattr(
        published, "PUBLISHED", (replace(anchor, scores={("t2i", 1): one.scores[0].value - 0.02}),)
    )
    [far] = compare_with_published(made.store, [run])
    assert published_verdict(far) == "off by up to 0.0200, more than ±0.005"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"images": 5}, "Small means 6 images and 12 captions (all six), the run ranked 5 and 10"),
        ({"pattern": "x{}.png"}, "file names are of no collection"),
        (
            {"setting": Perturbation("word-dropout", "text", 0.3, 0)},
            "of other settings than word-dropout 0.3",
        ),
        ({"protocol": Protocol(positives="equal-captions", resamples=100)}, "published numbers are strict"),
        ({"protocol": Protocol(fold=3, resamples=100)}, "folds of 3 images"),
    ],
)
def test_what_cannot_be_compared_says_why(
    small: tuple[Bench, PublishedScores], change: dict[str, object], told: str
) -> None:
    made, _ = small
    images, pattern = change.pop("images", 6), change.pop("pattern", "s{}.jpg")
    data = named(str(pattern), int(str(images)), 2)
    run = made.run(data, 0.8, **{"setting": CLEAN, **change})  # type: ignore[arg-type]  # the table above has the types
    [one] = compare_with_published(made.store, [run])
    assert told in published_verdict(one)
    assert published_verdict(one).startswith("cannot compare: ")
    table = published_table([one])
    assert len(table.rows) == 1


def test_another_model_has_no_numbers(tmp_path: Path) -> None:
    made = bench(tmp_path / "store")
    [one] = compare_with_published(made.store, [made.run(named("123_{:010x}.jpg", 6, 2), 0.8, model="mine")])
    assert "no numbers of mine on Flickr8k 70/15/15" in one.reason


def test_the_command_prints_reasons_and_full_rows_for_programs(tmp_path: Path) -> None:
    from cli_toys import added

    added(tmp_path / "source", images=6)
    good("evaluate", "toys", "--model", "toy", "-q")
    assert "cannot compare" in good("report", "--anchors").out
    [row] = good("report", "--anchors", "latest", "--format", "csv").rows
    assert row["published"] == ""
    assert "no collection" in row["verdict"]
