"""Whoever ranks can record a run: of any method, about any encoder of the space, found again by the same request."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, environment, good

from clipbench.errors import ClipbenchError
from clipbench.home import Home
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.records import CLEAN, Protocol, RunSpec, Shortlist, text_key
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import Encoding, find_set, load_vectors, save_set, set_items
from clipbench.store.encoders import load_encoder, save_encoder
from clipbench.store.engine import Store, open_store, reading
from clipbench.store.item_texts import texts_of
from clipbench.store.runs import find_run
from clipbench.store.shortlists import load_shortlists
from clipbench.store.vectors import Pool
from clipbench.store.verify import verify
from clipbench.study.comparing.references import resolve_one
from clipbench.study.embedding.models import EncoderSource, ModelRequest
from clipbench.study.evaluation.evaluate import evaluate, evaluate_sets, ranked
from clipbench.study.evaluation.galleries import gallery_of
from clipbench.study.evaluation.methods import method_words
from clipbench.study.evaluation.protocol import metrics_of
from clipbench.study.evaluation.recording import RunInputs, find_recorded, record_run
from clipbench.study.runs.kind_names import EVALUATE
from clipbench.study.runs.run_kinds import KINDS, derived, kind_of
from clipbench.study.workplace.progress import Silent

PROTOCOL = Protocol(resamples=100)
METHOD = {"name": "rescored", "power": 1e-5}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder, images=8)
    return folder / "store"


@pytest.fixture(scope="module")
def store(home: Path) -> Store:
    return open_store(Home(home))


@pytest.fixture(scope="module")
def inputs(store: Store) -> RunInputs:
    """The inputs of the plain evaluation, which is stored."""
    run = evaluate(store, "toys", EncoderSource(store, ModelRequest("toy")), PROTOCOL, Silent()).run
    images, texts = find_set(store, run.spec.images), find_set(store, run.spec.texts)
    assert images is not None
    assert texts is not None
    return RunInputs(EVALUATE, load_dataset(store, "toys"), images, texts, PROTOCOL)


def rescored(store: Store, inputs: RunInputs) -> str:
    """Record a run that ranks by the product of shifted vectors, and return its key."""
    gallery = gallery_of(inputs.dataset, {})
    images, texts = load_vectors(store, inputs.images), load_vectors(store, inputs.texts)
    ledgers = ranked(images, np.roll(texts, 2, axis=0), gallery, inputs.protocol)
    scores = np.tile(np.float32([0.5, 0.25]), (16, 1))
    best = ledgers["t2i"].top1
    shortlist = Shortlist("t2i", np.stack([best, (best + 1) % 8], axis=1).astype(np.int32), scores)
    metrics = metrics_of(ledgers, inputs.protocol)
    done = record_run(
        store, inputs, ledgers, metrics, METHOD, seconds={"rank": 0.5}, shortlists={"t2i": shortlist}
    )
    assert done.run.timings == {"rank": 0.5}
    return done.run.key


def test_a_method_makes_another_run_that_is_found_again(store: Store, inputs: RunInputs) -> None:
    plain = find_recorded(store, inputs)
    assert plain is not None
    key = rescored(store, inputs)
    assert key != plain.key
    assert key == rescored(store, inputs)
    again = find_recorded(store, inputs, METHOD)
    assert again is not None
    assert (again.key, again.spec.method) == (key, METHOD)
    assert set(load_shortlists(store, key)) == {"t2i"}
    assert verify(store, deep=True, recompute=derived).problems == ()


def test_a_method_that_differs_in_the_fifth_decimal_is_another(inputs: RunInputs) -> None:
    assert inputs.spec(METHOD).key != inputs.spec({**METHOD, "power": 4e-5}).key


def test_lists_reports_and_comparisons_tell_the_method(store: Store, inputs: RunInputs, home: Path) -> None:
    key = rescored(store, inputs)
    plain = inputs.spec().key
    assert 'rescored {"power":1e-05}' in good("runs", "list", store=home).out
    assert 'rescored {"power":1e-05}' in good("runs", "show", key, store=home).out
    rows = good("runs", "list", "--format", "csv", store=home).rows
    told = {row["run"]: row["method"] for row in rows}
    assert (told[key], told[plain]) == ('rescored {"power":1e-05}', "")
    compared = good("report", "--compare", plain, key, store=home).out
    assert 'rescored {"power":1e-05}' in compared
    page = home.parent / "page.html"
    good("report", plain, key, "--html", page, store=home)
    assert "rescored" in page.read_text()
    question = f"SELECT method FROM runs WHERE run = '{key}'"  # noqa: S608, our own key
    asked = good("report", "--query", question, "-f", "csv", store=home)
    assert [row["method"] for row in asked.rows] == ['{"name":"rescored","power":1e-05}']


def headed(store: Store, inputs: RunInputs) -> RunInputs:
    """The same images with the texts of another encoder of the space, a head on the first one's texts."""
    base = load_encoder(store, inputs.texts.encoder)
    head = replace(base, label="toy + head", weights="weights:head")
    save_encoder(store, head, None)
    captions = [caption.text for caption in inputs.dataset.captions]
    keys = [text_key(text) for text in captions]
    pool = Pool(store, head.key, "text")
    unique = dict(zip(keys, load_vectors(store, inputs.texts), strict=True))
    pool.write(
        list(unique), np.stack(list(unique.values())), list(dict(zip(keys, captions, strict=True)).values())
    )
    texts = save_set(store, Encoding(inputs.dataset.key, head.key, CLEAN, "text", keys))
    return replace(inputs, texts=texts, encoder=head.key)


