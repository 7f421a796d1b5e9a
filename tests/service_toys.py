"""A search service over a few drawn pictures, in this process or in one of its own; no test is in here."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_toys import NAMES, caption, draw, good, picture, write_csv
from starlette.testclient import TestClient

from clipbench.home import Home
from clipbench.search_service.application import Access, application
from clipbench.search_service.model import QueryModel
from clipbench.search_service.opening import dataset_service, index_service
from clipbench.search_service.service import SearchService
from clipbench.store.engine import Store, open_store
from clipbench.study.embedding.models import ModelRequest
from clipbench.study.embedding.sources import open_source
from clipbench.study.searching.indexed import index_source
from clipbench.study.workplace.progress import Silent

TOKEN = "a-token-of-the-tests"  # noqa: S105, opens nothing
OTHER = "another-token-of-these"
BASE = "http://127.0.0.1:8766"
JSON = {"content-type": "application/json"}
SIZE = 36


def collected(folder: Path, images: int = 36, name: str = "toys") -> None:
    """Bring drawn pictures with columns `colour` and `price` into the store that the environment names."""
    names = draw(folder / "photos", images)
    rows = [(file, caption(n), NAMES[n % 6], str(n)) for n, file in enumerate(names)]
    table = write_csv(folder / f"{name}.csv", rows, ("image", "caption", "colour", "price"))
    good("dataset", "add", name, "--captions", table, "--images", folder / "photos", "-q")


def embedded(folder: Path) -> Path:
    """Make a store with drawn pictures, their columns and vectors in a folder; return it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIPBENCH_STORE", str(folder / "store"))
        collected(folder, SIZE)
        good("embed", "toys", "--model", "toy", "-q")
    return folder / "store"


def toy_service(home: Path, name: str = "toys", model: str = "toy") -> SearchService:
    store = store_at(home)
    return dataset_service(store, name, open_source(store, ModelRequest(model)), Silent())


def toy_index_service(home: Path, index: str) -> SearchService:
    store = store_at(home)
    return index_service(store, index, {}, index_source(store, index), Silent())


def store_at(home: Path) -> Store:
    return open_store(Home(home), create=False)


@contextmanager
def client(service: SearchService, token: str | None = TOKEN, **access: Any) -> Iterator[TestClient]:
    """Give an HTTP client of a service that runs in this process."""
    app = application(service, Access((TOKEN, OTHER), **access))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with TestClient(app, BASE, headers=headers, raise_server_exceptions=False) as asking:
        yield asking


def png(number: int = 0, side: int = 24) -> bytes:
    return encoded(picture(number, side), "PNG")


def encoded(image: Any, kind: str, **how: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **how)
    return data.getvalue()


def words(body: Mapping[str, Any]) -> str:
    return str(body["detail"])


def exact(service: SearchService, text: str, top: int) -> list[float]:
    """The scores that a search for a text has to give, by the plainest way there is."""
    gallery = service.collection.gallery
    vector = service.model.source.encode_texts([text])[0].astype(np.float64)
    return sorted((gallery.vectors.astype(np.float64) @ vector).tolist(), reverse=True)[:top]


@dataclass
class Slowed:
    """A model whose towers wait for `gate`, so that a test decides when an answer may come."""

    model: QueryModel
    gate: Any

    def __post_init__(self) -> None:
        self.batches: list[int] = []

    def kinds(self) -> dict[str, Any]:
        from clipbench.search_service.batching import Work

        return {
            kind: Work(partial(self._run, work), work.largest) for kind, work in self.model.kinds().items()
        }

    def _run(self, work: Any, items: Sequence[Any]) -> Any:
        self.gate.wait(60)
        self.batches.append(len(items))
        return work.run(items)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


@dataclass(frozen=True)
class Process:
    """`clipbench serve` as a process of its own."""

    process: subprocess.Popen[str]
    port: int
    errors: Path

    def send(self, sign: signal.Signals) -> None:
        self.process.send_signal(sign)

    def ended(self, seconds: float = 90) -> int:
        return self.process.wait(seconds)


@contextmanager
def running(home: Path, folder: Path, *options: str) -> Iterator[Process]:
    """Run the service until the block ends; it listens on a free port."""
    said, errors = folder / "said.txt", folder / "errors.txt"
    environment = {
        **os.environ,
        "CLIPBENCH_STORE": str(home),
        "CLIPBENCH_TOKEN": f"{TOKEN} {OTHER}",
        "OMP_NUM_THREADS": "1",
    }
    argv = [sys.executable, "-m", "clipbench", "serve", "--model", "toy", "--port", "0", *options]
    with said.open("w") as out, errors.open("w") as err:
        process = subprocess.Popen(argv, stdout=out, stderr=err, env=environment, text=True)
        try:
            until = time.monotonic() + 60
            while "For programs" not in said.read_text():
                assert process.poll() is None, errors.read_text()
                assert time.monotonic() < until, "the service never said where it is"
                time.sleep(0.02)
            port = int(re.findall(r"http://[^/]+:(\d+)/", said.read_text())[0])
            yield Process(process, port, errors)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(60)
