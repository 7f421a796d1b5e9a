"""The routes that programs use: search, encode, items, reload, and how the service fares."""

# No `from __future__ import annotations`: FastAPI reads the annotations of routes made inside a function.

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile

from clipbench.errors import ClipbenchError
from clipbench.search_service.answering import (
    PROBLEMS,
    item_answer,
    json_answer,
    search_answer,
    stats,
)
from clipbench.search_service.collection import whole
from clipbench.search_service.messages import (
    EncodingAnswer,
    Health,
    ImageSearch,
    ItemAnswer,
    ReloadAnswer,
    SearchAnswer,
    Stats,
    TextEncoding,
    TextSearch,
)
from clipbench.search_service.pictures import SIDES
from clipbench.search_service.problems import Problem, ProblemError
from clipbench.search_service.query_vectors import QueryVector
from clipbench.search_service.service import Asked, SearchService

LONGEST = 30.0
"""Seconds that an answer may take."""

PICTURE_KEPT = "private, max-age=3600"


class PictureForm(ImageSearch):
    """A picture to search by, with what goes with it."""

    image: UploadFile


def router(service: SearchService) -> APIRouter:
    """Return the routes of a service."""
    routes = APIRouter(responses=PROBLEMS)
    _add_search(routes, service)
    _add_encoding(routes, service)
    _add_items(routes, service)
    _add_upkeep(routes, service)
    return routes


def _add_search(routes: APIRouter, service: SearchService) -> None:
    label = service.model.label

    @routes.post("/v1/search/text", response_model=SearchAnswer, tags=["search"])
    async def search_by_text(asked: TextSearch) -> Response:
        """Find photographs by words, by a photograph of the gallery, or both."""
        began = time.perf_counter()
        wanted = Asked(
            text=asked.text,
            like=asked.like,
            without=asked.without,
            top=asked.top,
            where=asked.where,
            text_weight=asked.text_weight,
            other_weight=asked.like_weight,
        )
        async with asyncio.timeout(LONGEST):
            found = await service.search(wanted)
        return json_answer(search_answer(found, label, began))

    @routes.post("/v1/search/image", response_model=SearchAnswer, tags=["search"])
    async def search_by_image(
        form: Annotated[PictureForm, Form(media_type="multipart/form-data")],
    ) -> Response:
        """Find photographs like a picture, and words with it if there are any."""
        began = time.perf_counter()
        wanted = Asked(
            text=form.text,
            picture=await form.image.read(),
            without=form.without,
            top=form.top,
            where=form.where,
            text_weight=form.text_weight,
            other_weight=form.image_weight,
        )
        async with asyncio.timeout(LONGEST):
            found = await service.search(wanted)
        return json_answer(search_answer(found, label, began))


def _add_encoding(routes: APIRouter, service: SearchService) -> None:
    label = service.model.label

    @routes.post("/v1/encode/text", response_model=EncodingAnswer, tags=["encode"])
    async def encode_text(asked: TextEncoding) -> Response:
        """Return the unit vectors of texts."""
        async with asyncio.timeout(LONGEST):
            return _vectors(label, await service.texts(asked.texts))

    @routes.post("/v1/encode/image", response_model=EncodingAnswer, tags=["encode"])
    async def encode_image(image: Annotated[UploadFile, File()]) -> Response:
        """Return the unit vector of a picture."""
        async with asyncio.timeout(LONGEST):
            return _vectors(label, [await service.picture(await image.read())])


def _add_items(routes: APIRouter, service: SearchService) -> None:
    @routes.get("/v1/items/{id:path}/picture", response_class=Response, tags=["items"])
    async def picture(
        request: Request,
        id: str,  # noqa: A002, the API's word
        size: Annotated[int, Query(ge=16, le=SIDES[-1])] = 320,
    ) -> Response:
        """Return a photograph as JPEG, its longer side at most `size` pixels."""
        collection = service.collection
        if id not in collection.shown and f"{id}/picture" in collection.shown:
            return json_answer(item_answer(collection, collection.shown[f"{id}/picture"]))
        number = service.number(collection, id)
        tag = f'"{(collection.gallery.samples[number].digest or "none")[:24]}-{size}"'
        headers = {"cache-control": PICTURE_KEPT, "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        side = next(side for side in SIDES if side >= size)
        data = await service.pictures.thumbnail(collection, number, side)
        return Response(data, headers=headers, media_type="image/jpeg")

    @routes.get("/v1/items/{id:path}", response_model=ItemAnswer, tags=["items"])
    async def item(id: str) -> Response:  # noqa: A002, the API's word
        """Return what is known of a photograph."""
        collection = service.collection
        return json_answer(item_answer(collection, service.number(collection, id)))


def _add_upkeep(routes: APIRouter, service: SearchService) -> None:
    @routes.post("/v1/reload", response_model=ReloadAnswer, tags=["upkeep"])
    async def reload() -> Response:
        """Open what is served anew, as the store has it now; what is unfit leaves the old in place."""
        try:
            changed = await service.reload()
        except ClipbenchError as error:
            detail = f"what is there now is unfit, and the old gallery stays: {whole(error.message)}"
            raise ProblemError(Problem(409, "unfit", detail)) from error
        gallery = service.collection.gallery
        return json_answer(
            ReloadAnswer(
                dataset=gallery.dataset.name,
                gallery=gallery.size,
                key=service.collection.key,
                changed=changed,
            )
        )

    @routes.get("/stats", response_model=Stats, tags=["upkeep"])
    async def figures() -> Response:
        """Say what is served, and how the service fares."""
        return json_answer(stats(service))

    @routes.get("/metrics", response_class=Response, tags=["upkeep"])
    async def metrics() -> Response:
        """Say how the service fares as Prometheus reads it."""
        from prometheus_client import CONTENT_TYPE_LATEST

        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/healthz", response_model=Health, tags=["upkeep"])
    async def alive() -> Response:
        """Say that the process answers."""
        return json_answer(Health(status="ok"))

    @routes.get("/readyz", response_model=Health, tags=["upkeep"])
    async def ready() -> Response:
        """Say whether searches are answered: 503 while the service ends."""
        if service.ready:
            return json_answer(Health(status="ok"))
        return json_answer(Health(status="draining" if service.draining else "stopped"), 503)


def _vectors(label: str, vectors: list[QueryVector]) -> Response:
    return json_answer(
        EncodingAnswer(
            model=label,
            dimension=len(vectors[0].vector),
            vectors=tuple(tuple(one.vector.tolist()) for one in vectors),
            truncated=tuple(one.truncated for one in vectors),
        )
    )
