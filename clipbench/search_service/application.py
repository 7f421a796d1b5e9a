"""The ASGI app of a service: counted, guarded, within limits, then FastAPI's routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clipbench.errors import ClipbenchError
from clipbench.search_service.entrance import Entrance, checked_tokens
from clipbench.search_service.limits import BodyLimits, Limited
from clipbench.search_service.metrics import Counted
from clipbench.search_service.rates import Rates
from clipbench.search_service.service import SearchService
from clipbench.serving.guards import App

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True)
class Access:
    """Who may use a service and how much: tokens, other names of this machine, requests per second and token."""

    tokens: Sequence[str]
    hosts: Sequence[str] = ()
    rate: float = 0.0
    limits: BodyLimits = field(default_factory=BodyLimits)


def require_libraries() -> None:
    """Raise ClipbenchError where what the service stands on is not installed."""
    try:
        import fastapi  # noqa: F401, only its presence is asked for
        import prometheus_client  # noqa: F401, only whether it is installed
        import python_multipart  # noqa: F401, only whether it is installed
        import uvicorn  # noqa: F401, only whether it is installed
    except ImportError as error:
        raise ClipbenchError(f"the service needs {error.name}", "pip install 'clipbench[serve]'") from None


def _describe_access(app: FastAPI) -> None:
    """Say in the app's description that a key is needed; the entrance asks for it before any route is looked for."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        told = plain()
        told.setdefault("components", {})["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        told["security"] = [{"key": []}]
        return told

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's documentation has it


def application(service: SearchService, access: Access) -> App:
    """Return the ASGI app of a service; its threads run while the app's lifespan does.

    Raises ClipbenchError for a token that cannot be used.
    """
    from fastapi import FastAPI

    from clipbench.search_service.answering import add_problem_handlers
    from clipbench.search_service.api import router
    from clipbench.search_service.page_routes import page_router
    from clipbench.version import __version__

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.close()

    app = FastAPI(
        title="clipbench search",
        version=__version__,
        description="Search photographs by words or pictures. Errors are problem details (RFC 9457).",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads its script from elsewhere
        redoc_url=None,
    )
    _describe_access(app)
    app.include_router(router(service))
    app.include_router(page_router(service))
    add_problem_handlers(app)
    inside = Limited(app, access.limits)
    entrance = Entrance(inside, checked_tokens(access.tokens), Rates(access.rate), access.hosts)
    return Counted(entrance, service.metrics)
