"""The routes that browsers use: the page, its results as a part of it, and its files."""

# No `from __future__ import annotations`: FastAPI reads the annotations of routes made inside a function.

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from clipbench.errors import ClipbenchError
from clipbench.search_service.answering import problem_of, search_answer
from clipbench.search_service.api import LONGEST
from clipbench.search_service.messages import LARGEST_TOP, SearchAnswer, TextSearch
from clipbench.search_service.page import SHOWN, PageQuery, asset, page, results
from clipbench.search_service.problems import Problem, ProblemError, invalid
from clipbench.search_service.service import Asked, SearchService

FILES: Mapping[str, str] = {
    "search.css": "text/css",
    "search.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def page_router(service: SearchService) -> APIRouter:
    """Return the routes of the page."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def whole_page(request: Request) -> Response:
        asked = PageQuery.of(request.query_params)
        answer, problem = await _answered(service, asked)
        html = page(service, _root(request), asked, answer, problem)
        return HTMLResponse(html, problem.status if problem else 200, {"cache-control": "no-store"})

    @routes.get("/results")
    async def only_results(request: Request) -> Response:
        asked = PageQuery.of(request.query_params)
        answer, problem = await _answered(service, asked)
        html = results(service, _root(request), asked, answer, problem)
        return HTMLResponse(html, problem.status if problem else 200, {"cache-control": "no-store"})

    @routes.post("/results")
    async def results_of_picture(
        request: Request,
        image: UploadFile,
        q: Annotated[str, Form()] = "",
        without: Annotated[str, Form()] = "",
        where: Annotated[str, Form()] = "",
        top: Annotated[int, Form(ge=1, le=LARGEST_TOP)] = SHOWN,
    ) -> Response:
        asked = PageQuery(q=q, without=without, where=where, top=top)
        answer, problem = await _answered(service, asked, await image.read())
        html = results(service, _root(request), asked, answer, problem)
        return HTMLResponse(html, problem.status if problem else 200, {"cache-control": "no-store"})

    for name, kind in FILES.items():
        routes.add_api_route(f"/{name}", _file(name, kind), methods=["GET"])
    return routes


def _file(name: str, kind: str):  # type: ignore[no-untyped-def]  # FastAPI would read the annotation
    async def file() -> Response:
        return Response(
            asset(name), media_type=f"{kind}; charset=utf-8", headers={"cache-control": "no-cache"}
        )

    return file


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


async def _answered(
    service: SearchService, asked: PageQuery, picture: bytes | None = None
) -> tuple[SearchAnswer | None, Problem | None]:
    """Return what was found, or what is wrong; neither where nothing is asked yet."""
    if not (asked.q or asked.like or picture):
        return None, None
    began = time.perf_counter()
    try:
        wanted = _wanted(asked, picture)
        async with asyncio.timeout(LONGEST):
            found = await service.search(wanted)
    except ValidationError as error:
        return None, invalid(error.errors(include_input=False, include_context=False))
    except (ProblemError, ClipbenchError, TimeoutError) as error:
        return None, problem_of(error)
    return search_answer(found, service.model.label, began), None


def _wanted(asked: PageQuery, picture: bytes | None) -> Asked:
    """Return the search that the page asks for, within the limits of the API. Raises ValidationError."""
    checked = TextSearch(
        text=asked.q or None,
        like=asked.like or (None if picture is None else "the picture"),
        without=asked.unwanted,
        top=asked.top,
        where=asked.where or None,
    )
    return Asked(
        text=checked.text,
        picture=picture,
        like=None if picture is not None else checked.like,
        without=checked.without,
        top=checked.top,
        where=checked.where,
    )
