"""Connections that are opened and then say nothing, or half of something: given up, so that others get in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 20.0
"""In which a request must have arrived whole: requests are small, and the slowest phone sends one in a second."""

MOST = 128
"""Connections at a time; a browser opens six."""


def most_connections(most: int = MOST) -> int:
    """Return how many connections may be open at a time: half of the files this process may open, at most `most`."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return most
    return max(8, min(most, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


def impatient_protocol(most: int) -> type[H11Protocol]:
    """Return uvicorn's HTTP protocol with a limit on connections and on the time that a request may take to arrive."""
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        """One connection. `_waited_for` is the request that had not arrived whole when last looked."""

        _waited_for: object = None
        _timer: Any = None

        def connection_made(self, transport: Any) -> None:
            """Take a connection, or close it at once where there are too many."""
            super().connection_made(transport)
            if len(self.connections) > most:
                transport.abort()
                return
            self._timer = self.loop.call_later(SECONDS, self._look)

        def connection_lost(self, exc: Exception | None) -> None:
            """Forget the timer with the connection."""
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(exc)

        def _look(self) -> None:
            """Give the connection up where the same request still has not arrived whole."""
            arriving = self.conn.their_state in {h11.IDLE, h11.SEND_BODY}
            between = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0] and self.cycle
            request = self.cycle or self
            if arriving and not between and (self._waited_for is request or self.cycle is None):
                self.transport.abort()
                return
            self._waited_for = request if arriving and not between else None
            self._timer = self.loop.call_later(SECONDS, self._look)

    return Impatient
