"""What summary and agreement print is what was counted, by hand and by independent implementations."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import give, label, toy_failure, toy_sample
from store_toys import new_store, toy_dataset

from clipbench.errors import ClipbenchError
from clipbench.failures.items import FailureSample
from clipbench.failures.sampling import Stratum
from clipbench.failures.taxonomy import NAMES
from clipbench.reports.annotation.tables import agreement_tables, summary_tables, written
from clipbench.reports.tables import RENDERERS
from clipbench.store.annotations import label_history, newest_labels
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import save_sample
from clipbench.study.annotation.agreement import agree
from clipbench.study.annotation.labels import scope
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
    assert "population" in RENDERERS["csv"](summary_tables(found)[0])


def test_an_estimate_needs_a_label_in_every_stratum(store: Store) -> None:
    plain = toy_sample(DATASET)
    items = tuple(
        type(item)(item.failure, item.role, "rare" if place < 4 else "common", item.rank, 0.1, 0.2)
        for place, item in enumerate(plain.failures)
    )
    strata = (Stratum("common", 792, 8), Stratum("rare", 8, 4))
    save_sample(store, FailureSample("run:0", DATASET.key, "t2i", {"n": 12}, strata, 800, items))
    labels(store, "A", "spsp")
    assert all(share.estimate is None for share in summarise(scope(store, "latest"), "majority").distribution)


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


@pytest.mark.parametrize("form", sorted(RENDERERS))
def test_every_table_is_written_in_every_format(store: Store, form: str) -> None:
    labels(store, "A", "obobam")
    labels(store, "B", "obspam")
    tables = summary_tables(summarise(scope(store), "majority")) + agreement_tables(
        agree(scope(store), resamples=100)
    )
    text = "".join(RENDERERS[form](table) for table in tables)
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
    png, svg = save_distribution(summarise(scope(store), "majority"), tmp_path)
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert "Spatial Relation" in svg.read_text()
