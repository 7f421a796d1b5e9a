"""A bundle brings a run elsewhere whole; whatever in it does not follow from its content is refused."""

import io
import json
import shutil
import sys
import zipfile
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

from cli_toys import added, environment, good, misused, refused

from clipbench.errors import InputError
from clipbench.home import Home
from clipbench.records import Ledger, Protocol, Shortlist, protocol_of
from clipbench.store.engine import Store, open_store
from clipbench.store.ledgers import ARRAYS
from clipbench.store.runs import RunRecord, find_run, load_ledger, save_run
from clipbench.store.shortlists import load_shortlists
from clipbench.study.bundles.archive import MANIFEST, array_bytes, json_bytes, read_members, write_members
from clipbench.study.bundles.importing import import_bundle
from clipbench.study.bundles.reading import read_bundle
from clipbench.study.comparing.references import resolve_one
from clipbench.study.evaluation.protocol import metrics_of

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of a clean and a perturbed run, and the bundle of both."""
    folder = tmp_path_factory.mktemp("bundle")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "source", images=6)
        good(
            "robustness",
            "sweep",
            "toys",
            "--model",
            "toy",
            "--perturb",
            "word-dropout",
            "--levels",
            "0.5",
            "-q",
        )
        good("runs", "export", "latest:clean", "latest:word-dropout", "--bundle", folder / "runs.zip")
    return folder


@pytest.fixture(scope="module")
def members(made: Path) -> Members:
    return read_members(made / "runs.zip")[1]


def fresh(folder: Path) -> Store:
    return open_store(Home(folder / "elsewhere"))


def rewritten(members: Members, folder: Path, change: Callable[[Members], None]) -> Path:
    """Write a bundle with a change and a manifest that fits it, as someone who knows the format would."""
    changed = dict(members)
    change(changed)
    write_members(changed, folder / "changed.zip", force=True)
    return folder / "changed.zip"


def one(members: Members, start: str, end: str = ".json") -> str:
    return next(name for name in sorted(members) if name.startswith(start) and name.endswith(end))


def edit(members: Members, name: str, change: Callable[[Any], None]) -> None:
    value = json.loads(members[name])
    change(value)
    members[name] = json_bytes(value)


def array(members: Members, name: str) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = np.load(io.BytesIO(members[name]), allow_pickle=False)
    return found


def clean_run(members: Members) -> str:
    for name in sorted(members):
        if name.endswith("run.json") and json.loads(members[name])["kind"] == "evaluate":
            return name.removesuffix("/run.json")
    raise AssertionError("no clean run")


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


def zipped(path: Path, entries: list[tuple[str, bytes]], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, kind)
    return path


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/etc/evil.json", "C:/evil.json", "a\\..\\b.json", "runs/../../x.json", "RUNS/x.json",
     "a//b.json", "x.json/", "x.pkl", "run\u202e.json", "a/b/c/d/e/f.json", ".json", "con.json\n"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(members: Members, tmp_path: Path, name: str) -> None:
    zipped(tmp_path / "x.zip", [*members.items(), (name, b"{}")])
    with pytest.raises(InputError) as caught:
        import_bundle(fresh(tmp_path), tmp_path / "x.zip")
    assert any("called so" in problem.message for problem in caught.value.problems)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere", "x.zip"]


def test_bombs_are_refused_before_they_unpack(tmp_path: Path) -> None:
    zipped(tmp_path / "x.zip", [("runs/aa/run.json", b" " * (300 << 20))])
    assert (tmp_path / "x.zip").stat().st_size < 1 << 20
    with pytest.raises(InputError, match="problem") as caught:
        import_bundle(fresh(tmp_path), tmp_path / "x.zip")
    assert any("a bomb" in problem.message for problem in caught.value.problems)


def test_a_member_larger_than_announced_is_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "x.zip", [("manifest.json", b"x" * 5000)])
    data = bytearray((tmp_path / "x.zip").read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = (10).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(InputError):
        import_bundle(fresh(tmp_path), tmp_path / "x.zip")


def test_a_member_that_is_there_twice_is_refused(members: Members, tmp_path: Path) -> None:
    name = one(members, "datasets/")
    with pytest.warns(UserWarning, match="Duplicate"):
        zipped(tmp_path / "x.zip", [*members.items(), (name, b"{}")])
    with pytest.raises(InputError) as caught:
        import_bundle(fresh(tmp_path), tmp_path / "x.zip")
    assert any("twice" in problem.message for problem in caught.value.problems)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip at all", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_bundle_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(InputError):
        import_bundle(fresh(tmp_path), tmp_path / "x.zip")


def test_a_changed_byte_is_told_by_its_member(made: Path, members: Members, tmp_path: Path) -> None:
    with zipfile.ZipFile(made / "runs.zip") as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    name = one(members, "datasets/")
    zipped(tmp_path / "x.zip", [(n, d.replace(b"field", b"fielt") if n == name else d) for n, d in entries])
    with pytest.raises(InputError) as caught:
        import_bundle(fresh(tmp_path), tmp_path / "x.zip")
    assert [problem.message[:11] for problem in caught.value.problems] == ["has SHA-256"]


ARRAYS_THAT_ARE_NONE = [
    b"",
    b"\x93NUMPY\x01\x00",
    array_bytes(np.zeros(3, "f8")),
    array_bytes(np.zeros((2, 2), "i4")),
    array_bytes(np.zeros(4, "i4"))[:-2],
    array_bytes(np.zeros(4, "i4")) + b"more",
    array_bytes(np.zeros(4, "i4")).replace(b"(4,)", b"(4000000000000,)"[:4]),
    array_bytes(np.zeros(4, "i4")).replace(b"(4,)", b"-4, "),
    array_bytes(np.zeros(4, "i4")).replace(b"(4,)  ", b"(-4,) "),
    array_bytes(np.zeros(4, "i4")).replace(b"'<i4'", b"[[[[["),
    array_bytes(np.zeros(4, "i4")).replace(b"False", b"True "),
    b"\x93NUMPY\x01\x00\xf8\xff" + b"(" * 65_528,
    b"\x93NUMPY\x02\x00\xf8\xff\xff\xff{",
]


@pytest.mark.parametrize("data", ARRAYS_THAT_ARE_NONE)
def test_arrays_that_are_none_are_refused(members: Members, tmp_path: Path, data: bytes) -> None:
    path = rewritten(members, tmp_path, lambda m: m.update({f"{clean_run(m)}/t2i/above.npy": data}))
    with pytest.raises(InputError):
        import_bundle(fresh(tmp_path), path)


def test_pickles_are_not_loaded(members: Members, tmp_path: Path) -> None:
    data = io.BytesIO()
    np.save(data, np.array([print], dtype=object), allow_pickle=True)
    path = rewritten(
        members, tmp_path, lambda m: m.update({f"{clean_run(m)}/t2i/above.npy": data.getvalue()})
    )
    with pytest.raises(InputError):
        import_bundle(fresh(tmp_path), path)


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
