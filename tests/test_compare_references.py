"""What a word on the command line means: a key, a tag, latest, or a query."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from compare_toys import Bench, bench, collection

from clipbench.errors import ClipbenchError, CompareError, StoreError
from clipbench.records import Perturbation
from clipbench.store.runs import StoredRun, tag_run
from clipbench.study.comparing.references import parse_query, resolve_one, resolve_runs


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, dict[str, StoredRun]]:
    made = bench(tmp_path_factory.mktemp("references") / "store")
    runs = {"clean": made.run(collection(), 0.5, model="ViT-B-32 openai")}
    for level in (0.1, 0.3):
        for seed in (0, 1):
            setting = Perturbation("word-dropout", "text", level, seed)
            runs[f"{level} {seed}"] = made.run(collection(), 0.8, model="ViT-B-32 openai", setting=setting)
    runs["adapted"] = made.run(collection(), 0.7, model="adapter:mine of ViT-B-32 openai")
    runs["other"] = made.run(collection(), 0.6, model="RN50")
    runs["sizes"] = made.run(collection(), 0.6, model="RN101", kind="gallery-size")
    tag_run(made.store, runs["clean"].key, "paper")
    return made, runs


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("latest", ["other"]),
        ("latest:model=RN", ["other"]),
        ("latest:kind=gallery-size", ["sizes"]),
        ("dataset=toys model=RN", ["other"]),
        ("all:model=RN", ["other", "sizes"]),
        ("paper", ["clean"]),
        ("latest:clean", ["other"]),
        ("latest:clean,model=openai", ["clean"]),
        ("latest:word-dropout=0.3", ["0.3 1"]),
        ("latest:word-dropout=0.3,seed=0", ["0.3 0"]),
        ("latest:perturb=word-dropout,level=.1", ["0.1 1"]),
        ("latest:word-dropout", ["0.3 1"]),
        ("model=RN50", ["other"]),
        ("perturb=word-dropout=0.1 seed=0", ["0.1 0"]),
        ("model=ViT-B-32 openai, perturb=clean", ["clean"]),
        ("dataset=toys,model=openai,perturb=word-dropout=0.3,seed=1", ["0.3 1"]),
        ("tag=paper", ["clean"]),
        ("latest:clean,kind=gallery-size", ["sizes"]),
        ("all:word-dropout", ["0.1 0", "0.1 1", "0.3 0", "0.3 1"]),
        ("all:model=rn50", ["other"]),
        ("latest:clean,model=mine", ["adapted"]),
        ("all:clean,model=ViT-B-32", ["clean", "adapted"]),
    ],
)
def test_a_reference_means(
    stored: tuple[Bench, dict[str, StoredRun]], reference: str, meant: list[str]
) -> None:
    made, runs = stored
    found = resolve_runs(made.store, [reference])
    assert [run.key for run in found] == [runs[name].key for name in meant]


def test_the_beginning_of_a_key_is_a_reference(stored: tuple[Bench, dict[str, StoredRun]]) -> None:
    made, runs = stored
    key = runs["0.3 0"].key
    assert resolve_one(made.store, key).key == resolve_one(made.store, key[4:16]).key == key


def test_a_run_that_two_references_mean_comes_once(stored: tuple[Bench, dict[str, StoredRun]]) -> None:
    made, runs = stored
    found = resolve_runs(made.store, ["paper", "all:model=openai", "latest:clean,model=openai"])
    assert [run.key for run in found].count(runs["clean"].key) == 1
    assert len(found) == 6


def test_a_query_that_fits_several_lists_them(stored: tuple[Bench, dict[str, StoredRun]]) -> None:
    with pytest.raises(CompareError, match="means 4 runs") as caught:
        resolve_runs(stored[0].store, ["perturb=word-dropout"])
    assert caught.value.message.count("word-dropout") == 5
    assert "latest:perturb=word-dropout" in str(caught.value.hint)


@pytest.mark.parametrize("reference", ["latest:word-shuffle", "model=nobody", "all:dataset=none", "nothing"])
def test_a_reference_that_fits_nothing_lists_the_newest(
    stored: tuple[Bench, dict[str, StoredRun]], reference: str
) -> None:
    with pytest.raises(StoreError, match="RN101"):
        resolve_runs(stored[0].store, [reference])


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("colour=red", "asks for something unknown"),
        ("model=a, colour=red", "asks for something unknown"),
        ("model=a,model=b", "gives model twice"),
        ("model=", "gives model no value"),
        ("perturb=word-dropout=much", "'much'"),
        ("level=nan", "'nan'"),
        ("seed=1.5", "no seed"),
        ("latest", "unknown"),
    ],
)
def test_a_query_that_says_nothing_sensible_is_refused(query: str, told: str) -> None:
    with pytest.raises(CompareError, match=told):
        parse_query(query)


@given(st.text(max_size=40))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    for first in (True, False):
        try:
            parse_query(text, operation_first=first)
        except ClipbenchError:
            continue