def test_a_run_is_filed_under_the_encoder_it_is_about(store: Store, inputs: RunInputs, home: Path) -> None:
    run = evaluate_sets(store, headed(store, inputs)).run
    assert run.model == "toy + head"
    assert find_run(store, run.key) == run
    assert "toy + head" in good("runs", "list", store=home).out
    assert verify(store, recompute=derived).problems == ()
    elsewhere = home.parent / "elsewhere"
    good("runs", "export", run.key, "--bundle", home.parent / "head.zip", store=home)
    good("runs", "import", home.parent / "head.zip", store=elsewhere)
    back = find_run(open_store(Home(elsewhere)), run.key)
    assert back is not None
    assert back.model == "toy + head"


def test_sets_of_two_encoders_need_to_be_told_whose_run_it_is(store: Store, inputs: RunInputs) -> None:
    with pytest.raises(ClipbenchError, match="of two encoders"):
        replace(headed(store, inputs), encoder=None)
    with pytest.raises(ClipbenchError, match="64 dimensions and text vectors of 32"):
        replace(inputs, texts=replace(inputs.texts, dimension=32))


def test_every_text_that_was_encoded_is_kept(store: Store, inputs: RunInputs, home: Path) -> None:
    good("robustness", "sweep", "toys", "--model", "toy", "--perturb", "word-shuffle", "-q", store=home)
    run = resolve_one(store, "latest:word-shuffle")
    with reading(store) as connection:
        items = [item.tobytes() for item in set_items(connection, run.spec.texts)]
    said = texts_of(store, items)
    assert set(said) == set(items)
    for item, caption in zip(items, inputs.dataset.captions, strict=True):
        assert sorted(said[item].split()) == sorted(caption.text.split())


# -- The tables of kinds and methods -------------------------------------------------------------------------


def test_an_unknown_kind_is_told_apart_and_carries_nothing() -> None:
    assert KINDS.keys() == {"evaluate", "robustness", "sampled", "gallery-size", "distractors", "fooling"}
    strange = kind_of("from the future")
    assert (strange.title, strange.whole, strange.plain) == ("from the future", False, False)
    images = np.eye(4, dtype=np.float32)
    owners = np.arange(4, dtype=np.int32)
    ledgers = rank(images, images, own(owners, 4), owners)
    spec = RunSpec(strange.name, "d", "i", "t", PROTOCOL.as_json())
    from clipbench.study.runs.run_kinds import metrics_from

    assert list(metrics_from(spec, ledgers)) == list(metrics_of(ledgers, PROTOCOL))


@pytest.mark.parametrize(
    ("method", "words"),
    [({}, ""), ({"name": "x"}, "x"), ({"a": 1}, '{"a":1}'), ({"name": 3, "k": None}, '{"k":null,"name":3}')],
)
def test_a_method_that_nobody_describes_is_shown_as_it_is(method: dict[str, object], words: str) -> None:
    assert method_words(method) == words  # type: ignore[arg-type]  # any JSON
