"""What a request's body may cost, decided before anything of it is parsed: bytes, seconds, memory of all together.

A body is read here, whole and within its limits, and handed on in one piece. While it is answered the connection
is watched: where the client leaves, the work for it is cancelled.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from clipbench.search_service.problems import Problem, retry_later
from clipbench.serving.guards import App, Message, Receive, Send, drained

MIB = 1 << 20
WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
LARGE_KINDS = ("multipart/form-data", "image/")
"""Content types that may hold a picture."""


@dataclass(frozen=True)
class BodyLimits:
    """How much is read at most.

    picture: bytes of a body that may hold a picture. other: bytes of any other, JSON for one. seconds: in which
    a body has to arrive. together: bytes of all bodies that are held at once.
    """

    picture: int = 10 * MIB
    other: int = 64 * 1024
    seconds: float = 10.0
    together: int = 256 * MIB


LEFT = "clipbench.left"
"""Set in the scope of a request whose client left while it sent."""


class Limited:
    """An ASGI app that reads bodies within limits for another, and tells it when the client leaves."""

    def __init__(self, app: App, limits: BodyLimits) -> None:
        self._app = app
        self._limits = limits
        self._held = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer 408, 413 or 503 for a body beyond the limits, else hand the request on."""
        if scope["type"] != "http" or scope["method"] in WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            problem = await self._read(scope, receive, body)
            if problem is not None:
                await refuse(problem, send)
            elif not scope.get(LEFT):
                await _answered(self._app, scope, receive, send, bytes(body))
        finally:
            self._held -= len(body)

    async def _read(self, scope: Message, receive: Receive, body: bytearray) -> Problem | None:
        """Fill `body`; return what is wrong with it."""
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").decode("latin-1").casefold().strip()
        most = self._limits.picture if kind.startswith(LARGE_KINDS) else self._limits.other
        announced = headers.get(b"content-length", b"0")
        try:
            async with asyncio.timeout(self._limits.seconds):
                if announced.isdigit() and int(announced[:20]) > most:
                    if headers.get(b"expect", b"").lower() != b"100-continue":
                        await drained(receive)
                    return _too_large(most)
                return await self._collect(scope, receive, body, most)
        except TimeoutError:
            detail = f"the body did not arrive within {self._limits.seconds:g} seconds"
            return Problem(408, "slow-body", detail, headers={"connection": "close"})

    async def _collect(self, scope: Message, receive: Receive, body: bytearray, most: int) -> Problem | None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                scope[LEFT] = True
                return None
            part = message.get("body", b"")
            problem = None
            if len(body) + len(part) > most:
                problem = _too_large(most)
            elif self._held + len(part) > self._limits.together:
                problem = retry_later(503, "bodies-full", "too much is being sent at once", 1)
            if problem is not None:
                if message.get("more_body", False):
                    await drained(receive)
                return problem
            body += part
            self._held += len(part)
            if not message.get("more_body", False):
                return None


def _too_large(most: int) -> Problem:
    shown = f"{most // MIB} MiB" if most >= MIB else f"{most // 1024} KiB"
    return Problem(413, "body-too-large", f"the body is larger than {shown}", headers={"connection": "close"})


async def refuse(problem: Problem, send: Send) -> None:
    """Answer with a problem."""
    body = problem.body()
    headers = [*problem.all_headers(), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answered(app: App, scope: Message, receive: Receive, send: Send, body: bytes) -> None:
    """Let the app answer; cancel it where the client leaves before the answer is sent."""
    given = sent = False
    watch = asyncio.ensure_future(_gone(receive))

    async def replay() -> Message:
        nonlocal given
        if given:
            await asyncio.shield(watch)
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def noted(message: Message) -> None:
        nonlocal sent
        await send(message)
        sent = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def answer() -> None:
        await app(scope, replay, noted)

    answering = asyncio.ensure_future(answer())
    try:
        await asyncio.wait({answering, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not sent:  # a server says "disconnect" after the answer too
            answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering
    finally:
        answering.cancel()
        watch.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
