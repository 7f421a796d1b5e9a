"""Many clients at once, some of whom leave, send nonsense or dawdle: no wrong answer, nothing leaks, reloads meanwhile."""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from cli_toys import caption

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from service_toys import TOKEN, Process, collected, exact, png, running, toy_service

SECONDS = float(os.environ.get("CLIPBENCH_SOAK_SECONDS", "15"))
CLIENTS = 32
GALLERY = 48
MEMORY = 24
"""Megabytes that the process may have grown between a third of the time and the end."""


@dataclass
class Soak:
    """What the clients are to find, and what they found."""

    port: int
    scores: Mapping[str, list[float]]
    until: float
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    async def client(self, number: int) -> None:
        draw = random.Random(number)  # noqa: S311, nothing here is secret
        while time.monotonic() < self.until:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                for _ in range(draw.randrange(1, 30)):
                    if time.monotonic() > self.until or not await self._one(reader, writer, draw):
                        break
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                self.wrong.append(f"the connection broke: {error!r}")
            finally:
                writer.close()

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, draw: random.Random
    ) -> bool:
        """Make one request; return whether the connection goes on."""
        what = draw.choices(("text", "image", "nonsense", "half", "leaving"), (60, 15, 10, 5, 10))[0]
        self.counts[what] += 1
        text = draw.choice(list(self.scores))
        body, kind = json.dumps({"text": text, "top": 5}).encode(), "application/json"
        place = draw.randrange(GALLERY)
        if what == "image":
            body = (
                b'--x\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
                + png(place)
                + b"\r\n--x--\r\n"
            )
            kind = "multipart/form-data; boundary=x"
        elif what == "nonsense":
            body = draw.choice(
                (b'{"text": "\\ud800"}', b'{"text": "x", "top": NaN}', b"[" * 9000, b"\xff", b"x" * 70_000)
            )
        route = "image" if what == "image" else "text"
        head = f"POST /v1/search/{route} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + (body[: len(body) // 2] if what == "half" else body))
        await writer.drain()
        if what in {"half", "leaving"}:
            await asyncio.sleep(draw.random() * 0.01)
            return False
        status, closes, answer = await _answer(reader)
        self._check(what, status, answer, text if what == "text" else f"p{place:03}.png")
        return not closes

    def _check(self, what: str, status: int, answer: bytes, wanted: str) -> None:
        if what == "nonsense":
            fits = status in {400, 413, 422}
        elif status != 200:
            fits = status == 503
        elif what == "text":
            scores = [hit["score"] for hit in json.loads(answer)["hits"]]
            fits = bool(np.allclose(scores, self.scores[wanted], atol=1e-5))
        else:
            fits = json.loads(answer)["hits"][0]["id"] == wanted
        self.counts[f"{status}"] += 1
        if not fits:
            self.wrong.append(f"{what} {wanted}: {status} {answer[:200]!r}")


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    """Read one answer: its status, whether the connection ends with it, its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length: ")[1].split("\r\n")[0])
    return int(head.split()[1]), "connection: close" in head, await reader.readexactly(length)


def memory(process: Process) -> float:
    """Megabytes of a process that are in memory."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def descriptors(process: Process) -> int:
    return len(list(Path(f"/proc/{process.process.pid}/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc on this system")
def test_many_clients_get_right_answers_and_nothing_leaks(tmp_path: Path, own_home: Path) -> None:
    collected(tmp_path, GALLERY)
    service = toy_service(own_home)
    scores = {text: exact(service, text, 5) for text in (caption(n, n % 3) for n in range(200))}

    async def main(process: Process) -> tuple[Soak, float, float]:
        soak = Soak(process.port, scores, time.monotonic() + SECONDS)
        clients = [asyncio.ensure_future(soak.client(number)) for number in range(CLIENTS)]
        await asyncio.sleep(SECONDS / 3)
        before = memory(process)
        while time.monotonic() < soak.until:
            process.send(signal.SIGHUP)
            await asyncio.sleep(2)
        await asyncio.gather(*clients)
        return soak, before, memory(process)

    with running(own_home, tmp_path) as process:
        idle = descriptors(process)
        soak, before, after = asyncio.run(main(process))
        time.sleep(1)
        told = f"{dict(soak.counts)}, {before:.0f} to {after:.0f} MB, {idle} to {descriptors(process)} descriptors"
        print(told)  # noqa: T201, what one runs it by hand for
        assert soak.wrong == [], told
        assert soak.counts["200"] > 5 * SECONDS, told
        assert after - before < MEMORY, told
        assert descriptors(process) <= idle + 4, told
        assert process.process.poll() is None
        assert "Traceback" not in process.errors.read_text()
        assert process.errors.read_text().count("reloaded toys") >= 2
        process.send(signal.SIGTERM)
        assert process.ended() == 0
