"""A sweep encodes nothing twice, equals plain evaluations, and says what its ledgers say."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, environment

from clipbench.errors import ClipbenchError, CompareError, StoppedError, StoreError
from clipbench.home import Home
from clipbench.perturb.registry import Selection
from clipbench.perturb.resources import Rewrites
from clipbench.records import Dataset, Perturbation, Protocol, text_key
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import find_set, set_items
from clipbench.store.engine import Store, open_store, reading
from clipbench.store.maintenance import gc, verify
from clipbench.store.runs import StoredRun, find_run, load_ledgers, load_metrics
from clipbench.store.sweeps import StoredSweep, find_sweep
from clipbench.study.embedding.models import EncoderSource, ModelRequest
from clipbench.study.evaluation.evaluate import evaluate, evaluate_sets
from clipbench.study.robustness.estimate import count_words, estimate
from clipbench.study.robustness.levels import selections
from clipbench.study.robustness.measures import summarise
from clipbench.study.robustness.settings import Place, SweepRequest
from clipbench.study.robustness.sweep import Plan, plan, sweep
from clipbench.study.runs.run_kinds import derived
from clipbench.study.workplace.progress import Silent

PROTOCOL = Protocol(resamples=200)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a toy collection, and what the tests before left in it: nothing depends on that."""
    folder = tmp_path_factory.mktemp("sweeps")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder, images=10)
    return folder / "store"


@pytest.fixture
def store(home: Path) -> Store:
    return open_store(Home(home))


@pytest.fixture
def toys(store: Store) -> Dataset:
    return load_dataset(store, "toys")


def toy(store: Store) -> EncoderSource:
    return EncoderSource(store, ModelRequest("toy"))


def request(
    *words: str, levels: tuple[float, ...] | None = None, seeds: int = 1, place: Place = "model_input"
) -> SweepRequest:
    return SweepRequest(selections(words, levels), tuple(range(seeds)), place)


def planned(store: Store, asked: SweepRequest, name: str | None = None) -> Plan:
    return plan(toy(store), load_dataset(store, "toys"), asked, PROTOCOL, name)


def swept(store: Store, asked: SweepRequest, name: str | None = None) -> StoredSweep:
    return sweep(planned(store, asked, name), toy(store), PROTOCOL, Silent())


def _at(name: str, *levels: float) -> tuple[Selection, ...]:
    return selections([name], levels)


NOISY = SweepRequest(_at("keyboard", 0.2, 0.3) + _at("gaussian-noise", 3.0), (0, 1))


def run_of(store: Store, key: str) -> StoredRun:
    found = find_run(store, key)
    assert found is not None
    return found


def count(store: Store, query: str) -> int:
    with reading(store) as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


# -- What is encoded ---------------------------------------------------------------------------------------


def test_the_clean_level_is_the_evaluation_itself(store: Store) -> None:
    done = swept(store, request("word-dropout", levels=(0.3,), seeds=2))
    clean = evaluate(store, "toys", toy(store), PROTOCOL, Silent())
    assert not clean.created
    assert clean.run.key == done.runs[0]
    assert find_sweep(store, done.name).runs == done.runs


def test_every_string_is_encoded_once_and_pictures_only_where_they_change(
    store: Store, toys: Dataset
) -> None:
    swept(store, request("word-dropout", "word-shuffle", seeds=3))
    swept(store, request("word-dropout", "drop-nouns", seeds=2))
    swept(store, request("jpeg", levels=(2.0,)))
    rows = count(store, "SELECT sum(rows) FROM vector_shard WHERE modality = 'text'")
    with reading(store) as connection:
        keys = (
            connection.exec_driver_sql("SELECT key FROM embedding_set WHERE modality = 'text'")
            .scalars()
            .all()
        )
        distinct = {bytes(item) for key in keys for item in set_items(connection, key)}
    assert rows == len(distinct)
    pictures = count(store, "SELECT sum(rows) FROM vector_shard WHERE modality = 'image'")
    corruptions = count(
        store,
        "SELECT count(*) FROM embedding_set JOIN perturbation ON perturbation.id = perturbation_id "
        "WHERE modality = 'image'",
    )
    assert pictures == corruptions * len(toys.samples)


def test_a_second_time_nothing_is_left_to_do(store: Store) -> None:
    first = swept(store, NOISY)
    again = planned(store, NOISY)
    assert (again.stored, again.strings, again.pictures) == (len(again.runs), 0, 0)
    assert again.key == first.key
    runs = count(store, "SELECT count(*) FROM run")
    assert sweep(again, toy(store), PROTOCOL, Silent()).runs == first.runs
    assert count(store, "SELECT count(*) FROM run") == runs


