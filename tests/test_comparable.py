"""Unlike or unknown runs are refused with every difference; forced, each line says that it was."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from compare_toys import PROTOCOL, Bench, bench, collection

from clipbench.errors import CompareError
from clipbench.records import Perturbation, Protocol
from clipbench.reports.comparing.report import comparison_tables
from clipbench.reports.comparing.tables import UNLIKE, detail, overview, wide
from clipbench.reports.formats import written as in_format
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.compare import compare
from clipbench.study.comparing.comparison import CompareRequest

QUICK = CompareRequest(resamples=200)
FORCED = CompareRequest(resamples=200, allow_unlike=True)


@pytest.fixture
def made(tmp_path: Path) -> Bench:
    return bench(tmp_path / "store")


def refusal(made: Bench, a: StoredRun, b: StoredRun) -> str:
    with pytest.raises(CompareError) as caught:
        compare(made.store, [a, b], QUICK)
    assert caught.value.hint is not None
    assert "--allow-unlike" in caught.value.hint
    return caught.value.message


def test_models_and_perturbations_may_differ(made: Bench) -> None:
    data = collection()
    setting = Perturbation("word-dropout", "text", 0.3, 1)
    base = made.run(data, 0.5)
    for other in (made.run(data, 0.9, model="b"), made.run(data, 0.9, setting=setting)):
        assert compare(made.store, [base, other], QUICK).lines


def test_another_split_is_refused_with_both_sides(made: Bench) -> None:
    a = made.run(collection(), 0.5)
    b = made.run(collection(split="splits-70-15-15", images=14, name="other"), 0.5)
    told = refusal(made, a, b)
    assert "split: test / splits-70-15-15" in told
    assert "dataset fingerprint" in told
    assert "queries: 36 captions, none of its own / 42 captions, 6 only here (i12#0, i12#1, i12#2, …)" in told
    assert "gallery: t2i ranks 12, i2t ranks 36 / t2i ranks 14, i2t ranks 42" in told


def test_other_texts_under_the_same_ids_are_other_queries(made: Bench) -> None:
    told = refusal(made, made.run(collection(), 0.5), made.run(collection(words="else", name="o"), 0.5))
    assert "36 captions, 36 only here" in told


@pytest.mark.parametrize(
    ("protocol", "difference"),
    [
        (Protocol(ties="optimistic", resamples=100), "tie policy: expected / optimistic"),
        (Protocol(positives="equal-captions", resamples=100), "positives: own / equal-captions"),
        (Protocol(directions=("t2i",), resamples=100), "direction: t2i and i2t / t2i"),
        (Protocol(fold=4, resamples=100), "folds: one gallery / folds of 4 images"),
    ],
)
def test_other_protocols_are_refused(made: Bench, protocol: Protocol, difference: str) -> None:
    told = refusal(made, made.run(collection(), 0.5), made.run(collection(), 0.9, protocol=protocol))
    assert difference in told


def test_bootstrap_settings_may_differ(made: Bench) -> None:
    other = Protocol(resamples=150, seed=3, ks=(1, 5))
    runs = [made.run(collection(), 0.5), made.run(collection(), 0.9, protocol=other)]
    assert compare(made.store, runs, QUICK).lines


def test_another_metric_version_is_refused(made: Bench) -> None:
    told = refusal(made, made.run(collection(), 0.5), made.run(collection(), 0.9, version=2))
    assert "metric version: 1 / 2" in told


@pytest.mark.parametrize("lacking", ["ties", "positives", "fold", "ks", "confidence"])
def test_what_a_run_does_not_say_is_at_its_default(made: Bench, lacking: str) -> None:
    told = {name: value for name, value in PROTOCOL.as_json().items() if name != lacking}
    a = made.run(collection(), 0.5, stored_protocol=told)
    b = made.run(collection(), 0.9)
    assert compare(made.store, [a, b], QUICK).lines


def test_what_is_not_known_here_is_refused(made: Bench) -> None:
    told = {**PROTOCOL.as_json(), "ties": "by name"}
    a = made.run(collection(), 0.5, stored_protocol=told)
    b = made.run(collection(), 0.9, stored_protocol=told)
    assert "tie policy: unknown / unknown" in refusal(made, a, b)


def test_images_left_out_are_missing_queries(made: Bench) -> None:
    a = made.run(collection(), 0.5)
    b = made.run(collection(), 0.9, unreadable={"i3": "missing"})
    told = refusal(made, a, b)
    assert "queries: 36 captions, 3 only here (i3#0, i3#1, i3#2) / 33 captions, none of its own" in told
    assert "fingerprint" not in told


def test_forced_compares_what_is_common_and_marks_every_line(made: Bench) -> None:
    a = made.run(collection(), 0.5)
    b = made.run(collection(), 0.9, unreadable={"i3": "missing"})
    found = compare(made.store, [a, b], FORCED)
    assert {line.queries for line in found.lines if line.direction == "t2i"} == {33}
    assert {line.images for line in found.lines} == {11}
    marked = wide(found)
    place = [column.name for column in marked.columns].index(UNLIKE)
    assert all("queries" in str(row[place]) for row in marked.rows)
    assert all("queries" in str(row[-1]) for row in detail(found).rows)
    assert all("(FORCED)" in label for _, label, _ in overview(found).rows)
    assert "FORCED" in in_format(comparison_tables(found, "latex"), "latex")
    assert any(note.startswith("FORCED") and "33 captions" in note for note in detail(found).notes)


def test_forced_values_are_those_of_the_common_queries(made: Bench) -> None:
    a = made.run(collection(), 0.5)
    b = made.run(collection(), 0.9, unreadable={"i3": "missing"})
    found = compare(made.store, [a, b], FORCED)
    scores = made.scores[a.key]
    owners = collection().owners
    right = [(scores[:, c] > scores[owners[c], c]).sum() == 0 for c in range(len(owners)) if owners[c] != 3]
    [line] = [one for one in found.lines if (one.direction, one.metric) == ("t2i", "hit@1")]
    assert line.reference.value == pytest.approx(sum(right) / len(right))


def test_one_unlike_run_among_many_marks_the_lines_of_all(made: Bench) -> None:
    runs = [made.run(collection(), 0.5), made.run(collection(), 0.7, seed=1)]
    runs.append(made.run(collection(), 0.9, unreadable={"i3": "missing"}))
    with pytest.raises(CompareError, match="1 of 2 runs cannot be compared"):
        compare(made.store, runs, QUICK)
    marked = wide(compare(made.store, runs, FORCED))
    mark = [column.name for column in marked.columns].index(UNLIKE)
    assert all(row[mark] for row in marked.rows)


def test_runs_without_a_common_query_are_refused_even_when_forced(made: Bench) -> None:
    runs = [made.run(collection(), 0.5), made.run(collection(words="else", name="o"), 0.5)]
    with pytest.raises(CompareError, match="no query in common"):
        compare(made.store, runs, FORCED)


def test_like_runs_carry_no_mark(made: Bench) -> None:
    found = compare(made.store, [made.run(collection(), 0.5), made.run(collection(), 0.9)], FORCED)
    mark = [column.name for column in wide(found).columns].index(UNLIKE)
    assert all(row[mark] is None for row in wide(found).rows)
    assert not any("FORCED" in note for note in detail(found).notes)
