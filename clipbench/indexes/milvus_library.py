"""HNSW by Milvus: a file of milvus-lite, or a server by its address, through one client.

Without being flushed, indexed and loaded a collection answers by brute force, and its figures mean nothing; so an
index is used only once it says it is finished and was seen to answer to its parameter. The file of milvus-lite is a
folder that changes when it is opened: it is kept packed, and every opening works on a copy. For trying; one process
at a time, and slower than faiss.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tarfile
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.indexes.filters import completed, exactly, is_small
from clipbench.indexes.protocol import (
    NOTHING,
    Answer,
    IndexRecipe,
    Items,
    Settings,
    Vectors,
    checked,
    ordered,
)

BUILD: Settings = {"m": 16, "ef_construction": 200}
SEARCH: Settings = {"ef": 64}

BLOCK = 2_000
"""Rows inserted at a time: a message to a server has at most 64 MB."""

ASKED = 200
"""Queries in one message."""

LONGEST = 16_384
"""Items that Milvus names at most."""

PATIENCE = 300.0
"""Seconds in which a collection has to be indexed and loaded."""

PLENTY = 2_000
"""Items from which the narrowest search cannot well find everything, so that deafness shows."""

TOKEN = "CLIPBENCH_MILVUS_TOKEN"  # noqa: S105, the name of a variable
"""Environment variable of what a server asks for; it is stored nowhere."""

METRIC = "IP"
DATABASE = "index.db"
_VECTOR, _NUMBER = "vector", "number"


def parameters(recipe: IndexRecipe, items: int, dimension: int) -> dict[str, int]:
    """Return every build parameter, defaults filled in. Raises ClipbenchError for unknown ones."""
    del items, dimension
    unknown = sorted(set(recipe.build) - set(BUILD))
    if unknown:
        raise ClipbenchError(
            f"milvus has no parameter {unknown[0]!r}; there are: {', '.join(BUILD)}",
            "clipbench index build --help",
        )
    chosen = {**BUILD, **recipe.build}
    if chosen["m"] < 2 or chosen["ef_construction"] < 1:
        raise ClipbenchError("m is 2 or more, ef_construction 1 or more")
    return chosen


def library_version() -> str:
    """Return the versions of the client and of milvus-lite, which are part of an index's identity."""
    from importlib.metadata import PackageNotFoundError, version

    told = []
    for name in ("pymilvus", "milvus-lite"):
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            if name == "pymilvus":
                raise _absent() from None
    return ", ".join(told)


def build(recipe: IndexRecipe, vectors: Vectors) -> MilvusIndex:
    """Return the index of unit vectors (N, D), finished and seen to answer to its parameter.

    Raises ClipbenchError where Milvus is not installed, does not answer, or is deaf.
    """
    chosen = parameters(recipe, *vectors.shape)
    home = None if recipe.place else tempfile.TemporaryDirectory(prefix="clipbench-milvus-")
    name = _name(vectors, chosen)
    with _told(recipe.place):
        client = _client(recipe.place or str(Path(home.name if home else "") / DATABASE))
        if client.has_collection(name):
            client.drop_collection(name)
        _create(client, name, vectors.shape[1])
        for start in range(0, len(vectors), BLOCK):
            rows = [
                {_NUMBER: start + place, _VECTOR: row.tolist()}
                for place, row in enumerate(vectors[start : start + BLOCK])
            ]
            client.insert(name, rows)
        client.flush(name)
        wanted = client.prepare_index_params()
        told = {"M": chosen["m"], "efConstruction": chosen["ef_construction"]}
        wanted.add_index(_VECTOR, index_type="HNSW", metric_type=METRIC, params=told)
        client.create_index(name, wanted)
    return _ready(MilvusIndex(client, name, vectors, recipe.place, home))


