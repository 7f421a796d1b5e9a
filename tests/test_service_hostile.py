"""Whatever is sent to the API is answered: a problem that says what is wrong, never a crash."""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_toys import picture

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from PIL import Image
from service_toys import (
    JSON,
    client,
    embedded,
    encoded,
    png,
    toy_service,
    words,
)
from starlette.testclient import TestClient


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with 36 pictures, their columns and vectors; no test changes it."""
    folder = tmp_path_factory.mktemp("service")
    return embedded(folder)


@pytest.fixture(scope="module")
def shared_http(home: Path) -> Iterator[TestClient]:
    """A client of a service that all tests share that count nothing."""
    with client(toy_service(home)) as asking:
        yield asking


HOSTILE_JSON = {
    "nan": b'{"text": "red", "top": NaN}',
    "infinite": b'{"text": "red", "top": 1e400}',
    "minus infinite": b'{"text": "red", "text_weight": -Infinity}',
    "weight nan": b'{"text": "red", "text_weight": NaN}',
    "lone surrogate": b'{"text": "\\ud800"}',
    "surrogate name": b'{"\\udfff": 1, "text": "red"}',
    "surrogate filter": b'{"text": "red", "where": "\\ud83d = 1"}',
    "surrogate id": b'{"like": "\\ud83d"}',
    "deep": b"[" * 30_000,
    "deep objects": b'{"a":' * 9_000,
    "many digits": b'{"text": "red", "top": ' + b"9" * 20_000 + b"}",
    "no json": b"red",
    "nothing": b"",
    "half": b'{"text": "red"',
    "latin 1": '{"text": "rouge é"}'.encode("latin-1"),
    "utf 16": '{"text": "red", "top": 0}'.encode("utf-16"),
    "a list": b"[]",
    "a text": b'"red"',
    "null": b"null",
    "top zero": b'{"text": "red", "top": 0}',
    "top 1001": b'{"text": "red", "top": 1001}',
    "top text": b'{"text": "red", "top": "5"}',
    "top true": b'{"text": "red", "top": true}',
    "top 2.5": b'{"text": "red", "top": 2.5}',
    "unknown member": b'{"text": "red", "limit": 5}',
    "blank": b'{"text": "  \\n "}',
    "empty": b'{"text": ""}',
    "long": json.dumps({"text": "x" * 2001}).encode(),
    "too many without": json.dumps({"text": "x", "without": ["y"] * 9}).encode(),
    "weight zero": b'{"text": "red", "text_weight": 0}',
    "nothing asked": b'{"top": 5}',
    "statement": b'{"text": "red", "where": "1); DROP TABLE item; --"}',
    "unknown function": b'{"text": "red", "where": "randomblob(1000000000) = 1"}',
}


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_json_that_means_nothing_is_a_problem_and_no_crash(shared_http: TestClient, name: str) -> None:
    answer = shared_http.post("/v1/search/text", content=HOSTILE_JSON[name], headers=JSON)
    assert answer.status_code in {400, 404, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    assert body["status"] == answer.status_code
    assert words(body)
    assert "Traceback" not in answer.text
    assert shared_http.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "text", ["a\x00b", "\u202egnp.der", "🟥" * 500, "ｒｅｄ", "<script>", "' OR 1=1 --", "\x1b[31m"]
)
def test_odd_words_are_words(shared_http: TestClient, text: str) -> None:
    answer = shared_http.post("/v1/search/text", json={"text": text})
    assert answer.status_code == 200
    assert all(np.isfinite(hit["score"]) for hit in answer.json()["hits"])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header claims so many pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


HOSTILE_PICTURES = {
    "nothing": (b"", 415),
    "text": (b"no picture at all", 415),
    "html": (b"<html><script>alert(1)</script>", 415),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415),
    "pdf": (b"%PDF-1.7", 415),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0", 415),
    "pickle": (b"\x80\x04\x95.", 415),
    "heic": (b"\x00\x00\x00\x18ftypheic" + b"\0" * 64, 415),
    "jpeg in name": (b"\xff\xd8\xff" + b"\0" * 100, 422),
    "png in name": (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, 422),
    "webp in name": (b"RIFF\x10\0\0\0WEBPVP8 " + b"\0" * 20, 422),
    "gif in name": (b"GIF89a" + b"\xff" * 20, 422),
    "bmp in name": (b"BM" + b"\xff" * 60, 422),
    "avif in name": (b"\x00\x00\x00\x18ftypavif" + b"\0" * 64, 422),
    "cut off": (png(0, 512)[:-600], 422),
    "bomb": (bomb(20_000, 20_000), 413),
    "large": (bomb(5_001, 5_000), 413),
    "wider than there is": (bomb(2**31 - 1, 2**31 - 1), 413),
    "flat": (bomb(1, 2**31 - 1), 413),
}


@pytest.mark.parametrize("name", HOSTILE_PICTURES)
def test_an_upload_that_is_no_picture_is_a_problem_and_no_crash(shared_http: TestClient, name: str) -> None:
    data, status = HOSTILE_PICTURES[name]
    for route in ("/v1/search/image", "/v1/encode/image"):
        answer = shared_http.post(route, files={"image": ("x.jpg", data, "image/jpeg")})
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("image", "kind", "how"),
    [
        (picture(1, 40), "JPEG", {}),
        (picture(1, 40), "WEBP", {"lossless": True}),
        (picture(1, 40).convert("P"), "GIF", {}),
        (picture(1, 40), "BMP", {}),
        (picture(1, 40).convert("RGBA"), "PNG", {}),
        (picture(1, 40).convert("LA"), "PNG", {}),
        (Image.new("1", (40, 40)), "PNG", {}),
        (picture(1, 40).convert("CMYK"), "JPEG", {}),
        (Image.new("L", (1, 1)), "PNG", {}),
        (Image.new("RGB", (4000, 1)), "PNG", {}),
    ],
)
def test_pictures_of_every_kind_are_read_whatever_they_are_called(
    shared_http: TestClient, image: Image.Image, kind: str, how: dict[str, Any]
) -> None:
    files = {"image": ("../../etc/passwd", encoded(image, kind, **how), "text/html")}
    answer = shared_http.post("/v1/search/image", files=files)
    assert answer.status_code == 200, answer.text


HOSTILE_FORMS = {
    "no boundary": ("multipart/form-data", b"--x"),
    "empty": ("multipart/form-data; boundary=x", b""),
    "never ends": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc'),
    "no name": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n"),
    "no headers": ("multipart/form-data; boundary=x", b"--x\r\n\r\nabc\r\n--x--\r\n"),
    "image is text": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc\r\n--x--\r\n'),
    "bytes in text": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\xfe\xff\r\n--x--\r\n',
    ),
    "no such charset": (
        "multipart/form-data; boundary=x; charset=klingon",
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nred\r\n--x--\r\n',
    ),
    "many parts": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 3000 + b"--x--\r\n"),
    "long boundary": ("multipart/form-data; boundary=" + "x" * 5000, b"--x"),
    "json": ("application/json", b'{"image": 1}'),
    "url": ("application/x-www-form-urlencoded", b"image=1&top=x"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_FORMS)
def test_a_form_that_is_none_is_a_problem_and_no_crash(shared_http: TestClient, name: str) -> None:
    kind, body = HOSTILE_FORMS[name]
    answer = shared_http.post("/v1/search/image", content=body, headers={"content-type": kind})
    assert answer.status_code in {400, 415, 422}, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("form", [{"top": "0"}, {"top": "nan"}, {"text_weight": "nan"}, {"image_weight": "1e999"},
                                  {"text_weight": "-1"}, {"text": " "}, {"zzz": "1"}])  # fmt: skip
def test_a_field_out_of_its_range_is_a_problem(shared_http: TestClient, form: dict[str, str]) -> None:
    answer = shared_http.post("/v1/search/image", files={"image": ("x", png())}, data=form)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("path", ["/v1/items/nope", "/v1/items/nope/picture", "/v1/items/..%2f..%2fetc%2fpasswd",
                                  "/v1/items/%ff", "/nothing", "/v1/search", "/docs", "/v1/items/p000.png/picture?size=9999",
                                  "/v1/items/p000.png/picture?size=nan", "/search.html", "/..%2fapplication.py"])  # fmt: skip
def test_what_is_not_there_is_a_problem(shared_http: TestClient, path: str) -> None:
    answer = shared_http.get(path)
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"] == "application/problem+json"
