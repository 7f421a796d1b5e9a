"""The API over HTTP: what is found is what exact search finds, and whatever is sent is answered, never with a crash."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from cli_toys import caption, draw, good, write_csv

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from service_toys import (
    BASE,
    SIZE,
    TOKEN,
    Slowed,
    client,
    collected,
    embedded,
    exact,
    png,
    toy_index_service,
    toy_service,
    words,
)
from starlette.testclient import TestClient

from clipbench.errors import ClipbenchError
from clipbench.search_service.application import Access, application
from clipbench.search_service.collection import check_fit
from clipbench.search_service.model import QueryModel
from clipbench.search_service.service import SearchService


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with 36 pictures, their columns and vectors; no test changes it."""
    folder = tmp_path_factory.mktemp("service")
    return embedded(folder)


@pytest.fixture
def service(home: Path) -> SearchService:
    return toy_service(home)


@pytest.fixture
def http(service: SearchService) -> Iterator[TestClient]:
    """A client of a service that nobody has asked yet."""
    with client(service) as asking:
        yield asking


@pytest.fixture(scope="module")
def shared_http(home: Path) -> Iterator[TestClient]:
    """A client of a service that all tests share that count nothing."""
    with client(toy_service(home)) as asking:
        yield asking


def test_a_search_finds_what_exact_search_finds(http: TestClient, service: SearchService) -> None:
    answer = http.post("/v1/search/text", json={"text": "a red field", "top": 5})
    assert answer.status_code == 200
    found = answer.json()
    assert np.allclose([hit["score"] for hit in found["hits"]], exact(service, "a red field", 5), atol=1e-6)
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3, 4, 5]
    assert (found["gallery"], found["searched"], found["dataset"]) == (SIZE, SIZE, "toys")
    first = found["hits"][0]
    assert first["gap"] == 0
    item = http.get(f"/v1/items/{first['id']}").json()
    assert item["captions"] == [first["caption"]]
    assert item["columns"]["colour"] == "red"
    assert http.get(first["picture"]).headers["content-type"] == "image/jpeg"


def test_a_picture_of_the_gallery_finds_itself(shared_http: TestClient) -> None:
    for number in (3, 17):
        form = {"top": "3"}
        answer = shared_http.post("/v1/search/image", files={"image": ("x", png(number))}, data=form)
        assert answer.json()["hits"][0]["id"] == f"p{number:03}.png"
        assert answer.json()["hits"][0]["score"] == pytest.approx(1, abs=1e-5)


def test_words_and_a_picture_and_what_shall_not_be_seen_go_together(shared_http: TestClient) -> None:
    def first(**form: Any) -> list[str]:
        answer = shared_http.post("/v1/search/image", files={"image": ("x", png(0))}, data=form)
        assert answer.status_code == 200, answer.text
        return [hit["id"] for hit in answer.json()["hits"]]

    alone = first()
    assert first(text="blue", text_weight="50") != alone
    assert first(text="blue", text_weight="0.0001") == alone
    assert first(without=["red", "green"]) != alone


def test_what_a_search_is_like_is_not_among_what_it_finds(shared_http: TestClient) -> None:
    found = shared_http.post("/v1/search/text", json={"like": "p004.png", "top": 1000}).json()
    assert len(found["hits"]) == SIZE - 1
    assert "p004.png" not in {hit["id"] for hit in found["hits"]}
    assert found["hits"][0]["id"] in {"p034.png", "p010.png", "p028.png", "p016.png", "p022.png"}