def test_seeds_of_an_operation_that_draws_nothing_are_one_run(store: Store) -> None:
    settings = [
        run.setting.perturbation for run in planned(store, request("word-reverse", "jpeg", seeds=5)).runs
    ]
    assert [(one.operation, one.level) for one in settings] == [
        ("clean", 0),
        ("word-reverse", 1),
        *(("jpeg", level) for level in (1, 2, 3, 4, 5)),
    ]


def test_an_order_of_operations_changes_no_run(store: Store) -> None:
    one = {run.spec.key for run in planned(store, request("keyboard", "word-dropout", seeds=2)).runs}
    other = {run.spec.key for run in planned(store, request("word-dropout", "keyboard", seeds=2)).runs}
    assert one == other


def test_a_name_that_is_taken_is_refused_before_anything_is_encoded(store: Store) -> None:
    swept(store, request("drop-colours"), "mine")
    with pytest.raises(StoreError, match="is that of another sweep"):
        planned(store, request("ocr"), "mine")
    with pytest.raises(StoreError, match="cannot be the name"):
        planned(store, request("ocr"), "latest")
    assert planned(store, request("drop-colours"), "mine").name == "mine"


def test_ctrl_c_between_two_runs_tells_how_many_are_stored(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter([1, 1])

    def evaluating(*sets: object, **kind: object) -> object:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return evaluate_sets(*sets, **kind)  # type: ignore[arg-type]  # passed on as they came

    asked = request("ocr", levels=(0.15, 0.3, 0.35))
    swept(store, request("ocr", levels=(0.15,)))
    with monkeypatch.context() as patch:
        patch.setattr("clipbench.study.robustness.sweep.evaluate_sets", evaluating)
        next(left)
        with pytest.raises(StoppedError, match="3 of 4 runs of this sweep are stored"):
            swept(store, asked)
    assert planned(store, asked).stored == 3


def test_the_dry_run_counts_what_a_run_encodes(store: Store) -> None:
    asked = replace(
        request("homoglyph", "saturate", seeds=2), selections=_at("homoglyph", 0.2) + _at("saturate", 2.0)
    )
    before = planned(store, asked)
    texts = {text for run in before.runs for text in run.texts}
    known = count(store, "SELECT sum(rows) FROM vector_shard WHERE modality = 'text'")
    assert count_words(before) == (
        f"4 runs: 1 stored, 3 to do; {before.strings} strings and {before.pictures} pictures to encode"
    )
    assert estimate(before, toy(store)).seconds > 0
    assert count(store, "SELECT sum(rows) FROM vector_shard WHERE modality = 'text'") == known
    sweep(before, toy(store), PROTOCOL, Silent())
    assert (
        count(store, "SELECT sum(rows) FROM vector_shard WHERE modality = 'text'") == known + before.strings
    )
    assert before.strings <= len(texts)
    assert estimate(planned(store, asked), toy(store)).seconds == 0


# -- What a setting is -------------------------------------------------------------------------------------


def test_the_time_left_follows_from_the_work_that_is_left(store: Store) -> None:
    from clipbench.study.robustness.sweep import PICTURE, RUN
    from clipbench.study.workplace.progress import WHOLE

    bars: list[tuple[str, int]] = []
    moved: dict[str, int] = {}

    class Listening(Silent):
        def start(self, label: str, total: int) -> int:
            bars.append((label, total))
            return len(bars) - 1

        def advance(self, bar: int, count: int = 1) -> None:
            label = bars[bar][0]
            moved[label] = moved.get(label, 0) + count
            if label == "captions":
                assert moved.get(WHOLE, 0) <= moved[label]

    asked = SweepRequest((*_at("word-dropout", 0.3), *_at("jpeg", 1.0)), seeds=(77,))
    found = planned(store, asked)
    assert found.work == found.strings + PICTURE * found.pictures + RUN * (len(found.runs) - found.stored)
    sweep(found, toy(store), PROTOCOL, Listening())
    assert dict(bars)[WHOLE] == moved[WHOLE] == found.work
    assert dict(bars)["images"] == moved["images"] == 10
    assert planned(store, asked).work == 0


def test_each_setting_is_stored_with_the_account_of_what_it_did(store: Store, toys: Dataset) -> None:
    done = swept(store, SweepRequest(_at("word-dropout", 0.3) + _at("brightness", 3.0)))
    texts = find_set(store, run_of(store, done.runs[1]).spec.texts)
    pictures = find_set(store, run_of(store, done.runs[-1]).spec.images)
    assert texts is not None
    assert pictures is not None
    assert texts.audit
    assert pictures.audit
    assert texts.perturbation.operation == "word-dropout"
    assert texts.audit["captions"] == len(toys.captions)
    assert 0 < float(str(texts.audit["word_error_rate"])) < 1
    assert {"token_ratio", "changed_rate", "character_error_rate", "tokens"} <= set(texts.audit)
    assert pictures.perturbation.parameters == {"apply": "model_input", "version": 1}
    assert float(str(pictures.audit["psnr"])) > 0
    assert 0 < float(str(pictures.audit["ssim"])) < 1


def test_the_place_of_a_corruption_is_part_of_what_it_is(store: Store) -> None:
    inside = planned(store, request("pixelate")).runs[1:]
    outside = planned(store, request("pixelate", place="source")).runs[1:]
    assert not {run.spec.key for run in inside} & {run.spec.key for run in outside}


def test_the_legacy_stream_equals_one_generator_through_all_rates_and_a_fresh_one_of_the_shuffle(
    store: Store, toys: Dataset
) -> None:
    from clipbench.perturb.legacy import SOURCE_STUDY

    generator = random.Random(42)  # noqa: S311  the study's own
    expected: dict[float, list[str]] = {}
    for rate in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        expected[rate] = []
        for caption in toys.captions:
            words = caption.text.split()
            kept = [word for word in words if generator.random() > rate]
            expected[rate].append(" ".join(kept or [generator.choice(words)]))
    shuffled, generator = [], random.Random(42)  # noqa: S311  another run, in another process
    for caption in toys.captions:
        words = caption.text.split()
        generator.shuffle(words)
        shuffled.append(" ".join(words))
    done = swept(store, replace(request("source-study", seeds=4), legacy=SOURCE_STUDY))
    assert len(done.runs) == 7
    with reading(store) as connection:
        for key in done.runs[1:]:
            run = run_of(store, key)
            texts = (
                shuffled if run.perturbation.operation == "word-shuffle" else expected[run.perturbation.level]
            )
            items = [bytes(item) for item in set_items(connection, run.spec.texts)]
            assert items == [text_key(text) for text in texts]
            assert run.perturbation.parameters["stream"] == "legacy"


def test_rewrites_are_settings_of_their_own(store: Store, toys: Dataset) -> None:
    same = {caption.id: caption.text for caption in toys.captions}
    loud = {id_: f"{text} indeed" for id_, text in same.items()}
    asked = SweepRequest((), rewrites=(Rewrites("plain", same), Rewrites("loud", loud)))
    found = summarise(store, swept(store, asked))
    assert [effect.operation for effect in found.effects] == ["rewrite: plain", "rewrite: loud"]
    assert found.effects[0].drops["t2i", "hit@1"][0] == 0
    assert found.effects[0].audit["changed"] == 0


def test_a_deleted_run_is_missed_by_name(store: Store) -> None:
    from clipbench.store.runs import delete_run

    done = swept(store, request("leet"))
    delete_run(store, done.runs[2])
    left = replace(done, runs=done.runs)
    with pytest.raises(CompareError, match="was deleted"):
        summarise(store, left)
    assert len(swept(store, request("leet")).runs) == len(done.runs)  # the same command mends it


def test_stored_metrics_follow_from_the_ledgers(store: Store) -> None:
    done = swept(store, request("diacritic"))
    for key in done.runs:
        kept = {(m.direction, m.name): m for m in load_metrics(store, key)}
        for metric in derived(run_of(store, key), load_ledgers(store, key)):
            assert kept[metric.direction, metric.name] == metric


def test_an_operation_without_its_data_is_refused(store: Store) -> None:
    with pytest.raises(ClipbenchError, match="needs a column of rewritten captions"):
        planned(store, request("rewrite"))


def test_perturbations_with_other_parameters_are_other_settings() -> None:
    assert Perturbation("a", "text", 0.1, 0, {"x": 1}).key != Perturbation("a", "text", 0.1, 0, {"x": 2}).key


def test_vectors_that_were_given_up_are_encoded_again_by_the_same_sweep(tmp_path: Path) -> None:
    with environment(CLIPBENCH_STORE=str(tmp_path / "store")):
        added(tmp_path, images=6)
    store = open_store(Home(tmp_path / "store"))
    toys, source = load_dataset(store, "toys"), toy(store)
    request = SweepRequest(_at("word-dropout", 0.3) + _at("gaussian-noise", 2.0))
    first = sweep(plan(source, toys, request, PROTOCOL), source, PROTOCOL, Silent())
    lost = next(path for path in sorted(store.home.embeddings.rglob("text-*.h5")))
    lost.write_bytes(b"")
    gc(store, damaged=True)
    again = plan(source, toys, request, PROTOCOL)
    assert again.stored < len(again.runs)
    assert again.strings > 0
    assert sweep(again, source, PROTOCOL, Silent()).runs == first.runs
    assert verify(store, deep=True, recompute=derived).clean