def read(recipe: IndexRecipe, path: Path, vectors: Vectors) -> MilvusIndex:
    """Return the index of a file whose bytes are known to be those that were written.

    Raises ClipbenchError where it cannot be read, or does not hold these vectors' number.
    """
    home = None if recipe.place else tempfile.TemporaryDirectory(prefix="clipbench-milvus-")
    name = _name(vectors, parameters(recipe, *vectors.shape))
    if home is None:
        _check_pointer(path, name)
    else:
        _unpack(path, Path(home.name))
    with _told(recipe.place):
        client = _client(recipe.place or str(Path(home.name if home else "") / DATABASE))
        if home is None:
            _check_server(path, client)
        held = int(client.get_collection_stats(name)["row_count"]) if client.has_collection(name) else 0
    if held != len(vectors):
        raise ClipbenchError(
            f"{recipe.place or path} holds {held:,} vectors of this index, not {len(vectors):,}",
            "clipbench index build",
        )
    return _ready(MilvusIndex(client, name, vectors, recipe.place, home))


def forget(path: Path, recipe: IndexRecipe) -> None:
    """Drop a server's collection. Raises ClipbenchError where it does not answer."""
    if recipe.place is None or not path.exists():
        return
    with _told(recipe.place):
        _client(recipe.place).drop_collection(str(_pointer(path).get("collection")))


class MilvusIndex:
    """A collection of Milvus beside the vectors it was built from."""

    def __init__(self, client: Any, name: str, vectors: Vectors, place: str | None, home: Any) -> None:
        self._client = client
        self._name = name
        self._vectors = vectors
        self._place = place
        self._home = home
        self._finalizer = weakref.finalize(self, _close, client, home)

    @property
    def size(self) -> int:
        """How many items it holds."""
        return len(self._vectors)

    @property
    def search_defaults(self) -> Settings:
        """The parameters that a search heeds, with their defaults."""
        return SEARCH

    def search(self, queries: Vectors, k: int, settings: Settings, among: Items | None = None) -> Answer:
        """Return the first k items that Milvus names, by cosine."""
        chosen = checked(settings, SEARCH)
        if is_small(among):
            return exactly(self._vectors, queries, k, among)
        fetched = min(self.size, k)
        if fetched > LONGEST:
            raise ClipbenchError(f"Milvus names at most {LONGEST:,} items, {fetched:,} were asked for")
        named = np.full((len(queries), fetched), NOTHING, dtype=np.int64)
        for start in range(0, len(queries), ASKED):
            part = queries[start : start + ASKED]
            for row, hits in enumerate(self._named(part, fetched, chosen, among)):
                numbers = [hit[_NUMBER] for hit in hits]
                named[start + row, : len(numbers)] = numbers
        answer = ordered(queries, self._vectors, named, k)
        return completed(answer, self._vectors, queries, k, among)

    def _named(self, queries: Vectors, k: int, chosen: Settings, among: Items | None) -> Any:
        # A beam narrower than the list asked for could not fill it.
        asked = {"metric_type": METRIC, "params": {"ef": max(chosen["ef"], k)}}
        more: dict[str, Any] = {"filter": f"{_NUMBER} in {among.tolist()}"} if among is not None else {}
        if self._place:
            more["consistency_level"] = "Eventually"  # nothing is written any more; waiting costs 200 ms
        with _told(self._place):
            return self._client.search(
                self._name,
                np.asarray(queries, dtype=np.float32).tolist(),
                limit=k,
                search_params=asked,
                output_fields=[_NUMBER],
                **more,
            )

    def save(self, path: Path) -> None:
        """Write the index to one file: milvus-lite's folder packed, or where the server keeps it."""
        if self._place is not None:
            with _told(self._place):
                server = self._client.get_server_version()
            told = {"collection": self._name, "items": self.size, "server": server}
            path.write_text(json.dumps(told), encoding="utf-8")
            return
        with tarfile.open(path, "w") as archive:
            for file in sorted(Path(self._home.name).rglob("*")):
                if file.name != "LOCK":
                    archive.add(file, file.relative_to(self._home.name), recursive=False)

    @property
    def finished(self) -> bool:
        """Whether every row is indexed and loaded."""
        told = self._client.describe_index(self._name, _VECTOR)
        state = str(self._client.get_load_state(self._name)["state"])
        indexed = (
            int(told.get("indexed_rows", 0)) >= self.size and int(told.get("pending_index_rows", 0)) == 0
        )
        return indexed and "Loaded" in state


