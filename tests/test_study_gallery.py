"""Gallery-side stress equals ranking the stressed gallery in the plainest way, and is stored like any run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, collection, environment, good

from clipbench.encoders.toy import ToyEncoder
from clipbench.errors import ClipbenchError, DatasetError
from clipbench.home import Home
from clipbench.metrics.positives import folded
from clipbench.perturb.apply_text import perturb_captions
from clipbench.perturb.registry import text_operation
from clipbench.records import Caption, Metric, Protocol, Sample
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store, open_store, reading
from clipbench.store.runs import StoredRun, load_metrics
from clipbench.store.verify import verify
from clipbench.study.embedding.models import EncoderSource, ModelRequest
from clipbench.study.evaluation.galleries import Gallery
from clipbench.study.robustness.distractors import added_sizes
from clipbench.study.robustness.gallery_sizes import default_sizes, sizes_of
from clipbench.study.robustness.gallery_stress import StressRequest, StressRuns, stress_gallery
from clipbench.study.robustness.hard_negatives import controls, hard_negatives_of
from clipbench.study.robustness.stress import Ground, ground
from clipbench.study.runs.run_kinds import derived
from clipbench.study.workplace.progress import Silent


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a collection of 14 pictures and one of 40, whose first 14 pictures are the same files."""
    folder = tmp_path_factory.mktemp("gallery")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "toys", images=14)
        added(folder / "more", "more", images=40)
    return folder


@pytest.fixture(scope="module")
def store(home: Path) -> Store:
    return open_store(Home(home / "store"))


def toy(store: Store) -> EncoderSource:
    return EncoderSource(store, ModelRequest("toy"))


def stressed(store: Store, request: StressRequest) -> StressRuns:
    return stress_gallery("toys", toy(store), request, Silent())


def base(store: Store) -> Ground:
    return ground(load_dataset(store, "toys"), toy(store), Protocol(), Silent())


def numbers(store: Store, run: StoredRun) -> dict[tuple[str, str], Metric]:
    return {(m.direction, m.name): m for m in load_metrics(store, run.key)}


def runs(store: Store) -> int:
    with reading(store) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM run").scalar_one())


def test_the_full_size_is_the_clean_run(store: Store) -> None:
    found = stressed(store, StressRequest(sizes=(5, 14), hard_negatives=False))
    clean, sizes = numbers(store, found.clean), numbers(store, found.sizes)
    for direction in ("t2i", "i2t"):
        for k in (1, 5, 10):
            assert sizes[direction, f"hit@{k} n=14"].value == clean[direction, f"hit@{k}"].value
            assert sizes[direction, f"hit@{k} n=5"].value >= clean[direction, f"hit@{k}"].value
            chance = sizes[direction, f"chance-hit@{k} n=14"].value
            assert chance == pytest.approx(clean[direction, f"chance-hit@{k}"].value)
    one = sizes["t2i", "hit@1 n=5"]
    assert one.low is not None
    assert one.high is not None
    assert one.low <= one.value <= one.high


def test_sizes_are_expected_values_over_drawn_galleries(store: Store) -> None:
    found = stressed(store, StressRequest(sizes=(5,), hard_negatives=False))
    here = base(store)
    scores = here.text_vectors() @ here.image_vectors().T
    draw = np.random.default_rng(0)
    hits = []
    for _ in range(400):
        for caption, owner in enumerate(here.gallery.owners):
            others = draw.choice(np.delete(np.arange(14), owner), 4, replace=False)
            hits.append((scores[caption, others] > scores[caption, owner]).sum() == 0)
    value = numbers(store, found.sizes)["t2i", "hit@1 n=5"].value
    assert value == pytest.approx(np.mean(hits), abs=0.02)


def test_distractors_are_ranked_beside_the_own_images(store: Store) -> None:
    found = stressed(store, StressRequest(distractors=("more",), hard_negatives=False))
    [(name, run)] = found.distractors
    here = base(store)
    more = ground(load_dataset(store, "more"), toy(store), Protocol(), Silent())
    gallery = np.concatenate([here.image_vectors(), more.image_vectors()[14:]]).astype(np.float64)
    scores = here.text_vectors().astype(np.float64) @ gallery.T
    own = scores[np.arange(len(scores)), here.gallery.owners][:, None]
    rank = 1 + (scores > own + 1e-9).sum(axis=1)
    values = numbers(store, run)
    assert (name, run.n_images) == ("more", 40)
    for k in (1, 5, 10):
        assert values["t2i", f"hit@{k}"].value == pytest.approx((rank <= k).mean())
        assert values["t2i", f"hit@{k} n=40"].value == pytest.approx((rank <= k).mean())
    clean = numbers(store, found.clean)["t2i", "hit@5"].value
    assert values["t2i", "hit@5 drop"].value == pytest.approx(clean - values["t2i", "hit@5"].value)
    assert clean >= values["t2i", "hit@5 n=20"].value >= values["t2i", "hit@5 n=40"].value


def test_pictures_that_are_in_both_are_no_distractors(store: Store) -> None:
    [(_, run)] = stressed(store, StressRequest(distractors=("more",), hard_negatives=False)).distractors
    facts = run.spec.protocol["distractors"]
    assert isinstance(facts, dict)
    assert (facts["added"], facts["in_both"]) == (26, 14)
    assert facts["dataset"] == load_dataset(store, "more").key


