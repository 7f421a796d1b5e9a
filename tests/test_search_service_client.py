"""`clipbench search --server`: what is typed goes out whole, what comes back is shown, and nonsense is told."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cli_toys import good, misused, picture, refused

HITS = [
    {"rank": 1, "score": 0.5, "gap": 0.0, "percentile": 99.0, "id": "a.png", "caption": "x", "path": "a.png"},
    {"rank": 2, "score": 0.25, "gap": 0.25, "percentile": None, "id": "b", "caption": None, "path": None},
]
ANSWER = {"hits": HITS, "searched": 3, "gallery": 4, "dataset": "d", "model": "m", "truncated": False}
TOKEN = "a" * 20


@dataclass
class Service:
    """A stand-in that notes what it is asked and says what it is told to."""

    answer: bytes = json.dumps(ANSWER).encode()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    address: str = ""


@contextmanager
def running() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            service.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(service.status)
            for name, value in service.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(service.answer)

        def do_GET(self) -> None:
            data = io.BytesIO()
            picture(3).save(data, "JPEG")
            service.asked.append((self.path, dict(self.headers), b""))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data.getvalue())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    service.address = f"http://127.0.0.1:{server.server_port}/{TOKEN}/"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as one:
        yield one


def test_words_go_out_with_the_token_and_hits_come_back(service: Service) -> None:
    words = (
        "search",
        "a",
        "dog",
        "--without",
        "snow",
        "--weight",
        "words=2",
        "--where",
        "price < 3",
        "-n",
        "2",
    )
    done = good(*words, "--server", service.address, "--json")
    (path, headers, body), *more = service.asked
    assert not more
    assert path == "/v1/search/text"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert json.loads(body) == {
        "text": "a dog",
        "text_weight": 2.0,
        "without": ["snow"],
        "where": "price < 3",
        "top": 2,
    }
    assert done.json["rows"] == [{name: hit[name] for name in done.json["rows"][0]} for hit in HITS]
    assert "3 of 4 photographs" in done.json["title"]
    assert TOKEN not in done.out


def test_a_photograph_of_the_gallery_and_a_score_asked_for(service: Service) -> None:
    rows = good(
        "search", "--like", "c/d.png", "--server", service.address, "--min-score", ".3", "--json"
    ).json["rows"]
    assert json.loads(service.asked[0][2]) == {"like": "c/d.png", "like_weight": 1.0, "top": 10}
    assert [row["rank"] for row in rows] == [1]


def test_a_picture_goes_out_as_a_form(service: Service, tmp_path: Path) -> None:
    picture(1).save(tmp_path / "q.png")
    good("search", "red", "--image", tmp_path / "q.png", "--server", service.address)
    path, headers, body = service.asked[0]
    assert path == "/v1/search/image"
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert (tmp_path / "q.png").read_bytes() in body
    assert b'name="text"\r\n\r\nred\r\n' in body


def test_pictures_of_hits_come_from_the_service(service: Service, tmp_path: Path) -> None:
    good("search", "red", "--server", service.address, "--html", tmp_path / "o.html")
    assert [path for path, *_ in service.asked] == ["/v1/search/text", "/v1/items/a.png/picture"]
    text = (tmp_path / "o.html").read_text()
    assert text.count("data:image/jpeg") == 1
    assert "no photograph" in text
    assert "--server" in text
    assert TOKEN not in text  # a page is passed on


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no JSON",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"hits": 3, "searched": 1, "gallery": 1}',
        json.dumps({**ANSWER, "hits": [{**HITS[0], "score": "x"}]}).encode(),
        json.dumps({**ANSWER, "hits": [{**HITS[0], "score": float("nan")}]}).encode(),
        json.dumps({**ANSWER, "hits": [{}]}).encode(),
    ],
)
def test_an_answer_that_is_none_is_told(service: Service, answer: bytes) -> None:
    service.answer = answer
    assert "answers" in refused("search", "red", "--server", service.address)


def test_a_refusal_is_told_with_its_detail(service: Service) -> None:
    service.status, service.answer = 422, b'{"detail": "there is no column \'x\'"}'
    assert "there is no column 'x'" in refused(
        "search", "red", "--where", "x = 1", "--server", service.address
    )
    service.status, service.answer = 401, b"<html>"
    assert "whole address" in refused("search", "red", "--server", service.address)
    service.status, service.answer = 503, b"{}"
    assert "try again in a moment" in refused("search", "red", "--server", service.address)


def test_no_redirect_is_followed(service: Service) -> None:
    with running() as other:
        service.status, service.headers = 302, {"Location": other.address}
        assert "refuses" in refused("search", "red", "--server", service.address)
        assert other.asked == []


def test_what_a_service_does_not_take_is_told_before_it_is_asked(service: Service) -> None:
    address = service.address
    assert "caption" in refused("search", "--caption", "x", "--server", address)
    assert "one picture" in refused("search", "--like", "a", "--like", "b", "--server", address)
    assert "says nothing" in refused("search", "--without", "x", "--server", address)
    assert "--dataset" in misused("search", "x", "--server", address, "--dataset", "d")
    assert service.asked == []


@pytest.mark.parametrize(
    "address", ["ftp://x/", "file:///etc/passwd", "localhost:80", "http://", "http://u:p@x/", "http://x/?a"]
)
def test_what_is_no_address_is_told(address: str) -> None:
    refused("search", "red", "--server", address)


def test_nobody_answers() -> None:
    assert "clipbench serve" in refused("search", "red", "--server", "http://127.0.0.1:9/")
