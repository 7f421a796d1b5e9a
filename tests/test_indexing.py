"""Indexes in a store: what is refused, what is found again, and what ranking through them says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_toys import cli, good, refused
from index_toys import HNSW, IMAGES, MODEL, bring, built, changed, hnsw, vectors

from clipbench.browse_page.asking import Asked
from clipbench.browse_page.looking import Looking
from clipbench.browse_page.store_views import index
from clipbench.errors import ClipbenchError, StoreError
from clipbench.home import Home, locate
from clipbench.indexes import faiss_library
from clipbench.keys import short
from clipbench.store.embeddings import list_sets, load_vectors
from clipbench.store.engine import Store, open_store
from clipbench.store.index_files import index_path
from clipbench.store.indexes import list_indexes, load_index, order_digest
from clipbench.store.queries import list_runs, resolve_run
from clipbench.store.runs import load_ledger, load_metrics
from clipbench.store.verify import verify
from clipbench.study.indexing.checking import check_index
from clipbench.study.indexing.opening import open_index
from clipbench.study.runs.run_kinds import derived

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the collection and an HNSW index of it; tests take copies."""
    folder = tmp_path_factory.mktemp("made")
    return built(folder)


@pytest.fixture
def store(made: Path, own_home: Path) -> Iterator[Store]:
    shutil.copytree(made, own_home)
    return open_store(locate())


def test_the_same_index_is_found_and_another_recipe_is_another(store: Store) -> None:
    record = hnsw(store)
    assert good(*HNSW, "--json").json["title"] == f"index {record.name}"
    assert "nothing was built again" in cli(*(w for w in HNSW if w != "-q")).err
    good(*HNSW[:-1], "20")
    assert len(list_indexes(store)) == 2
    assert len({index_path(store, one.key) for one in list_indexes(store)}) == 2


def test_an_index_knows_what_it_is_of(store: Store) -> None:
    record = hnsw(store)
    (images,) = [one for one in list_sets(store) if one.modality == "image"]
    assert record.content.vectors == images.checksum
    assert record.content.library == f"faiss {faiss_library.library_version()}"
    assert dict(record.content.build) == {"m": 4, "ef_construction": 16}
    assert record.content.key == record.key
    told = {row["fact"]: row["value"] for row in good("index", "show", record.name, "--json").json[0]["rows"]}
    assert told["file"].endswith(str(record.checksum))
    assert [row["index"] for row in good("index", "list", "--json").json["rows"]] == [record.name]


@pytest.mark.parametrize("damage", ["flip", "cut", "longer", "gone", "link", "other"])
def test_a_file_of_other_bytes_is_refused_before_any_library_reads_it(
    store: Store, damage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = index_path(store, hnsw(store).key)
    whole = path.read_bytes()
    path.unlink()
    if damage == "flip":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    elif damage == "cut":
        path.write_bytes(whole[:-1])
    elif damage == "longer":
        path.write_bytes(whole + b"\0")
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(whole)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "other":
        path.write_bytes(bytes(len(whole)))
    monkeypatch.setattr(faiss_library, "_faiss", lambda: pytest.fail("the library was called"))
    monkeypatch.setattr(faiss_library, "library_version", lambda: hnsw(store).content.library.split()[1])
    with pytest.raises(StoreError, match="the file of index"):
        open_index(store, hnsw(store))
    assert any("the file of index" in problem for problem in verify(store).problems)


def test_a_damaged_index_is_built_again_by_the_command_that_built_it(store: Store) -> None:
    record = hnsw(store)
    index_path(store, record.key).write_bytes(b"damaged")
    assert "FAILED" in cli("index", "verify").out
    done = cli(*(word for word in HNSW if word != "-q"))
    assert (done.code, "it is built again" in done.err) == (0, True)
    assert hnsw(store).checksum == record.checksum  # byte-equal
    assert "FAILED" not in good("index", "verify").out
    assert verify(store).clean


def test_an_order_of_other_items_is_refused(store: Store) -> None:
    first, second, *others = open_index(store, hnsw(store)).ids
    swapped = order_digest([second, first, *others])
    changed(store, f"UPDATE vector_index SET items = '{swapped}'")  # noqa: S608, a digest
    with pytest.raises(StoreError, match="another order"):
        open_index(store, hnsw(store))
    assert any("another order" in problem for problem in verify(store).problems)


def test_the_facts_of_another_index_are_refused_by_key(store: Store) -> None:
    good(*HNSW[:-1], "20")
    changed(store, 'UPDATE vector_index SET build = \'{"m":4,"ef_construction":16}\'')
    assert any("describes another" in problem for problem in verify(store).problems)
    with pytest.raises(StoreError, match="says of itself what is another index's"):
        open_index(store, list_indexes(store)[1])


def test_an_index_of_another_version_of_the_library_is_not_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_library, "library_version", lambda: "99.1")
    with pytest.raises(StoreError, match=r"built by faiss .*, and faiss 99\.1 is installed"):
        open_index(store, hnsw(store))


