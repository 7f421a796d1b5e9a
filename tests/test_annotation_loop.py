"""The whole loop by itself on the drawn scenes, with annotators whose error rate is known; and what follows it."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import give, label, pictured_dataset, toy_sample
from cli_toys import cli
from page_toys import browser
from store_toys import new_store, toy_dataset, toy_run

from clipbench.cli.opening import open_at
from clipbench.errors import ClipbenchError, CompareError, StoreError
from clipbench.failures.taxonomy import NAMES, choices
from clipbench.reports.annotation.gallery import gallery_data, write_gallery
from clipbench.statistics.intervals import wilson
from clipbench.store.annotations import newest_labels
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import find_sample, save_sample
from clipbench.study.annotation.adjudicate import decide, need_conflicts, open_conflicts
from clipbench.study.annotation.agreement import agree
from clipbench.study.annotation.labels import scope
from clipbench.study.annotation.results import ALL_QUERIES, LABELLED, category_results
from clipbench.study.annotation.sampling import SampleRequest, draw_sample
from clipbench.study.annotation.session import choose, open_session, page_data
from clipbench.study.annotation.simulate import expected_agreement, simulate, truths
from clipbench.study.annotation.summary import summarise
from clipbench.study.comparing.references import resolve_one
from clipbench.study.workplace.progress import Silent

NOISE = 0.2


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with 500 failures of the hashing toy encoder on the drawn scenes."""
    home = tmp_path_factory.mktemp("loop") / "store"
    assert cli("dataset", "add", "demo", "--format", "scenes", store=home).code == 0
    done = cli("evaluate", "demo", "--model", "toy", "--resamples", "100", "--quiet", store=home)
    assert done.code == 0, done.err
    done = cli("annotate", "sample", "latest", "--n", "500", "--quiet", "--json", store=home)
    assert done.code == 0, done.err
    return home


@pytest.fixture
def home(scenes: Path, tmp_path: Path) -> Path:
    """A copy of that store, to label in."""
    copy = tmp_path / "store"
    shutil.copytree(scenes, copy)
    return copy


@pytest.mark.slow
def test_simulated_annotators_agree_at_the_rate_their_noise_implies(home: Path) -> None:
    store = open_at(home)
    session = open_session(store)
    simulate(store, session, ["A", "B"], NOISE, seed=7)
    found = {one.name: one.value for one in agree(scope(store), resamples=100).categories}
    expected = expected_agreement(NOISE)
    spread = (expected * (1 - expected) / 500) ** 0.5
    assert found["raw"] == pytest.approx(expected, abs=3 * spread)
    # Chance agreement follows from the true categories blurred by the noise, so κ is known beforehand too.
    true = [truth.category for truth in truths(session).values()]
    shares = np.array([true.count(name) for name in NAMES]) / len(true)
    blurred = (1 - NOISE) * shares + NOISE / 6 * (1 - shares)
    chance = float(np.sum(blurred**2))
    assert found["cohen_kappa"] == pytest.approx((expected - chance) / (1 - chance), abs=0.08)


@pytest.mark.slow
def test_without_noise_everyone_says_the_truth(home: Path) -> None:
    store = open_at(home)
    session = open_session(store)
    simulate(store, session, ["A", "B"], 0.0)
    assert {one.name: one.value for one in agree(scope(store), resamples=100).categories}["raw"] == 1
    true = [truth.category for truth in truths(session).values()]
    counted = {share.name: share.count for share in summarise(scope(store), "majority").distribution}
    assert counted == {name: true.count(name) for name in NAMES}
    assert all(kept.kind == "simulated" for kept in newest_labels(store))


