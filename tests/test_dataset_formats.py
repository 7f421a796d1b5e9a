"""Every format: a snippet as real files have it, and what is read from it."""

import json
from pathlib import Path

import pytest

from clipbench.datasets.formats import FORMATS, detect
from clipbench.datasets.reading import read
from clipbench.datasets.rows import Columns, ReadRequest, caption_limit
from clipbench.errors import ClipbenchError, DatasetError, InputError
from clipbench.records import Dataset

TOKENS = (
    "1000268201_693b08cb0e.jpg#0\tA child in a pink dress .\n"
    "1000268201_693b08cb0e.jpg#1\tA girl goes in .\n"
    "1001773457_577c3a7d70.jpg#0\tTwo dogs fight \n"
)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def texts(path: Path, **options: object) -> Dataset:
    """Read without photographs."""
    return read(ReadRequest(captions=path, captions_only=True, **options)).dataset  # type: ignore[arg-type]  # test shorthand


def pairs(dataset: Dataset) -> list[tuple[str, str, str]]:
    return [(s.id, c.id, c.text) for s in dataset.samples for c in s.captions]


def problems(path: Path, **options: object) -> list[tuple[int, str]]:
    with pytest.raises(InputError) as caught:
        texts(path, **options)
    return [(p.line, p.message) for p in caught.value.problems]


