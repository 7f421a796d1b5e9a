"""Properties of every parser: no input crashes it, and what is written is what is read."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipbench.datasets.formats import FORMATS, detect
from clipbench.datasets.reading import read
from clipbench.datasets.rows import ReadRequest
from clipbench.errors import ClipbenchError

SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

VALID: dict[str, tuple[str, bytes]] = {
    "flickr8k": ("a.txt", b"1_ab.jpg#0\tA dog .\n1_ab.jpg#1\tTwo dogs .\n2_cd.jpg#0    A cat .\n"),
    "coco": (
        "captions_x.json",
        b'{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"id": 5, "image_id": 1, "caption": "A"}]}',
    ),
    "karpathy": (
        "dataset_x.json",
        b'{"images": [{"filename": "a.jpg", "filepath": "v", "split": "test", "sentences": [{"raw": "A", "sentid": 1}]}]}',
    ),
    "coco-frozen": ("captions_2.json", b'["a", "b "]'),
    "jsonl": (
        "a.jsonl",
        b'{"image": "a.jpg", "captions": ["x", "y"], "caption_id": ["1", 2], "split": "test"}\n' * 2,
    ),
    "csv": ("a.csv", b'image,caption,split\na.jpg,"x, ""y""",test\nb.jpg,z,train\n'),
    "tsv": ("a.tsv", b"image\tcaption\na.jpg\tx\nb.jpg\tz\n"),
}


def tries(name: str, data: bytes) -> None:
    """Read bytes as a format; anything but a reading or a ClipbenchError fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / VALID[name][0]
        path.write_bytes(data)
        meta = b'{"sampled_img_ids": [3], "caption_ids": [1, 2], "gt_img_index": [0, 0]}'
        (Path(folder) / "meta_2.json").write_bytes(meta)
        for request in (
            ReadRequest(captions=path, format=name, captions_only=True),
            ReadRequest(captions=path, images=Path(folder), allow_missing=1.0, file_names_only=True),
            ReadRequest(
                captions=path, format=name, captions_only=True, split="test", sample=1, max_captions=1
            ),
        ):
            try:
                read(request)
            except ClipbenchError as error:
                assert str(error)  # noqa: PT017 - a ClipbenchError is one of the two allowed outcomes


@pytest.mark.parametrize("name", VALID)
@SETTINGS
@given(
    data=st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass"))
    )
)
def test_arbitrary_bytes_never_crash_a_reader(name: str, data: bytes) -> None:
    tries(name, data)


@pytest.mark.parametrize("name", VALID)
@SETTINGS
@given(data=st.data())
def test_damaged_files_never_crash_a_reader(name: str, data: st.DataObject) -> None:
    content = bytearray(VALID[name][1])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 12)))
        piece = st.one_of(
            st.binary(max_size=6), st.sampled_from([b'"', b",", b"\t", b"null", b"1e9", b"[]", b"{}", b"\n"])
        )
        content[start:end] = data.draw(piece)
    tries(name, bytes(content))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def slots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON document where another value can be put."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from slots(value[key])


@pytest.mark.parametrize("name", ["coco", "karpathy", "coco-frozen", "jsonl"])
@SETTINGS
@given(data=st.data())
def test_any_json_value_in_any_place_never_crashes_a_reader(name: str, data: st.DataObject) -> None:
    document = json.loads(VALID[name][1].split(b"\n")[0])
    places = list(slots(document))
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(JSON)
    tries(name, json.dumps(document).encode())


@SETTINGS
@given(data=st.binary(max_size=300), valid_ends=st.booleans())
def test_bytes_called_parquet_never_crash_the_reader(*, data: bytes, valid_ends: bool) -> None:
    pytest.importorskip("pyarrow")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        path.write_bytes(b"PAR1" + data + b"PAR1" if valid_ends else data)
        with pytest.raises(ClipbenchError):
            read(ReadRequest(captions=path, captions_only=True))


NAMES = st.from_regex(r"[a-zA-Z0-9_é][a-zA-Z0-9_é ]{0,6}\.jpg", fullmatch=True).map(str.strip)
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n\0"), max_size=20)
ROWS = st.dictionaries(NAMES, st.lists(TEXT, min_size=1, max_size=4), min_size=1, max_size=5)


def written(name: str, rows: dict[str, list[str]], path: Path) -> None:
    flat = [(image, n, text) for image, own in rows.items() for n, text in enumerate(own)]
    if name == "flickr8k":
        path.write_bytes("".join(f"{image}#{n}\t{text}\n" for image, n, text in flat).encode())
    elif name == "jsonl":
        path.write_text(
            "".join(json.dumps({"image": image, "caption": text}) + "\n" for image, _, text in flat)
        )
    elif name == "karpathy":
        sentences = {image: [{"raw": text} for text in own] for image, own in rows.items()}
        images = [{"filename": i, "split": "all", "sentences": s} for i, s in sentences.items()]
        path.write_text(json.dumps({"images": images}))
    elif name == "parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist([{"image": i, "caption": t} for i, _, t in flat]), path)
    else:
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, delimiter="\t" if name == "tsv" else ",", quoting=csv.QUOTE_ALL)
        writer.writerows([("image", "caption"), *((image, text) for image, _, text in flat)])
        path.write_bytes(buffer.getvalue().encode())


@pytest.mark.parametrize("name", ["flickr8k", "jsonl", "karpathy", "csv", "tsv", "parquet"])
@SETTINGS
@given(rows=ROWS)
def test_what_is_written_is_what_is_read(name: str, rows: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        written(name, rows, path)
        dataset = read(ReadRequest(captions=path, format=name, captions_only=True)).dataset
    assert {s.id: [c.text for c in s.captions] for s in dataset.samples} == rows
    assert [s.id for s in dataset.samples] == list(rows)
    assert [c.id for c in dataset.captions] == [
        f"{i}#{n}" for i, own in rows.items() for n in range(len(own))
    ]


@SETTINGS
@given(data=st.binary(max_size=120), ending=st.sampled_from([".txt", ".json", ".csv", ".dat"]))
def test_detection_answers_with_a_format_or_an_explanation(data: bytes, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{ending}"
        path.write_bytes(data)
        try:
            assert detect(path) in FORMATS
        except ClipbenchError as error:
            assert str(error)  # noqa: PT017 - see above