@pytest.mark.slow
def test_the_loop_runs_from_the_command_line(home: Path, tmp_path: Path) -> None:
    for words in (
        [
            "assign",
            "--annotators",
            "A,B",
            "--overlap",
            "40",
            "--per-annotator",
            "20",
            "--out",
            str(tmp_path / "out"),
            "--quiet",
        ],
        ["simulate", "--annotators", "A,B", "--noise", "0.3"],
        ["agreement", "--json"],
        ["adjudicate", "--list", "--json"],
        ["summary", "--policy", "drop-conflicts", "--format", "latex"],
        ["results", "latest", "--format", "csv"],
        ["list", "latest", "--hints", "--format", "csv"],
        ["gallery", "--out", str(tmp_path / "g.html"), "--quiet"],
        ["export-page", "--annotator", "A", "--out", str(tmp_path / "a.html"), "--quiet"],
        ["export", "--out", str(tmp_path / "labels")],
        ["export", "--format", "label-studio", "--out", str(tmp_path / "ls"), "--quiet"],
        ["import", str(tmp_path / "labels" / "labels_A.csv"), "--annotator", "A2"],
    ):
        done = cli("annotate", *words, store=home)
        assert done.code == 0, (words, done.err)
    tables = json.loads(cli("annotate", "agreement", "--json", store=home).out)
    assert tables[0]["rows"][0]["measure"] == "raw agreement"
    decided = cli("annotate", "adjudicate", store=home, given="4\nx\ns\nq\n")
    assert decided.code == 0
    assert "'x' is none of them" in decided.out
    adjudicated = [x for x in newest_labels(open_at(home)) if x.kind == "adjudicator"]
    assert [x.category for x in adjudicated] == ["Object"]
    task = json.loads((tmp_path / "ls" / "tasks.json").read_text())[0]["data"]
    assert {"item", "caption", "gt_image", "pred_image"} <= set(task)
    assert (tmp_path / "ls" / task["gt_image"].partition("=")[2]).is_file()


@pytest.mark.slow
def test_a_store_that_was_drawn_elsewhere_has_no_truth_to_simulate(home: Path) -> None:
    store = open_at(home)
    save_dataset(store, toy_dataset())
    save_sample(store, toy_sample(toy_dataset()))
    with pytest.raises(ClipbenchError, match="no drawn collection"):
        simulate(store, open_session(store), ["A"], NOISE)


# --- what follows labels: on the toy ledger, where caption q of 6 finds image q % 3 -----------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Captions 1, 2 and 4 of the toy run failed; 1 and 2 are Object, 4 is Count, B disagrees on 2."""
    made = new_store(tmp_path / "store")
    run = toy_run(made)
    stored = draw_sample(made, resolve_one(made, run.key), SampleRequest(n=3))
    by_caption = {item.failure.caption: item.failure for item in stored.sample.failures}
    said = [label(by_caption[1], "Object"), label(by_caption[2], "Object"), label(by_caption[4], "Count")]
    give(made, toy_dataset(), "A", *said)
    give(made, toy_dataset(), "B", label(by_caption[2], "Spatial", note="left of"))
    return made


def test_results_are_those_of_the_labelled_queries(store: Store) -> None:
    run = resolve_one(store, "latest")
    by_name = {r.name: r for r in category_results(store, run, scope(store), "first", ks=(1, 2))}
    # Ranks of captions 1, 2 and 4 are 2, 3 and 2 (the toy ledger counts q % 3 items above).
    assert (by_name["Object"].n, by_name["Object"].mean) == (2, 2.5)
    assert [share for _, share, _ in by_name["Object"].hits] == [0.0, 0.5]
    assert (by_name["Count"].n, by_name["Count"].median) == (1, 2.0)
    assert by_name[LABELLED].n == 3
    assert by_name[ALL_QUERIES].n == 6
    assert by_name[LABELLED].hits[1][1:] == (2 / 3, wilson(2, 3))
    # Of all queries the images are resampled: each has two captions, hit in 1, 0 and 1 of two.
    share, interval = by_name[ALL_QUERIES].hits[0][1:]
    assert share == 2 / 6
    assert (interval.low, interval.high) == pytest.approx((0, 0.5), abs=0.2)
    assert interval != wilson(2, 6)
    majority = {r.name: r.n for r in category_results(store, run, scope(store), "majority")}
    assert majority == {"Object": 1, "Count": 1, LABELLED: 2, ALL_QUERIES: 6}


def test_a_run_on_other_data_is_not_compared(store: Store) -> None:
    other = toy_run(store, toy_dataset("other", word="blue"))
    with pytest.raises(CompareError, match=r"is on other .* the labels are of toy"):
        category_results(store, resolve_one(store, other.key), scope(store), "first")


