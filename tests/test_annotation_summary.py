"""What summary and agreement print is what was counted, by hand and by independent implementations."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import give, label, toy_failure, toy_sample
from store_toys import new_store, toy_dataset

from clipbench.errors import ClipbenchError
from clipbench.failures.items import FailureSample, SampledFailure
from clipbench.failures.sampling import Stratum
from clipbench.failures.taxonomy import NAMES
from clipbench.reports.annotation.tables import agreement_tables, summary_tables, written
from clipbench.reports.formats import LATEX, RENDERERS
from clipbench.reports.formats import written as in_format
from clipbench.store.annotations import StoredLabel, label_history, newest_labels
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import save_sample
from clipbench.study.annotation.agreement import agree
from clipbench.study.annotation.labels import Scope, scope
from clipbench.study.annotation.summary import Summary, summarise

DATASET = toy_dataset(images=6)  # 12 captions, hence 12 failures
FAILURES = [item.failure for item in toy_sample(DATASET).failures]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path / "store")
    save_dataset(made, DATASET)
    return made


def labels(store: Store, annotator: str, said: str, kind: str = "person") -> None:
    """Give the failures one after another the categories that these letters begin; a dot leaves one out."""
    letters = {"am": "Ambiguous", "ob": "Object", "cu": "Count", "co": "Context", "sp": "Spatial"}
    words = [said[i : i + 2] for i in range(0, len(said), 2)]
    given = [label(f, letters[w]) for f, w in zip(FAILURES, words, strict=False) if w != ".."]
    give(store, DATASET, annotator, *given, kind=kind)


def counts(found: Summary) -> dict[str, int]:
    return {share.name: share.count for share in found.distribution if share.count}


def test_shares_have_the_counts_and_wilson_intervals_of_their_policy(store: Store) -> None:
    labels(store, "A", "amobobcu")
    labels(store, "B", "amob..sp")
    everything = summarise(scope(store), "count-all")
    assert counts(everything) == {"Ambiguous": 2, "Object": 3, "Count": 1, "Spatial": 1}
    majority = summarise(scope(store), "majority")
    assert counts(majority) == {"Ambiguous": 1, "Object": 2}
    assert majority.dropped == {"no majority": 1}
    (ambiguous,) = (share for share in majority.distribution if share.name == "Ambiguous")
    # Wilson for 1 of 3 at z = 1.96: centre (1/3 + z²/6) / (1 + z²/3) = .4271, half-width .3652.
    assert ambiguous.interval is not None
    assert (ambiguous.interval.low, ambiguous.interval.high) == pytest.approx((0.0615, 0.7923), abs=5e-4)
    assert [(share.count, share.n) for share in majority.ambiguity] == [(1, 3), (2, 3)]
    assert [share.n for share in majority.actionable] == [2] * 6
    assert everything.labels == 7
    assert everything.items == 4


def test_taking_a_label_back_leaves_it_in_the_history_and_out_of_the_counts(store: Store) -> None:
    labels(store, "A", "obob")
    give(store, DATASET, "A", label(FAILURES[0], None))
    assert counts(summarise(scope(store), "majority")) == {"Object": 1}
    assert [given.category for given in label_history(store)] == ["Object", "Object", None]
    give(store, DATASET, "A", label(FAILURES[0], "Object"))
    assert len(newest_labels(store)) == 2


def test_decisions_settle_conflicts_and_are_no_votes(store: Store) -> None:
    labels(store, "A", "obob")
    labels(store, "B", "obsp")
    labels(store, "chair", "..sp", kind="adjudicator")
    within = scope(store)
    assert within.annotators == ("A", "B")
    assert counts(summarise(within, "adjudicated")) == {"Object": 1, "Spatial": 1}
    assert summarise(within, "adjudicated").by_annotator.keys() == {"A", "B"}
    assert agree(within).annotators == ("A", "B")


def test_a_stratified_sample_is_weighted_to_its_population(store: Store) -> None:
    plain = toy_sample(DATASET)
    items = tuple(
        type(item)(item.failure, item.role, "rare" if place < 4 else "common", item.rank, 0.1, 0.2)
        for place, item in enumerate(plain.failures)
    )
    strata = (Stratum("common", 792, 8), Stratum("rare", 8, 4))
    sample = FailureSample("run:0", DATASET.key, "t2i", {"n": 12}, strata, 800, items)
    save_sample(store, sample)
    labels(store, "A", "spspspsp" + "obobobob" + "obobobsp")
    found = summarise(scope(store, "latest"), "majority")
    by_name = {share.name: share for share in found.distribution}
    # Spatial: 4 of 4 rare and 1 of 8 common, so .01 × 1 + .99 × 1/8 of the population, not 5/12.
    assert by_name["Spatial"].share == pytest.approx(5 / 12)
    assert by_name["Spatial"].estimate == pytest.approx(0.01 + 0.99 / 8)
    assert sum(share.estimate or 0 for share in found.distribution) == pytest.approx(1)
    interval = by_name["Spatial"].estimate_interval
    assert interval is not None
    assert interval.low < 0.01 + 0.99 / 8 < interval.high
    assert "population" in in_format(summary_tables(found)[0], "csv")


def test_an_estimate_needs_a_label_in_every_stratum(store: Store) -> None:
    plain = toy_sample(DATASET)
    items = tuple(
        type(item)(item.failure, item.role, "rare" if place < 4 else "common", item.rank, 0.1, 0.2)
        for place, item in enumerate(plain.failures)
    )
    strata = (Stratum("common", 792, 8), Stratum("rare", 8, 4))
    save_sample(store, FailureSample("run:0", DATASET.key, "t2i", {"n": 12}, strata, 800, items))
    labels(store, "A", "spsp")
    found = summarise(scope(store, "latest"), "majority")
    assert all(share.estimate is None for share in found.distribution)
    assert found.unlabelled == ("common",)
    (told,) = (note for note in summary_tables(found)[0].notes if "favours some strata" in note)
    assert told.endswith("no label counts of: common")


def stratified(shares: dict[str, tuple[int, int, float]], rng: np.random.Generator) -> Scope:
    """A scope whose strata hold (population, drawn, share of Object) failures; the other labels are Count."""
    strata = tuple(Stratum(name, size, drawn) for name, (size, drawn, _) in shares.items())
    names = [name for name, (_, drawn, _) in shares.items() for _ in range(drawn)]
    failures = [replace(FAILURES[0], caption_id=f"c{place}") for place in range(len(names))]
    items = tuple(
        SampledFailure(failure, "failure", name, 2, 0.1, 0.2)
        for failure, name in zip(failures, names, strict=True)
    )
    # Drawn without replacement, as a sample is.
    said = [
        "Object" if one else "Count"
        for size, drawn, share in shares.values()
        for one in rng.permutation(np.arange(size) < round(share * size))[:drawn]
    ]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    labels = tuple(
        StoredLabel(failure, failure.key, "A", "person", word, None, word, "", (), "", "x", 0, now, place)
        for place, (failure, word) in enumerate(zip(failures, said, strict=True))
    )
    whole = sum(size for size, _, _ in shares.values())
    sample = FailureSample("run:0", DATASET.key, "t2i", {"n": len(items)}, strata, whole, items)
    return Scope("toy", DATASET.fingerprint, labels, sample)


def test_population_estimates_are_the_weighted_means_and_cover_the_truth() -> None:
    shares = {"far": (500, 40, 0.1), "middle": (200, 40, 0.5), "near": (50, 40, 0.9)}
    true = (500 * 0.1 + 200 * 0.5 + 50 * 0.9) / 750
    covered, estimates = 0, []
    for seed in range(300):
        within = stratified(shares, np.random.default_rng(seed))
        (found,) = (s for s in summarise(within, "majority").distribution if s.name == "Object")
        said = [label.category == "Object" for label in within.labels]
        parts = [np.mean(said[start : start + 40]) for start in (0, 40, 80)]
        assert found.estimate == pytest.approx(np.dot([500, 200, 50], parts) / 750)
        estimates.append(found.estimate)
        bounds = found.estimate_interval
        assert bounds is not None
        covered += bounds.low <= true <= bounds.high
    # The sample's own share would say .5.
    assert np.mean(estimates) == pytest.approx(true, abs=0.01)
    assert 0.92 <= covered / 300 <= 0.99


def test_agreement_with_missing_labels_is_that_of_a_plain_calculation(store: Store) -> None:
    rng = np.random.default_rng(4)
    words = ["am", "ob", "cu", "co", "sp"]
    said = {
        name: [
            ".." if rng.random() < 0.25 else words[rng.integers(0, 3 if place % 2 else 5)]
            for place in range(12)
        ]
        for name in "ABC"
    }
    for name, given in said.items():
        labels(store, name, "".join(given))
    units = [[word for word in column if word != ".."] for column in zip(*said.values(), strict=True)]
    pairs = [unit for unit in units if len(unit) > 1]
    raw = np.mean([np.mean([x == y for x, y in permutations(unit, 2)]) for unit in pairs])
    means = np.array([np.mean([unit.count(word) / len(unit) for unit in units if unit]) for word in words])
    # Krippendorff: one less observed over expected disagreement of the labels that have a partner.
    values = [word for unit in pairs for word in unit]
    expected = np.mean([x != y for x, y in permutations(values, 2)])
    observed = np.average(
        [np.mean([x != y for x, y in permutations(unit, 2)]) for unit in pairs],
        weights=[len(unit) for unit in pairs],
    )
    found = {one.name: one for one in agree(scope(store), resamples=2000).categories}
    chance = float(np.sum(means**2))
    gwet = float(np.sum(means * (1 - means))) / 6  # seven categories are offered, used or not
    assert found["raw"].value == pytest.approx(raw)
    assert found["fleiss_kappa"].value == pytest.approx((raw - chance) / (1 - chance))
    assert found["krippendorff_alpha"].value == pytest.approx(1 - observed / expected)
    assert found["gwet_ac1"].value == pytest.approx((raw - gwet) / (1 - gwet))
    draws = [rng.integers(0, len(units), len(units)) for _ in range(3000)]
    means_of = [
        np.mean([x == y for x, y in permutations(unit, 2)]) if len(unit) > 1 else np.nan for unit in units
    ]
    plain = np.nanmean(np.array(means_of)[np.array(draws)], axis=1)
    interval = found["raw"].interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(np.nanpercentile(plain, [2.5, 97.5]), abs=0.08)


def test_agreement_is_that_of_independent_implementations(store: Store) -> None:
    from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

    labels(store, "A", "obobobobamamamspspco")
    labels(store, "B", "obobobamamamobspcoco")
    found = agree(scope(store), resamples=200)
    values = {one.name: one.value for one in found.categories}
    # 7 of 10 pairs agree.
    assert values["raw"] == pytest.approx(0.7)
    (table,) = found.confusions
    assert values["cohen_kappa"] == pytest.approx(cohens_kappa(table.counts).kappa)
    by_item = [[0] * len(NAMES) for _ in range(10)]
    for given in newest_labels(store):
        by_item[FAILURES.index(given.failure)][NAMES.index(given.category or "")] += 1
    assert values["fleiss_kappa"] == pytest.approx(fleiss_kappa(by_item))
    binary = {one.name: one.value for one in found.ambiguity}
    assert binary["raw"] == pytest.approx(0.8)
    assert binary["cohen_kappa"] == pytest.approx(cohens_kappa([[2, 1], [1, 6]]).kappa)


def test_agreement_of_labels_without_overlap_is_refused_with_the_way_out(store: Store) -> None:
    labels(store, "A", "obob")
    labels(store, "B", "....obob")
    with pytest.raises(ClipbenchError, match="no failure of toy has two labels") as caught:
        agree(scope(store))
    assert "--overlap" in str(caught.value.hint)
    with pytest.raises(ClipbenchError, match="'C' gave no labels here; there are: A, B"):
        agree(scope(store), ["A", "C"])


def test_labels_of_several_datasets_are_not_mixed(store: Store) -> None:
    other = toy_dataset("other", word="blue")
    save_dataset(store, other)
    labels(store, "A", "ob")
    give(store, other, "A", label(toy_failure(other, 0, 1), "Count"))
    with pytest.raises(ClipbenchError, match=r"2 datasets have labels: .*toy \(1\)"):
        scope(store)
    assert counts(summarise(scope(store, dataset="other"), "majority")) == {"Count": 1}


def test_no_labels_is_an_error_with_the_next_command(store: Store) -> None:
    with pytest.raises(ClipbenchError, match="there are no labels"):
        scope(store)
    save_sample(store, toy_sample(DATASET))
    with pytest.raises(ClipbenchError, match="none of the 12 failures"):
        scope(store, "latest")


@pytest.mark.parametrize("form", sorted({*RENDERERS, *LATEX, "json"}))
def test_every_table_is_written_in_every_format(store: Store, form: str) -> None:
    labels(store, "A", "obobam")
    labels(store, "B", "obspam")
    tables = summary_tables(summarise(scope(store), "majority")) + agreement_tables(
        agree(scope(store), resamples=100)
    )
    text = in_format(tables, form)
    assert "Object Confusion" in text
    assert form == "csv" or "majority" in text
    assert "nan" not in text.lower()


def test_what_cannot_be_seen_is_shown() -> None:
    assert written("a\t") == "'a\\t'"


def test_the_distribution_is_drawn(store: Store, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from clipbench.reports.annotation.figures import save_distribution

    labels(store, "A", "obobam")
    labels(store, "B", "obspam")
    png, svg, _ = save_distribution(summarise(scope(store), "majority"), tmp_path)
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert "Spatial Relation" in svg.read_text()
