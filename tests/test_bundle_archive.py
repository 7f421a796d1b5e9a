"""A bundle's archive: names that lead elsewhere, bombs, doubled and changed members, and arrays that are none."""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bundle_toys import Members, clean_run, fresh, one, rewritten, two_runs, zipped

from clipbench.errors import InputError
from clipbench.study.bundles.archive import array_bytes, read_members
from clipbench.study.bundles.importing import import_bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of a clean and a perturbed run, and the bundle of both."""
    folder = tmp_path_factory.mktemp("bundle")
    two_runs(folder)
    return folder


@pytest.fixture(scope="module")
def members(made: Path) -> Members:
    return read_members(made / "runs.zip")[1]


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