def test_decisions_settle_conflicts_one_by_one(store: Store) -> None:
    (conflict,) = need_conflicts(scope(store))
    assert conflict.words == ("A: Object", "B: Spatial – left of")
    spatial = next(choice for choice in choices() if choice.category == "Spatial")
    decide(store, toy_dataset().key, conflict, "chair", spatial)
    assert open_conflicts(scope(store)) == ()
    counted = summarise(scope(store), "adjudicated").distribution
    assert {share.name: share.count for share in counted if share.count} == {
        "Object": 1,
        "Count": 1,
        "Spatial": 1,
    }
    with pytest.raises(StoreError, match="'A' is stored as person"):
        decide(store, toy_dataset().key, conflict, "A", spatial)
    with pytest.raises(ClipbenchError, match="nothing to decide"):
        need_conflicts(scope(store))


def test_conflicts_are_decided_in_the_browser_too(store: Store) -> None:
    session = open_session(store, deciding=True)
    (item,) = page_data(session, "chair")["items"]  # type: ignore[misc]
    assert item["hints"] == ["A: Object", "B: Spatial – left of"]  # type: ignore[index, call-overload]
    choose(session, "chair", item["item"], ("Object", None))  # type: ignore[index, call-overload, arg-type]
    (decided,) = [x for x in newest_labels(store) if x.kind == "adjudicator"]
    assert decided.category == "Object"


def gallery(tmp_path: Path, caption: str = "a thing") -> Path:
    from dataclasses import replace

    from clipbench.records import Caption

    made = new_store(tmp_path / "store")
    plain = pictured_dataset(tmp_path / "photos")
    samples = tuple(
        replace(s, captions=tuple(Caption(c.id, f"{caption} {c.id}") for c in s.captions))
        for s in plain.samples
    )
    dataset = replace(plain, samples=samples)
    save_dataset(made, dataset)
    stored = save_sample(made, toy_sample(dataset))
    first, second, *_ = (item.failure for item in stored.sample.failures)
    give(made, dataset, "A", label(first, "Object"), label(second, "Ambiguous", "nearduplicate"))
    give(made, dataset, "B", label(first, "Count", note="<b>three</b>"))
    out = tmp_path / "gallery.html"
    assert write_gallery(made, find_sample(made, "latest"), out, Silent()) == 12
    return out


def test_the_gallery_holds_everything_and_loads_nothing(tmp_path: Path) -> None:
    text = gallery(tmp_path).read_text(encoding="utf-8")
    assert "</b>" not in text
    assert text.count("<script") == 2
    assert not re.search(r"(src|href)=", text)
    assert text.count("data:image/jpeg;base64,") == 6  # each picture once
    assert "default-src 'none'" in text


def test_the_gallery_shows_what_was_found_first_with_the_own_picture_marked(store: Store) -> None:
    stored = find_sample(store, "latest")
    data: Any = gallery_data(store, stored, Silent(), 64)
    shown = set()
    for item, sampled in zip(data["items"], stored.sample.failures, strict=True):
        assert 0 < len(item["first"]) <= 10
        assert all(right == (place == sampled.failure.image) for place, right in item["first"])
        shown |= {str(place) for place, _ in item["first"]}
    assert data["thumbnails"].keys() == shown


@pytest.mark.slow
def test_the_gallery_filters_in_a_browser_and_shows_hostile_captions_as_text(tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=\"document.title='owned'\">"
    out = gallery(tmp_path, hostile)

    def cards(chrome: object) -> int:
        return int(chrome.execute_script("return document.querySelectorAll('article').length"))  # type: ignore[attr-defined]

    def choose_in(chrome: object, name: str, value: str) -> None:
        chrome.execute_script(  # type: ignore[attr-defined]
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "e.dispatchEvent(new Event('input', {bubbles: true}))",
            name,
            value,
        )

    with browser() as chrome:
        chrome.get(out.as_uri())
        assert cards(chrome) == 12
        assert chrome.title == "photos: failures of run 0"
        assert hostile in chrome.execute_script("return document.querySelector('article h2').textContent")
        assert chrome.execute_script("return document.querySelectorAll('h2 *').length") == 0
        for name, value, left in (
            ("category", "Ambiguous", 1),
            ("category", "conflict", 1),
            ("category", "none", 10),
            ("category", "", 12),
            ("annotator", "B", 1),
            ("annotator", "", 12),
            ("margin", "-0.5", 10),
            ("words", "i3#1", 1),
        ):
            choose_in(chrome, name, value)
            assert cards(chrome) == left, (name, value)
        assert [e for e in chrome.get_log("browser") if e["level"] == "SEVERE"] == []
