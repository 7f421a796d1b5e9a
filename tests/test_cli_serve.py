"""`clipbench serve` as a process: where it says it is, what it refuses, reloads, and how it ends."""

import http.client
import json
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from cli_toys import misused, refused

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from service_toys import OTHER, TOKEN, Process, collected, running


def asked(port: int, body: bytes = b'{"text": "red"}', token: str = TOKEN) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/search/text", body, headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def begun(port: int, body: bytes) -> socket.socket:
    """Begin a request and send half of its body."""
    half = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = f"POST /v1/search/text HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    half.sendall(head.encode() + body[: len(body) // 2])
    time.sleep(0.3)  # until the service has read it
    return half


def reloads(service: Process) -> None:
    """Send a hang-up and wait until it is told what became of it."""
    service.send(signal.SIGHUP)
    until = time.monotonic() + 90
    while "reloaded toys: 8 photographs, the same" not in service.errors.read_text():
        assert time.monotonic() < until, service.errors.read_text()
        time.sleep(0.05)


@pytest.mark.parametrize(
    "sign", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)], ids=["TERM", "INT"]
)
def test_a_signal_ends_it_and_what_is_in_flight_is_answered(
    tmp_path: Path, own_home: Path, sign: signal.Signals
) -> None:
    collected(tmp_path, 8)
    with running(own_home, tmp_path) as service:
        before = asked(service.port)
        assert before[0] == 200
        assert asked(service.port, token=OTHER)[0] == 200
        reloads(service)
        assert asked(service.port)[1]["hits"] == before[1]["hits"]
        body = b'{"text": "a blue field"}'
        half = begun(service.port, body)
        service.send(sign)
        time.sleep(0.3)
        half.sendall(body[len(body) // 2 :])
        answer = half.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert service.ended() == 0
        assert "Traceback" not in service.errors.read_text()
        with pytest.raises(OSError):  # noqa: PT011, refused in one way or another
            socket.create_connection(("127.0.0.1", service.port), timeout=2)


@pytest.mark.slow
def test_killed_it_comes_back(tmp_path: Path, own_home: Path) -> None:
    collected(tmp_path, 8)
    with running(own_home, tmp_path) as service:
        before = asked(service.port)[1]["hits"]
        service.send(signal.SIGKILL)
        assert service.ended() == -signal.SIGKILL
        port = service.port
    with running(own_home, tmp_path, "--port", str(port)) as service:
        assert service.port == port
        assert asked(port)[1]["hits"] == before


@pytest.mark.slow
def test_two_hundred_who_dawdle_keep_nobody_waiting(tmp_path: Path, own_home: Path) -> None:
    collected(tmp_path, 8)
    head = f"POST /v1/search/image HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n"
    with running(own_home, tmp_path) as service, ExitStack() as open_ones:
        dawdling = [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=30))
            for _ in range(200)
        ]
        for one in dawdling:
            one.sendall(head.encode() + b"x" * 1000)
        began = time.monotonic()
        assert [asked(service.port)[0] for _ in range(10)] == [200] * 10
        assert time.monotonic() - began < 8  # before any of them is given up
        assert {one.recv(12) for one in dawdling} == {b"HTTP/1.1 408"}


def test_what_it_cannot_serve_it_says_in_one_line(tmp_path: Path, own_home: Path) -> None:
    assert "clipbench dataset add" in refused("serve")
    collected(tmp_path, 4)
    assert "16 to 128" in refused("serve", "--model", "toy", "--token", "short")
    assert "is not embedded yet" in refused("serve", "--port", "0")
    assert "nope" in refused("serve", "--dataset", "nope", "--model", "toy", "--port", "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port}" in refused("serve", "--model", "toy", "--port", port)
    assert "--port" in misused("serve", "--port", "99999")
    assert "leave --dataset out" in misused("serve", "--dataset", "toys", "--index", "toys")
    assert "no setting" in misused("serve", "--index", "toys", "--setting", "ef")
