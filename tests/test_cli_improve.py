"""`clipbench improve`: variants are stored runs, all queries come first, and what leaks is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_toys import added, caption, cli, collection, good, picture, refused, write_csv

from clipbench.home import locate
from clipbench.records import Protocol
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import open_store
from clipbench.store.queries import list_runs
from clipbench.store.runs import load_ledgers
from clipbench.store.verify import verify
from clipbench.study.comparing.references import resolve_one
from clipbench.study.embedding.models import EncoderSource, ModelRequest
from clipbench.study.improving import running
from clipbench.study.improving.honest import Alike, alike, matched_pairs
from clipbench.study.robustness.stress import Ground, ground
from clipbench.study.runs.run_kinds import derived
from clipbench.study.workplace.progress import Silent

TOY = ("toys", "--model", "toy", "-q")


@pytest.fixture
def toys(tmp_path: Path) -> str:
    return added(tmp_path, images=24, captions=(3,))


def table(out: list[dict], group: str) -> list[dict]:
    """The rows of one group of queries in the JSON that a command printed."""
    return next(part["rows"] for part in out if part["title"].endswith(group))


def test_prompts_show_all_queries_first_and_what_placebos_fix(toys: str) -> None:
    told = good("improve", "prompts", *TOY, "--placebo", "--tau", "0.05", "--json").json
    assert told[0]["title"].endswith("all queries")
    rows = {(row["variant"], row["k"]): row for row in table(told, "all queries")}
    repeated = rows["caption repeated, mean (placebo)", 1]
    assert (repeated["fixed"], repeated["broken"], repeated["before"]) == (0, 0, repeated["after"])
    assert repeated["p_holm"] is None
    assert {name for name, _ in rows} >= {
        "photo",
        "general, mean",
        "general, max",
        "random words, mean (placebo)",
    }
    for row in table(told, "failures"):
        assert row["broken"] == 0 or row["k"] != 1  # a miss cannot get worse


def test_every_variant_is_a_run_that_is_found_verified_and_compared(toys: str) -> None:
    first = good("improve", "prompts", *TOY, "--set", "photo", "--pool", "max").out
    store = open_store(locate())
    before = {run.key for run in list_runs(store)}
    assert len(before) == 2
    assert good("improve", "prompts", *TOY, "--set", "photo", "--pool", "max").out != ""
    assert {run.key for run in list_runs(store)} == before
    assert verify(store, deep=True, recompute=derived).problems == ()
    latest = resolve_one(store, "latest")
    assert latest.spec.method["name"] == "prompts"
    compared = good("report", "--compare", "latest:clean", latest.key, "--json").json
    assert compared
    assert "photo" in first
    assert "a photo of {}" in good("runs", "show", latest.key).out


def test_one_template_ranks_by_the_vectors_of_its_strings(toys: str) -> None:
    good("improve", "prompts", *TOY, "--set", "photo", "--pool", "mean")
    store = open_store(locate())
    run = resolve_one(store, "latest")
    base = grounded()
    encoder = base.source.encoder
    texts = encoder.encode_texts([f"a photo of {c.text}" for c in base.gallery.captions]).vectors
    scores = texts.astype(float) @ base.image_vectors().T.astype(float)
    own = scores[np.arange(len(texts)), base.gallery.owners][:, None]
    above = (scores > own + 1e-9).sum(axis=1)
    np.testing.assert_array_equal(load_ledgers(store, run.key)["t2i"].above, above)


def grounded() -> Ground:
    store = open_store(locate())
    source = EncoderSource(store, ModelRequest("toy"))
    return ground(load_dataset(store, "toys"), source, Protocol(), Silent())


def test_a_dry_run_counts_strings_and_stores_no_variant(toys: str) -> None:
    told = good("improve", "prompts", *TOY, "--set", "general", "--pool", "max", "--dry-run", "--json").json
    captions = {c.text for c in load_dataset(open_store(locate()), "toys").captions}
    assert told["rows"][1]["strings"] == 12 * len(captions)
    assert len(list_runs(open_store(locate()))) == 1


def test_templates_of_a_file_and_what_is_wrong_with_them(toys: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("a drawing of {}\n", encoding="utf-8")
    assert "mine.txt" in good("improve", "prompts", *TOY, "--templates", file, "--pool", "max").out
    file.write_text("a drawing\n", encoding="utf-8")
    assert "line 1 has 0 {}" in refused("improve", "prompts", *TOY, "--templates", file, "--pool", "max")
    assert "no logit scale" in refused("improve", "prompts", *TOY, "--pool", "logsumexp")
    assert "no template set 'nice'" in refused("improve", "prompts", *TOY, "--set", "nice", "--pool", "max")
    assert "no pooling 'median'" in refused("improve", "prompts", *TOY, "--pool", "median")


def test_a_stopped_family_goes_on_where_it_stopped(toys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    produce, calls = running.produce, []

    def stopping(base, variant):
        calls.append(variant.label)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return produce(base, variant)

    monkeypatch.setattr(running, "produce", stopping)
    words = ("improve", "prompts", *TOY, "--pool", "mean,max")
    stopped = cli(*words)
    assert stopped.code == 130
    assert "2 of 4 runs are stored" in stopped.err
    monkeypatch.setattr(running, "produce", produce)
    stored = {run.key for run in list_runs(open_store(locate()))}
    good(*words)
    assert stored < {run.key for run in list_runs(open_store(locate()))}


@pytest.mark.parametrize(
    "words",
    [
        ("csls", "--k", "3"),
        ("inverted-softmax",),
        ("qb-norm",),
        ("dual-softmax",),
        ("aqe",),
        ("dba",),
        ("k-reciprocal", "--k", "4"),
        ("tfidf", "--own-captions", "--leave-one-out"),
        ("bm25", "--own-captions", "--allow-leak"),
        ("bm25", "--own-captions", "--leave-one-out", "--fusion", "rrf"),
        ("k-reciprocal", "--k", "4", "--depth", "5"),
    ],
    ids=" ".join,
)
def test_every_re_ranker_is_a_run_that_verifies_and_compares(toys: str, words: tuple[str, ...]) -> None:
    told = good("improve", "rerank", *TOY, "--method", *words)
    store = open_store(locate())
    run = resolve_one(store, "latest")
    assert run.spec.method["method"] == words[0]
    assert verify(store, recompute=derived).problems == ()
    assert good("report", "--compare", "latest:clean", run.key).out
    transductive = words[0] in {"csls", "inverted-softmax", "qb-norm", "dual-softmax"}
    assert ("transductive" in told.out) == transductive


def test_what_leaks_is_refused_and_said_where_it_is_allowed(toys: str, tmp_path: Path) -> None:
    words = ("improve", "rerank", *TOY, "--method", "tfidf")
    assert "each would be found by itself" in refused(*words, "--own-captions")
    assert "leaking" in good(*words, "--own-captions", "--allow-leak").out
    assert "one place, 0 are named" in refused(*words)
    dataset = load_dataset(open_store(locate()), "toys")
    file = tmp_path / "texts.csv"
    write_csv(file, [(s.id, s.captions[0].text) for s in dataset.samples], ("image", "text"))
    assert "contain a query of their own" in refused(*words, "--texts", file)
    lines = ["image,text", *(f"{s.id},a thing number {n}" for n, s in enumerate(dataset.samples))]
    file.write_text("\n".join(lines) + "\n")
    assert "texts.csv" in good(*words, "--texts", file).out
    file.write_text("image,text\nnowhere.png,a thing\n")
    assert "names 1 image not ranked here" in refused(*words, "--texts", file)


def test_words_alone_rank_as_a_sort_of_their_scores(toys: str) -> None:
    from clipbench.rerank.words import TfIdf

    good("improve", "rerank", *TOY, "--method", "tfidf", "--own-captions", "--allow-leak", "--weight", "1")
    store = open_store(locate())
    ledger = load_ledgers(store, resolve_one(store, "latest").key)["t2i"]
    gallery = grounded().gallery
    texts = [" ".join(c.text for c in s.captions) for s in gallery.samples]
    scores = TfIdf(texts).scores([c.text for c in gallery.captions])
    own = scores[np.arange(len(scores)), gallery.owners][:, None]
    # Standardising keeps the order; equal scores stay equal but for the last bit.
    np.testing.assert_array_equal(ledger.above, (scores > own * (1 + 1e-6)).sum(axis=1))


def test_depth_moves_nothing_across_it(toys: str) -> None:
    good(
        "improve",
        "rerank",
        *TOY,
        "--method",
        "tfidf",
        "--own-captions",
        "--leave-one-out",
        "--weight",
        "1",
        "--depth",
        "5",
    )
    store = open_store(locate())
    plain = load_ledgers(store, resolve_one(store, "latest:clean").key)["t2i"]
    deep = load_ledgers(store, resolve_one(store, "latest").key)["t2i"]
    inside = plain.above + plain.tied <= 5
    assert (deep.above[inside] < 5).all()
    np.testing.assert_array_equal(deep.above[plain.above >= 5], plain.above[plain.above >= 5])


def test_a_weight_is_chosen_on_a_split_of_its_own(toys: str) -> None:
    words = ("improve", "rerank", *TOY[:-1], "--method", "k-reciprocal", "--weight", "auto", "--k", "4")
    assert "--select-on DATASET" in refused(*words)
    assert "share 24 of 24 images" in refused(*words, "--select-on", "toys")


def test_matched_successes_are_like_the_failures() -> None:
    rng = np.random.default_rng(0)

    class One:
        def __init__(self, text: str, number: int) -> None:
            self.text, self.id = text, str(number)

    captions = [One("word " * int(n), i) for i, n in enumerate(rng.integers(5, 15, 400))]
    gallery = type("Gallery", (), {"captions": captions})()
    base = type("Base", (), {"gallery": gallery})()
    margin = rng.exponential(0.05, 400).astype(np.float32)
    ledger = type("Ledger", (), {"positive_score": margin, "negative_score": np.zeros(400, np.float32)})()
    missed = rng.random(400) < 0.6
    rows, balance = matched_pairs(base, ledger, missed, "t2i", 0)
    assert balance is not None
    assert len(rows) == len(set(rows.tolist())) == balance.pairs > 50
    assert not missed[rows].any()
    assert balance.apart < 0.1
    again, _ = matched_pairs(base, ledger, missed, "t2i", 0)
    assert (rows == again).all()


def test_a_ranking_is_wholly_like_itself(toys: str) -> None:
    ledger = grounded().ledgers["t2i"]
    assert alike(ledger, ledger) == Alike(1.0, 1.0)


def test_the_studys_own_table_stands_above_the_honest_one(toys: str) -> None:
    told = good("improve", "prompts", *TOY, "--preset", "source-study", "--json").json
    assert told[0]["title"] == "as the study reports it"
    assert {row["before_1"] for row in told[0]["rows"]} == {0}
    assert told[1]["title"].endswith("all queries")


@pytest.mark.parametrize(
    ("queries", "fixed", "delta", "low", "high", "p"),
    [
        (24, 5, 5 / 24, 2 / 24, 9 / 24, 0.0625),  # published: 21.04 [8.23, 37.50], the overlap counted twice
        (22, 4, 4 / 22, 1 / 22, 8 / 22, 0.125),  # without it: 18.46 [4.55, 36.36]
    ],
)
def test_the_published_change_on_action_failures_is_the_arithmetic_of_its_counts(
    queries: int, fixed: int, delta: float, low: float, high: float, p: float
) -> None:
    from clipbench.statistics.flips import mcnemar
    from clipbench.statistics.paired import paired_difference

    before = np.zeros(queries)
    after = np.arange(queries) < fixed
    (change,) = paired_difference(before, after.astype(float), np.arange(queries), 2000, 0)
    assert change.delta == pytest.approx(delta)
    # A bound is a whole number of rows; the published draws may fall one row beside ours.
    assert change.percentile.low == pytest.approx(low, abs=1.05 / queries)
    assert change.percentile.high == pytest.approx(high, abs=1.05 / queries)
    flips = mcnemar(before, after)
    assert (flips.fixed, flips.broken, flips.p) == (fixed, 0, p)


def test_a_transductive_method_is_shown_one_query_at_a_time(toys: str) -> None:
    told = good("improve", "rerank", *TOY, "--method", "csls", "--k", "3", "--json").json
    rows = {(row["variant"], row["k"]): row for row in table(told, "all queries")}
    alone = rows["csls, one query at a time", 1]
    assert (alone["fixed"], alone["broken"]) == (0, 0)  # s − s/2 ranks as s does


def test_the_other_columns_of_a_table_are_texts_to_rank_by(tmp_path: Path) -> None:
    file = collection(tmp_path, 8, (1,))
    lines = file.read_text().splitlines()
    told = ["image,caption,title,price", *(f"{line},thing {n},{n * 10}" for n, line in enumerate(lines[1:]))]
    file.write_text("\n".join(told) + "\n")
    done = good("dataset", "add", "toys", "--captions", file, "--images", tmp_path / "photos")
    assert "other columns are kept: title, price" in done.out + done.err
    words = ("improve", "rerank", *TOY, "--method", "bm25")
    assert "columns title,price" in good(*words, "--text-column", "title,price").out
    assert "no column 'name'; there are title, price" in refused(*words, "--text-column", "name")


@pytest.fixture
def others(tmp_path: Path) -> str:
    """Another split: pictures that the toys do not have."""
    folder = tmp_path / "others"
    folder.mkdir()
    for number in range(100, 112):
        picture(number).save(folder / f"q{number}.png")
    rows = [(f"q{n}.png", caption(n, which)) for n in range(100, 112) for which in range(2)]
    write_csv(folder / "captions.csv", rows)
    good("dataset", "add", "others", "--captions", folder / "captions.csv", "--images", folder, "-q")
    return "others"


def test_one_variant_is_chosen_on_another_split_and_shown_alone(toys: str, others: str) -> None:
    words = (
        "improve",
        "prompts",
        "toys",
        "--model",
        "toy",
        "--pool",
        "mean,max",
        "--select-on",
        others,
        "--placebo",
    )
    told = good(*words)
    assert f"chosen on {others} among 4" in told.err
    rows = table(good(*words, "--json").json, "all queries")
    assert len({row["variant"] for row in rows if "placebo" not in row["variant"]}) <= 1
    assert any("placebo" in row["variant"] for row in rows)
    assert "share 24 of 24 images" in refused(*words[:-3], "--select-on", "toys", "-q")


def test_a_weight_is_the_best_of_the_other_split(toys: str, others: str) -> None:
    words = ("improve", "rerank", "toys", "--model", "toy", "--method", "k-reciprocal", "--k", "4")
    told = good(*words, "--weight", "auto", "--select-on", others)
    assert f"chosen on {others} among 6" in told.err


def test_a_bank_without_photographs_leaves_image_to_text_as_it_is(toys: str, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "bank.csv", [(f"b{n}.png", caption(n)) for n in range(200, 220)])
    good("dataset", "add", "bank", "--captions", file, "--captions-only", "-q")
    good("improve", "rerank", *TOY, "--method", "csls", "--bank", "bank", "--k", "3")
    store = open_store(locate())
    run = resolve_one(store, "latest")
    ledgers, plain = load_ledgers(store, run.key), load_ledgers(store, resolve_one(store, "latest:clean").key)
    np.testing.assert_array_equal(ledgers["i2t"].above, plain["i2t"].above)
    assert "bank of another split" in good("runs", "show", run.key).out
