"""A bundle that somebody made to do harm, or that a disk damaged, ends in a clear error and an untouched store."""

import json
import os
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, environment, good, refused

from clipbench.errors import InputError
from clipbench.study.bundles.archive import MANIFEST, json_bytes, read_members, write_members
from clipbench.study.bundles.reading import read_bundle

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean and a perturbed run of six pictures."""
    folder = tmp_path_factory.mktemp("attacked")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "source", images=6)
        good("robustness", "sweep", "toys", "--model", "toy", "--perturb", "word-dropout", "--levels", "0.5",
             "-q")  # fmt: skip
        good("runs", "export", "latest:clean", "latest:word-dropout", "--bundle", folder / "runs.zip")
    return folder / "runs.zip"


@pytest.fixture(scope="module")
def members(bundle: Path) -> Members:
    return read_members(bundle)[1]


COUNTS = """
SELECT (SELECT count(*) FROM datasets) + (SELECT count(*) FROM runs) + (SELECT count(*) FROM encoders)
     + (SELECT count(*) FROM embedding_sets) + (SELECT count(*) FROM metrics) AS n
"""


def untouched(store: Path) -> bool:
    """Whether a store holds nothing at all."""
    if not store.exists():
        return True
    return good("report", "--query", COUNTS, "-f", "csv", store=store).rows[0]["n"] == "0"


def entries(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def zipped(path: Path, content: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data, kind)
    return path


def test_a_changed_byte_in_any_member_is_told_by_its_name(bundle: Path, tmp_path: Path) -> None:
    content = entries(bundle)
    for name, data in content.items():
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        zipped(tmp_path / "x.zip", {**content, name: bytes(changed)})
        with pytest.raises(InputError) as caught:
            read_bundle(tmp_path / "x.zip")
        assert any(name in problem.file or name == MANIFEST for problem in caught.value.problems)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_bit_anywhere_in_the_file_is_refused_or_changes_nothing(
    bundle: Path, place: float, bit: int
) -> None:
    """A zip file has bytes that mean nothing, such as dates; of all others one changed bit is seen."""
    data = bytearray(bundle.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path = bundle.parent / "bit.zip"
    path.write_bytes(data)
    try:
        found = read_members(path)
    except InputError:
        return
    assert found == read_members(bundle)


def test_a_file_that_ends_early_is_refused(bundle: Path, tmp_path: Path) -> None:
    data = bundle.read_bytes()
    for part in range(1, 30):
        (tmp_path / "x.zip").write_bytes(data[: len(data) * part // 30])
        with pytest.raises(InputError):
            read_bundle(tmp_path / "x.zip")
    assert "no readable zip file" in refused("runs", "import", tmp_path / "x.zip", store=tmp_path / "s")
    assert untouched(tmp_path / "s")


SCORES = ("positive_score.npy", "negative_score.npy", "top1.npy")


def pairs(members: Members) -> Iterator[tuple[str, str]]:
    """Yield members of one kind, whose content differs.

    Scores of two runs, and what they found first, follow from vectors, which a bundle does not hold: those of one
    run in place of another's can be told by the bundle's name alone, unless they belie the ranks.
    """
    for one, other in combinations(sorted(members), 2):
        of_one_run = one.split("/")[:2] == other.split("/")[:2]
        if one.endswith(SCORES) and other.endswith(SCORES) and not of_one_run:
            continue
        if one.endswith(".npy") == other.endswith(".npy") and members[one] != members[other]:
            yield one, other


def test_members_that_changed_places_are_refused_though_the_manifest_fits(
    members: Members, tmp_path: Path
) -> None:
    for one, other in list(pairs(members))[::4]:
        write_members({**members, one: members[other], other: members[one]}, tmp_path / "x.zip", force=True)
        with pytest.raises(InputError):
            read_bundle(tmp_path / "x.zip")


def test_a_link_in_the_archive_is_read_as_what_it_says_and_leads_nowhere(
    members: Members, tmp_path: Path
) -> None:
    """Nothing is unpacked: what a Unix program would make a link is a member with a path for content."""
    name = next(name for name in members if name.startswith("datasets/"))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, b"/etc/passwd")
    assert "this is no bundle" in refused("runs", "import", tmp_path / "x.zip", store=tmp_path / "s")
    assert untouched(tmp_path / "s")


def test_a_folder_or_a_device_is_no_bundle(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, told in (
        (tmp_path, "is a folder"),
        (Path("/dev/zero"), "is no regular file but a device"),
        (tmp_path / "pipe", "is no regular file but a pipe"),
        (tmp_path / "nothing.zip", "No such file"),
    ):
        assert told in refused("runs", "import", path, store=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def run_of(members: Members) -> str:
    return next(name for name in sorted(members) if name.endswith("run.json"))


def set_of(members: Members) -> str:
    return next(name for name in sorted(members) if name.startswith("sets/") and name.endswith(".json"))


def data_of(members: Members) -> str:
    return next(name for name in sorted(members) if name.startswith("datasets/"))


Where = Callable[[Members], str]
NO_STORE_HOLDS: list[tuple[str, Where, Callable[[Any], object]]] = [
    ("half a character", run_of, lambda r: r.update(command="\ud800")),
    ("half a character in a name", data_of, lambda d: d.update(name="\udfff")),
    ("half a character deep inside", run_of, lambda r: r["environment"].update(a=[{"b": "\ud800"}])),
    ("half a character as a name inside", run_of, lambda r: r["environment"].update({"\ud800": 1})),
    ("a number beyond all", set_of, lambda s: s.update(truncated=10**30)),
    ("a negative count", set_of, lambda s: s.update(truncated=-1)),
    ("a number beyond all inside", run_of, lambda r: r["environment"].update(a=10**400)),
    ("a number beyond all that a float could hold", run_of, lambda r: r["environment"].update(a=10**30)),
    ("truth for a number", set_of, lambda s: s.update(seconds=True)),
    ("a number in words", set_of, lambda s: s.update(truncated="0")),
    ("a year that is none", run_of, lambda r: r.update(created_at="0001-01-01T00:00:00+23:59")),
    ("a year to come", run_of, lambda r: r.update(created_at="9999-12-31T23:59:59-23:59")),
    ("a checksum that is none", set_of, lambda s: s.update(checksum="../../x")),
    ("a name with lines", data_of, lambda d: d.update(name="a\nb")),
    ("a name of nothing", data_of, lambda d: d.update(name="")),
    ("a name of a megabyte", data_of, lambda d: d.update(name="x" * (1 << 20))),
]  # fmt: skip


@pytest.mark.parametrize(("what", "where", "change"), NO_STORE_HOLDS, ids=[row[0] for row in NO_STORE_HOLDS])
def test_what_no_key_covers_is_looked_at_too(
    members: Members, tmp_path: Path, what: str, where: Where, change: Callable[[Any], object]
) -> None:
    name = where(members)
    value = json.loads(members[name])
    change(value)
    write_members({**members, name: json_bytes(value)}, tmp_path / "x.zip", force=True)
    told = refused("runs", "import", tmp_path / "x.zip", store=tmp_path / "s")
    assert name in told
    assert untouched(tmp_path / "s")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
@pytest.mark.parametrize("member", ["run", "set"])
def test_numbers_that_are_none_are_refused(
    members: Members, tmp_path: Path, member: str, number: str
) -> None:
    name = run_of(members) if member == "run" else set_of(members)
    value = json.loads(members[name])
    if member == "run":
        value["timings"] = {"all": 12345.5}
    else:
        value["seconds"] = 12345.5
    text = json_bytes(value).replace(b"12345.5", number.encode())
    write_members({**members, name: text}, tmp_path / "x.zip", force=True)
    assert name in refused("runs", "import", tmp_path / "x.zip", store=tmp_path / "s")
    assert untouched(tmp_path / "s")


def test_json_that_nests_without_end_is_refused(members: Members, tmp_path: Path) -> None:
    name = run_of(members)
    for depth in (2_000, 200_000):
        deep = b'{"environment":' + b"[" * depth + b"]" * depth + b"}"
        write_members({**members, name: deep}, tmp_path / "x.zip", force=True)
        assert name in refused("runs", "import", tmp_path / "x.zip", store=tmp_path / "s")
    assert untouched(tmp_path / "s")


def test_many_members_are_counted_before_anything_else(tmp_path: Path) -> None:
    zipped(tmp_path / "x.zip", {f"sets/a{n}.json": b"" for n in range(20_001)}, zipfile.ZIP_STORED)
    assert "20,001 members" in refused("runs", "import", tmp_path / "x.zip", store=tmp_path / "s")


def test_a_directory_of_headers_that_promise_too_much_is_refused(members: Members, tmp_path: Path) -> None:
    """Sizes are those of the central directory; together they may not reach beyond what is read at all."""
    zipped(tmp_path / "x.zip", members)
    data = bytearray((tmp_path / "x.zip").read_bytes())
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 20 : at + 24] = (500 << 20).to_bytes(4, "little")  # packed
        data[at + 24 : at + 28] = (500 << 20).to_bytes(4, "little")  # unpacked
        at += 4
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_members(tmp_path / "x.zip")
    assert any(
        "at most" in problem.message or "unpacked" in problem.message for problem in caught.value.problems
    )
