"""Groups: every query where it belongs, and within each group the numbers of those queries alone."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import toy_failure
from compare_toys import Bench, bench, collection

from clipbench.errors import ClipbenchError, CompareError
from clipbench.records import CLEAN, Dataset, Perturbation
from clipbench.store.annotations import Batch, NewLabel, Source, save_batches
from clipbench.study.comparing.compare import compare
from clipbench.study.comparing.comparison import CompareRequest, Comparison

DROPPED = Perturbation("word-dropout", "text", 0.3, 0)


@pytest.fixture
def made(tmp_path: Path) -> Bench:
    return bench(tmp_path / "store")


def grouped(made: Bench, dataset: Dataset, by: str) -> Comparison:
    runs = [made.run(dataset, 0.5), made.run(dataset, 1.5, seed=1)]
    return compare(made.store, runs, CompareRequest(by=by, resamples=300))


def sizes(found: Comparison, direction: str) -> dict[str, int]:
    return {one.group: one.queries for one in found.lines if one.direction == direction}


def test_caption_lengths_share_out_all_captions(made: Bench) -> None:
    dataset = collection()
    found = grouped(made, dataset, "caption-length")
    words = [len(caption.text.split()) for caption in dataset.captions]
    assert sizes(found, "t2i") == {
        "1–6 words": sum(w <= 6 for w in words),
        "7–9 words": sum(7 <= w <= 9 for w in words),
        "10–12 words": sum(10 <= w <= 12 for w in words),
    }
    assert not sizes(found, "i2t")
    assert all("words" not in note or "left out" in note for note in found.notes if "captions by" in note)


def test_a_group_has_the_numbers_of_its_queries_alone(made: Bench) -> None:
    dataset = collection()
    found = grouped(made, dataset, "caption-length")
    inside = np.array([7 <= len(caption.text.split()) <= 9 for caption in dataset.captions])
    hits = []
    for run in found.runs:
        scores = made.scores[run.key]
        right = scores[dataset.owners, np.arange(len(dataset.captions))]
        hits.append((scores > right).sum(axis=0)[inside] == 0)
    [one] = [o for o in found.lines if (o.group, o.metric) == ("7–9 words", "hit@1")]
    assert one.reference.value == pytest.approx(hits[0].mean())
    assert one.delta == pytest.approx(hits[1].mean() - hits[0].mean())
    assert one.images == len(np.unique(dataset.owners[inside]))
    assert one.flips is not None
    assert (one.flips.fixed, one.flips.broken) == ((~hits[0] & hits[1]).sum(), (hits[0] & ~hits[1]).sum())
    assert one.reference.low is not None


def test_rank_buckets_are_those_of_the_baseline(made: Bench) -> None:
    dataset = collection()
    found = grouped(made, dataset, "rank-bucket")
    scores = made.scores[found.runs[0].key]
    ranks = 1 + (scores > scores[dataset.owners, np.arange(len(dataset.captions))]).sum(axis=0)
    expected = {
        "rank 1": int((ranks == 1).sum()),
        "rank 2–5": int(((ranks >= 2) & (ranks <= 5)).sum()),
        "rank 6–10": int(((ranks >= 6) & (ranks <= 10)).sum()),
        "rank 11–100": int((ranks > 10).sum()),
    }
    assert sizes(found, "t2i") == {name: count for name, count in expected.items() if count}
    first = [o for o in found.lines if o.group == "rank 1" and o.metric == "hit@1"]
    assert all(o.reference.value == 1 and o.flips is not None and o.flips.fixed == 0 for o in first)
    assert any("regression to the mean" in note for note in found.notes)


def test_a_word_is_a_whole_word_in_any_case(made: Bench) -> None:
    dataset = collection()
    found = grouped(made, dataset, "word:VERY")
    holds = [" very" in caption.text for caption in dataset.captions]
    assert sizes(found, "t2i") == {"with 'VERY'": sum(holds), "without 'VERY'": len(holds) - sum(holds)}
    assert sizes(grouped(made, dataset, "word:ver"), "t2i") == {"without 'ver'": len(holds)}
    assert sizes(grouped(made, dataset, "word:1"), "i2t")["with '1'"] == 12  # caption 1 of every image


def test_within_perturbations_models_are_compared(made: Bench) -> None:
    dataset = collection()
    runs = [
        made.run(dataset, noise, model=model, setting=setting)
        for setting, noise in ((CLEAN, 0.5), (DROPPED, 1.2))
        for model in ("a", "b")
    ]
    runs[1] = made.run(dataset, 0.6, seed=4, model="b")
    found = compare(made.store, runs, CompareRequest(by="perturbation", resamples=200))
    told = {(one.group, one.baseline, one.run) for one in found.lines}
    assert told == {("clean", 0, 1), ("word-dropout 0.3 (seed 0)", 2, 3)}
    alone = compare(made.store, runs[2:], CompareRequest(resamples=200))
    within = [one for one in found.lines if one.group.startswith("word")]
    assert [one.tested for one in within] == [one.tested for one in alone.lines]


def test_a_perturbation_without_the_baselines_model_is_refused(made: Bench) -> None:
    dataset = collection()
    runs = [made.run(dataset, 0.5), made.run(dataset, 0.9, model="b", setting=DROPPED)]
    with pytest.raises(CompareError, match=r"under word-dropout 0\.3 .* 0 of 1 runs"):
        compare(made.store, runs, CompareRequest(by="perturbation"))


def test_categories_are_those_that_are_handed_in(made: Bench) -> None:
    dataset = collection()
    runs = [made.run(dataset, 0.5), made.run(dataset, 1.5, seed=1)]
    categories = {"Count": ["i0#0", "i1#1", "i2#0"], "Object": ["i0#0", "nothing"]}
    found = compare(made.store, runs, CompareRequest(by="category", resamples=200), categories=categories)
    assert sizes(found, "t2i") == {"Count": 3, "Object": 1}
    [single] = [o for o in found.lines if (o.group, o.metric) == ("Object", "hit@1")]
    assert (single.tested, single.p_adjusted) == (None, None)  # one image has no spread


def label(made: Bench, dataset: Dataset, annotator: str, labels: dict[int, str]) -> None:
    """Let an annotator say why captions (by number) were taken for the first image that is not theirs."""
    failures = {n: toy_failure(dataset, n, int(dataset.owners[n] == 0)) for n in labels}
    new = tuple(NewLabel(failures[n], category, raw_category=category) for n, category in labels.items())
    save_batches(made.store, [Batch(annotator, Source("test", annotator), dataset.key, new)])


def test_categories_are_those_that_people_gave_under_a_named_policy(made: Bench) -> None:
    dataset = collection()
    runs = [made.run(dataset, 0.5), made.run(dataset, 1.5, seed=1)]
    label(made, dataset, "A", {0: "Count", 1: "Count", 5: "Object", 9: "Object"})
    label(made, dataset, "B", {0: "Count", 5: "Spatial"})
    found = compare(made.store, runs, CompareRequest(by="category", resamples=200))
    assert sizes(found, "t2i") == {"Count": 2, "Object": 1}  # caption 5 has no majority
    assert any("policy majority" in note and "1 items left out" in note for note in found.notes)
    assert any(note.startswith("oracle") for note in found.notes)
    every = compare(made.store, runs, CompareRequest(by="category", policy="count-all", resamples=200))
    assert sizes(every, "t2i") == {"Count": 2, "Object": 2, "Spatial": 1}
    with pytest.raises(ClipbenchError, match="no merge policy"):
        compare(made.store, runs, CompareRequest(by="category", policy="mine"))


@pytest.mark.parametrize(
    ("by", "told"),
    [("colour", "no grouping by 'colour'"), ("word:", "needs the word"), ("category", "no caption")],
)
def test_a_grouping_that_is_none_is_refused(made: Bench, by: str, told: str) -> None:
    with pytest.raises(CompareError, match=told):
        grouped(made, collection(), by)


def test_the_family_is_the_table_with_all_its_groups(made: Bench) -> None:
    found = grouped(made, collection(), "caption-length")
    assert found.tests == sum(one.tested is not None for one in found.lines)
    assert len(found.groups) == 3