def test_queries_of_another_model_are_refused(store: Store) -> None:
    opened = open_index(store, hnsw(store))
    with pytest.raises(StoreError, match="24 dimensions, the queries have 25"):
        opened.search(np.zeros((1, 25), np.float32), 1, {})


def test_items_in_another_order_are_found_by_their_ids(store: Store, tmp_path: Path) -> None:
    bring(tmp_path / "shuffled", "shuffled", np.random.default_rng(3).permutation(IMAGES))
    for kind in ("hnsw", "exact"):
        good("index", "build", "shuffled", *MODEL, "--type", kind)
        good("index", "build", "toys", *MODEL, "--type", kind)
    _, queries = vectors()
    answers = []
    for name in ("shuffled-exact", "toys-exact", "shuffled-hnsw", "toys-hnsw-"):
        chosen = [one for one in list_indexes(store) if one.name.startswith(name)][-1]
        opened = open_index(store, chosen)
        found = opened.search(queries[:50], 3, {}).items
        answers.append([[opened.ids[n] for n in row] for row in found.tolist()])
    assert all(answer == answers[0] for answer in answers)


def test_an_index_that_is_deaf_to_its_parameter_is_found_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    good("index", "build", "toys", *MODEL, "--type", "ivf", "--name", "lists")
    assert check_index(store, load_index(store, "lists")).hears is True
    deaf = faiss_library._search_parameters
    monkeypatch.setattr(
        faiss_library,
        "_search_parameters",
        lambda kind, chosen, among: deaf(kind, {**chosen, "nprobe": 1}, among),
    )
    monkeypatch.setattr("clipbench.study.indexing.checking.FEW", 100)
    assert "does not hear its parameter nprobe" in str(check_index(store, load_index(store, "lists")).problem)


@dataclass(frozen=True)
class Swept:
    """A store with a sweep in it, and the two tables that the command printed."""

    store: Store
    quality: dict[str, Any]
    speed: dict[str, Any]


