"""Where a WordNet is found: as downloaded, as nltk keeps it, and what is refused with a way on."""

import sqlite3
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_perturb_text_synonyms import files

from clipbench.errors import ClipbenchError, InputError
from clipbench.perturb.wordnet import wordnet_synonyms
from clipbench.study.robustness import wordnet_files
from clipbench.study.robustness.wordnet_files import read_wordnet


def unpacked(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)
    (folder / "lexnames").write_text("00\tadj.all\t3\n")


def packed(path: Path) -> None:
    """Write a zip as nltk does: one folder, an entry for it, and files that are of no interest here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{path.stem}/", "")
        archive.writestr(f"{path.stem}/LICENSE", "the licence")
        for name, content in files().items():
            archive.writestr(f"{path.stem}/{name}", content)


@pytest.mark.parametrize(
    "place", ["", "dict", "wordnet", "corpora/wordnet", "corpora/wordnet31", "corpora/wordnet2021"]
)
def test_a_wordnet_is_found_where_people_have_it(tmp_path: Path, place: str) -> None:
    unpacked(tmp_path / place)
    assert read_wordnet(tmp_path).identity == wordnet_synonyms(files()).identity
    assert read_wordnet(tmp_path / place).lookup("car") == ("auto",)


@pytest.mark.parametrize("place", ["wordnet.zip", "corpora/wordnet.zip"])
def test_a_wordnet_that_nltk_left_packed_is_the_same_one(tmp_path: Path, place: str) -> None:
    packed(tmp_path / place)
    for named in (tmp_path, tmp_path / place):
        assert read_wordnet(named).identity == wordnet_synonyms(files()).identity


def test_what_is_no_wordnet_is_told_with_where_to_get_one(tmp_path: Path) -> None:
    for name, told in (("none", "is no folder"), ("", "no index.noun"), ("text.txt", "no zip of WordNet")):
        (tmp_path / "text.txt").write_text("a text")
        with pytest.raises(ClipbenchError, match=told) as caught:
            read_wordnet(tmp_path / name)
        assert "nltk.downloader wordnet" in str(caught.value.hint)


def test_a_database_of_the_wn_package_is_refused_by_name(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "wn.db").close()
    for named in (tmp_path, tmp_path / "wn.db"):
        with pytest.raises(ClipbenchError, match=r"wn\.db is a database of the wn package") as caught:
            read_wordnet(named)
        assert "nltk.downloader wordnet" in str(caught.value.hint)


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    unpacked(tmp_path)
    (tmp_path / "data.verb").unlink()
    with pytest.raises(InputError) as caught:
        read_wordnet(tmp_path)
    assert [problem.file for problem in caught.value.problems] == ["data.verb"]


def test_a_zip_that_is_damaged_or_swells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(tmp_path / "wordnet.zip")
    monkeypatch.setattr(wordnet_files, "LARGEST", 100)
    with pytest.raises(ClipbenchError, match="more than the 0 MB"):
        read_wordnet(tmp_path)
    monkeypatch.undo()
    data = bytearray((tmp_path / "wordnet.zip").read_bytes())
    at = data.index(b"wordnet/index.noun") + 60
    data[at : at + 20] = bytes(20)
    (tmp_path / "wordnet.zip").write_bytes(data)
    with pytest.raises(ClipbenchError, match="cannot be unpacked"):
        read_wordnet(tmp_path)
