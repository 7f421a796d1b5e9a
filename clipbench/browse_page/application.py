"""The page over HTTP: Starlette routes around views, behind the guards; nothing here writes to the store."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from clipbench.browse_page import query_view, run_views, store_views
from clipbench.browse_page.asking import Asked
from clipbench.browse_page.looking import Looking
from clipbench.browse_page.pages import asset, page, refusal
from clipbench.browse_page.view import View
from clipbench.errors import ClipbenchError, CompareError
from clipbench.foreign_files import inside
from clipbench.reports.html.rendering import stylesheet
from clipbench.serving.guards import FORM_HEADERS, App, Guarded
from clipbench.serving.listening import require_server
from clipbench.study.annotation.pictures import jpeg, photograph

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

VIEWS: Mapping[str, Callable[[Looking, Asked], View]] = {
    "": run_views.runs,
    "run": run_views.run,
    "queries": run_views.queries,
    "query": query_view.query,
    "compare": run_views.compare,
    "sweeps": store_views.sweeps,
    "sweep": store_views.sweep,
    "datasets": store_views.datasets,
    "dataset": store_views.dataset,
    "lint": store_views.lint,
    "labels": store_views.labels,
    "sample": store_views.sample,
    "adapters": store_views.adapters,
    "adapter": store_views.adapter,
    "indexes": store_views.indexes,
    "index": store_views.index,
}
"""Every view by its address."""

SIDES = {"small": 240, "large": 1024}
CACHED = 512
"""Pictures that are kept: ten pages of them."""

INSTEAD = "clipbench report --html FILE (needs neither)"


def application(look: Looking, token: str, hosts: tuple[str, ...] = ()) -> App:
    """Return the ASGI app of a store. hosts: other names of this machine."""
    require_server(INSTEAD)
    from starlette.applications import Starlette
    from starlette.routing import Route

    root = f"/{token}/"
    answers = _Answers(look, root)
    texts = {
        "browse.css": (lambda: stylesheet() + asset("browse.css"), "text/css"),
        "browse.js": (lambda: asset("browse.js"), "text/javascript"),
        "icon.svg": (lambda: asset("icon.svg"), "image/svg+xml"),
    }
    routes = [Route(root + path, answers.view(path)) for path in VIEWS]
    routes += [Route(root + path, _text(text, kind)) for path, (text, kind) in texts.items()]
    routes += [Route(root + "picture", answers.picture), Route("/{path:path}", answers.nothing)]
    return Guarded(Starlette(routes=routes), token, hosts, FORM_HEADERS)


class _Answers:
    """What each address answers; views are made in worker threads, so that a long one keeps no other waiting."""

    def __init__(self, look: Looking, root: str) -> None:
        self._look = look
        self._root = root
        self._jpeg = lru_cache(CACHED)(self._made)

    def view(self, path: str) -> Callable[[Request], Response]:
        """Return what answers one view, as a page or as CSV."""

        def answer(request: Request) -> Response:
            asked = Asked(path, tuple(request.query_params.multi_items()))
            try:
                view = VIEWS[path](self._look, asked)
                if asked.one("form") == "csv" and view.csv is not None:
                    return _csv(view)
                return _html(page(view, asked, self._root, self._look.words))
            except ClipbenchError as error:
                return self._refused(error, asked)

        return answer

    def picture(self, request: Request) -> Response:
        """Answer one photograph as JPEG, `side` small or large; a grey panel says where it cannot be read."""
        from starlette.responses import Response

        params = request.query_params
        side = SIDES.get(params.get("side", ""), SIDES["small"])
        try:
            body = self._jpeg(params.get("dataset", ""), params.get("image", ""), side)
        except ClipbenchError:
            body = None
        if body is None:
            return Response("there is no such picture\n", 404)
        return Response(body, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    def _made(self, key: str, image: str, side: int) -> bytes | None:
        dataset = self._look.dataset(key)
        places = self._look.once(
            ("places", key), lambda: {sample.id: n for n, sample in enumerate(dataset.samples)}
        )
        place = places.get(image)
        if place is None or not inside(dataset.samples[place].path or ""):
            return None
        return jpeg(photograph(dataset, place, side))

    def nothing(self, request: Request) -> Response:
        """Answer an address that is no view."""
        del request
        return _html(refusal("There is no such page.", "", None, self._root), 404)

    def _refused(self, error: ClipbenchError, asked: Asked) -> Response:
        unlike = isinstance(error, CompareError) and len(asked.many("run")) > 1 and not asked.one("unlike")
        link = ("Compare what they have in common", asked.but(unlike="1")) if unlike else None
        return _html(refusal(error.message, error.hint or "", link, self._root), 400 if unlike else 404)


def _html(text: str, status: int = 200) -> Response:
    from starlette.responses import HTMLResponse

    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


def _csv(view: View) -> Response:
    from starlette.responses import Response

    name = re.sub(r"[^a-z0-9]+", "-", view.title.casefold()).strip("-") or "table"
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    text = view.csv() if view.csv is not None else ""
    return Response(text.encode("utf-8", "backslashreplace"), media_type="text/csv", headers=headers)


def _text(text: Callable[[], str], kind: str) -> Callable[[Request], Response]:
    from starlette.responses import Response

    def answer(request: Request) -> Response:
        del request
        return Response(text(), media_type=f"{kind}; charset=utf-8", headers={"Cache-Control": "no-store"})

    return answer
