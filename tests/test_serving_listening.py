"""Listening on an address of this machine."""

import asyncio
import socket
from typing import Any

import pytest

from clipbench.errors import ClipbenchError
from clipbench.serving.listening import listening


def test_an_answer_in_two_parts_is_sent_at_once() -> None:
    """Without TCP_NODELAY the second part waits until the first is acknowledged, which takes 40 ms."""

    async def main() -> list[int]:
        said: list[int] = []

        def connected(_: Any, writer: asyncio.StreamWriter) -> None:
            taken = writer.get_extra_info("socket")
            said.append(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listening("127.0.0.1", 0) as listener:
            server = await asyncio.start_server(connected, sock=listener)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            await reader.read()
            writer.close()
            server.close()
        return said

    assert asyncio.run(main()) != [0]


def test_a_port_that_is_taken_is_told() -> None:
    with (
        listening("127.0.0.1", 0) as listener,
        pytest.raises(ClipbenchError, match="cannot listen"),
        listening("127.0.0.1", listener.getsockname()[1]),
    ):
        pytest.fail("listens twice")