@pytest.fixture(scope="module")
def swept(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    folder = tmp_path_factory.mktemp("swept") / "store"
    shutil.copytree(made, folder)
    quality, speed = cli(*SWEEP, store=folder).json
    return Swept(open_store(Home(folder)), quality, speed)


SWEEP = ("index", "sweep", "toys", *MODEL, "--recipe", "hnsw:m=4,ef_construction=16,ef=10/200", "--json")


def test_a_sweep_is_of_stored_runs_that_are_found_again_and_verified(swept: Swept) -> None:
    store, folder = swept.store, swept.store.home.root
    assert len(list_runs(store)) == 4  # plain, exact, and two settings
    keys = [row["run"] for row in swept.quality["rows"]]
    assert set(keys) < {short(run.key) for run in list_runs(store)}
    assert verify(store, deep=True, recompute=derived).problems == ()
    assert cli(*SWEEP, store=folder).json == [swept.quality, swept.speed]  # timings too: they are stored
    assert len(list_runs(store)) == 4
    assert "hnsw m 4, ef_construction 16, ef 200" in good("runs", "list", store=folder).out
    good("runs", "show", keys[1], store=folder)
    assert good("report", "--compare", *keys[:2], store=folder).out


def test_a_run_through_an_index_is_carried_in_a_bundle(swept: Swept, tmp_path: Path) -> None:
    key = swept.quality["rows"][1]["run"]
    good("runs", "export", key, "--bundle", tmp_path / "b.zip", store=swept.store.home.root)
    good("runs", "import", tmp_path / "b.zip", store=tmp_path / "other")
    other = open_store(Home(tmp_path / "other"))
    assert [short(run.key) for run in list_runs(other)] == [key]
    assert verify(other, recompute=derived).problems == ()


def test_the_exact_index_ranks_as_the_plain_evaluation_does(swept: Swept) -> None:
    store, exact = swept.store, swept.quality["rows"][0]
    plain = next(run for run in list_runs(store) if not resolve_run(store, run.key).spec.method)
    ledger = load_ledger(store, plain.key, "t2i")
    for k in (1, 5, 10):
        assert exact[f"hits@{k}"] == int((ledger.above < k).sum())
    metrics = {m.name: m.value for m in load_metrics(store, plain.key) if m.direction == "t2i"}
    own = {m.name: m.value for m in load_metrics(store, resolve_run(store, exact["run"]).key)}
    assert (own["hit@1"], own["hit@10"]) == (metrics["hit@1"], metrics["hit@10"])
    assert exact["recall"] == 1


def test_lost_and_won_hits_are_counted_against_the_exact_search(swept: Swept) -> None:
    store, (exact, poor, rich) = swept.store, swept.quality["rows"]
    assert poor["recall"] < rich["recall"] <= 1
    assert poor["hits@10"] == exact["hits@10"] - poor["lost@10"] + poor["won@10"]
    by = {one.modality: load_vectors(store, one) for one in list_sets(store)}
    ten = np.argsort(-(by["text"] @ by["image"].T), axis=1)[:, :10]
    found = open_index(store, hnsw(store)).search(by["text"], 10, {"ef": 10}).items
    own = np.repeat(np.arange(IMAGES), 2)
    for k in (1, 10):
        before, after = ((items[:, :k] == own[:, None]).any(axis=1) for items in (ten, found))
        assert poor[f"lost@{k}"] == int((before & ~after).sum())
        assert poor[f"won@{k}"] == int((~before & after).sum())
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), ten.tolist(), strict=True)]
    assert poor["recall"] == pytest.approx(np.mean(shares), abs=1e-9)
    assert all(row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] for row in swept.speed["rows"])


def test_captions_are_indexed_and_found_by_photographs(store: Store) -> None:
    words = ("index", "sweep", "toys", *MODEL, "--side", "captions", "--recipe", "sq8:refine=4", "--json")
    quality, _ = good(*words).json
    assert quality["title"].endswith("600 queries, 1,200 items of 24 dimensions")
    assert quality["rows"][1]["recall"] > 0.99
    run = resolve_run(store, quality["rows"][1]["run"])
    assert run.spec.protocol["directions"] == ["i2t"]


def test_a_sweep_draws_what_it_loses(swept: Swept, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = (*SWEEP[:-1], "--figures", tmp_path / "figures")
    done = good(*words, store=swept.store.home.root)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        f"index-t2i-loss.{kind}" for kind in ("pdf", "png", "svg")
    ]
    assert "not worth its trouble" in " ".join(done.out.split()), done.out


def test_a_page_about_runs_through_an_index_tells_what_is_known(swept: Swept, tmp_path: Path) -> None:
    at = swept.store.home.root
    poor = swept.quality["rows"][1]["run"]
    good("report", "--html", tmp_path / "alone.html", poor, store=at)
    assert "not told: every run here" in (tmp_path / "alone.html").read_text(encoding="utf-8")
    good("report", "--html", tmp_path / "all.html", "all:dataset=toys", store=at)
    page = (tmp_path / "all.html").read_text(encoding="utf-8")
    assert "not told: every run here" not in page
    assert 'class="cards"' in page  # of the run that knows every rank
    told = refused("report", "--compare", "--flips", 3, poor, swept.quality["rows"][2]["run"], store=at)
    assert "clipbench evaluate DATASET" in told


