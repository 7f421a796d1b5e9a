"""The service as a process: it listens first, answers once it is warm, reloads on SIGHUP, and ends by answering."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clipbench.errors import ClipbenchError
from clipbench.search_service.service import SearchService
from clipbench.serving.guards import App
from clipbench.serving.impatience import impatient_protocol, most_connections

if TYPE_CHECKING:
    import socket

    from uvicorn import Server

MOST_CONNECTIONS = 512
"""A page opens six connections, a program of many threads a few dozen."""

DRAIN = 30
"""Seconds in which what is in flight has to be answered once the service ends."""


def run(
    app: App,
    service: SearchService,
    listener: socket.socket,
    on_ready: Callable[[], None],
    tell: Callable[[str], None],
) -> None:
    """Serve on a socket until SIGTERM or Ctrl-C, then answer what is in flight. tell: who hears of reloads."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http=impatient_protocol(most_connections(MOST_CONNECTIONS)),
        log_level="warning",
        access_log=False,  # addresses hold the token
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=DRAIN,
    )
    server = _server(config, service, on_ready, tell)
    with _signals_end_well():
        server.run(sockets=[listener])


def _server(
    config: Any, service: SearchService, on_ready: Callable[[], None], tell: Callable[[str], None]
) -> Server:
    from uvicorn import Server

    class ServiceServer(Server):
        """uvicorn's server that says when it answers, reloads on SIGHUP and is not ready while it ends."""

        _reload: asyncio.Task[None] | None = None

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)
            on_ready()

        def handle_exit(self, sig: int, frame: Any) -> None:
            service.draining = True
            super().handle_exit(sig, frame)

        def _hang_up(self) -> None:
            self._reload = asyncio.ensure_future(_reloaded(service, tell))

    return ServiceServer(config)


async def _reloaded(service: SearchService, tell: Callable[[str], None]) -> None:
    from clipbench.search_service.problems import ProblemError

    try:
        changed = await service.reload()
    except (ClipbenchError, ProblemError) as error:
        tell(f"not reloaded, the old gallery stays: {error}")
        return
    gallery = service.collection.gallery
    news = "now another" if changed else "the same"
    tell(f"reloaded {gallery.dataset.name}: {gallery.size:,} photographs, {news}")


@contextmanager
def _signals_end_well(signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)) -> Iterator[None]:
    """Let a signal that uvicorn has heeded be the end of it: it raises the signal again when it is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.signal(one, lambda *_: None) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
