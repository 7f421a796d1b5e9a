"""What changed most: ordered by definition, with the words each run encoded and what it found first."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from compare_toys import Bench, bench, collection

from clipbench.perturb.apply_text import perturb_captions, text_perturbation
from clipbench.perturb.legacy import SOURCE_STUDY, legacy_perturbation, legacy_texts
from clipbench.perturb.registry import text_operation
from clipbench.records import Perturbation
from clipbench.study.comparing.failures import worst_failures
from clipbench.study.comparing.flips import changed_most
from clipbench.study.comparing.rankings import rankings
from clipbench.study.comparing.texts import queried_texts
from clipbench.study.runs.loaded import load_runs


@pytest.fixture
def made(tmp_path: Path) -> Bench:
    return bench(tmp_path / "store")


def test_the_largest_change_of_the_reciprocal_rank_comes_first(made: Bench) -> None:
    dataset = collection()
    runs = [made.run(dataset, 0.5), made.run(dataset, 1.5, seed=1)]
    loaded_runs = load_runs(made.store, runs)
    found = changed_most(made.store, loaded_runs[0], loaded_runs[1], 1000, ("t2i",))
    ranks = []
    for run in runs:
        scores = made.scores[run.key]
        ranks.append(1 + (scores > scores[dataset.owners, np.arange(len(dataset.captions))]).sum(axis=0))
    change = np.abs(1 / ranks[1] - 1 / ranks[0])
    assert len(found) == np.count_nonzero(ranks[0] != ranks[1])
    places = {caption.id: n for n, caption in enumerate(dataset.captions)}
    told = [change[places[one.query]] for one in found]
    assert told == sorted(told, reverse=True)
    for one in found:
        n = places[one.query]
        assert (one.before.rank, one.after.rank) == (ranks[0][n], ranks[1][n])
        assert one.caption == dataset.captions[n].text
        assert one.image_id == dataset.samples[dataset.owners[n]].id
        firsts = [int(np.argmax(made.scores[run.key][:, n])) for run in runs]
        assert [one.before.top1_id, one.after.top1_id] == [dataset.samples[i].id for i in firsts]
        assert (one.kind == "fixed") == (ranks[0][n] > 1 and ranks[1][n] == 1)
        assert (one.kind == "broken") == (ranks[0][n] == 1 and ranks[1][n] > 1)
    assert changed_most(made.store, loaded_runs[0], loaded_runs[1], 3, ("t2i",)) == found[:3]


def test_a_run_beside_itself_changed_nothing(made: Bench) -> None:
    [loaded] = load_runs(made.store, [made.run(collection(), 0.5)])
    assert changed_most(made.store, loaded, loaded, 10) == ()


def test_perturbed_captions_are_made_again_and_believed_by_their_keys(made: Bench) -> None:
    dataset = collection()
    operation = text_operation("word-dropout")
    setting = text_perturbation(operation, 0.5, 3)
    texts = perturb_captions(dataset.captions, operation, 0.5, 3)
    legacy = legacy_perturbation("word-dropout", 0.5)
    old = legacy_texts([caption.text for caption in dataset.captions], "word-dropout", 0.5, SOURCE_STUDY)
    runs = [
        made.run(dataset, 0.5, setting=setting, texts=texts),
        made.run(dataset, 0.6, setting=setting, texts=tuple(text + "!" for text in texts)),
        made.run(dataset, 0.7, setting=legacy, texts=old),
        made.run(dataset, 0.8, setting=Perturbation("rewrite", "text", 1.0, 0, {"rewrites": {"label": "x"}})),
        made.run(dataset, 0.9, setting=Perturbation("gone", "text", 1.0, 0)),
        made.run(dataset, 1.0),
    ]
    told = [queried_texts(made.store, loaded) for loaded in load_runs(made.store, runs)]
    unknown = (None,) * len(texts)
    clean = tuple(caption.text for caption in dataset.captions)
    assert told == [texts, unknown, old, unknown, unknown, clean]


def test_the_worst_failures_have_the_lowest_margins(made: Bench) -> None:
    dataset = collection()
    run = made.run(dataset, 1.5)
    [loaded] = load_runs(made.store, [run])
    found = worst_failures(made.store, loaded, 5)
    scores = made.scores[run.key]
    right = scores[dataset.owners, np.arange(scores.shape[1])]
    wrong = np.where(np.arange(len(scores))[:, None] == dataset.owners, -np.inf, scores).max(axis=0)
    assert found[0].margin == pytest.approx((right - wrong).min(), abs=1e-6)
    margins = [one.margin for one in found]
    assert margins == sorted(margins)
    assert all(margin < 0 for margin in margins)
    pairs = [(one.own.id, one.found.id) for one in found]
    assert len(set(pairs)) == len(pairs)


def test_a_failure_shows_the_ten_images_found_first_with_the_right_ones_marked(made: Bench) -> None:
    dataset = collection()
    run = made.run(dataset, 1.5)
    [loaded] = load_runs(made.store, [run])
    captions = [caption.id for caption in dataset.captions]
    for one in worst_failures(made.store, loaded, 5):
        scores = made.scores[run.key][:, captions.index(one.caption.id)]
        best = np.argsort(-scores, kind="stable")[:10]
        assert [image.sample.id for image in one.first] == [dataset.samples[place].id for place in best]
        assert [image.score for image in one.first] == pytest.approx(scores[best].tolist(), abs=1e-6)
        assert [image.right for image in one.first] == [image.sample == one.own for image in one.first]
        assert one.first[0].sample == one.found


def test_a_failure_of_a_run_without_one_ranking_shows_the_image_found_first_alone(made: Bench) -> None:
    [loaded] = load_runs(made.store, [made.run(collection(), 1.5)])
    stored = replace(loaded.run, spec=replace(loaded.run.spec, method={"name": "unheard-of"}))
    shown = worst_failures(made.store, replace(loaded, run=stored), 3)
    assert shown
    assert all(one.first == () for one in shown)


def test_a_ranking_made_again_is_the_one_of_the_ledger(made: Bench) -> None:
    dataset = collection()
    [loaded] = load_runs(made.store, [made.run(dataset, 0.8)])
    for direction in ("t2i", "i2t"):
        ledger = loaded.ledgers[direction]
        for number, one in enumerate(rankings(made.store, loaded, direction, 1000)):
            assert len(one.items) == ledger.gallery_size
            ids = [item for item, _ in one.items]
            pairs = slice(int(ledger.offsets[number]), int(ledger.offsets[number + 1]))
            places = [ids.index(item) for item in one.right]
            assert places == ledger.above[pairs].tolist()
