"""A bundle brings a run elsewhere whole; whatever in it does not follow from its content is refused."""

import json
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from bundle_toys import Members, array, clean_run, edit, fresh, one, rewritten, two_runs
from cli_toys import added, good, misused, refused

from clipbench.errors import InputError
from clipbench.home import Home
from clipbench.records import Ledger, Protocol, Shortlist, protocol_of
from clipbench.store.engine import open_store
from clipbench.store.ledgers import ARRAYS
from clipbench.store.runs import RunRecord, find_run, load_ledger, save_run
from clipbench.store.shortlists import load_shortlists
from clipbench.study.bundles.archive import MANIFEST, array_bytes, json_bytes, read_members, write_members
from clipbench.study.bundles.importing import import_bundle
from clipbench.study.bundles.reading import read_bundle
from clipbench.study.comparing.references import resolve_one
from clipbench.study.evaluation.protocol import metrics_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of a clean and a perturbed run, and the bundle of both."""
    folder = tmp_path_factory.mktemp("bundle")
    two_runs(folder)
    return folder


@pytest.fixture(scope="module")
def members(made: Path) -> Members:
    return read_members(made / "runs.zip")[1]


def test_a_run_comes_back_equal_in_another_store(made: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other"
    told = good("runs", "import", made / "runs.zip", store=elsewhere).out
    assert "2 new runs, 0 known before, bundle:" in told
    for words in (("latest:clean",), ("latest:word-dropout",)):
        here = good("runs", "export", *words, store=made / "store").out
        assert good("runs", "export", *words, store=elsewhere).out == here
        shown = [good("runs", "show", key, "--format", "csv", store=at).out.split("\n\n")[0]
                 for at in (made / "store", elsewhere)
                 for key in [good("report", "--query",
                                  "SELECT run FROM runs WHERE operation = 'clean'", "-f", "csv", store=at).out.split()[1]]]  # fmt: skip
        assert shown[0] == shown[1]


def test_what_was_imported_can_be_compared_reported_and_verified(made: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other"
    good("runs", "import", made / "runs.zip", store=elsewhere)
    pair = (
        "report",
        "--compare",
        "latest:clean",
        "latest:word-dropout",
        "--resamples",
        "300",
        "--flips",
        "3",
    )
    assert good(*pair, store=elsewhere).out == good(*pair, store=made / "store").out
    good("store", "verify", "--deep", store=elsewhere)
    good("report", "--html", tmp_path / "page.html", store=elsewhere)
    assert "bundle:" in good("runs", "show", "latest", store=elsewhere).out


def test_the_same_runs_make_the_same_file(made: Path, tmp_path: Path) -> None:
    words = ("runs", "export", "latest:clean", "latest:word-dropout", "--bundle", tmp_path / "again.zip")
    good(*words, store=made / "store")
    assert (tmp_path / "again.zip").read_bytes() == (made / "runs.zip").read_bytes()


def test_there_is_no_photograph_nor_folder_of_this_machine_in_it(made: Path, members: Members) -> None:
    assert all(name.endswith((".json", ".npy")) for name in members)
    # Commands are kept as they were typed; datasets and sets name no place.
    for name, data in members.items():
        if not name.startswith("runs/"):
            assert str(made).encode() not in data


def test_importing_twice_changes_nothing(made: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other"
    good("runs", "import", made / "runs.zip", store=elsewhere)
    assert "0 new runs, 2 known before" in good("runs", "import", made / "runs.zip", store=elsewhere).out


def test_the_photographs_of_a_known_dataset_stay_known(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "store", tmp_path / "copy")
    before = good("dataset", "show", "toys", "--json", store=tmp_path / "copy").out
    good("runs", "import", made / "runs.zip", store=tmp_path / "copy")
    assert good("dataset", "show", "toys", "--json", store=tmp_path / "copy").out == before


def test_a_taken_name_is_not_taken_over(made: Path, tmp_path: Path) -> None:
    added(tmp_path / "mine", images=3)
    good("runs", "import", made / "runs.zip")
    names = good("report", "--query", "SELECT name FROM datasets ORDER BY name", "-f", "csv").out.split()
    assert names[1] == "toys"
    assert names[2].startswith("toys-")


def test_another_bundle_than_expected_is_refused(made: Path, tmp_path: Path) -> None:
    name = read_members(made / "runs.zip")[0]
    good("runs", "import", made / "runs.zip", "--expect", name)
    good("runs", "import", made / "runs.zip", "--expect", name.partition(":")[2][:12])
    assert "was expected" in refused("runs", "import", made / "runs.zip", "--expect", "bundle:0123456789")


def renumbered(name: str, change: Callable[[np.ndarray[Any, Any]], None]) -> Callable[[Members], None]:
    def apply(members: Members) -> None:
        where = f"{clean_run(members)}/{name}.npy"
        values = array(members, where).copy()
        change(values)
        members[where] = array_bytes(values)

    return apply


def metric(members: Members) -> None:
    edit(members, f"{clean_run(members)}/run.json", lambda run: run["metrics"][0].__setitem__(2, 0.999))


def better(above: np.ndarray[Any, Any]) -> None:
    """Let every miss be a near miss, which its scores do not belie."""
    assert (above > 1).any()
    above[above > 1] = 1


def reversed_items(members: Members) -> None:
    """Turn the photographs of a set around. Of a perturbed set's texts only the keys are there."""
    [name] = [n for n in members if n.startswith("sets/") and b'"modality":"image"' in members[n]]
    name = name.replace(".json", ".npy")
    members[name] = array_bytes(array(members, name)[::-1])