def test_a_filter_leaves_what_fulfils_it(shared_http: TestClient) -> None:
    asked = {"text": "green", "where": "colour = 'red' AND price < 20", "top": 50}
    found = shared_http.post("/v1/search/text", json=asked).json()
    assert sorted(hit["id"] for hit in found["hits"]) == ["p000.png", "p006.png", "p012.png", "p018.png"]
    assert (found["searched"], found["gallery"]) == (4, SIZE)
    nothing = shared_http.post("/v1/search/text", json={**asked, "where": "price > 1000"})
    assert (nothing.status_code, nothing.json()["hits"]) == (200, [])
    wrong = shared_http.post("/v1/search/text", json={**asked, "where": "color = 'red'"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid-query")
    assert "colour" in words(wrong.json())


def test_vectors_are_those_of_the_model(http: TestClient, service: SearchService) -> None:
    texts = ["a red field", "blue", "a red field"]
    answer = http.post("/v1/encode/text", json={"texts": texts}).json()
    assert np.allclose(answer["vectors"], service.model.source.encode_texts(texts), atol=1e-6)
    assert answer["truncated"] == [False] * 3
    image = http.post("/v1/encode/image", files={"image": ("x", png(5))}).json()
    assert np.allclose(image["vectors"][0], service.collection.gallery.vectors[5], atol=1e-5)


def test_a_text_longer_than_the_model_reads_is_said_to_be(shared_http: TestClient) -> None:
    assert shared_http.post("/v1/search/text", json={"text": "red " * 100}).json()["truncated"] is True
    assert shared_http.post("/v1/search/text", json={"text": "red"}).json()["truncated"] is False


def test_the_same_words_are_encoded_once(http: TestClient, service: SearchService) -> None:
    answers = [http.post("/v1/search/text", json={"text": "a blue field"}).json()["hits"] for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert (service.cache.hits, service.cache.misses) == (2, 1)


def test_pictures_are_small_and_kept(http: TestClient, service: SearchService) -> None:
    answer = http.get("/v1/items/p003.png/picture?size=16")
    assert answer.headers["cache-control"].startswith("private")
    tag = answer.headers["etag"]
    assert http.get("/v1/items/p003.png/picture?size=16", headers={"if-none-match": tag}).status_code == 304
    assert http.get("/v1/items/p003.png/picture?size=640").headers["etag"] != tag
    assert len(service.pictures._kept) == 2


def test_figures_and_metrics_say_what_happened(http: TestClient) -> None:
    http.post("/v1/search/text", json={"text": "red"})
    http.post("/v1/search/text", json={"text": ""})
    stats = http.get("/stats").json()
    assert (stats["model"], stats["dataset"], stats["gallery"]) == ("toy", "toys", SIZE)
    assert (stats["requests"], stats["refused"]) == (2, 1)
    assert stats["columns"] == ["colour", "price"]
    assert 0 < stats["p50"] <= stats["p99"]
    assert stats["batches"]["text"]["items"] == 1
    text = http.get("/metrics").text
    assert 'clipbench_requests_total{route="/v1/search/text",status="200"} 1.0' in text
    assert 'clipbench_requests_total{route="/v1/search/text",status="422"} 1.0' in text
    assert f"clipbench_gallery_items {SIZE}.0" in text
    assert "red" not in text


def test_the_description_has_every_route_with_an_example(shared_http: TestClient) -> None:
    told = shared_http.get("/openapi.json").json()
    routes = {f"{verb} {path}" for path, verbs in told["paths"].items() for verb in verbs}
    assert {"post /v1/search/text", "post /v1/search/image", "post /v1/encode/text", "post /v1/encode/image",
            "get /v1/items/{id}", "get /v1/items/{id}/picture", "post /v1/reload", "get /stats",
            "get /metrics", "get /healthz", "get /readyz"} == routes  # fmt: skip
    assert told["components"]["schemas"]["TextSearch"]["examples"]
    assert told["components"]["securitySchemes"][next(iter(told["security"][0]))]["scheme"] == "bearer"


def test_a_bug_is_a_problem_without_a_traceback(http: TestClient, service: SearchService) -> None:
    service.collection = None  # type: ignore[assignment]  # what no code of ours does
    answer = http.post("/v1/search/text", json={"text": "red"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "Traceback" not in answer.text
    assert "NoneType" not in answer.text


def asked_at_once(app: Any, bodies: list[dict[str, Any]], *, leave: int = 0) -> list[Any]:
    """Ask everything at once; of every `leave` requests one is given up before its answer."""

    async def main() -> list[Any]:
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(
            transport=transport, base_url=BASE, headers=headers, timeout=60
        ) as asking:
            tasks = [asyncio.ensure_future(asking.post("/v1/search/text", json=body)) for body in bodies]
            await asyncio.sleep(0.005)
            for number, task in enumerate(tasks):
                if leave and number % leave == leave - 1:
                    task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(main())


def test_every_answer_of_many_at_once_is_that_of_exact_search(service: SearchService) -> None:
    """Answers of one batch, of the cache and beside clients that leave: none is another's."""
    texts = [caption(n % 50) for n in range(300)]
    wanted = {text: exact(service, text, 7) for text in set(texts)}
    service = SearchService(QueryModel(service.model.source, 16, 4), service.opener, service.collection)
    app = application(service, Access((TOKEN,)))
    service.encoder.most_waiting = service.searcher.most_waiting = 1000
    service.start()
    try:
        answers = asked_at_once(app, [{"text": text, "top": 7} for text in texts], leave=10)
    finally:
        service.close()
    left = 0
    for text, answer in zip(texts, answers, strict=True):
        if isinstance(answer, BaseException):
            left += 1
            continue
        assert answer.status_code == 200
        assert np.allclose([hit["score"] for hit in answer.json()["hits"]], wanted[text], atol=1e-5)
    assert left == 30
    assert service.encoder.figures()["text"].batches < service.encoder.figures()["text"].items


def test_above_256_waiting_a_client_is_asked_to_come_back(service: SearchService) -> None:
    gate = threading.Event()
    slow = SearchService(Slowed(service.model, gate), service.opener, service.collection)  # type: ignore[arg-type]
    app = application(slow, Access((TOKEN,)))
    slow.start()
    threading.Timer(1.5, gate.set).start()
    try:
        answers = asked_at_once(app, [{"text": f"text {n}"} for n in range(300)])
    finally:
        slow.close()
    refused = [answer for answer in answers if answer.status_code == 503]
    answered = [answer for answer in answers if answer.status_code == 200]
    assert 256 <= len(answered) <= 256 + 32  # and those of the batch that ran
    assert len(answered) + len(refused) == 300
    assert all(1 <= int(answer.headers["retry-after"]) <= 30 for answer in refused)
    assert refused[0].json()["code"] == "busy"


def test_a_reload_takes_up_what_the_store_has_by_then(tmp_path: Path, own_home: Path) -> None:
    collected(tmp_path, 12)
    service = toy_service(own_home)
    with client(service) as http:
        same = http.post("/v1/reload").json()
        assert (same["changed"], same["gallery"]) == (False, 12)
        names = draw(tmp_path / "more", 20)
        table = write_csv(tmp_path / "more.csv", [(n, caption(i)) for i, n in enumerate(names)])
        good("dataset", "add", "toys", "--captions", table, "--images", tmp_path / "more", "-q", "--replace")
        assert http.get("/stats").json()["gallery"] == 12
        assert http.post("/v1/reload").json() == {
            "dataset": "toys", "gallery": 20, "key": service.collection.key, "changed": True
        }  # fmt: skip
        found = http.post("/v1/search/text", json={"text": caption(15), "top": 50}).json()
        assert len(found["hits"]) == 20


def test_a_reload_of_what_is_unfit_leaves_the_old(tmp_path: Path, own_home: Path) -> None:
    collected(tmp_path, 12)
    service = toy_service(own_home)
    old = service.collection
    with client(service) as http:
        before = http.post("/v1/search/text", json={"text": "red"}).json()["hits"]
        for vectors in sorted((own_home / "embeddings").rglob("*.h5")):
            data = bytearray(vectors.read_bytes())
            data[len(data) // 2 :] = b"\0" * (len(data) - len(data) // 2)
            vectors.chmod(0o644)
            vectors.write_bytes(data)
        answer = http.post("/v1/reload")
        assert (answer.status_code, answer.json()["code"]) == (409, "unfit")
        assert service.collection is old
        assert http.post("/v1/search/text", json={"text": "red"}).json()["hits"] == before
        assert http.get("/readyz").status_code == 200
        assert 'clipbench_reloads_total{outcome="unfit"} 1.0' in http.get("/metrics").text


@pytest.fixture
def indexed(tmp_path: Path, own_home: Path) -> SearchService:
    """A service of a stored HNSW index."""
    pytest.importorskip("faiss", reason="the index extra is not installed")
    collected(tmp_path, SIZE)
    good("index", "build", "toys", "--model", "toy", "--type", "hnsw", "--name", "near", "-q")
    return toy_index_service(own_home, "near")


def test_a_stored_index_finds_what_exact_search_finds(indexed: SearchService) -> None:
    with client(indexed) as http:
        found = http.post("/v1/search/text", json={"text": "a red field", "top": 5}).json()
        scores = [hit["score"] for hit in found["hits"]]
        assert np.allclose(scores, exact(indexed, "a red field", 5), atol=1e-5)
        assert {hit["percentile"] for hit in found["hits"]} == {None}  # not all of it was looked at
        filtered = http.post(
            "/v1/search/text", json={"text": "red", "where": "colour = 'blue'", "top": 50}
        ).json()
        assert len(filtered["hits"]) == SIZE // 6
        assert "near" in http.get("/stats").json()["index"]


def test_an_index_that_is_damaged_meanwhile_leaves_the_old(indexed: SearchService, own_home: Path) -> None:
    with client(indexed) as http:
        before = http.post("/v1/search/text", json={"text": "red"}).json()["hits"]
        old = indexed.collection
        (file,) = [path for path in (own_home / "indexes").rglob("*") if path.is_file()]
        file.chmod(0o644)
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        answer = http.post("/v1/reload")
        assert (answer.status_code, answer.json()["code"]) == (409, "unfit")
        assert indexed.collection is old
        assert http.post("/v1/search/text", json={"text": "red"}).json()["hits"] == before


def test_a_gallery_that_does_not_find_its_own_is_unfit(service: SearchService) -> None:
    gallery = service.collection.gallery
    check_fit(service.collection, service.model.key)
    with pytest.raises(ClipbenchError, match="another model"):
        check_fit(service.collection, "encoder:another")
    shuffled = replace(gallery, vectors=gallery.vectors[::-1].copy())
    with pytest.raises(ClipbenchError, match="does not find"):
        check_fit(replace(service.collection, gallery=shuffled), service.model.key)
    longer = replace(gallery, vectors=gallery.vectors * np.float32(1.1))
    with pytest.raises(ClipbenchError, match="damaged"):
        check_fit(replace(service.collection, gallery=longer), service.model.key)
