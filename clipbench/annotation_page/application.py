"""The annotation page over HTTP: Starlette routes around a `Session`, every choice stored before the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from clipbench.annotation_page.pages import asset, script, served_page
from clipbench.errors import ClipbenchError
from clipbench.serving.guards import MOST_UNREAD, App, Guarded
from clipbench.serving.listening import require_server
from clipbench.study.annotation.pictures import jpeg, photograph
from clipbench.study.annotation.session import Session, choose, page_data, pair_places, people

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LARGEST_BODY = 64 * 1024
PICTURE_SIDE = 1024
CACHED = 256
"""Pictures kept ready: the next ones are fetched while the present one is looked at."""

SIDES = {"left": 0, "right": 1}


def application(
    session: Session, token: str, *, annotator: str | None = None, hosts: tuple[str, ...] = ()
) -> App:
    """Return the ASGI app of a session. annotator: the only one who may label; hosts: other names of this machine."""
    require_server("clipbench annotate export-page (needs neither)")
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    handlers = _Handlers(session, annotator)
    picture = lru_cache(CACHED)(handlers.picture)

    def pictured(request: Request) -> Response:
        params = request.path_params
        body = picture(params["item"], params["side"])
        if body is None:
            return Response("there is no such picture\n", 404)
        return Response(body, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    routes = [
        Route(f"/{token}/", _text(served_page, "text/html")),
        Route(f"/{token}/page.js", _text(script, "text/javascript")),
        Route(f"/{token}/page.css", _text(lambda: asset("page.css"), "text/css")),
        Route(f"/{token}/icon.svg", _text(lambda: asset("icon.svg"), "image/svg+xml")),
        Route(f"/{token}/api/start", handlers.start),
        Route(f"/{token}/api/items", handlers.items),
        Route(f"/{token}/api/label", handlers.label, methods=["POST"]),
        Route(f"/{token}/picture/{{item:str}}/{{side:str}}.jpg", pictured),
    ]
    return Guarded(Starlette(routes=routes), token, hosts)


class _Handlers:
    """What each address does; the store is used in worker threads, where waiting for the disk is no harm."""

    def __init__(self, session: Session, annotator: str | None) -> None:
        self._session = session
        self._only = annotator
        self._tasks = {task.failure.key.partition(":")[2]: task for task in session.everything}

    def start(self, request: Request) -> Response:
        """Tell who may label and how far they are."""
        del request
        if self._only is None:
            listed, free = people(self._session), not self._session.annotators
        else:
            listed, free = (
                [p for p in people(self._session) if isinstance(p, dict) and p["name"] == self._only],
                False,
            )
            if not listed:
                listed = [{"name": self._only, "total": len(self._session.tasks(self._only)), "done": 0}]
        title = f"{self._session.dataset.name}: {len(self._session.failures)} captions that went wrong"
        return _json({"title": title, "people": listed, "free": free})

    def items(self, request: Request) -> Response:
        """Tell everything that one annotator sees."""
        return self._answered(
            lambda: page_data(self._session, self._allowed(request.query_params.get("annotator")))
        )

    async def label(self, request: Request) -> Response:
        """Store one choice, and answer when it is on the disk."""
        from starlette.concurrency import run_in_threadpool

        body, length = b"", 0
        async for part in request.stream():
            length += len(part)
            if length > MOST_UNREAD:
                break
            body += part if length <= LARGEST_BODY else b""
        if length > LARGEST_BODY:
            return _json({"error": "that is too much for one label"}, 413)
        return await run_in_threadpool(self._answered, lambda: self._store(body))

    def _store(self, body: bytes) -> dict[str, bool]:
        try:
            given = json.loads(body)
        except (ValueError, RecursionError):
            raise ClipbenchError("that is no JSON") from None
        names = ("annotator", "item", "category", "subtype", "note")
        if not isinstance(given, dict) or not all(isinstance(given.get(n), str | None) for n in names):
            raise ClipbenchError("a label is an object of texts")
        said = (given.get("category"), given.get("subtype"))
        choose(
            self._session,
            self._allowed(given.get("annotator")),
            given.get("item") or "",
            said,
            given.get("note") or "",
        )
        return {"saved": True}

    def _allowed(self, name: str | None) -> str:
        if not name or (self._only is not None and name != self._only):
            raise ClipbenchError(f"this page is for {self._only or 'named annotators'} only")
        return name

    def _answered(self, act: Callable[[], Any]) -> Response:
        """Answer with what `act` returns, or with the reason it cannot."""
        try:
            return _json(act())
        except ClipbenchError as error:
            return _json({"error": error.message}, 400)

    def picture(self, item: str, side: str) -> bytes | None:
        """Return one picture of a failure as JPEG, None where there is none of that name."""
        task = self._tasks.get(item)
        if task is None or side not in SIDES:
            return None
        return jpeg(photograph(self._session.dataset, pair_places(task)[SIDES[side]], PICTURE_SIDE))


def _json(value: object, status: int = 200) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(value, status, headers={"Cache-Control": "no-store"})


def _text(text: Callable[[], str], kind: str) -> Callable[[Request], Response]:
    from starlette.responses import Response

    def answer(request: Request) -> Response:
        del request
        return Response(text(), media_type=f"{kind}; charset=utf-8", headers={"Cache-Control": "no-store"})

    return answer