def test_photographs_ask_where_no_captions_do(store: Store) -> None:
    words = (
        "index",
        "sweep",
        "toys",
        *MODEL,
        "--queries",
        "photographs",
        "--recipe",
        "hnsw:m=4,ef=1/300",
        "--json",
    )
    (exact, poor, rich), speed = good(*words).json[0]["rows"], good(*words).json[1]["rows"]
    images, _ = vectors()
    products = images @ images.T
    np.fill_diagonal(products, -1)
    ten = np.argsort(-products, axis=1)[:, :10]
    assert exact["hits@1"] == rich["hits@1"] == IMAGES
    chosen = next(
        one
        for one in list_indexes(store)
        if "hnsw" in one.name and one.content.build["ef_construction"] == 200
    )
    found = open_index(store, chosen).search(images, 11, {"ef": 1}).items
    others = [[n for n in row if n != own][:10] for own, row in enumerate(found.tolist())]
    assert poor["lost@10"] == sum(
        nearest[0] not in row for nearest, row in zip(ten.tolist(), others, strict=True)
    )
    assert poor["won@1"] == 0
    assert list_runs(store) == ()
    kept = list((store.home.artifacts / "index-sweeps").iterdir())
    assert len(kept) == 2
    assert all(row["p50_ms"] > 0 for row in speed)
    assert "leave out --side" in refused(*words, "--side", "captions")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--recipe", "annoy"), "there is no index type 'annoy'"),
        (("--recipe", "hnsw:width=3"), "hnsw has no parameter 'width'"),
        (("--recipe", "hnsw:ef=many"), "does not say whole numbers"),
        (("--recipe", "sq8", "--ef", "10"), "no recipe has the parameter 'ef'"),
        (("--recipe", "hnsw:ef=0"), "ef is 1 or more"),
        (("--ef", "1,,2"), "does not say whole numbers"),
        (("--recipe", "ivf:lists=100000"), "cannot fill"),
        (("--recipe", "ivf-pq:bytes=7"), "cannot be cut into 7"),
    ],
)
def test_settings_that_mean_nothing_are_told(store: Store, words: tuple[str, ...], says: str) -> None:
    assert says in refused("index", "sweep", "toys", *MODEL, *words)


def test_an_image_filter_keeps_captions_with_their_image(store: Store) -> None:
    good("index", "build", "toys", *MODEL, "--side", "captions", "--name", "texts")
    opened = open_index(store, load_index(store, "texts"))
    chosen = opened.numbers_where(store, "image_id IN ('i0003.jpg', 'i0001.jpg')")
    assert chosen.tolist() == [2, 3, 6, 7]
    answer = opened.search(vectors()[0][:5], 3, {}, chosen)
    assert np.isin(answer.items, chosen).all()


def test_what_cannot_be_looked_at_is_a_problem_of_the_check(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ClipbenchError("no")

    monkeypatch.setattr("clipbench.study.indexing.checking.open_index", broken)
    done = cli("index", "verify")
    assert (done.code, "no" in done.out) == (1, True)


def test_runs_through_an_index_are_listed_and_drawn_by_their_setting(swept: Swept) -> None:
    store = swept.store
    view = index(Looking(store, ""), Asked("index", (("index", "toys-hnsw"),)))
    [(title, curves)] = view.curves
    assert (title, [panel.title for panel in curves.panels]) == ("toys by ef", ["t2i"])
    table = view.tables[1]
    assert [row[0] for row in table.rows] == [10, 200]
    for row in table.rows:
        [hit] = [m for m in load_metrics(store, resolve_run(store, str(row[-1])).key) if m.name == "hit@1"]
        assert row[1] == hit.value