def _ready(index: MilvusIndex) -> MilvusIndex:
    """Wait until a collection is indexed and loaded, and see that it answers to its parameter."""
    end = time.monotonic() + PATIENCE
    with _told(index._place):  # noqa: SLF001, of this module
        index._client.load_collection(index._name)  # noqa: SLF001, its own module's index
        while not index.finished:
            if time.monotonic() > end:
                raise ClipbenchError(f"Milvus did not index {index.size:,} vectors in {PATIENCE:g} s")
            time.sleep(0.1)
    if index.size >= PLENTY and not hears(index):
        raise ClipbenchError(
            "Milvus answers alike whatever ef it is given, so it searches by brute force",
            "clipbench index build --type hnsw",
        )
    return index


def hears(index: MilvusIndex) -> bool:
    """Whether the answers to random queries, which lie far from everything, change with ef."""
    drawn = np.random.default_rng(0).normal(size=(50, index._vectors.shape[1]))  # noqa: SLF001, of this module
    queries = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    low, high = (index.search(queries, 10, {"ef": ef}).items for ef in (1, 400))
    return bool((low != high).any())


def _create(client: Any, name: str, dimension: int) -> None:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(_NUMBER, DataType.INT64, is_primary=True)
    schema.add_field(_VECTOR, DataType.FLOAT_VECTOR, dim=dimension)
    client.create_collection(name, schema=schema)


def _name(vectors: Vectors, chosen: Settings) -> str:
    """Return what a collection of these vectors is called: servers are shared."""
    hasher = hashlib.blake2b(json.dumps(dict(chosen), sort_keys=True).encode(), digest_size=16)
    for start in range(0, len(vectors), BLOCK):
        hasher.update(np.ascontiguousarray(vectors[start : start + BLOCK], dtype="<f4").data)
    return f"clipbench_{hasher.hexdigest()}"


def _client(address: str) -> Any:
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise _absent() from error
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what fails is told once, by us
    return MilvusClient(address, token=os.environ.get(TOKEN, ""))


def _absent() -> ClipbenchError:
    return ClipbenchError(
        "this index needs pymilvus, which is not installed",
        "pip install 'clipbench[milvus]', or --type hnsw",
    )


def _close(client: Any, home: Any) -> None:
    client.close()
    if home is not None:
        home.cleanup()


@contextmanager
def _told(place: str | None) -> Iterator[None]:
    """Turn Milvus' errors into ours."""
    try:
        yield
    except ClipbenchError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("pymilvus", "grpc", "milvus_lite")):
            raise
        reason = " ".join(str(error).split())[:160]
        where = f"the Milvus server at {place}" if place else "milvus-lite"
        raise ClipbenchError(f"{where} refused: {reason}", "is it running? is the address right?") from error


def _pointer(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ClipbenchError(f"{path} does not name a collection", "clipbench index build") from error
    if not isinstance(told, dict):
        raise ClipbenchError(f"{path} does not name a collection", "clipbench index build")
    return told


def _check_pointer(path: Path, name: str) -> None:
    named = _pointer(path).get("collection")
    if named != name:
        raise ClipbenchError(
            f"{path} names the collection {named}, and these vectors are in {name}", "clipbench index build"
        )


def _check_server(path: Path, client: Any) -> None:
    was, now = _pointer(path).get("server"), client.get_server_version()
    if was != now:
        raise ClipbenchError(
            f"the index was built by Milvus {was}, and the server is Milvus {now} now",
            "clipbench index delete, then build it again",
        )


def _unpack(path: Path, folder: Path) -> None:
    try:
        with tarfile.open(path, "r:") as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ClipbenchError(f"{path} is no packed milvus-lite: {error}", "clipbench index build") from error