TAMPERED: list[tuple[str, Callable[[Members], None], str]] = [
    ("a caption", lambda m: edit(m, one(m, "datasets/"), lambda d: d["samples"][0][4][0].__setitem__(1, "x")),
     "goes by content:"),
    ("a photograph's digest", lambda m: edit(m, one(m, "datasets/"), lambda d: d["samples"][0].__setitem__(2, "0" * 64)),
     "goes by content:"),
    ("the encoder's weights", lambda m: edit(m, one(m, "encoders/"), lambda e: e.update(weights="others")),
     "goes by encoder:"),
    ("a perturbation's level", lambda m: edit(m, one(m, "perturbations/"), lambda p: p.update(level=0.25)),
     "goes by perturbation:"),
    ("the protocol", lambda m: edit(m, f"{clean_run(m)}/run.json", lambda r: r["protocol"].update(seed=5)),
     "goes by run:"),
    ("the kind", lambda m: edit(m, f"{clean_run(m)}/run.json", lambda r: r.update(kind="robustness")), "goes by run:"),
    ("a metric", metric, "says t2i hit@1 is 0.999, by the ledger it is"),
    ("a metric's name", lambda m: edit(m, f"{clean_run(m)}/run.json", lambda r: r["metrics"][0].__setitem__(1, "hit@3")),
     "which does not follow from the ledger"),
    ("a metric too few", lambda m: edit(m, f"{clean_run(m)}/run.json", lambda r: r["metrics"].pop()), "lacks both rsum"),
    ("the ranks", renumbered("t2i/above", better), "by the ledger it is"),
    ("misses into hits", renumbered("t2i/above", lambda a: a.__imul__(0)), "scores and ranks do not put there"),
    ("what was found for all", renumbered("t2i/top1", lambda a: a.__imul__(0)), "scores and ranks do not put there"),
    ("the scores of right items", renumbered("i2t/positive_score", lambda a: a.__iadd__(9)), "scores and ranks do not"),
    ("ranks beyond the gallery", renumbered("t2i/above", lambda a: a.__iadd__(100)), "more items above or tied"),
    ("negative ranks", renumbered("t2i/above", lambda a: a.__isub__(100)), "more items above or tied"),
    ("ties", renumbered("i2t/tied", lambda a: a.__imul__(0)), "ties that cannot be"),
    ("the right items", renumbered("t2i/positive", lambda a: a.__iadd__(1)), "other items for right"),
    ("the clusters", renumbered("t2i/cluster", lambda a: a.__imul__(0)), "other images as the queries' own"),
    ("what was found", renumbered("t2i/top1", lambda a: a.__iadd__(50)), "that is not there"),
    ("scores", renumbered("t2i/positive_score", lambda a: a.__imul__(np.float32(np.nan))), "no numbers"),
    ("the items of a set", reversed_items,
     "of other texts or photographs"),
    ("a set's dataset", lambda m: edit(m, one(m, "sets/"), lambda s: s.update(dataset="content:00")), "goes by embeddings:"),
    ("a dataset gone", lambda m: m.pop(one(m, "datasets/")) and None, "refers to what is not in the bundle"),
    ("a ledger's array gone", lambda m: m.pop(f"{clean_run(m)}/t2i/tied.npy") and None, "t2i lacks tied.npy"),
    ("a direction gone", lambda m: [m.pop(n) for n in list(m) if n.startswith(f"{clean_run(m)}/i2t/")] and None,
     "has ledgers for t2i"),
    ("another name", lambda m: m.update({"datasets/abcd.json": m.pop(one(m, "datasets/"))}), "is of content:"),
    ("a guest", lambda m: m.update({"notes.json": b"{}"}), "is no part of a bundle"),
    ("a guest array", lambda m: m.update({"sets/aa.npy": array_bytes(np.zeros(1, "u1"))}), "lacks sets/aa.json"),
    ("no run", lambda m: [m.pop(n) for n in list(m) if n.startswith("runs/")] and None, "holds no run"),
    ("a wish for days of work",
     lambda m: edit(m, f"{clean_run(m)}/run.json", lambda r: r["protocol"].update(resamples=10**9)), "goes by run:"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change", "told"), TAMPERED, ids=[row[0] for row in TAMPERED])
def test_what_was_changed_is_refused(
    members: Members, tmp_path: Path, what: str, change: Callable[[Members], None], told: str
) -> None:
    path = rewritten(members, tmp_path, change)
    store = fresh(tmp_path)
    with pytest.raises(InputError) as caught:
        import_bundle(store, path)
    assert any(told in problem.message for problem in caught.value.problems), [
        str(p) for p in caught.value.problems
    ]
    assert good("runs", "list", "--json", store=store.home.root).json["rows"] == []


def test_a_run_that_is_here_with_other_ranks_is_refused(made: Path, members: Members, tmp_path: Path) -> None:
    """Ledger and metrics changed together follow from one another; the store that has the run knows better."""

    def change(m: Members) -> None:
        run = clean_run(m)
        told = json.loads(m[f"{run}/run.json"])
        where = f"{run}/t2i/above.npy"
        above = array(m, where).copy()
        better(above)
        m[where] = array_bytes(above)
        ledgers = {
            d: Ledger(d, json.loads(m[f"{run}/{d}/gallery.json"]), **{a: array(m, f"{run}/{d}/{a}.npy") for a in ARRAYS})
            for d in ("t2i", "i2t")
        }  # fmt: skip
        metrics = metrics_of(ledgers, protocol_of(told["protocol"]))  # type: ignore[arg-type]  # its keys are directions
        told["metrics"] = [[x.direction, x.name, x.value, x.low, x.high, x.n, x.method] for x in metrics]
        m[f"{run}/run.json"] = json_bytes(told)

    path = rewritten(members, tmp_path, change)
    shutil.copytree(made / "store", tmp_path / "copy")
    assert "with other ranks than the bundle" in refused("runs", "import", path, store=tmp_path / "copy")
    # Elsewhere nothing belies it but its name, which is not the one that its maker gave.
    name = read_members(made / "runs.zip")[0]
    assert "was expected" in refused("runs", "import", path, "--expect", name, store=tmp_path / "new")


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_member_says_is_refused_or_equal(made: Path, data: st.DataObject) -> None:
    """Any JSON in place of any member ends in an InputError, or in the same bundle."""
    _, members = read_members(made / "runs.zip")
    name = data.draw(st.sampled_from([n for n in sorted(members) if n.endswith(".json")]))
    value = json.loads(members[name])
    if isinstance(value, dict):
        key = data.draw(st.sampled_from(sorted(value)))
        value[key] = data.draw(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=5) | st.lists(st.integers(), max_size=2) | st.dictionaries(st.text(max_size=3), st.none(), max_size=2)
        )  # fmt: skip
    folder = made / "fuzz"
    folder.mkdir(exist_ok=True)
    write_members({**members, name: json_bytes(value)}, folder / "x.zip", force=True)
    with suppress(InputError):
        read_bundle(folder / "x.zip")


def test_an_existing_file_is_kept_and_several_runs_are_for_bundles(made: Path, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("mine")
    assert "exists" in refused(
        "runs", "export", "latest", "--bundle", tmp_path / "x.zip", store=made / "store"
    )
    assert "--bundle takes several" in misused("runs", "export", "latest", "latest:clean")
    assert MANIFEST == "manifest.json"


# -- What a run may have besides ---------------------------------------------------------------------------


def test_a_bundle_carries_method_depth_and_shortlist(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "store", tmp_path / "store")
    store = open_store(Home(tmp_path / "store"))
    plain = resolve_one(store, "latest:clean")
    ledger = load_ledger(store, plain.key, "t2i")
    count = ledger.gallery_size
    items = np.tile(np.arange(2, dtype=np.int32), (ledger.queries, 1))
    shortlist = Shortlist("t2i", items, np.full(items.shape, 0.5, np.float32))
    method = {"name": "index", "cells": 4, "rate": 1e-5}
    spec = replace(plain.spec, method=method, protocol=Protocol(directions=("t2i",)).as_json())
    record = RunRecord(plain.encoder, plain.perturbation.key, "clipbench", "0.2")
    whole = replace(ledger, depth=count)
    save_run(
        store,
        spec,
        record,
        {"t2i": whole},
        metrics_of({"t2i": whole}, protocol_of(spec.protocol)),
        {"t2i": shortlist},
    )
    good("runs", "export", spec.key, "--bundle", tmp_path / "method.zip", store=tmp_path / "store")
    elsewhere = fresh(tmp_path)
    import_bundle(elsewhere, tmp_path / "method.zip")
    run = find_run(elsewhere, spec.key)
    assert run is not None
    assert run.spec.method == method
    assert load_ledger(elsewhere, spec.key, "t2i").depth == count
    back = load_shortlists(elsewhere, spec.key)["t2i"]
    assert np.array_equal(back.items, items)
    assert np.array_equal(back.scores, shortlist.scores)
    for name, data in (("shortlist_depth.json", b"0"), ("depth.json", b'"4"'), ("shortlist_items.npy", b"")):
        path = rewritten(
            read_members(tmp_path / "method.zip")[1],
            tmp_path,
            lambda members, name=name, data=data: members.update({one(members, "runs/", name): data}),  # type: ignore[misc]
        )
        with pytest.raises(InputError):
            read_bundle(path)
