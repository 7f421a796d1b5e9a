"""Search by a running service: what is typed goes out as JSON, what it found comes back. Loads no model and no store.

The answer of a service is input like any other: limited in size, checked field by field, no redirect followed.
"""

from __future__ import annotations

import json
import math
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from clipbench.errors import ClipbenchError, PhotographError
from clipbench.foreign_files import read_foreign
from clipbench.keys import Json
from clipbench.study.searching.asking import Asked, Found, PictureFile, check_asked
from clipbench.study.searching.query import WITHOUT
from clipbench.study.searching.search import Hit, SearchResult

PATIENCE = 60.0
"""Seconds that an answer is waited for."""

LARGEST_ANSWER = 32 << 20
LARGEST_PICTURE = 10 << 20
"""Bytes of a picture that a service takes."""

STARTING = "clipbench serve --dataset NAME starts one and prints its address"


@dataclass(frozen=True)
class ServicePlace:
    """A service. root: its address without the token. token: None where it asks for none."""

    root: str
    token: str | None = None

    @property
    def secret(self) -> str | None:
        """The token."""
        return self.token

    @classmethod
    def at(cls, address: str, token: str | None = None) -> ServicePlace:
        """Return the service at an address as it is printed, its token the first part of the path.

        Raises ClipbenchError for what is no address of a service.
        """
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ClipbenchError(
                f"{address} is no address of a service", "--server http://127.0.0.1:PORT/TOKEN/"
            )
        if parts.username is not None or parts.password is not None:
            raise ClipbenchError(
                "an address with a password in it is not used", "put the token into the path"
            )
        named = parts.path.strip("/")
        return cls(urlunsplit((parts.scheme, parts.netloc, "", "", "")), named or token)

    def find(self, asked: Asked) -> Found:
        """Return what a query finds. Raises ClipbenchError for what a service cannot be asked, and where it fails."""
        _check(asked)
        said: dict[str, Json] = {"top": asked.top}
        if asked.words is not None:
            said |= {"text": asked.words, "text_weight": asked.weight("words")}
        if asked.without:
            said["without"] = list(asked.without)
        if asked.where is not None:
            said["where"] = asked.where
        if asked.images:
            picture = read_foreign(asked.images[0], LARGEST_PICTURE)
            said["image_weight"] = asked.weight("image")
            answer = self._ask("v1/search/image", *_form(said, picture))
        else:
            if asked.like:
                said |= {"like": asked.like[0], "like_weight": asked.weight("like")}
            answer = self._ask("v1/search/text", json.dumps(said).encode(), "application/json")
        result = _result(answer)
        if asked.min_score is not None:
            result = result.at_least(asked.min_score)
        cut = ("the model reads only the beginning of so long a text",) if answer.get("truncated") else ()
        model, dataset = str(answer.get("model")), str(answer.get("dataset"))
        return Found(asked, f"{dataset} at {urlsplit(self.root).netloc}", model, result, notes=cut)

    def picture(self, hit: Hit) -> PictureFile:
        """Return a small picture of a hit, as the service makes it. Raises PhotographError."""
        if hit.path is None:
            raise PhotographError("missing")
        try:
            return PictureFile(self._bytes(f"v1/items/{quote(hit.id, safe='')}/picture"))
        except ClipbenchError as error:
            raise PhotographError(error.message) from error

    def _ask(self, path: str, body: bytes, kind: str) -> Mapping[str, Any]:
        data = self._bytes(path, body, kind)
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ClipbenchError(f"{self.root} answers no JSON", STARTING) from error
        if not isinstance(answer, dict):
            raise ClipbenchError(f"{self.root} answers what no search service would", STARTING)
        return answer

    def _bytes(self, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        headers = {"Content-Type": kind} if body is not None else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        # The scheme was looked at when the place was made: no file is opened by this.
        request = urllib.request.Request(f"{self.root}/{path}", data=body, headers=headers)  # noqa: S310, http alone, checked above
        try:
            with _opener().open(request, timeout=PATIENCE) as answer:
                data = bytes(answer.read(LARGEST_ANSWER + 1))
        except urllib.error.HTTPError as error:
            raise ClipbenchError(f"{self.root} refuses: {_detail(error)}", _advice(error.code)) from error
        except (OSError, ValueError) as error:  # ValueError: what is no HTTP at all
            reason = getattr(error, "reason", error)
            raise ClipbenchError(f"no answer from {self.root}: {reason}", STARTING) from error
        if len(data) > LARGEST_ANSWER:
            raise ClipbenchError(f"{self.root} answers more than {LARGEST_ANSWER:,} bytes", STARTING)
        return data


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token is for the service that was named."""

    def redirect_request(self, *_: Any) -> None:
        """Return nothing, which makes an error of it."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirects)


def _check(asked: Asked) -> None:
    """Raise ClipbenchError for what a service does not take."""
    check_asked(asked)
    if asked.captions:
        raise ClipbenchError("a service is not asked by the id of a caption", "type its words")
    if len(asked.images) + len(asked.like) > 1:
        raise ClipbenchError(
            "a service takes one picture a search", "one --image or one --like, with words or not"
        )
    if asked.weight("without") != -WITHOUT:
        raise ClipbenchError("a service weighs what shall not be seen itself", "leave --weight without=X out")


def _form(fields: Mapping[str, Json], picture: bytes) -> tuple[bytes, str]:
    """Return fields and a picture as multipart/form-data, and its content type."""
    mark = secrets.token_hex(16)
    parts = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            parts.append(head.encode() + str(one).encode() + b"\r\n")
    head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n'
    parts.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + picture + b"\r\n")
    return b"".join(parts) + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def _result(answer: Mapping[str, Any]) -> SearchResult:
    try:
        hits = tuple(_hit(one) for one in answer["hits"])
        return SearchResult(hits, int(answer["searched"]), int(answer["gallery"]), None, None)
    except (KeyError, TypeError, ValueError) as error:
        raise ClipbenchError("the service answers what no search service would", STARTING) from error


def _hit(one: Mapping[str, Any]) -> Hit:
    percentile = one["percentile"]
    hit = Hit(
        rank=int(one["rank"]),
        score=float(one["score"]),
        id=str(one["id"]),
        caption=None if one["caption"] is None else str(one["caption"]),
        path=None if one["path"] is None else str(one["path"]),
        gap=float(one["gap"]),
        percentile=None if percentile is None else float(percentile),
    )
    if not all(map(math.isfinite, (hit.score, hit.gap, hit.percentile or 0.0))):
        raise ValueError("no finite number")
    return hit


def _detail(error: urllib.error.HTTPError) -> str:
    """Return what a refusal says: the detail of its problem (RFC 9457), else its status."""
    try:
        detail = json.loads(error.read(1 << 16))["detail"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return f"{error.code} {error.reason}"
    return " ".join(str(detail).split())[:300]


def _advice(status: int) -> str | None:
    if status in {401, 403}:
        return "--server takes the whole address that clipbench serve printed, token and all"
    return "try again in a moment" if status in {429, 503} else None
