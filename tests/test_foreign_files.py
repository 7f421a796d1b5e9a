"""Files of others are looked at before they are read, and no parser's exception gets past the door."""

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from clipbench import foreign_files
from clipbench.errors import ClipbenchError, DatasetError
from clipbench.foreign_files import open_foreign, parsing, read_foreign, reason


def test_a_regular_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_bytes(b"abc")
    assert read_foreign(path, 3) == b"abc"
    with open_foreign(path, 3) as file:
        assert file.read() == b"abc"
    with pytest.raises(DatasetError, match=r"ids\.txt has 3 bytes, at most 2 are read"):
        read_foreign(path, 2, error=DatasetError)


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    assert read_foreign(tmp_path / "link", 10) == b"abc"


def test_a_sparse_file_of_a_terabyte_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ClipbenchError, match="has 1,099,511,627,776 bytes"):
        read_foreign(path, 1 << 20)


def test_what_never_answers_or_never_ends_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for path, kind in (
        (tmp_path / "pipe", "a pipe"),
        (tmp_path / "link", "a pipe"),
        (Path("/dev/zero"), "a device"),
    ):
        with pytest.raises(ClipbenchError, match=f"is no regular file but {kind}"):
            read_foreign(path, 100)
    with pytest.raises(ClipbenchError, match="is a folder"):
        read_foreign(tmp_path, 100)


def test_a_file_that_grows_while_it_is_read_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"abc")

    def opened(name: Path, limit: int, **kind: type[ClipbenchError]) -> BinaryIO:
        file = open_foreign(name, limit, **kind)
        path.write_bytes(b"x" * 1000)
        return file

    monkeypatch.setattr(foreign_files, "open_foreign", opened)
    with pytest.raises(ClipbenchError, match="at most 10 are read"):
        read_foreign(path, 10)


@pytest.mark.parametrize("name", ["missing", "a\0b", "x" * 5000])
def test_a_name_of_no_file_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot read"):
        read_foreign(tmp_path / name, 10, error=DatasetError)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(ClipbenchError):
            open_foreign(tmp_path / "pipe", 10)
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (KeyError("vectors"), "KeyError: 'vectors'"),
        (MemoryError(), "it asks for more memory than there is"),
        (RecursionError("maximum"), "it is nested too deeply"),
        (AssertionError(), "AssertionError"),
        (ValueError("bad\nheader"), "bad header"),
    ],
)
def test_whatever_a_parser_raises_becomes_one_line(raised: Exception, told: str) -> None:
    with (
        pytest.raises(DatasetError) as caught,
        parsing("x.npy", ".npy file", error=DatasetError, hint="mend it"),
    ):
        raise raised
    assert caught.value.message == f"x.npy is no .npy file that can be read ({told})"
    assert caught.value.hint == "mend it"


def test_our_own_errors_and_ctrl_c_go_through() -> None:
    with pytest.raises(DatasetError, match=r"^ours$"), parsing("x", "table"):
        raise DatasetError("ours")
    with pytest.raises(KeyboardInterrupt), parsing("x", "table"):
        raise KeyboardInterrupt


def test_a_long_reason_is_cut() -> None:
    assert len(reason(ValueError("x" * 1000))) == 200
