"""Lint: each kind of finding on a toy collection that has it, and none on one that has not."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipbench.datasets.findings import KINDS, THRESHOLDS, Finding
from clipbench.datasets.lint import failed, lint
from clipbench.errors import DatasetError
from clipbench.keys import bytes_digest
from clipbench.records import Caption, Dataset, Sample

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8))


def photographs(folder: Path, files: dict[str, bytes], split: str = "test") -> Dataset:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    samples = tuple(
        Sample(name, (Caption(f"{name}#0", f"a photograph called {name}"),), name, bytes_digest(data))
        for name, data in files.items()
    )
    return Dataset("toy", "csv", split, "all", samples, folder)


def captioned(*captions: str, split: str = "test", image: str = "i") -> Dataset:
    """One caption per image."""
    samples = tuple(Sample(f"{image}{n}", (Caption(f"{image}{n}#0", t),)) for n, t in enumerate(captions))
    return Dataset("toy", "csv", split, "all", samples)


def kinds(findings: tuple[Finding, ...]) -> dict[str, int]:
    return {f.kind: f.count for f in findings if f.kind != "no-photographs"}


def test_a_clean_collection_has_no_findings(tmp_path: Path) -> None:
    assert lint(photographs(tmp_path, {f"{n}.png": encoded(noise(n)) for n in range(4)}), similar=True) == ()


class TestImages:
    def test_a_photograph_cut_short_is_found_by_decoding(self, tmp_path: Path) -> None:
        files = {"whole.jpg": encoded(noise(1), "JPEG"), "cut.jpg": encoded(noise(2), "JPEG")[:-60]}
        (found,) = lint(photographs(tmp_path, files))
        assert (found.kind, found.count, found.of, found.severity) == ("truncated-image", 1, 2, "error")
        assert found.examples[0].startswith("cut.jpg: ")

    def test_a_file_changed_or_gone_since_it_was_read(self, tmp_path: Path) -> None:
        dataset = photographs(tmp_path, {"a.png": encoded(noise(1)), "b.png": encoded(noise(2))})
        (tmp_path / "a.png").write_bytes(encoded(noise(3)))
        (tmp_path / "b.png").unlink()
        assert kinds(lint(dataset)) == {"changed-image": 1, "missing-image": 1}

    def test_recorded_problems_are_findings(self) -> None:
        problems = ("missing", "unreadable: no image", "unreadable: 9 × 9 is more pixels than the limit of 1")
        samples = tuple(Sample(p, (Caption(p, f"a photograph {p}"),), "a.jpg", None, p) for p in problems)
        found = lint(Dataset("toy", "csv", "test", "all", samples, Path("nowhere")))
        assert kinds(found) == {"missing-image": 1, "unreadable-image": 1, "giant-image": 1}

    def test_copies_are_told_by_bytes_then_pixels_then_looks(self, tmp_path: Path) -> None:
        smooth = Image.fromarray(NOISE).resize((4, 4)).resize((96, 96), Image.Resampling.BICUBIC)
        files = {
            "a.png": encoded(smooth),
            "b.png": encoded(smooth),
            "c.bmp": encoded(smooth, "BMP"),
            "d.jpg": encoded(smooth, "JPEG", quality=95),
            "other.png": encoded(noise(9)),
        }
        dataset = photographs(tmp_path, files)
        found = {f.kind: f.examples for f in lint(dataset, similar=True)}
        assert found["duplicate-image"] == ("b.png = a.png",)
        assert found["duplicate-pixels"] == ("c.bmp = a.png",)
        assert found["similar-image"] == ("d.jpg = a.png",)
        assert "similar-image" not in kinds(lint(dataset))

    def test_plain_areas_of_different_colour_are_not_similar(self, tmp_path: Path) -> None:
        files = {f"{c}.png": encoded(Image.new("RGB", (40, 40), c)) for c in ("white", "black", "grey")}
        assert lint(photographs(tmp_path, files), similar=True) == ()

    def test_unusual_modes_are_counted(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 3
        files = {
            "cmyk.jpg": encoded(noise(1).convert("CMYK"), "JPEG"),
            "grey.png": encoded(noise(2).convert("L")),
            "palette.png": encoded(noise(3).convert("P")),
            "alpha.png": encoded(noise(4).convert("RGBA")),
            "deep.png": encoded(Image.fromarray(NOISE[:, :, 0].astype(np.uint16) * 200)),
            "turned.jpg": encoded(noise(5), "JPEG", exif=exif),
            "small.png": encoded(noise(6).resize((40, 9))),
            "moving.gif": encoded(noise(7), "GIF", save_all=True, append_images=[noise(8)]),
        }
        found = lint(photographs(tmp_path, files))
        assert kinds(found) == {
            "mode-cmyk": 1, "mode-grey": 1, "mode-palette": 2, "mode-alpha": 1, "mode-deep": 1, "exif-rotated": 1,
            "tiny-image": 1, "animated": 1,
        }  # fmt: skip
        assert {f.severity for f in found} == {"info"}

    def test_names_that_clash(self, tmp_path: Path) -> None:
        names = ("A.png", "a.png", "b.png", "b.jpg")
        samples = tuple(Sample(n, (Caption(n, f"the photograph {n}"),), n, None, "missing") for n in names)
        found = {f.kind: f.examples for f in lint(Dataset("toy", "csv", "test", "all", samples, tmp_path))}
        assert found["name-case-clash"] == ("a.png and A.png",)
        assert found["name-stem-clash"] == ("b.jpg and b.png",)

    def test_a_path_that_leaves_the_folder_is_not_opened(self, tmp_path: Path) -> None:
        folder = tmp_path / "Images"
        folder.mkdir()
        (tmp_path / "out.png").write_bytes(encoded(noise(1)))
        sample = Sample("x", (Caption("x", "a real caption"),), "../out.png", bytes_digest(encoded(noise(1))))
        assert kinds(lint(Dataset("toy", "csv", "test", "all", (sample,), folder))) == {"unreadable-image": 1}


class TestCaptions:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("", "empty-caption"),
            (" \n", "empty-caption"),
            ("A", "one-word-caption"),
            ("... !!", "one-word-caption"),
            ("a dog ", "edge-whitespace"),
            ("a dog\n", "edge-whitespace"),
            ("a \x07 bell", "control-characters"),
            ("a\u200bdog runs", "control-characters"),
            ("caf\ufffd au lait", "control-characters"),
            ("a line\nand another", "control-characters"),
            ("word " * 77 + "end", "long-caption"),
        ],
    )
    def test_each_kind(self, text: str, kind: str) -> None:
        found = lint(captioned("two dogs play", text))
        assert kinds(found) == {kind: 1}
        assert found[0].of == 2 or found[-1].of == 2

    def test_an_estimate_says_that_it_is_one(self) -> None:
        text = "word " * 60 + "end"
        (estimated,) = [f for f in lint(captioned(text)) if f.kind == "long-caption"]
        assert "estimated from words" in estimated.message
        assert "long-caption" not in kinds(lint(captioned(text), count_tokens=lambda t: len(t.split()) + 2))
        (counted,) = [
            f for f in lint(captioned(text), (), 60, lambda t: len(t.split()) + 2) if f.kind == "long-caption"
        ]
        assert "by the tokenizer, longest 63" in counted.message

    def test_repeats_within_an_image_and_across_images(self) -> None:
        samples = (
            Sample(
                "a", (Caption("a#0", "two dogs"), Caption("a#1", "two dogs"), Caption("a#2", "a cat sits"))
            ),
            Sample("b", (Caption("b#0", "a cat sits"), Caption("b#1", "Two  dogs"))),
        )
        found = {f.kind: f for f in lint(Dataset("toy", "csv", "test", "all", samples))}
        assert found["duplicate-caption-within"].examples == ("a#1 'two dogs'",)
        across = found["duplicate-caption-across"]
        assert across.count == 2  # "a cat sits" of a and of b, letter for letter
        assert "1 texts; 5 captions where case and spacing do not count" in across.detail

    def test_an_image_without_captions(self) -> None:
        found = lint(
            Dataset("toy", "csv", "test", "all", (Sample("a", ()), Sample("b", (Caption("b", "a cat"),))))
        )
        assert kinds(found) == {"image-without-captions": 1}


class TestLeaks:
    def test_ids_bytes_and_texts_shared_with_another_split(self, tmp_path: Path) -> None:
        (tmp_path / "one").mkdir()
        (tmp_path / "two").mkdir()
        shared, other = encoded(noise(1)), encoded(noise(2))
        test = photographs(tmp_path / "one", {"a.png": shared, "b.png": other})
        train = photographs(tmp_path / "two", {"c.png": shared, "b.png": other}, "train")
        found = {f.kind: f for f in lint(test, [train])}
        assert found["leaked-image-id"].examples == ("b.png in train",)
        assert found["leaked-image"].examples == ("a.png = c.png in train",)
        assert "leaked-caption" not in found

    def test_texts_are_compared_as_the_tokenizer_sees_them(self) -> None:
        test = captioned("A dog runs .", "a cat sits", "a bird sings")
        train = captioned("a dog  runs .", "a cat sits", split="train", image="t")
        (found,) = [f for f in lint(test, [train]) if f.kind == "leaked-caption"]
        assert found.count == 2
        assert "1 letter for letter" in found.message
        assert found.examples[0] == "i0#0 'A dog runs .' = t0#0 in train"


class TestThresholds:
    def test_errors_fail_and_the_rest_passes_by_default(self) -> None:
        found = lint(captioned("", "a cat sits", "a cat sits"))
        assert [f.kind for f in failed(found)] == ["empty-caption"]

    def test_a_threshold_is_a_share(self) -> None:
        found = lint(captioned("", "one two", "a cat sits", "a dog"))
        assert failed(found, {"empty-caption": 0.25}) == ()
        assert len(failed(found, {"empty-caption": 0.24})) == 1
        assert failed(found, {"empty-caption": None}) == ()

    def test_thresholds_that_mean_nothing_are_refused(self) -> None:
        with pytest.raises(DatasetError, match="no finding 'dirt'"):
            failed((), {"dirt": 0.1})
        with pytest.raises(DatasetError, match="not within"):
            failed((), {"empty-caption": 5})

    def test_every_kind_has_a_threshold(self) -> None:
        assert set(THRESHOLDS) == set(KINDS)
