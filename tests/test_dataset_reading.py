"""Reading as a whole: splits, lists, draws, photographs and their paths."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipbench.datasets import selection
from clipbench.datasets.photographs import inspect
from clipbench.datasets.reading import Reading, read
from clipbench.datasets.rows import Columns, ReadRequest, caption_limit
from clipbench.errors import DatasetError, InputError
from clipbench.keys import bytes_digest
from clipbench.records import Caption, Sample


def picture(
    colour: str = "red", size: tuple[int, int] = (8, 6), kind: str = "PNG", mode: str = "RGB"
) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind)
    return buffer.getvalue()


def collection(folder: Path, names: str = "abcd", *, images: bool = True) -> Path:
    """A token file with two captions for each of some photographs beside it."""
    folder.mkdir(exist_ok=True)
    if images:
        (folder / "Images").mkdir()
        for place, name in enumerate(names):
            (folder / "Images" / f"{name}.jpg").write_bytes(picture(size=(8 + place, 6)))
    path = folder / "token.txt"
    path.write_text("".join(f"{name}.jpg#{n}\t{name} number {n}\n" for name in names for n in range(2)))
    return path


def ids(reading: Reading) -> str:
    return "".join(sample.id[0] for sample in reading.dataset.samples)


def told(request: ReadRequest) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        read(request)
    return {f"{Path(p.file).name}:{p.line}": p.message for p in caught.value.problems}


def test_a_complete_collection_reads_with_the_digest_of_every_file(tmp_path: Path) -> None:
    reading = read(ReadRequest(captions=collection(tmp_path), name="toy"))
    dataset = reading.dataset
    assert (dataset.name, dataset.format, dataset.split, dataset.caption_policy) == (
        "toy",
        "flickr8k",
        "all",
        "all",
    )
    assert ids(reading) == "abcd"
    assert [s.path for s in dataset.samples] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert [s.digest for s in dataset.samples] == [bytes_digest(picture(size=(8 + n, 6))) for n in range(4)]
    assert dataset.image_folder == (tmp_path / "Images").absolute()


def test_the_same_content_elsewhere_has_the_same_key(tmp_path: Path) -> None:
    one, two = (read(ReadRequest(captions=collection(tmp_path / n))).dataset for n in ("one", "two"))
    assert one.key == two.key
    assert one.source != two.source


class TestSplitLists:
    def test_a_list_gives_choice_and_order(self, tmp_path: Path) -> None:
        path = collection(tmp_path)
        (tmp_path / "mine.txt").write_text("d.jpg\n\nb.jpg\r\n")
        reading = read(ReadRequest(captions=path, split_file=tmp_path / "mine.txt"))
        assert (ids(reading), reading.dataset.split) == ("db", "mine")
        (tmp_path / "test.txt").write_text("d.jpg\nb.jpg")
        assert read(ReadRequest(captions=path, split_file=tmp_path / "test.txt")).dataset.split == "test"
        labelled = read(
            ReadRequest(captions=path, split_file=tmp_path / "mine.txt", format="flickr8k", split="test")
        )
        assert labelled.dataset.split == "test"

    def test_unknown_and_repeated_names_are_listed_with_their_lines(self, tmp_path: Path) -> None:
        path = collection(tmp_path)
        (tmp_path / "mine.txt").write_text("d.jpg\nx.jpg\nd.jpg\ny.jpg\n")
        assert told(ReadRequest(captions=path, split_file=tmp_path / "mine.txt")) == {
            "mine.txt:2": "x.jpg has no captions in token.txt",
            "mine.txt:3": "d.jpg is listed on line 1 already",
            "mine.txt:4": "y.jpg has no captions in token.txt",
        }

    def test_unknown_names_within_the_allowed_share_are_told_and_recorded(self, tmp_path: Path) -> None:
        path = collection(tmp_path)
        (tmp_path / "mine.txt").write_text("d.jpg\nx.jpg\n")
        reading = read(ReadRequest(captions=path, split_file=tmp_path / "mine.txt", allow_missing=0.5))
        assert ids(reading) == "d"
        assert reading.dataset.source["listed_without_captions"] == ["x.jpg"]
        assert "names-without-captions" in [n.kind for n in reading.notes]
        assert told(ReadRequest(captions=path, split_file=tmp_path / "mine.txt", allow_missing=0.4))

    def test_a_split_of_a_source_without_splits_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("image,caption\na.jpg,x\n")
        with pytest.raises(DatasetError, match="records no splits"):
            read(ReadRequest(captions=path, captions_only=True, split="test"))

    def test_an_image_in_two_splits_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("image,caption,split\na.jpg,x,test\na.jpg,y,train\nb.jpg,z,test\n")
        reading = read(ReadRequest(captions=path, captions_only=True, split="test"))
        assert [c.text for c in reading.dataset.captions] == ["x", "z"]
        assert [n.examples for n in reading.notes if n.kind == "image-in-two-splits"] == [("a.jpg",)]


class TestDraw:
    SAMPLES = tuple(Sample(f"image {n}", (Caption(f"{n}", "x"),)) for n in range(40))

    @settings(max_examples=40, deadline=None)
    @given(st.permutations(range(40)), st.integers(1, 40), st.integers(0, 10**9))
    def test_what_is_drawn_does_not_depend_on_the_order(
        self, order: list[int], count: int, seed: int
    ) -> None:
        shuffled = [self.SAMPLES[n] for n in order]
        drawn = selection.draw(shuffled, count, seed)
        assert set(drawn) == set(selection.draw(self.SAMPLES, count, seed))
        assert list(drawn) == [s for s in shuffled if s in set(drawn)]
        assert len(drawn) == count

    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**9))
    def test_a_smaller_draw_is_part_of_a_larger_one(self, one: int, two: int, seed: int) -> None:
        few, many = sorted((one, two))
        assert set(selection.draw(self.SAMPLES, few, seed)) <= set(selection.draw(self.SAMPLES, many, seed))

    def test_seeds_draw_differently(self) -> None:
        assert selection.draw(self.SAMPLES, 10, 0) != selection.draw(self.SAMPLES, 10, 1)

    def test_the_draw_is_the_same_for_ever(self) -> None:
        drawn = selection.draw(self.SAMPLES, 3, 42)
        assert [s.id for s in drawn] == ["image 6", "image 20", "image 39"]

    def test_more_than_there_are_is_refused_with_both_numbers(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="sample of 5 was asked, there are 4 images"):
            read(ReadRequest(captions=collection(tmp_path), sample=5))

    def test_only_drawn_photographs_need_to_be_there(self, tmp_path: Path) -> None:
        path = collection(tmp_path)
        drawn = ids(read(ReadRequest(captions=path, sample=2)))
        for name in set("abcd") - set(drawn):
            (tmp_path / "Images" / f"{name}.jpg").unlink()
        assert ids(read(ReadRequest(captions=path, sample=2))) == drawn


class TestPhotographs:
    def test_every_missing_photograph_is_named_with_what_is_near(self, tmp_path: Path) -> None:
        path = collection(tmp_path)
        folder = tmp_path / "Images"
        (folder / "a.jpg").rename(folder / "A.JPG")
        (folder / "b.jpg").rename(folder / "b.png")
        (folder / "c.jpg").unlink()
        assert told(ReadRequest(captions=path)) == {
            "token.txt:1": "photograph a.jpg: missing (there is A.JPG)",
            "token.txt:3": "photograph b.jpg: missing (there is b.png)",
            "token.txt:5": "photograph c.jpg: missing",
        }

    def test_missing_ones_are_kept_as_samples_where_allowed(self, tmp_path: Path) -> None:
        path = collection(tmp_path)
        (tmp_path / "Images" / "c.jpg").unlink()
        reading = read(ReadRequest(captions=path, allow_missing=0.25))
        assert [s.problem for s in reading.dataset.samples] == [None, None, "missing", None]
        assert reading.dataset.samples[2].digest is None
        assert "missing-photographs" in [n.kind for n in reading.notes]
        assert told(ReadRequest(captions=path, allow_missing=0.24))

    def test_no_folder_of_photographs_says_what_to_type(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError) as caught:
            read(ReadRequest(captions=collection(tmp_path, images=False)))
        assert "--captions-only" in (caught.value.hint or "")

    @pytest.mark.parametrize(
        "path", ["../out.png", "/etc/out.png", "C:/out.png", "link.png", "inner/out.png", "\0"]
    )
    def test_paths_that_leave_the_folder_are_never_opened(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "out.png").write_bytes(picture())
        folder = tmp_path / "Images"
        folder.mkdir()
        (folder / "link.png").symlink_to(tmp_path / "out.png")
        (folder / "inner").symlink_to(tmp_path)
        (found,) = inspect(folder, [path])
        assert found.digest is None
        assert found.problem in {
            "unreadable: the path leaves the images folder",
            "unreadable: is a link that leads out of the images folder",
        }

    def test_a_path_that_leaves_the_folder_is_not_recorded_as_a_path(self, tmp_path: Path) -> None:
        (tmp_path / "Images").mkdir()
        (tmp_path / "a.csv").write_text("image,caption\n../a.csv,x\n")
        dataset = read(
            ReadRequest(captions=tmp_path / "a.csv", images=tmp_path / "Images", allow_missing=1)
        ).dataset
        assert (dataset.samples[0].path, dataset.samples[0].digest) == (None, None)

    def test_damaged_files_say_why(self, tmp_path: Path) -> None:
        (tmp_path / "text.jpg").write_text("no photograph")
        (tmp_path / "empty.jpg").touch()
        (tmp_path / "folder.jpg").mkdir()
        (tmp_path / "loop.jpg").symlink_to("loop.jpg")
        (tmp_path / "page.jpg").write_bytes(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
        )
        found = inspect(tmp_path, ["text.jpg", "empty.jpg", "folder.jpg", "loop.jpg", "page.jpg"])
        assert all(f.digest is None and (f.problem or "").startswith("unreadable: ") for f in found)

    def test_windows_paths_and_whole_paths_can_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "a.png").write_bytes(picture())
        (tmp_path / "a.csv").write_text("image,caption\nx\\a.png,one\n")
        assert read(ReadRequest(captions=tmp_path / "a.csv")).dataset.samples[0].path == "x/a.png"
        (tmp_path / "b.csv").write_text("image,caption\n/home/someone/data/a.png,one\n")
        request = ReadRequest(captions=tmp_path / "b.csv", images=tmp_path / "x", file_names_only=True)
        assert read(request).dataset.samples[0].path == "a.png"

    def test_progress_counts_every_photograph(self, tmp_path: Path) -> None:
        seen: list[tuple[int, int]] = []
        read(ReadRequest(captions=collection(tmp_path)), lambda done, total: seen.append((done, total)))
        assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({"max_captions": 0}, "0 captions"),
            ({"sample": 0}, "sample of 0"),
            ({"allow_missing": 1.5}, "1.5"),
            (
                {"columns": Columns(image="x"), "format": "coco"},
                "--image-column and the like means nothing to the format coco",
            ),
            ({"quoting": "none", "format": "jsonl"}, "--no-quotes means nothing to the format jsonl"),
            ({"format": "zip"}, "no format 'zip'"),
        ],
    )
    def test_options_that_make_no_sense_are_refused(
        self, tmp_path: Path, options: dict[str, object], word: str
    ) -> None:
        with pytest.raises(DatasetError, match=word):
            read(ReadRequest(captions=collection(tmp_path), **options))  # type: ignore[arg-type]  # test shorthand

    @pytest.mark.parametrize("word", ["first", "first0", "first-1", "5", "FIRST5", "first5x", "first05"])
    def test_caption_policies_that_do_not_exist(self, word: str) -> None:
        if word == "first05":
            assert caption_limit(word) == 5
            return
        with pytest.raises(DatasetError, match="no caption policy"):
            caption_limit(word)
