"""The engine on a cluster, with workers in this process: what is lost is made again, what is wrong is said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import draw, good, misused

from clipbench.encoders.request import ModelRequest
from clipbench.encoders.toy import ToyEncoder
from clipbench.errors import ClipbenchError, DatasetError, EncoderError, StoreError
from clipbench.home import Home
from clipbench.keys import file_digest
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store, open_store
from clipbench.store.vectors import Pool, ShardPlace
from clipbench.study.cluster import connection, engine, worker
from clipbench.study.cluster.account import Account
from clipbench.study.cluster.connection import Asked, Crowd, check_address
from clipbench.study.cluster.engine import RayEngine, portable
from clipbench.study.cluster.worker import Order, Ready, Refusal, Worker, Written, is_there
from clipbench.study.embedding import encode
from clipbench.study.embedding.encode import Picture, encode_images, encode_texts
from clipbench.study.embedding.making import Here
from clipbench.study.workplace.progress import Silent

TOY = ModelRequest("toy")
NAMES = [f"p{number:03}.png" for number in range(3)]
TEXTS = [f"{'very ' * (i % 4)}red thing {i}" for i in range(23)]


class RayError(Exception):
    """What Ray raises for a lost worker."""


class RayTaskError(RayError):
    """What Ray raises for an error of a worker's code."""


class Exceptions:
    """Where Ray keeps them."""

    RayError = RayError
    RayTaskError = RayTaskError


@dataclass
class Cluster:
    """As much of Ray as the engine uses. spoil: called with (worker number, method, arguments), may raise or answer."""

    spoil: Callable[[int, str, tuple[Any, ...]], Any] = lambda *_: None
    hired: int = 0
    killed: list[int] = field(default_factory=list)
    exceptions: Any = Exceptions

    def remote(self, made: type) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *a: self._hire(made(*a))))

    def _hire(self, actor: Any) -> Any:
        self.hired += 1
        number = self.hired

        def method(name: str) -> Any:
            def call(*arguments: Any) -> Any:
                spoilt = self.spoil(number, name, arguments)
                return spoilt if spoilt is not None else getattr(actor, name)(*arguments)

            return SimpleNamespace(remote=lambda *arguments: partial(call, *arguments))

        return SimpleNamespace(number=number, start=method("start"), make=method("make"))

    def wait(self, answers: list[Any], num_returns: int, **_: float) -> tuple[list[Any], list[Any]]:
        return answers[:num_returns], answers[num_returns:]

    def get(self, answer: Any) -> Any:
        return answer()

    def kill(self, actor: Any) -> None:
        self.killed.append(actor.number)


@dataclass
class Joined:
    """A connection to such a cluster, with three workers."""

    ray: Cluster

    def crowd(self, *_: object) -> Crowd:
        return Crowd(3, 1.0, 0.0)

    def resources(self) -> str:
        return "1 machine, 3 of 3 CPUs taken"

    def close(self) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(encode, "TEXT_SHARD", 5)
    monkeypatch.setattr(encode, "IMAGE_SHARD", 4)
    return new_store(tmp_path / "there")


def new_store(folder: Path) -> Store:
    made = open_store(Home(folder))
    save_encoder(made, ToyEncoder().identity, None)
    return made


def pool(store: Store, modality: Any = "text") -> Pool:
    return Pool(store, ToyEncoder().identity.key, modality)


def files(store: Store) -> dict[str, bytes]:
    folder = store.home.embeddings
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.h5"))}


def on(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, told: list[str] | None = None) -> RayEngine:
    monkeypatch.setattr(engine, "Connection", lambda *_: Joined(cluster))
    return RayEngine(Asked(), (told if told is not None else []).append, patience=0.0)


def spread(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, store: Store, told: list[str]) -> int:
    at = on(cluster, monkeypatch, told).executor(TOY, ToyEncoder().identity)
    return encode_texts(pool(store), TEXTS, at, Silent())


