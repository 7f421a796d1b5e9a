"""Names of photographs: which file a name means, and that no two sources are taken for one without a word."""

import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipbench.datasets.listing import Listing, visible
from clipbench.datasets.photographs import inspect
from clipbench.datasets.reading import Reading, read
from clipbench.datasets.rows import ReadRequest
from clipbench.errors import InputError

NFC = "Schlo\u00df-\u00dcbung"
NFD = unicodedata.normalize("NFD", NFC)


def picture(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    return path


def captions(folder: Path, *names: str) -> Path:
    path = folder / "captions.csv"
    path.write_text(
        "image,caption\n" + "".join(f"{name},text of {name}\n" for name in names), encoding="utf-8"
    )
    return path


def refused(request: ReadRequest) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        read(request)
    return " | ".join(str(problem) for problem in caught.value.problems), caught.value.hint or ""


def noted(reading: Reading, kind: str) -> str:
    return next(str(note) for note in reading.notes if note.kind == kind)


def test_two_paths_that_become_one_file_name_are_refused_with_both_lines(tmp_path: Path) -> None:
    picture(tmp_path / "flat" / "1.png")
    path = captions(tmp_path, "a/1.png", "b/1.png")
    told, hint = refused(ReadRequest(captions=path, images=tmp_path / "flat", file_names_only=True))
    assert ":3: b/1.png would be the same photograph as a/1.png (line 2): 1.png" in told
    assert "--file-names-only" in hint


def test_file_names_alone_are_enough_where_they_differ(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        picture(tmp_path / "flat" / name)
    path = captions(tmp_path, "a/1.png", "b/2.png", "a/1.png")
    dataset = read(ReadRequest(captions=path, images=tmp_path / "flat", file_names_only=True)).dataset
    assert [(s.id, s.path) for s in dataset.samples] == [("a/1.png", "1.png"), ("b/2.png", "2.png")]


@pytest.mark.parametrize(
    ("given", "disk"),
    [(NFC, NFD), (NFD, NFC), ("my%20dog", "my dog"), ("my dog", "my%20dog"), (f"{NFC}/x", f"{NFD}/x")],
)
def test_the_only_file_of_another_spelling_is_taken_with_a_note(
    tmp_path: Path, given: str, disk: str
) -> None:
    picture(tmp_path / "photos" / f"{disk}.png")
    reading = read(ReadRequest(captions=captions(tmp_path, f"{given}.png"), images=tmp_path / "photos"))
    (sample,) = reading.dataset.samples
    assert (sample.id, sample.path, sample.problem) == (f"{given}.png", f"{disk}.png", None)
    assert "1 photograph spelt otherwise" in noted(reading, "spelt-otherwise")


def test_the_note_shows_what_cannot_be_seen(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / f"{NFD}.png")
    reading = read(ReadRequest(captions=captions(tmp_path, f"{NFC}.png"), images=tmp_path / "photos"))
    assert r"U\u0308bung.png" in noted(reading, "spelt-otherwise")


def test_an_exact_name_is_never_taken_for_another(tmp_path: Path) -> None:
    for name, colour in ((NFC, "red"), (NFD, "blue"), ("a b", "green"), ("a%20b", "white")):
        picture(tmp_path / "photos" / f"{name}.png", colour)
    names = [f"{name}.png" for name in (NFC, NFD, "a b", "a%20b")]
    dataset = read(ReadRequest(captions=captions(tmp_path, *names), images=tmp_path / "photos")).dataset
    assert [sample.path for sample in dataset.samples] == names


def test_two_names_of_one_file_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "a b.png")
    path = captions(tmp_path, "a b.png", "a%20b.png")
    told, _ = refused(ReadRequest(captions=path, images=tmp_path / "photos", allow_missing=1))
    assert "a%20b.png would be the same photograph as a b.png" in told


def test_a_name_that_two_files_answer_to_is_shown_with_its_code_points(tmp_path: Path) -> None:
    mixed = "\u00e9e\u0301"
    for name in ("\u00e9\u00e9", "e\u0301e\u0301"):
        picture(tmp_path / "photos" / f"{name}.png")
    told, _ = refused(ReadRequest(captions=captions(tmp_path, f"{mixed}.png"), images=tmp_path / "photos"))
    assert r"photograph \xe9e\u0301.png: missing (there is " in told


def test_a_folders_captions_may_be_spelt_otherwise(tmp_path: Path) -> None:
    picture(tmp_path / f"{NFD}.png")
    (tmp_path / f"{NFC}.txt").write_text("a castle\n")
    reading = read(ReadRequest(captions=tmp_path, format="folder"))
    assert [[c.text for c in s.captions] for s in reading.dataset.samples] == [["a castle"]]
    assert r"U\u0308bung.png" in noted(reading, "spelt-otherwise")
    assert not [note for note in reading.notes if note.kind == "captions-without-photograph"]


def test_a_split_list_may_name_stems(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "a/3.png", "4.png", "4.jpg"):
        picture(tmp_path / "photos" / name)
    path = captions(tmp_path, "1.png", "2.png", "a/3.png", "4.png", "4.jpg")
    (tmp_path / "test.txt").write_text("3\n1\n")
    request = ReadRequest(captions=path, images=tmp_path / "photos", split_file=tmp_path / "test.txt")
    reading = read(request)
    assert [sample.id for sample in reading.dataset.samples] == ["a/3.png", "1.png"]
    assert "2 names of the split list without ending: 3 is a/3.png" in noted(reading, "names-without-ending")
    (tmp_path / "test.txt").write_text("1\n4\n")
    assert "4 has no captions" in refused(request)[0]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("d\u043eg.png", r"d\u043eg.png"),  # a Cyrillic letter
        ("do\u200bg.png", r"do\u200bg.png"),  # a space of no width
        ("\uff44og.png", r"\uff44og.png"),  # a wide letter of another block
        ("DOG.png", "DOG.png"),
    ],
)
def test_a_name_that_looks_like_a_files_is_shown_so_that_the_difference_is_seen(
    tmp_path: Path, name: str, shown: str
) -> None:
    picture(tmp_path / "photos" / "dog.png")
    told, _ = refused(ReadRequest(captions=captions(tmp_path, name), images=tmp_path / "photos"))
    assert f"photograph {shown}: missing (there is dog.png)" in told


