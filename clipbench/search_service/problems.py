"""Errors as problem details (RFC 9457): what is wrong, in one sentence, and nothing of how the program is made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from clipbench.keys import Json

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """One refusal. code: a word for programs, stable. detail: a sentence for people. more: further members.

    headers: what the answer carries beside its kind, such as Retry-After.
    """

    status: int
    code: str
    detail: str
    more: Mapping[str, Json] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Return the problem as JSON: ASCII, for what people typed may be no whole Unicode text."""
        members = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.more,
        }
        return json.dumps(members, ensure_ascii=True, allow_nan=False).encode()

    def all_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers of the answer; a problem of now is not kept for later."""
        told = {"content-type": MEDIA_TYPE, "cache-control": "no-store", **self.headers}
        return tuple((name.encode(), value.encode()) for name, value in told.items())


class ProblemError(Exception):
    """Raised where a request cannot be answered otherwise."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def retry_later(status: int, code: str, detail: str, seconds: int) -> Problem:
    """Return a problem that goes away by itself."""
    return Problem(status, code, detail, headers={"retry-after": str(seconds)})


def invalid(errors: Sequence[Mapping[str, object]]) -> Problem:
    """Return what pydantic found wrong with a request, without what was sent: that may be no JSON at all.

    Each error has a pointer (RFC 6901) into the request and a sentence.
    """
    told: list[Json] = [
        {"pointer": _pointer(error.get("loc")), "detail": str(error.get("msg"))} for error in errors
    ]
    first = told[0] if told else {}
    words = (
        f"{first['pointer'] or 'the request'}: {first['detail']}" if isinstance(first, dict) and first else ""
    )
    return Problem(422, "invalid-request", words or "the request is not valid", {"errors": told})


def _pointer(location: object) -> str:
    parts = location if isinstance(location, Sequence) and not isinstance(location, str) else ()
    named = [str(part) for part in parts]
    if named and named[0] == "body":
        named = named[1:]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in named)