class TestFlickr8k:
    def test_token_file(self, tmp_path: Path) -> None:
        path = write(tmp_path / "Flickr8k.token.txt", TOKENS)
        assert detect(path) == "flickr8k"
        assert pairs(texts(path)) == [
            ("1000268201_693b08cb0e.jpg", "1000268201_693b08cb0e.jpg#0", "A child in a pink dress ."),
            ("1000268201_693b08cb0e.jpg", "1000268201_693b08cb0e.jpg#1", "A girl goes in ."),
            ("1001773457_577c3a7d70.jpg", "1001773457_577c3a7d70.jpg#0", "Two dogs fight "),
        ]

    def test_line_ends_and_byte_order_mark_do_not_change_the_dataset(self, tmp_path: Path) -> None:
        plain = texts(write(tmp_path / "a.txt", TOKENS))
        crlf = texts(write(tmp_path / "b.txt", "\ufeff" + TOKENS.replace("\n", "\r\n")))
        mac = texts(write(tmp_path / "c.txt", TOKENS.replace("\n", "\r")))
        unended = texts(write(tmp_path / "d.txt", TOKENS.removesuffix("\n")))
        assert plain.fingerprint == crlf.fingerprint == mac.fingerprint == unended.fingerprint

    def test_spaces_for_the_tab_are_read_and_told(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.txt", TOKENS + "2_ab.jpg#0    A cat .\n")
        reading = read(ReadRequest(captions=path, captions_only=True))
        assert reading.dataset.captions[-1].text == "A cat ."
        (told,) = [n for n in reading.notes if n.kind == "spaces-for-tab"]
        assert (told.count, told.examples) == (1, ("4",))

    def test_lines_that_cannot_be_told_are_all_listed(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.txt", TOKENS + "my photo.jpg#0 A cat\nno number.jpg\tA cat\n")
        assert [line for line, _ in problems(path, format="flickr8k")] == [4, 5]

    def test_the_bogus_name_is_left_out_and_told(self, tmp_path: Path) -> None:
        lines = "".join(f"2258277193_586949ec62.jpg.1#{n}\tpeople {n}\n" for n in range(5))
        reading = read(ReadRequest(captions=write(tmp_path / "a.txt", TOKENS + lines), captions_only=True))
        assert len(reading.dataset.samples) == 2
        (told,) = [n for n in reading.notes if n.kind == "bogus-names"]
        assert told.examples == ("2258277193_586949ec62.jpg.1",)
        assert "5 captions" in told.message

    def test_kaggle_csv_is_the_token_file_in_other_clothes(self, tmp_path: Path) -> None:
        csv = 'image,caption\n1_ab.jpg,A dog .\n1_ab.jpg,"He says ""no"", twice"\n'
        csv = csv.replace("1_ab", "1000268201_693b08cb0e")
        token = '1_ab.jpg#0\tA dog .\n1_ab.jpg#1\tHe says "no", twice\n'.replace(
            "1_ab", "1000268201_693b08cb0e"
        )
        kaggle = write(tmp_path / "captions.txt", csv)
        assert detect(kaggle) == "flickr8k"
        assert texts(kaggle).fingerprint == texts(write(tmp_path / "token.txt", token)).fingerprint

    def test_official_lists_are_found_beside_the_caption_file(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.txt", TOKENS)
        write(tmp_path / "Flickr_8k.testImages.txt", "1001773457_577c3a7d70.jpg\n")
        reading = read(ReadRequest(captions=path, captions_only=True, split="test"))
        assert [s.id for s in reading.dataset.samples] == ["1001773457_577c3a7d70.jpg"]
        assert reading.dataset.split == "test"
        assert [
            n.kind for n in reading.notes if n.kind == "unofficial-list"
        ]  # 1 name where the original has 1,000
        with pytest.raises(DatasetError, match="no official list of split 'train'"):
            texts(path, split="train")


class TestCoco:
    def document(self) -> dict[str, object]:
        return {
            "info": {},
            "images": [
                {"id": 42, "file_name": "000000000042.jpg"},
                {"id": 7, "file_name": "000000000007.jpg"},
            ],
            "annotations": [
                {"id": 1, "image_id": 7, "caption": "A cat. \n"},
                {"id": 2, "image_id": 42, "caption": 'A "stop" sign'},
                {"id": 3, "image_id": 7, "caption": " A DOG"},
            ],
        }

    def test_images_keep_their_order_and_captions_every_space(self, tmp_path: Path) -> None:
        path = write(tmp_path / "captions_val2017.json", json.dumps(self.document()))
        assert detect(path) == "coco"
        assert pairs(texts(path)) == [
            ("42", "2", 'A "stop" sign'),
            ("7", "1", "A cat. \n"),
            ("7", "3", " A DOG"),
        ]

    def test_every_broken_annotation_is_named(self, tmp_path: Path) -> None:
        document = self.document()
        document["annotations"] = [
            {"id": 1, "image_id": 99, "caption": "a"},
            {"id": 2, "image_id": 42},
            {"id": 3, "image_id": 42, "caption": "\ud800"},
            "none",
        ]
        told = " | ".join(m for _, m in problems(write(tmp_path / "c.json", json.dumps(document))))
        for part in (
            "image 99 is not in images",
            "[1]: caption is missing",
            "[2]: caption holds half",
            "[3]: the entry is no object",
        ):
            assert part in told
        assert "none of 2 images has a caption" in told

    def test_instances_are_refused_with_the_right_file_named(self, tmp_path: Path) -> None:
        document = self.document() | {"annotations": [{"id": 1, "image_id": 7, "bbox": [0, 0, 1, 1]}]}
        with pytest.raises(InputError) as caught:
            texts(write(tmp_path / "instances_val2017.json", json.dumps(document)))
        assert "captions_*.json" in (caught.value.hint or "")

    def test_frozen_list(self, tmp_path: Path) -> None:
        path = write(tmp_path / "captions_2.json", json.dumps(["a ", "b", "c\n"]))
        meta = {
            "num_images": 2,
            "sampled_img_ids": [9, 4],
            "caption_ids": [11, 12, 13],
            "gt_img_index": [0, 0, 1],
        }
        write(tmp_path / "meta_2.json", json.dumps(meta))
        assert detect(path) == "coco-frozen"
        dataset = read(ReadRequest(captions=path)).dataset
        assert pairs(dataset) == [("9", "11", "a "), ("9", "12", "b"), ("4", "13", "c\n")]
        assert {s.path for s in dataset.samples} == {None}
        assert dataset.owners.tolist() == [0, 0, 1]

    def test_frozen_list_and_meta_must_agree(self, tmp_path: Path) -> None:
        path = write(tmp_path / "captions_2.json", json.dumps(["a", "b"]))
        write(
            tmp_path / "meta_2.json",
            json.dumps({"sampled_img_ids": [9], "caption_ids": [1], "gt_img_index": [0, 5]}),
        )
        told = " | ".join(message for _, message in problems(path))
        assert "caption_ids has 1 entries for 2 captions" in told
        path = write(tmp_path / "captions_3.json", json.dumps(["a", "b"]))
        with pytest.raises(DatasetError, match="no file beside it") as caught:
            texts(path)
        assert "--meta" in (caught.value.hint or "")


class TestKarpathy:
    def path(self, folder: Path) -> Path:
        def image(number: int, split: str, count: int) -> dict[str, object]:
            sentences = [
                {"raw": f"s{number}{n}", "sentid": number * 10 + n, "imgid": number} for n in range(count)
            ]
            name = f"COCO_val2014_{number:012d}.jpg"
            return {
                "filepath": "val2014", "filename": name, "imgid": number, "cocoid": number + 500,
                "split": split, "sentences": sentences, "sentids": [s["sentid"] for s in sentences],
            }  # fmt: skip

        images = [image(1, "train", 1), image(2, "test", 6), image(3, "restval", 1), image(4, "test", 5)]
        return write(folder / "dataset_coco.json", json.dumps({"images": images, "dataset": "coco"}))

    def test_splits_and_policies(self, tmp_path: Path) -> None:
        path = self.path(tmp_path)
        assert detect(path) == "karpathy"
        every = texts(path, split="test")
        assert ([s.id for s in every.samples], len(every.captions), every.caption_policy) == (
            ["502", "504"],
            11,
            "all",
        )
        first5 = texts(path, split="test", max_captions=caption_limit("first5"))
        assert (len(first5.captions), first5.caption_policy) == (10, "first5")
        assert [c.id for c in first5.samples[0].captions] == ["20", "21", "22", "23", "24"]
        assert [s.id for s in texts(path, split="train+restval").samples] == ["501", "503"]

    def test_an_unknown_split_names_those_there_are(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"restval \(1 image\), test \(2 images\), train \(1 image\)"):
            texts(self.path(tmp_path), split="validation")


class TestRecords:
    def test_the_source_studys_json_lines(self, tmp_path: Path) -> None:
        lines = [
            {"image_path": "Images/a.jpg", "caption": "one", "image_id": 0, "caption_id": 0, "split": "test"},
            {"image_path": "Images/a.jpg", "caption": "two", "image_id": 0, "caption_id": 1, "split": "test"},
            {
                "image_path": "Images/b.jpg",
                "caption": "three",
                "image_id": 1,
                "caption_id": 2,
                "split": "train",
            },
        ]
        path = write(tmp_path / "all.jsonl", "\n".join(map(json.dumps, lines)))
        assert pairs(texts(path)) == [("0", "0", "one"), ("0", "1", "two"), ("1", "2", "three")]
        assert pairs(texts(path, split="test")) == [("0", "0", "one"), ("0", "1", "two")]

    def test_captions_numbered_within_each_image_get_ids_of_their_own(self, tmp_path: Path) -> None:
        lines = [
            {"image": f"{i}.jpg", "caption": f"{i} {n}", "caption_id": n} for i in "ab" for n in range(2)
        ]
        path = write(tmp_path / "all.jsonl", "\n".join(map(json.dumps, lines)))
        assert [c.id for c in texts(path).captions] == ["a.jpg#0", "a.jpg#1", "b.jpg#0", "b.jpg#1"]

    def test_one_line_may_hold_a_list_of_captions(self, tmp_path: Path) -> None:
        path = write(tmp_path / "all.jsonl", '{"image": "a.jpg", "captions": ["one", "two "]}\n')
        assert pairs(texts(path)) == [("a.jpg", "a.jpg#0", "one"), ("a.jpg", "a.jpg#1", "two ")]

    @pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
    def test_named_columns_read_the_same_from_every_kind_of_table(self, tmp_path: Path, ending: str) -> None:
        rows = [
            {"photo": "a.jpg", "says": "x, y"},
            {"photo": "a.jpg", "says": "é \u2028 z"},
            {"photo": "b.jpg", "says": ""},
        ]
        path = tmp_path / f"t.{ending}"
        if ending == "jsonl":
            write(path, "\n".join(map(json.dumps, rows)))
        elif ending == "parquet":
            pa = pytest.importorskip("pyarrow")
            from pyarrow import parquet

            parquet.write_table(pa.Table.from_pylist(rows), path)
        else:
            cut = {"csv": ",", "tsv": "\t"}[ending]
            write(
                path, "".join(f'{a}{cut}"{b}"\n' for a, b in [("photo", "says"), *(r.values() for r in rows)])
            )
        dataset = texts(path, columns=Columns(image="photo", caption="says"))
        assert pairs(dataset) == [
            ("a.jpg", "a.jpg#0", "x, y"),
            ("a.jpg", "a.jpg#1", "é \u2028 z"),
            ("b.jpg", "b.jpg#0", ""),
        ]
        assert dataset.format == ending
        told = problems(path)  # without the names
        assert "no caption column among: photo, says" in told[0][1]

    def test_flickr30k_results_with_bars(self, tmp_path: Path) -> None:
        text = "image_name| comment_number| comment\n10.jpg| 0| Two men .\n10.jpg| 1| A bench .\n11.jpg   4   broken\n"
        path = write(tmp_path / "results.csv", text)
        assert problems(path) == [(4, "1 cells, the header has 3")]
        good = texts(write(path, text.rsplit("11.jpg", 1)[0]))
        assert pairs(good) == [("10.jpg", "10.jpg#0", " Two men ."), ("10.jpg", "10.jpg#1", " A bench .")]

    def test_a_stray_quote_is_never_repaired_but_can_be_a_plain_character(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", 'image\tcaption\na.jpg\t"Hello" said he\nb.jpg\tplain\n')
        ((line, message),) = problems(path)
        assert line == 2
        assert "--no-quotes" in message
        assert texts(path, quoting="none").captions[0].text == '"Hello" said he'

    def test_problems_of_lines_come_together(self, tmp_path: Path) -> None:
        good = '{"image": "a.jpg", "caption": "one", "caption_id": 7}'
        bad = [good.replace("one", "other"), "{", '{"image": 1.5, "caption": "x"}', '{"image": "b"}', "[]"]
        path = write(tmp_path / "a.jsonl", "\n".join([good, *bad]))
        told = problems(path)
        assert sorted(line for line, _ in told) == [2, 3, 4, 5, 6]
        assert "has another text already (line 1)" in dict(told)[2]
        assert "not JSON" in dict(told)[3]

    def test_a_line_that_only_repeats_another_is_left_out_and_told(self, tmp_path: Path) -> None:
        line = '{"image": "a.jpg", "caption": "one", "caption_id": 7}\n'
        reading = read(ReadRequest(captions=write(tmp_path / "a.jsonl", line * 2), captions_only=True))
        assert len(reading.dataset.captions) == 1
        assert "repeated-rows" in [n.kind for n in reading.notes]


class TestFolder:
    def test_one_caption_per_line_and_the_order_of_names(self, tmp_path: Path) -> None:
        for name, text in (("b.jpg", "one\n\n two \n"), ("a/c.PNG", "three")):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
            write((tmp_path / name).with_suffix(".txt"), text)
        write(tmp_path / "README.txt", "about")
        assert detect(tmp_path) == "folder"
        reading = read(ReadRequest(captions=tmp_path, captions_only=True))
        assert pairs(reading.dataset) == [
            ("a/c.PNG", "a/c.PNG#0", "three"),
            ("b.jpg", "b.jpg#0", "one"),
            ("b.jpg", "b.jpg#1", " two "),
        ]
        (told,) = [n for n in reading.notes if n.kind == "captions-without-photograph"]
        assert told.examples == ("README.txt",)

    def test_a_text_that_two_photographs_claim_is_a_problem(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").touch()
        (tmp_path / "a.png").touch()
        write(tmp_path / "a.txt", "whose?")
        assert problems(tmp_path) == [(0, "could belong to a.jpg or a.png")]

    def test_a_text_linked_from_elsewhere_is_not_read(self, tmp_path: Path) -> None:
        secret = write(tmp_path / "secret", "key")
        folder = tmp_path / "set"
        folder.mkdir()
        (folder / "a.jpg").touch()
        (folder / "a.txt").symlink_to(secret)
        assert problems(folder, format="folder") == [
            (0, "is a link that leads out of the folder of captions")
        ]


class TestText:
    def test_invalid_utf8_is_named_by_line_and_byte(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"a.jpg#0\tA caf\xe9\nb.jpg#0\tfine\nc.jpg#0\t\xff\n")
        assert problems(path, format="flickr8k") == [
            (1, "byte 0xe9 at byte 13 of the file is not UTF-8"),
            (3, "byte 0xff at byte 36 of the file is not UTF-8"),
        ]

    @pytest.mark.parametrize(
        ("data", "word"),
        [
            (b"", "nothing"),
            (b" \n\n", "nothing"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"a\0", "NUL"),
        ],
    )
    def test_files_that_hold_no_text_say_what_they_are(self, tmp_path: Path, data: bytes, word: str) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(data)
        assert word in problems(path)[0][1]

    @pytest.mark.parametrize("name", [n for n in FORMATS if n != "folder"])
    def test_a_missing_file_is_told_plainly(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ClipbenchError, match="No such file"):
            texts(
                tmp_path / "captions_nope.json",
                format=name,
                **({"meta": tmp_path / "m"} if name == "coco-frozen" else {}),
            )

    def test_a_format_that_cannot_be_told_lists_them_all(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError) as caught:
            detect(write(tmp_path / "a.txt", "hello\n"))
        assert all(name in (caught.value.hint or "") for name in FORMATS)

    def test_deep_and_huge_json_is_refused_and_does_not_crash(self, tmp_path: Path) -> None:
        for text in ("[" * 100_000, "1" * 5_000, '{"a":' * 100_000):
            assert problems(write(tmp_path / "a.json", text))
