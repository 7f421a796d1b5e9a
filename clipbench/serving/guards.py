"""Who may talk to the page: the right host, the token in the address, and for changes the token as a header.

The token in the path keeps other users of the machine out. The host check keeps a web site out that points
its own name at this machine. A change must also carry the token as a header of our own, which no form or
link of another site can do, and which is never sent to one.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

TOKEN_HEADER = b"x-clipbench-token"
LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)

FORM_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    *(pair for pair in HEADERS if pair[0] != b"content-security-policy"),
    (b"content-security-policy", POLICY.replace("form-action 'none'", "form-action 'self'").encode()),
)
"""The same for pages with forms that ask this server."""

MOST_UNREAD = 1024 * 1024
"""Bytes of a refused request that are waited for; whoever sends more loses the answer."""

REFUSED = b"Use the whole address that clipbench printed in the terminal: this one lacks its key.\n"
WRONG_HOST = b"This host name is not the one that clipbench serves under.\n"


class Guarded:
    """An ASGI app that lets only the right host and the right token through to another."""

    def __init__(
        self,
        app: App,
        token: str,
        hosts: Iterable[str] = (),
        headers: Iterable[tuple[bytes, bytes]] = HEADERS,
    ) -> None:
        self._app = app
        self._headers = tuple(headers)
        self._token = token.encode()
        self._hosts = LOCAL | {host.casefold() for host in hosts}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer 403 for a wrong host or token, else hand the request on; add the headers to every answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not host_fits(headers.get(b"host", b""), self._hosts):
            await _refuse(receive, send, WRONG_HOST)
        elif not self._token_fits(scope, headers):
            await _refuse(receive, send, REFUSED)
        else:
            await self._app(scope, receive, with_headers(send, self._headers))

    def _token_fits(self, scope: Message, headers: dict[bytes, bytes]) -> bool:
        in_path = str(scope["path"]).split("/")[1].encode() if "/" in str(scope["path"]) else b""
        if not secrets.compare_digest(in_path, self._token):
            return False
        if scope["method"] in {"GET", "HEAD"}:
            return True
        return secrets.compare_digest(headers.get(TOKEN_HEADER, b""), self._token)


def host_fits(host: bytes, hosts: Collection[str]) -> bool:
    """Whether a Host header, its port aside, is one of these names; all in small letters.

    >>> host_fits(b"LocalHost:80", LOCAL), host_fits(b"[::1]:80", LOCAL), host_fits(b"evil.example", LOCAL)
    (True, True, False)
    """
    name = host.decode("latin-1").casefold()
    bare = name if name.endswith("]") else name.rpartition(":")[0] or name
    return bare in hosts


async def drained(receive: Receive) -> None:
    """Let a refused body come: a connection closed on unread bytes loses the answer."""
    unread = MOST_UNREAD
    while unread > 0:
        message = await receive()
        unread -= len(message.get("body", b""))
        if not message.get("more_body", False):
            break


def with_headers(send: Send, headers: Iterable[tuple[bytes, bytes]] = HEADERS) -> Send:
    """Return a way to send that adds these headers to the answer."""
    added = tuple(headers)

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *added]
        await send(message)

    return dressed


async def _refuse(receive: Receive, send: Send, words: bytes) -> None:
    """Answer 403."""
    await drained(receive)
    start: Message = {
        "type": "http.response.start",
        "status": 403,
        "headers": [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS],
    }
    await send(start)
    await send({"type": "http.response.body", "body": words})
