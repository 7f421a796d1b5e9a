"""What a request may cost before it is parsed, and who may make one: driven as a server drives it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from clipbench.errors import ClipbenchError
from clipbench.search_service.entrance import TOKEN, Entrance, checked_tokens
from clipbench.search_service.limits import BodyLimits, Limited
from clipbench.search_service.rates import Rates

KEY = "a-token-of-the-tests"
OTHER = "another-token-of-these"
LIMITS = BodyLimits(picture=1000, other=100, seconds=0.2, together=2500)


class Asked:
    """One request of a fake server. parts: of the body, a number is a pause in seconds, None the client leaving."""

    def __init__(self, parts: Sequence[bytes | float | None], **how: Any) -> None:
        headers = {"host": "127.0.0.1", **how.pop("headers", {})}
        self.scope = {
            "type": "http",
            "method": how.pop("method", "POST"),
            "path": how.pop("path", "/v1/search/text"),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        self.parts = list(parts)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        while self.parts and isinstance(self.parts[0], float):
            await asyncio.sleep(self.parts[0])
            self.parts.pop(0)
        if not self.parts:
            await asyncio.sleep(60)
        part = self.parts.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        more = any(isinstance(later, bytes) for later in self.parts)
        return {"type": "http.request", "body": part, "more_body": more}

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    def through(self, app: Any) -> "Asked":
        asyncio.run(asyncio.wait_for(app(self.scope, self.receive, self.send), 10))
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"]) if self.sent else 0

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def code(self) -> str:
        return str(json.loads(self.sent[1]["body"])["code"])


class Behind:
    """An app that reads a body and answers with its length; it can be slow, and notes when it is cancelled."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.bodies: list[bytes] = []
        self.cancelled = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] != "GET":
            message = await receive()
            assert not message["more_body"]
            self.bodies.append(message["body"])
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


JSON = {"content-type": "application/json"}
PICTURE = {"content-type": "multipart/form-data; boundary=x"}


def test_a_body_within_the_limits_arrives_in_one_piece() -> None:
    behind = Behind()
    assert Asked([b"a" * 40, 0.01, b"b" * 60], headers=JSON).through(Limited(behind, LIMITS)).status == 200
    assert behind.bodies == [b"a" * 40 + b"b" * 60]