def test_two_spellings_of_one_file_are_refused_with_names_that_can_be_told_apart(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / f"{NFC}.png")
    path = captions(tmp_path, f"{NFC}.png", f"{NFD}.png")
    told, _ = refused(ReadRequest(captions=path, images=tmp_path / "photos"))
    assert r"Schlo\xdf-U\u0308bung" not in told, "what both have stays as it is"
    assert "Schloß-U\\u0308bung.png would be the same photograph as Schloß-\\xdcbung.png (line 2)" in told


def test_an_image_listed_by_two_names_is_taken_once_and_said(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        picture(tmp_path / "photos" / name)
    (tmp_path / "test.txt").write_text("1.png\n1\n2.png\n")
    request = ReadRequest(
        captions=captions(tmp_path, "1.png", "2.png"),
        images=tmp_path / "photos",
        split_file=tmp_path / "test.txt",
    )
    assert "1 is 1.png" in noted(read(request), "names-of-one-image")


def linked(folder: Path, *, whole: bool = True) -> Path:
    picture(folder / "cache" / "b0")
    (folder / "snapshot").mkdir()
    (folder / "snapshot" / "0.png").symlink_to("../cache/b0")
    if not whole:
        (folder / "snapshot" / "1.png").symlink_to("../cache/gone")
    return folder / "snapshot"


def test_links_that_lead_out_are_named_with_the_option_that_takes_them(tmp_path: Path) -> None:
    request = ReadRequest(captions=captions(tmp_path, "0.png"), images=linked(tmp_path))
    told, hint = refused(request)
    assert "is a link that leads out of the images folder" in told
    assert "--follow-links" in hint


def test_links_that_lead_out_are_taken_where_asked(tmp_path: Path) -> None:
    folder = linked(tmp_path)
    request = ReadRequest(captions=captions(tmp_path, "0.png"), images=folder, follow_links=True)
    dataset = read(request).dataset
    assert dataset.samples[0].digest is not None
    assert dataset.source["follow_links"] is True


def test_a_link_to_nothing_says_so(tmp_path: Path) -> None:
    folder = linked(tmp_path, whole=False)
    for follow in (True, False):
        (_, found) = inspect(folder, ["0.png", "1.png"], follow_links=follow)
        assert found.problem == "missing: a link to a file that is not there"


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_name_finds_its_own_file_or_none(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("names")
    if name in {".", ".."} or len(name.encode()) > 250:
        return
    (folder / name).touch()
    found = Listing(folder).find(name)
    assert found.path == name
    assert Listing(folder).find(f"{name}/x").path is None
    assert visible(name, name) == name