def test_a_dataset_is_no_distractor_of_itself_nor_of_its_copy(store: Store, home: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be its own distractors"):
        stressed(store, StressRequest(distractors=("toys",)))
    file = collection(home / "copy", 14)
    file.write_text(file.read_text().replace('"a ', '"one '), encoding="utf-8")
    shutil.rmtree(home / "copy" / "photos")
    shutil.copytree(home / "toys" / "photos", home / "copy" / "photos")
    good(
        "dataset", "add", "copy", "--captions", file, "--images", home / "copy" / "photos",
        store=home / "store",
    )  # fmt: skip
    with pytest.raises(DatasetError, match="every image of copy is in toys too"):
        stressed(store, StressRequest(distractors=("copy",)))


def test_fooling_captions_count_where_one_is_the_highest(store: Store) -> None:
    found = stressed(store, StressRequest(controls=("colour-flip",)))
    [run] = found.hard_negatives
    here = base(store)
    captions, owners = here.gallery.captions, here.gallery.owners
    texts = perturb_captions(captions, text_operation("colour-flip"), 1.0, 0)
    said = [{folded(caption.text) for caption in sample.captions} for sample in here.gallery.samples]
    copies: list[tuple[str, int]] = []
    for text, owner in zip(texts, owners.tolist(), strict=True):
        if folded(text) not in said[owner]:
            said[owner].add(folded(text))
            copies.append((text, owner))
    wrong = ToyEncoder().encode_texts([text for text, _ in copies]).vectors
    scores = here.image_vectors() @ np.concatenate([here.text_vectors(), wrong]).T
    top = scores.argmax(axis=1)
    values = numbers(store, run)
    assert run.n_texts == len(captions) + len(copies)
    assert values["i2t", "false-rate"].value == pytest.approx((top >= len(captions)).mean())
    mine = [best >= len(captions) and copies[best - len(captions)][1] == i for i, best in enumerate(top)]
    assert values["i2t", "false-rate-own"].value == pytest.approx(np.mean(mine))
    assert values["i2t", "chance-false-rate"].value == pytest.approx(len(copies) / run.n_texts)
    hits = [best < len(captions) and owners[best] == i for i, best in enumerate(top)]
    assert values["i2t", "hit@1"].value == pytest.approx(np.mean(hits))
    clean = numbers(store, found.clean)["i2t", "hit@1"].value
    assert values["i2t", "hit@1 drop"].value == pytest.approx(clean - np.mean(hits))


def test_all_copies_together_come_first_and_their_shares_add_up(store: Store) -> None:
    first, *single = stressed(store, StressRequest()).hard_negatives
    values = numbers(store, first)
    names = [str(run.perturbation.parameters["controls"][0]) for run in single]  # type: ignore[index]  a list
    assert first.perturbation.parameters["controls"] == names
    parts = [values["i2t", f"false-rate {name}"].value for name in names]
    assert values["i2t", "false-rate"].value == pytest.approx(sum(parts))
    added_each = [run.n_texts - 28 for run in single]
    assert first.n_texts - 28 == sum(added_each)


def test_no_fooling_caption_is_true_of_its_image_or_comes_twice() -> None:
    captions = ("a red dog and a blue cat", "A blue dog, and a blue cat.", "a blue dog and a blue cat")
    sample = Sample("i", tuple(Caption(f"c{i}", text) for i, text in enumerate(captions)))
    gallery = Gallery((sample,), np.zeros(1, np.int64), np.arange(3), ())
    for seed in range(20):
        copies = hard_negatives_of(gallery, text_operation("colour-flip"), seed)
        told = [folded(text) for text in copies.texts]
        assert len(set(told)) == len(told)
        assert not set(told) & {folded(text) for text in captions}
        assert copies.owners.tolist() == [0] * len(told)


def test_a_second_time_nothing_is_computed(store: Store) -> None:
    request = StressRequest(sizes=(4, 8), distractors=("more",), controls=("negation",))
    first = stressed(store, request)
    before = runs(store)
    assert stressed(store, request) == first
    assert runs(store) == before


def test_another_size_list_or_seed_is_another_run(store: Store) -> None:
    one = stressed(store, StressRequest(sizes=(4,), controls=("colour-flip",)))
    other = stressed(store, StressRequest(sizes=(4, 5), controls=("colour-flip",), seed=1))
    assert one.clean.key == other.clean.key
    assert one.sizes.key != other.sizes.key
    assert one.hard_negatives[0].key != other.hard_negatives[0].key


def test_stressed_runs_verify(store: Store) -> None:
    stressed(store, StressRequest(sizes=(4, 14), distractors=("more",)))
    found = verify(store, deep=True, recompute=derived)
    assert found.problems == ()
    assert found.checked["runs"] >= 9


def test_sizes_and_operations_that_do_not_fit_are_refused(store: Store) -> None:
    with pytest.raises(ClipbenchError, match="a gallery of 15 images cannot be drawn from the 14"):
        stressed(store, StressRequest(sizes=(15,)))
    with pytest.raises(ClipbenchError, match="a gallery of 1 image cannot"):
        stressed(store, StressRequest(sizes=(1,)))
    with pytest.raises(ClipbenchError, match="names no gallery sizes"):
        sizes_of("10;20")
    with pytest.raises(ClipbenchError, match="keyboard is no operation that changes the meaning"):
        controls(["keyboard"])
    with pytest.raises(ClipbenchError, match="no caption of toys has a meaning"):
        stressed(store, StressRequest(controls=("left-right-flip",)))


def test_default_sizes_are_round_and_end_with_all() -> None:
    assert default_sizes(14) == (10, 14)
    assert default_sizes(1000) == (10, 20, 50, 100, 200, 500, 1000)
    assert default_sizes(7) == (7,)
    assert added_sizes(14, 40) == (20, 40)
    assert added_sizes(1000, 1000) == (1000,)