def test_a_cluster_writes_the_files_of_one_process(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = new_store(tmp_path / "here")
    names = draw(tmp_path / "photos", 11)
    some = [Picture(n, tmp_path / "photos" / n, file_digest(tmp_path / "photos" / n)) for n in names]
    (tmp_path / "photos" / names[5]).write_bytes(b"damaged")
    at = on(Cluster(), monkeypatch).executor(TOY, ToyEncoder().identity)
    for where, executor in ((one, Here(ToyEncoder)), (store, at)):
        assert encode_texts(pool(where), TEXTS, executor, Silent()) == 23
        done = encode_images(pool(where, "image"), some, executor, Silent())
        assert (done.encoded, list(done.unreadable)) == (10, [names[5]])
    assert files(store) == files(one)
    assert pool(store).index().shards[0].rows == 5


def test_a_lost_worker_is_replaced_and_its_shards_are_made_by_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(number: int, method: str, _: tuple[Any, ...]) -> None:
        if (number, method) == (1, "make"):
            raise RayError("The actor is dead. More than anybody wants to read")

    told: list[str] = []
    cluster = Cluster(spoil)
    assert spread(cluster, monkeypatch, store, told) == 23
    assert pool(store).missing([encode.text_key(text) for text in TEXTS]) == []
    assert cluster.killed == [1]
    assert any("its shards go to others (The actor is dead)" in one for one in told)


def test_what_was_finished_is_not_encoded_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = encode.text_tasks(pool(store), TEXTS)
    ahead = Worker(Order(TOY, ToyEncoder().identity))
    assert isinstance(ahead.start(), Ready)
    assert isinstance(ahead.make(pool(store).place, tasks[2]), Written)
    made: list[Any] = []
    cluster = Cluster(lambda _, method, given: made.append(given[1].texts) if method == "make" else None)
    assert spread(cluster, monkeypatch, store, []) == 23
    assert len(made) == len(tasks) - 1
    assert tasks[2].texts not in made


def test_a_shard_that_takes_its_workers_down_is_an_error_with_its_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(_: int, method: str, given: tuple[Any, ...]) -> None:
        if method == "make" and "red thing 0" in given[1].texts:
            raise RayError("out of memory")

    with pytest.raises(
        EncoderError, match=r"shard of 5 captions from 'red thing 0' to .* took down 4 workers"
    ):
        spread(Cluster(spoil), monkeypatch, store, [])


def test_workers_that_never_get_ready_are_an_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(_: int, method: str, __: tuple[Any, ...]) -> None:
        if method == "start":
            raise RayError("No module named clipbench")

    with pytest.raises(EncoderError, match=r"no worker gets ready.*No module named clipbench"):
        spread(Cluster(spoil), monkeypatch, store, [])


def test_another_encoder_or_clipbench_on_a_worker_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(ToyEncoder().identity, weights="of another model")
    save_encoder(store, other, None)
    at = on(Cluster(), monkeypatch).executor(TOY, other)
    with pytest.raises(EncoderError, match=r"another encoder than this machine: weights .* of another model"):
        encode_texts(Pool(store, other.key, "text"), TEXTS, at, Silent())
    old = Worker(Order(TOY, ToyEncoder().identity, version="0.0.1")).start()
    assert isinstance(old, Refusal)
    assert "the one that asks has 0.0.1" in old.message


def test_an_error_in_a_shard_is_an_error_with_the_names_of_its_items(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("by chance")

    monkeypatch.setattr(worker, "encode_shard", broken)
    with pytest.raises(EncoderError, match=r"captions from 'red thing 0' .* ZeroDivisionError: by chance"):
        spread(Cluster(), monkeypatch, store, [])


def test_a_file_that_is_not_seen_here_is_waited_for_and_then_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "VISIBLE", 0.05)
    elsewhere = Cluster(lambda _, method, __: Written() if method == "make" else None)
    with pytest.raises(StoreError, match="and no such file is here"):
        spread(elsewhere, monkeypatch, store, [])


def test_a_photograph_that_a_worker_does_not_have_is_an_error_and_not_missing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = draw(tmp_path / "photos", 3)
    some = [Picture(n, tmp_path / "photos" / n, file_digest(tmp_path / "photos" / n)) for n in names]
    without = Written({p.id: "missing" for p in some}, tuple(some))
    cluster = Cluster(lambda _, method, __: without if method == "make" else None)
    at = on(cluster, monkeypatch).executor(TOY, ToyEncoder().identity)
    with pytest.raises(DatasetError, match=r"is here, but not on the worker"):
        encode_images(pool(store, "image"), some, at, Silent())


def test_a_photograph_inside_of_a_larger_file_is_there_where_that_file_is(tmp_path: Path) -> None:
    (tmp_path / "s.tar").touch()
    assert is_there(tmp_path / "s.tar" / "bytes-512-9" / "a.jpg")
    assert not is_there(tmp_path / "t.tar" / "bytes-512-9" / "a.jpg")


def test_a_watch_says_when_nothing_gets_finished(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    spread(Cluster(), monkeypatch, store, told)
    assert any("no shard was finished for 0 s: " in one and "3 of 3 CPUs taken" in one for one in told)


def test_a_worker_writes_into_a_shared_folder_only(tmp_path: Path) -> None:
    here = Worker(Order(TOY, ToyEncoder().identity))
    assert isinstance(here.start(), Ready)
    place = ShardPlace(tmp_path / "not mounted", ToyEncoder().identity.key, "text", 256)
    refused = here.make(place, encode.ShardTask(texts=("a", "b")))
    assert isinstance(refused, Refusal)
    assert "there is no folder" in refused.message
    assert not place.folder.exists()


def test_a_link_to_the_shared_folder_is_followed_before_others_are_told(store: Store, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    store.home.embeddings.symlink_to(tmp_path / "shared")
    assert pool(store).place.folder == (tmp_path / "shared").resolve()


def test_paths_of_models_are_sent_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "weights.pt").touch()
    assert portable(ModelRequest("local-dir:model")).model == f"local-dir:{tmp_path / 'model'}"
    assert portable(ModelRequest("ViT-B-32", "weights.pt")).pretrained == str(tmp_path / "weights.pt")
    assert portable(ModelRequest("ViT-B-32", "openai")) == ModelRequest("ViT-B-32", "openai")


@pytest.mark.parametrize("address", ["foo", ":1", "ray://", "host:port", "host:99999"])
def test_what_is_no_address_is_said_at_once(address: str) -> None:
    with pytest.raises(ClipbenchError, match="is none"):
        check_address(address)


def test_ray_reports_to_nobody_and_our_own_cluster_listens_here_with_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (*connection.QUIET, *connection.OWN, "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    given: dict[str, Any] = {}
    fake = SimpleNamespace(
        is_initialized=lambda: False, init=lambda **words: given.update(words), shutdown=lambda: None
    )
    monkeypatch.setitem(sys.modules, "ray", fake)
    connection.Connection(Asked()).close()
    assert not Path(given["_temp_dir"]).exists()
    environment = connection.os.environ
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert (
        environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    )  # that is what makes Ray listen on 127.0.0.1
    assert len(environment["RAY_AUTH_TOKEN"]) == 64
    assert given["include_dashboard"] is False
    assert given["_node_ip_address"] == "127.0.0.1"


def test_an_account_says_where_the_time_went() -> None:
    account = Account()
    assert account.words() is None
    account.resumed()
    account.delivered(Written(encoding=3.0, writing=1.0))
    assert "75% reading and encoding, 25% writing files, 0% waiting" in str(account.words())


def test_one_machine_imports_no_ray(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from clipbench.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert 'ray' not in sys.modules and 'clipbench.study.cluster.engine' not in sys.modules"
    )
    (tmp_path / "captions.csv").write_text("image,caption\n" + "".join(f"{n},a\n" for n in NAMES))
    draw(tmp_path / "photos", len(NAMES))
    good("dataset", "add", "toys", "--captions", tmp_path / "captions.csv", "--images", tmp_path / "photos")
    subprocess.run([sys.executable, "-c", code, "embed", "toys", "--model", "toy"], check=True)


def test_options_of_a_cluster_go_with_it() -> None:
    assert "--workers goes with --engine ray" in misused("embed", "x", "--model", "toy", "--workers", "2")


def test_a_dry_run_says_whether_a_cluster_pays_and_encodes_nothing(tmp_path: Path, own_home: Path) -> None:
    (tmp_path / "captions.csv").write_text("image,caption\n" + "".join(f"{n},a {n}\n" for n in NAMES))
    draw(tmp_path / "photos", len(NAMES))
    good("dataset", "add", "toys", "--captions", tmp_path / "captions.csv", "--images", tmp_path / "photos")
    told = good("embed", "toys", "--model", "toy", "--dry-run", "--engine", "ray", "--workers", "4").out
    assert "3 strings and 3 pictures to encode, in 2 shards" in told
    assert "Ray does not pay here; it does from 45 s of work on" in told
    assert not list(own_home.rglob("*.h5"))
