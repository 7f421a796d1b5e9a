"""Who may talk to the service: the right host, the service's own pages, a token, and no more often than allowed.

A program sends its token as `Authorization: Bearer TOKEN`. A browser has it as the first part of the address,
and for everything but looking as a header as well, which no form or link of another site can send.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress

from clipbench.errors import ClipbenchError
from clipbench.search_service.limits import refuse
from clipbench.search_service.problems import Problem, retry_later
from clipbench.search_service.rates import Rates
from clipbench.serving.guards import (
    HEADERS,
    LOCAL,
    TOKEN_HEADER,
    App,
    Message,
    Receive,
    Send,
    drained,
    host_fits,
    with_headers,
)

OPEN_TO_ALL = frozenset({"/healthz", "/readyz"})
"""What says whether the service runs, and nothing else; orchestrators ask it by an address of their own."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
ANSWER_HEADERS = (
    *(pair for pair in HEADERS if pair[0] != b"content-security-policy"),
    (b"content-security-policy", POLICY.encode()),
)
LOOKING = frozenset({"GET", "HEAD"})
PATIENCE = 10.0
"""Seconds that the body of a refused request is waited for."""

TOKEN = "clipbench.token"  # noqa: S105, the name of a place, no password
"""Where in the scope the token of a request that was let in is."""

_TOKEN_SHAPE = re.compile(r"[A-Za-z0-9_-]{16,128}")


def checked_tokens(tokens: Sequence[str]) -> tuple[str, ...]:
    """Return tokens that can stand in an address. Raises ClipbenchError for one that cannot, or is easily guessed."""
    for token in tokens:
        if not _TOKEN_SHAPE.fullmatch(token):
            raise ClipbenchError(
                "a token has 16 to 128 letters, digits, hyphens or underscores",
                'python -c "import secrets; print(secrets.token_urlsafe(16))"',
            )
    return tuple(dict.fromkeys(tokens))


class Entrance:
    """An ASGI app that lets only fitting requests through to another, and adds the headers to every answer."""

    def __init__(self, app: App, tokens: Sequence[str], rates: Rates, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._tokens = checked_tokens(tokens)
        self._rates = rates
        self._hosts = LOCAL | {host.casefold() for host in hosts}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer 401, 403 or 429 where a request may not come in, else hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        problem = None if scope["path"] in OPEN_TO_ALL else self._problem(scope)
        if problem is None:
            await self._app(scope, receive, with_headers(send, ANSWER_HEADERS))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await drained(receive)
        await refuse(problem, with_headers(send, ANSWER_HEADERS))

    def _problem(self, scope: Message) -> Problem | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"")
        if not host_fits(host, self._hosts):
            return Problem(403, "wrong-host", "this host name is not the one that clipbench serves under")
        if not _same_origin(headers, host):
            return Problem(403, "wrong-origin", "pages of other sites may not use this service")
        token = self._token(scope, headers)
        if token is None:
            return Problem(
                401,
                "no-token",
                "use the whole address that clipbench printed, or send the token as Authorization: Bearer TOKEN",
                headers={"www-authenticate": "Bearer"},
            )
        scope[TOKEN] = token
        seconds = self._rates.wait(token)
        if seconds:
            rate = f"{self._rates.per_second:g} requests a second"
            return retry_later(429, "too-often", f"this token may make {rate}", seconds)
        return None

    def _token(self, scope: Message, headers: dict[bytes, bytes]) -> str | None:
        """Return the token that a request has; one in the path becomes the root that addresses begin with."""
        kind, _, said = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        in_header = headers.get(TOKEN_HEADER, b"").decode("latin-1")
        if kind.casefold() == "bearer":
            return self._known(said.strip())
        path = str(scope["path"])
        first = path.removeprefix("/").partition("/")[0]
        in_path = self._known(first)
        if in_path is None:
            return self._known(in_header)
        if scope["method"] not in LOOKING and self._known(in_header) != in_path:
            return None
        scope["root_path"] = f"/{first}"  # what addresses on the page begin with
        return in_path

    def _known(self, said: str) -> str | None:
        """Return the token that is said, compared in the time that any other takes."""
        known = None
        for token in self._tokens:
            if secrets.compare_digest(token.encode(), said.encode()):
                known = token
        return known


def _same_origin(headers: dict[bytes, bytes], host: bytes) -> bool:
    """Whether a request comes from a page of this service, or from no page at all."""
    if headers.get(b"sec-fetch-site", b"same-origin") == b"cross-site":
        # A link that somebody was sent is followed; what it leads to is looked at, not used.
        return headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
    origin = headers.get(b"origin")
    return origin is None or origin.lower().partition(b"://")[2] == host.lower()
