"""What batching is worth to a search service: python benchmarks/serve.py [--store FOLDER --dataset D --model M]

`clipbench serve` (one encoder thread, what queued is the next batch) against the same search in a plain FastAPI route,
which encodes every request by itself in FastAPI's pool of threads. Both answer searches for distinct texts, so
no cache helps; both are asked by wrk (apt-get install wrk), one after the other in one run, with 1, 8 and 32
clients. Printed: requests a second, latencies, processor time of the server a request, and beside them how many
texts the model encodes in batches with no service around it. Goal: at 32 clients 1.8 times naive with the demo model.
Without --store a store with the drawn scenes is made for it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from clipbench.__main__ import COLLECT_AFTER

CLIENTS = (1, 8, 32)
GOAL = 1.8
TOKEN = "a-token-of-the-benchmark"  # noqa: S105, opens nothing

LUA = """
local first = {"a dog", "two dogs", "a man", "a red boat", "three children", "a small green car", "people"}
local then_ = {"runs", "jumps", "sits", "is falling", "plays with a ball", "looks up", "rides a bike"}
local where = {"on the beach", "in the park", "in the snow", "at night", "among the trees", "on the road"}
local count = 0
function setup(thread) thread:set("seed", math.random(1, 1000000)) end
function request()
  count = count + 1
  local words = first[count % 7 + 1] .. " " .. then_[math.floor(count / 7) % 7 + 1] .. " " .. where[count % 6 + 1]
  local body = '{"text": "' .. words .. " " .. seed .. " " .. count .. '", "top": 10}'
  return wrk.format("POST", "/v1/search/text", {["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer TOKEN"}, body)
end
function done(summary, latency, requests)
  local wrong = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format('\\n{"requests": %d, "micros": %d, "wrong": %d, "p50": %d, "p95": %d, "p99": %d}\\n',
    summary.requests, summary.duration, wrong, latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path)
    parser.add_argument("--dataset", default="scenes")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement")
    parser.add_argument("--naive", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def opened(arguments: argparse.Namespace) -> Any:
    from clipbench.home import Home
    from clipbench.search_service.opening import dataset_service
    from clipbench.store.engine import open_store
    from clipbench.study.embedding.models import ModelRequest
    from clipbench.study.embedding.sources import open_source
    from clipbench.study.workplace.progress import Silent

    store = open_store(Home(arguments.store), create=False)
    source = open_source(store, ModelRequest(arguments.model))
    return dataset_service(store, arguments.dataset, source, Silent())


def serve(arguments: argparse.Namespace) -> None:
    """Run the naive server in this process, which looks for garbage as seldom as the command does."""
    import uvicorn

    gc.set_threshold(COLLECT_AFTER, 20, 20)
    uvicorn.run(naive(opened(arguments)), port=arguments.port, log_level="warning", access_log=False)


class Asked(BaseModel):
    """The request of the naive service."""

    text: str
    top: int = 10


def naive(service: Any) -> Any:
    """The same search as one writes it first: a route, the model, the index."""
    from fastapi import FastAPI

    from clipbench.study.searching.search import search

    app = FastAPI()
    source, collection = service.model.source, service.collection

    def found(asked: Asked) -> dict[str, Any]:
        vector = source.encode_texts([asked.text])[0]
        result = search(collection.gallery, vector, asked.top, searcher=collection.searcher)
        return {"hits": [{"id": hit.id, "score": hit.score, "caption": hit.caption} for hit in result.hits]}

    app.post("/v1/search/text")(found)
    app.get("/readyz")(lambda: {"status": "ok"})
    return app


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(arguments: argparse.Namespace, kind: str) -> Iterator[tuple[int, int]]:
    """Yield the port and process id of a server that answers."""
    port = free_port()
    words = ["--store", str(arguments.store), "--dataset", arguments.dataset, "--model", arguments.model]
    service = ["-m", "clipbench", "serve", "--token", TOKEN, "--quiet"]
    server = service if kind == "batched" else [__file__, "--naive"]
    command = [sys.executable, *server, "--port", str(port), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603, our own words
    try:
        for _ in range(600):
            time.sleep(0.2)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None, "the server ended"
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def asked(port: int, pid: int, clients: int, seconds: int, script: Path) -> dict[str, float]:
    """Ask for some seconds with so many clients at a time."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
    before = processor(pid)
    done = subprocess.run(  # noqa: S603, our own words
        [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
    )
    used = processor(pid) - before
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    assert not figures["wrong"], f"{figures['wrong']} requests were not answered"
    return {
        "rate": figures["requests"] / figures["micros"] * 1e6,
        "cpu": 1e3 * used / figures["requests"],
        **{name: figures[name] / 1e3 for name in ("p50", "p95", "p99")},
    }


def batch_rate(arguments: argparse.Namespace) -> str:
    """What the model alone does with texts of this kind in batches."""
    service = opened(arguments)
    source, largest = service.model.source, service.model.largest_texts
    rates = []
    for size in sorted({1, largest, 64}):
        texts = [f"a dog jumps in the park {n} {size}" for n in range(size * 8)]
        began = time.perf_counter()
        for start in range(0, len(texts), size):
            source.encode_texts(texts[start : start + size])
        rates.append(f"{len(texts) / (time.perf_counter() - began):,.0f}/s in batches of {size}")
    told = f"largest useful batch: {largest} texts, {service.model.largest_pictures} pictures"
    return f"{source.identity.label} alone: {', '.join(rates)}; {told}"


def main() -> None:
    arguments = parsed()
    if arguments.naive:
        serve(arguments)
        return
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.store is None:
            arguments.store = Path(folder) / "store"
            for words in (
                ["dataset", "add", "scenes", "--format", "scenes"],
                ["embed", "scenes", "--model", "demo"],
            ):
                command = [sys.executable, "-m", "clipbench", *words, "--store", str(arguments.store), "-q"]
                subprocess.run(command, check=True)  # noqa: S603, our own words
        script = Path(folder) / "ask.lua"
        script.write_text(LUA.replace("TOKEN", TOKEN), encoding="utf-8")
        print(batch_rate(arguments))
        print(
            f"{'':8} {'clients':>7} {'requests/s':>11} {'p50 ms':>8} {'p95':>8} {'p99':>8} {'CPU ms a request':>17}"
        )
        rates: dict[tuple[str, int], float] = {}
        for kind in ("batched", "naive"):
            with running(arguments, kind) as (port, pid):
                asked(port, pid, 4, 1, script)  # what is slow once
                for clients in CLIENTS:
                    row = asked(port, pid, clients, arguments.seconds, script)
                    rates[kind, clients] = row["rate"]
                    latencies = " ".join(f"{row[name]:8.1f}" for name in ("p50", "p95", "p99"))
                    print(
                        f"{kind:8} {clients:7} {row['rate']:11.0f} {latencies} {row['cpu']:17.2f}", flush=True
                    )
        ratios = [f"{rates['batched', c] / rates['naive', c]:.2f} with {c}" for c in CLIENTS]
        print(
            f"batched against naive: {', '.join(ratios)} clients (goal {GOAL} with {CLIENTS[-1]}, demo model)"
        )
        print(
            f"largest memory of a server: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB"
        )


if __name__ == "__main__":
    main()
