"""From what the engine found to what an answer carries, and from errors to problems. No route is in here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clipbench.errors import ClipbenchError, EncoderError, PhotographError, StoreError
from clipbench.photographs.opening import GiantPhotographError
from clipbench.search_service.batching import BusyError
from clipbench.search_service.collection import Collection, whole
from clipbench.search_service.messages import (
    BatchStats,
    FoundPhotograph,
    ItemAnswer,
    ProblemAnswer,
    SearchAnswer,
    Stats,
)
from clipbench.search_service.problems import MEDIA_TYPE, Problem, ProblemError, invalid, retry_later
from clipbench.search_service.service import Found, SearchService

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.responses import Response
    from pydantic import BaseModel

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemAnswer, "description": says, "content": {MEDIA_TYPE: {}}}
    for status, says in {
        400: "Not understood",
        401: "No token",
        403: "Wrong host or origin",
        404: "Not there",
        408: "The body came too slowly",
        409: "Unfit, or under way",
        413: "Too large",
        415: "Not a picture",
        422: "Not valid",
        429: "Too often",
        503: "Too much waits; try again",
    }.items()
}
"""What any route may answer instead."""


def json_answer(message: BaseModel, status: int = 200) -> Response:
    """Return an answer as JSON; what was found now is not kept for later."""
    from fastapi.responses import Response

    headers = {"cache-control": "no-store"}
    return Response(message.model_dump_json(), status, headers, media_type="application/json")


def picture_address(id_: str) -> str:
    """Return where the picture of a photograph is, from the service's root."""
    return f"v1/items/{quote(whole(id_), safe='')}/picture"


def search_answer(found: Found, model: str, began: float) -> SearchAnswer:
    """Return what a search found as an answer. began: by `time.perf_counter`."""
    gallery, result = found.collection.gallery, found.result
    hits = tuple(
        FoundPhotograph(
            rank=hit.rank,
            score=hit.score,
            gap=hit.gap,
            percentile=hit.percentile,
            id=whole(hit.id),
            caption=None if hit.caption is None else whole(hit.caption),
            path=None if hit.path is None else whole(hit.path),
            picture=None if hit.path is None else picture_address(hit.id),
        )
        for hit in result.hits
    )
    return SearchAnswer(
        hits=hits,
        searched=result.searched,
        gallery=result.gallery,
        dataset=gallery.dataset.name,
        model=model,
        truncated=found.truncated,
        seconds=time.perf_counter() - began,
    )


def item_answer(collection: Collection, number: int) -> ItemAnswer:
    """Return what is known of a photograph."""
    sample = collection.gallery.samples[number]
    return ItemAnswer(
        id=whole(sample.id),
        captions=tuple(whole(caption.text) for caption in sample.captions),
        path=None if sample.path is None else whole(sample.path),
        picture=None if sample.path is None else picture_address(sample.id),
        columns=collection.cells(sample.id),
    )


def stats(service: SearchService) -> Stats:
    """Return what the service serves and how it fares."""
    from clipbench.version import __version__

    collection, metrics = service.collection, service.metrics
    dataset, identity = collection.gallery.dataset, service.model.source.identity
    p50, p95, p99 = metrics.percentiles()
    batches: Mapping[str, BatchStats] = {
        kind: BatchStats(
            batches=done.batches,
            items=done.items,
            mean_items=done.items / done.batches if done.batches else 0.0,
            mean_seconds=done.mean_seconds,
            largest=done.largest,
        )
        for batcher in service.batchers
        for kind, done in batcher.figures().items()
    }
    return Stats(
        version=__version__,
        model=identity.label,
        encoder=identity.key,
        device=service.model.source.device or "none",
        dataset=dataset.name,
        dataset_key=dataset.key,
        gallery=collection.gallery.size,
        columns=() if collection.columns is None else tuple(map(whole, collection.columns.names)),
        index=collection.index,
        loaded_at=collection.loaded_at,
        uptime=time.monotonic() - metrics.began,
        requests=metrics.requests,
        refused=metrics.refused,
        p50=p50,
        p95=p95,
        p99=p99,
        waiting=service.encoder.waiting,
        cached_queries=len(service.cache),
        cache_hits=service.cache.hits,
        cache_misses=service.cache.misses,
        batches=dict(batches),
    )


def problem_of(error: Exception) -> Problem:
    """Return how an error is told."""
    match error:
        case ProblemError():
            problem = error.problem
        case BusyError():
            problem = retry_later(503, "busy", error.message, error.retry_after)
        case TimeoutError():
            problem = retry_later(503, "too-slow", "the answer took too long", 5)
        case GiantPhotographError():
            problem = Problem(413, "too-many-pixels", whole(error.message))
        case PhotographError():
            words = f"the picture cannot be read: {whole(error.message)}"
            problem = Problem(422, "unreadable-picture", words)
        case EncoderError() | StoreError():
            problem = Problem(500, "failed", whole(error.message))
        case ClipbenchError():
            problem = Problem(422, "invalid-query", whole(error.message))
        case _:
            problem = Problem(500, "internal", "the service failed; what happened is in its log")
    return problem


def add_problem_handlers(app: FastAPI) -> None:
    """Let an app answer every error as a problem."""
    from fastapi import Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import Response
    from starlette.exceptions import HTTPException

    def told(problem: Problem) -> Response:
        headers = {name.decode(): value.decode() for name, value in problem.all_headers()}
        return Response(problem.body(), problem.status, headers)

    async def known(_: Request, error: Exception) -> Response:
        return told(problem_of(error))

    async def http(_: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        code = {404: "not-found", 405: "method-not-allowed"}.get(status, "bad-request")
        return told(Problem(status, code, whole(str(getattr(error, "detail", "")))))

    async def not_valid(_: Request, error: Exception) -> Response:
        return told(invalid(error.errors() if isinstance(error, RequestValidationError) else ()))

    for kind in (ProblemError, ClipbenchError, TimeoutError, Exception):
        app.add_exception_handler(kind, known)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, not_valid)
