"""Listening on an address of this machine until Ctrl-C, for any guarded ASGI app."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clipbench.errors import ClipbenchError
from clipbench.serving.guards import App
from clipbench.serving.impatience import impatient_protocol, most_connections


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(16)


def require_server(instead: str) -> None:
    """Raise ClipbenchError where Starlette or uvicorn is not installed; `instead` does without them."""
    try:
        import starlette  # noqa: F401, only its presence is asked for
        import uvicorn  # noqa: F401, only its presence is asked for
    except ImportError:
        raise ClipbenchError(
            "serving the page needs Starlette and uvicorn",
            f"pip install 'clipbench[annotate]', or {instead}",
        ) from None


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens on an address; port 0 takes a free one.

    From then on a browser may come: it waits until a server takes it. Raises ClipbenchError where the port is
    taken or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends each answer at once; without, its second half waits for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ClipbenchError(
            f"cannot listen on {host} port {port}: {error.strerror or error}", "--port 0 takes a free one"
        ) from error
    with listener:
        yield listener


def serve(app: App, host: str, port: int, on_ready: Callable[[int], None]) -> None:
    """Serve until Ctrl-C. on_ready is called with the port once the page can be opened (port 0 picks one).

    Raises ClipbenchError as `listening` does.
    """
    import uvicorn

    with listening(host, port) as listener:
        on_ready(int(listener.getsockname()[1]))
        # No access log: addresses hold the token.
        config = uvicorn.Config(
            app,
            http=impatient_protocol(most_connections()),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
        )
        uvicorn.Server(config).run(sockets=[listener])
