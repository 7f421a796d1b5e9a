"""What the page on large collections says of costs is what the script computes, and bytes are those of the formats."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import scale

from clipbench.home import Home
from clipbench.indexes.protocol import IndexRecipe
from clipbench.records import EncoderIdentity, text_key
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import open_store
from clipbench.store.vectors import Pool

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"


def unit(rows: int, dimension: int) -> np.ndarray:
    drawn = np.random.default_rng(0).standard_normal((rows, dimension)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_the_table_on_the_page_is_the_scripts() -> None:
    assert scale.table() in PAGE.read_text(encoding="utf-8"), "python benchmarks/scale.py prints it"


@pytest.mark.parametrize(
    ("kind", "few", "predicted"),
    [
        ("hnsw", {"ef_construction": 8}, lambda n: scale.hnsw_bytes(n, 32)),
        ("ivf-pq", {"bytes": 4, "lists": 16}, lambda n: scale.ivf_pq_bytes(n, 32, 4)),
    ],
    ids=["hnsw", "ivf-pq"],
)
def test_an_index_has_the_bytes_that_are_predicted(
    tmp_path: Path, kind: str, few: dict[str, int], predicted: Callable[[int], float]
) -> None:
    pytest.importorskip("faiss")
    from clipbench.indexes.faiss_library import build

    build(IndexRecipe(kind, few), unit(2048, 32)).save(tmp_path / "index")
    lists = few.get("lists", 0) and (scale.lists(2048) - few["lists"]) * 32 * scale.REAL
    assert (tmp_path / "index").stat().st_size == pytest.approx(predicted(2048) - lists, rel=0.03)


def test_a_store_has_the_bytes_that_are_predicted(tmp_path: Path) -> None:
    store = open_store(Home(tmp_path))
    identity = EncoderIdentity("toy", "toy", "toy", "toy", None, "w", "none", {}, {}, "fp32", 512)
    save_encoder(store, identity, None)
    Pool(store, identity.key, "image").write([text_key(str(n)) for n in range(1024)], unit(1024, 512))
    written = sum(path.stat().st_size for path in tmp_path.rglob("*.h5"))
    assert written == pytest.approx(scale.stored_bytes(1024), rel=0.01)


def test_more_of_anything_never_costs_less() -> None:
    for of in (scale.exact_bytes, scale.hnsw_bytes, scale.ivf_pq_bytes):
        assert of(10**6) < of(10**8) < of(10**9)
    assert scale.milvus_nodes(1.0) == 1
    assert scale.milvus_nodes(scale.NODE.memory) == 2
