"""Connections that send half a request, or nothing, neither keep others out nor stay."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

SERVER = """
import sys
from clipbench.serving import impatience, listening
impatience.SECONDS = {seconds}
impatience.MOST = {most}

async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}})
    await send({{"type": "http.response.body", "body": b"ok"}})

listening.serve(app, "127.0.0.1", 0, lambda port: print(port, flush=True))
"""


def started(seconds: float, most: int) -> tuple[subprocess.Popen[str], int]:
    code = SERVER.format(seconds=seconds, most=most)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.fixture
def quick() -> Iterator[int]:
    process, port = started(1.0, 50)
    yield port
    process.kill()
    process.communicate()


def connected(port: int, sent: bytes = b"") -> socket.socket:
    """Return a connection on which this was sent; the server may take a moment to listen."""
    for _ in range(100):
        try:
            found = socket.create_connection(("127.0.0.1", port), timeout=20)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    found.sendall(sent)
    return found


def answer(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    parts = []
    try:
        while part := connection.recv(4096):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT",
    ],
    ids=["nothing", "half a header", "half a body", "half a second request"],
)
def test_half_a_request_is_given_up(quick: int, sent: bytes) -> None:
    with connected(quick, sent) as connection:
        told = answer(connection)
    assert told.count(b"200 OK") == sent.count(b"\r\n\r\nGET")


def test_whole_requests_are_answered_meanwhile(quick: int) -> None:
    idle = [connected(quick, b"GET") for _ in range(20)]
    with connected(quick, REQUEST) as connection:
        assert answer(connection).endswith(b"ok")
    for one in idle:
        one.close()


def test_too_many_connections_are_closed_and_flood_nothing() -> None:
    process, port = started(1.0, 10)
    try:
        crowd = [connected(port, b"GET") for _ in range(60)]
        for one in crowd:
            answer(one)
        with connected(port, REQUEST) as connection:
            assert answer(connection).endswith(b"ok"), "once the crowd was given up"
    finally:
        process.kill()
    assert process.communicate()[1] == ""