@pytest.mark.parametrize(
    ("headers", "length", "status"),
    [(JSON, 100, 200), (JSON, 101, 413), ({}, 101, 413), (PICTURE, 1000, 200), (PICTURE, 1001, 413)],
)
@pytest.mark.parametrize("how", ["announced", "in pieces"])
def test_beyond_its_length_a_body_is_refused_announced_or_not(
    headers: dict[str, str], length: int, status: int, how: str
) -> None:
    behind = Behind()
    said = {**headers, "content-length": str(length)} if how == "announced" else headers
    asked = Asked([b"x" * (length // 2), b"x" * (length - length // 2)], headers=said)
    asked.through(Limited(behind, LIMITS))
    assert asked.status == status
    assert len(behind.bodies) == (status == 200)
    if status == 413:
        assert asked.code == "body-too-large"
        assert asked.headers[b"content-type"] == b"application/problem+json"


def test_who_asks_before_sending_too_much_is_refused_without_a_byte() -> None:
    headers = {**JSON, "content-length": "99999999999999999999999999", "expect": "100-continue"}
    assert Asked([], headers=headers).through(Limited(Behind(), LIMITS)).status == 413


@pytest.mark.parametrize("parts", [[b"a", 5.0, b"b"], [5.0, b"b"], [b"a", 0.15, b"b", 0.15, b"c"]])
def test_a_body_that_takes_too_long_is_given_up_however_it_dawdles(parts: list[bytes | float]) -> None:
    behind = Behind()
    asked = Asked(parts, headers=JSON).through(Limited(behind, LIMITS))
    assert (asked.status, asked.code) == (408, "slow-body")
    assert asked.headers[b"connection"] == b"close"
    assert behind.bodies == []


def test_a_large_body_that_comes_slowly_is_given_up_too() -> None:
    asked = Asked([b"a", 5.0, b"b"], headers={**JSON, "content-length": "5000"})
    assert asked.through(Limited(Behind(), LIMITS)).status == 408


def test_bodies_together_stay_within_the_memory_there_is() -> None:
    limited = Limited(Behind(0.2), LIMITS)
    asked = [Asked([b"x" * 900], headers=PICTURE) for _ in range(4)]

    async def main() -> None:
        await asyncio.gather(*(limited(one.scope, one.receive, one.send) for one in asked))

    asyncio.run(main())
    assert [one.status for one in asked] == [200, 200, 503, 503]
    assert asked[3].headers[b"retry-after"] == b"1"
    assert Asked([b"x" * 900], headers=PICTURE).through(limited).status == 200  # all was given back


@pytest.mark.parametrize("leaving", [[b"a", None], [b"a" * 20, 0.05, None]])
def test_work_for_a_client_that_left_is_cancelled(leaving: list[Any]) -> None:
    behind = Behind(20.0)
    asked = Asked(leaving, headers=JSON).through(Limited(behind, LIMITS))
    assert behind.cancelled
    assert asked.sent == []


def test_a_client_that_leaves_while_it_sends_reaches_nobody() -> None:
    behind = Behind()

    class Half(Asked):
        async def receive(self) -> dict[str, Any]:
            return {**await super().receive(), "more_body": True}

    Half([b"half", None], headers=JSON).through(Limited(behind, LIMITS))
    assert behind.bodies == []


def entrance(rate: float = 0.0) -> Entrance:
    return Entrance(Behind(), (KEY, OTHER), Rates(rate), ("clipbench.example",))


def get(path: str = "/stats", **headers: str) -> Asked:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Asked([b""], method="GET", path=path, headers=named).through(entrance())


def post(path: str = "/v1/search/text", **headers: str) -> Asked:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Asked([b"{}"], path=path, headers=named).through(entrance())


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_a_token_opens_as_a_header_or_in_the_address(key: str) -> None:
    assert get(authorization=f"Bearer {key}").status == 200
    assert get(authorization=f"bearer  {key}").status == 200
    assert get(x_clipbench_token=key).status == 200
    assert post(authorization=f"Bearer {key}").status == 200
    page = get(f"/{key}/")
    assert (page.status, page.scope["root_path"], page.scope[TOKEN]) == (200, f"/{key}", key)


@pytest.mark.parametrize(
    "path", ["/", "/stats", "/v1/search/text", "/a-token-of-the-testsx/", "//", "/metrics"]
)
@pytest.mark.parametrize("said", ["", "Bearer", f"Bearer {KEY}x", f"Basic {KEY}", "Bearer é"])
def test_without_the_token_there_is_nothing(path: str, said: str) -> None:
    asked = get(path, authorization=said) if said else get(path)
    assert (asked.status, asked.code) == (401, "no-token")
    assert asked.headers[b"www-authenticate"] == b"Bearer"


def test_for_more_than_looking_a_token_in_the_address_is_not_enough() -> None:
    assert post(f"/{KEY}/results").status == 401
    assert post(f"/{KEY}/results", x_clipbench_token=OTHER).status == 401
    assert post(f"/{KEY}/results", x_clipbench_token=KEY).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]:1"])
def test_another_host_name_is_refused_though_the_token_is_right(host: str) -> None:
    asked = get(host=host, authorization=f"Bearer {KEY}")
    assert (asked.status, asked.code) == (403, "wrong-host")


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:80", "Clipbench.Example:8766"])
def test_this_machine_goes_by_several_names(host: str) -> None:
    assert get(host=host, authorization=f"Bearer {KEY}").status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9", "https://localhost"])
def test_a_page_of_another_origin_is_refused_though_the_token_is_right(origin: str) -> None:
    asked = post(origin=origin, authorization=f"Bearer {KEY}")
    assert (asked.status, asked.code) == (403, "wrong-origin")
    assert post(origin="http://127.0.0.1", authorization=f"Bearer {KEY}").status == 200


def test_another_site_may_link_to_the_page_and_no_more() -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert get(f"/{KEY}/", **link).status == 200
    assert get(f"/{KEY}/v1/items/a/picture", **{**link, "sec_fetch_dest": "image"}).status == 403
    assert get(f"/{KEY}/", **{**link, "sec_fetch_dest": "iframe"}).status == 403


def test_whether_it_runs_is_open_to_all() -> None:
    assert get("/healthz", host="10.0.0.7").status == 200
    assert get("/readyz", host="10.0.0.7").status == 200


def test_a_token_makes_no_more_requests_than_it_may() -> None:
    app = entrance(rate=1.0)
    asked = [
        Asked([b""], method="GET", path="/stats", headers={"authorization": f"Bearer {KEY}"}).through(app)
        for _ in range(6)
    ]
    assert [one.status for one in asked] == [200] * 5 + [429]
    assert asked[5].headers[b"retry-after"] == b"1"
    other = Asked([b""], method="GET", headers={"authorization": f"Bearer {OTHER}"})
    assert other.through(app).status == 200


def test_every_answer_has_the_headers_that_keep_others_out() -> None:
    for asked in (get(), get(authorization=f"Bearer {KEY}")):
        policy = asked.headers[b"content-security-policy"]
        assert b"default-src 'none'" in policy
        assert b"unsafe" not in policy
        assert asked.headers[b"x-content-type-options"] == b"nosniff"
        assert asked.headers[b"referrer-policy"] == b"no-referrer"


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 129, "a/b" * 8, "ümlaut-ümlaut-ümlaut", "a b c d e f g h i"]
)
def test_a_token_that_is_easily_guessed_or_no_part_of_an_address_is_refused(token: str) -> None:
    with pytest.raises(ClipbenchError, match="16 to 128"):
        checked_tokens([token])


def test_a_websocket_is_closed() -> None:
    asked = Asked([])
    asked.scope["type"] = "websocket"
    asked.through(entrance())
    assert asked.sent == [{"type": "websocket.close", "code": 1008}]
