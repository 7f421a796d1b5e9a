"""A standalone Milvus server behind the same index type as a file of milvus-lite (pip install milvus brings one)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from clipbench.errors import ClipbenchError
from clipbench.indexes.backends import backend
from clipbench.indexes.protocol import IndexRecipe

pytest.importorskip("pymilvus")
server = pytest.importorskip("milvus")

pytestmark = pytest.mark.slow
N, D, K = 2_500, 32, 10


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = server.MilvusServer()
    running.set_base_dir(str(tmp_path_factory.mktemp("milvus")))
    running.listen_port = port
    running.start()
    yield f"http://127.0.0.1:{port}"
    running.stop()


def unit(seed: int, rows: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, D))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_server_finds_what_a_file_finds_and_is_left_clean(address: str, tmp_path: Path) -> None:
    vectors, queries = unit(0, N), unit(1, 30)
    recipe = IndexRecipe("milvus", {}, address)
    backend("milvus").build(recipe, vectors).save(tmp_path / "index")
    index = backend("milvus").read(
        recipe, tmp_path / "index", vectors
    )  # is seen to hear its parameter, or refused
    want = np.argsort(-(queries @ vectors.T), axis=1)[:, :K]
    recalls = []
    for ef in (10, 400):
        answer = index.search(queries, K, {"ef": ef})
        np.testing.assert_allclose(
            answer.scores, np.take_along_axis(queries @ vectors.T, answer.items, axis=1), atol=1e-6
        )
        recalls.append(np.mean([len(set(a) & set(b)) / K for a, b in zip(answer.items, want, strict=True)]))
    assert recalls[0] < recalls[1]
    assert recalls[1] > 0.99
    with pytest.raises(ClipbenchError, match="these vectors are in"):
        backend("milvus").read(recipe, tmp_path / "index", unit(2, N))
    told = json.loads((tmp_path / "index").read_text())
    (tmp_path / "older").write_text(json.dumps({**told, "server": "1.0"}))
    with pytest.raises(ClipbenchError, match=r"built by Milvus 1\.0"):
        backend("milvus").read(recipe, tmp_path / "older", vectors)
    backend("milvus").forget(tmp_path / "index", recipe)
    with pytest.raises(ClipbenchError, match="holds 0 vectors"):
        backend("milvus").read(recipe, tmp_path / "index", vectors)
