"""Encoding: the plan depends on the items alone, each unique item is encoded once, and what is stored stays."""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import draw, picture

from clipbench.encoders.protocol import TextVectors
from clipbench.encoders.toy import ToyEncoder
from clipbench.errors import StoppedError
from clipbench.home import Home
from clipbench.keys import file_digest
from clipbench.records import CLEAN, image_key, text_key
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store, open_store
from clipbench.store.vectors import Pool
from clipbench.study.embedding import encode
from clipbench.study.embedding.encode import Picture, encode_images, encode_texts
from clipbench.study.embedding.making import Here
from clipbench.study.workplace.progress import Silent


@dataclass
class Watched:
    """The toy encoder, and what it was given. `stop` raises before the call of that number."""

    texts: list[list[str]] = field(default_factory=list)
    pictures: int = 0
    stop: int | None = None
    inner: ToyEncoder = field(default_factory=ToyEncoder)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def encode_texts(self, texts: Sequence[str]) -> TextVectors:
        if self.stop == len(self.texts):
            raise KeyboardInterrupt
        self.texts.append(list(texts))
        return self.inner.encode_texts(texts)

    def encode_images(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if self.stop is not None and self.pictures >= self.stop:
            raise KeyboardInterrupt
        self.pictures += len(pixels)
        return self.inner.encode_images(pixels)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "TEXT_SHARD", 5)
    monkeypatch.setattr(encode, "IMAGE_SHARD", 4)
    monkeypatch.setattr(encode, "ENCODE_BATCH", {"cpu": 3})


@pytest.fixture
def new_store(tmp_path: Path) -> Callable[[str], Store]:
    def make(name: str) -> Store:
        store = open_store(Home(tmp_path / name))
        save_encoder(store, ToyEncoder().identity, None)
        return store

    return make


def pool(store: Store, modality: Any) -> Pool:
    return Pool(store, ToyEncoder().identity.key, modality)


def files(store: Store) -> dict[str, bytes]:
    folder = store.home.embeddings
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.h5"))}


def sizes(store: Store) -> list[int]:
    return [shard.rows for shard in pool(store, "text").index().shards + pool(store, "image").index().shards]


TEXTS = [f"{'very ' * (i % 4)}red thing {i}" for i in range(13)]


def pictures(folder: Path, count: int) -> list[Picture]:
    return [Picture(name, folder / name, file_digest(folder / name)) for name in draw(folder, count)]


def ready(encoder: Watched) -> Here:
    """This process with an encoder that needs no loading."""
    return Here(lambda: encoder)


def test_strings_are_encoded_in_alphabetical_order_in_shards_of_one_size(
    new_store: Callable[[str], Store],
) -> None:
    encoder, store = Watched(), new_store("a")
    assert encode_texts(pool(store, "text"), [*TEXTS, *TEXTS[::-1]], ready(encoder), Silent()) == 13
    given = [text for shard in encoder.texts for text in shard]
    assert given == sorted(TEXTS)
    assert [len(shard) for shard in encoder.texts] == sizes(store) == [5, 5, 3]
    assert encode_texts(pool(store, "text"), TEXTS, ready(encoder), Silent()) == 0
    assert len(encoder.texts) == 3


def test_the_order_of_the_captions_changes_no_file(new_store: Callable[[str], Store]) -> None:
    one, other = new_store("a"), new_store("b")
    encode_texts(pool(one, "text"), TEXTS, ready(Watched()), Silent())
    encode_texts(pool(other, "text"), [*TEXTS[7:], *TEXTS[:7]], ready(Watched()), Silent())
    assert files(one) == files(other)


@pytest.mark.parametrize("shards", [0, 1, 2])
def test_captions_interrupted_and_resumed_are_as_if_nothing_had_happened(
    shards: int, new_store: Callable[[str], Store]
) -> None:
    whole, broken = new_store("whole"), new_store("broken")
    encode_texts(pool(whole, "text"), TEXTS, ready(Watched()), Silent())
    with pytest.raises(StoppedError) as stopped:
        encode_texts(pool(broken, "text"), TEXTS, ready(Watched(stop=shards)), Silent())
    assert f"interrupted: {5 * shards} of 13 captions of this run are stored" in stopped.value.message
    assert sizes(broken) == [5] * shards
    assert encode_texts(pool(broken, "text"), TEXTS, ready(Watched()), Silent()) == 13 - 5 * shards
    assert files(broken) == files(whole)


def test_equal_files_are_decoded_once_and_both_ids_have_the_vector(
    tmp_path: Path, new_store: Callable[[str], Store]
) -> None:
    some = pictures(tmp_path / "photos", 5)
    shutil.copy(some[1].path, tmp_path / "photos" / "twin.png")
    twin = Picture("twin.png", tmp_path / "photos" / "twin.png", some[1].digest)
    encoder, store = Watched(), new_store("a")
    done = encode_images(pool(store, "image"), [*some, twin], ready(encoder), Silent())
    assert (done.encoded, encoder.pictures) == (5, 5)
    assert image_key(twin.digest, CLEAN, twin.id) == image_key(some[1].digest, CLEAN, some[1].id)
    assert not pool(store, "image").missing([image_key(twin.digest, CLEAN, twin.id)])


def test_vectors_are_the_encoders_own(tmp_path: Path, new_store: Callable[[str], Store]) -> None:
    some, store = pictures(tmp_path / "photos", 6), new_store("a")
    encode_images(pool(store, "image"), some, ready(Watched()), Silent())
    toy = ToyEncoder()
    wanted = toy.encode_images(np.stack([toy.prepare(picture(i)) for i in range(6)]))
    keys = [image_key(p.digest, CLEAN, p.id) for p in some]
    assert np.array_equal(pool(store, "image").gather(keys), wanted)
    assert np.array_equal(pool(store, "image").gather(keys[::-1]), wanted[::-1])


def test_an_unreadable_file_is_named_and_moves_no_boundary(
    tmp_path: Path, new_store: Callable[[str], Store]
) -> None:
    some = pictures(tmp_path / "photos", 11)
    whole, holed = new_store("whole"), new_store("holed")
    encode_images(pool(whole, "image"), some, ready(Watched()), Silent())
    assert sizes(whole) == [4, 4, 3]
    good = some[5].path.read_bytes()
    some[5].path.write_bytes(b"no image")
    done = encode_images(pool(holed, "image"), some, ready(Watched()), Silent())
    assert done.encoded == 10
    assert list(done.unreadable) == ["p005.png"]
    assert "the file has changed" in done.unreadable["p005.png"]
    assert sizes(holed) == [4, 3, 3]
    assert len({*files(whole)} & {*files(holed)}) == 2, "the other shards are the same"
    # Mended, only it is encoded, and all vectors are what they would have been.
    some[5].path.write_bytes(good)
    again = encode_images(pool(holed, "image"), some, ready(Watched()), Silent())
    assert (again.encoded, again.unreadable) == (1, {})
    keys = [image_key(p.digest, CLEAN, p.id) for p in some]
    assert np.array_equal(pool(holed, "image").gather(keys), pool(whole, "image").gather(keys))


def test_a_shard_of_unreadable_files_only_is_no_shard(
    tmp_path: Path, new_store: Callable[[str], Store]
) -> None:
    some, store = pictures(tmp_path / "photos", 6), new_store("a")
    for one in some[:4]:
        one.path.unlink()
    done = encode_images(pool(store, "image"), some, ready(Watched()), Silent())
    assert (done.encoded, len(done.unreadable), sizes(store)) == (2, 4, [2])


@pytest.mark.parametrize("stop", [0, 4, 8])
def test_photographs_interrupted_and_resumed_are_as_if_nothing_had_happened(
    stop: int, tmp_path: Path, new_store: Callable[[str], Store]
) -> None:
    some = pictures(tmp_path / "photos", 11)
    whole, broken = new_store("whole"), new_store("broken")
    encode_images(pool(whole, "image"), some, ready(Watched()), Silent())
    with pytest.raises(StoppedError) as stopped:
        encode_images(pool(broken, "image"), some, ready(Watched(stop=stop)), Silent())
    assert (
        f"interrupted: {stop} of 11 images of this run are stored, nothing is lost" in stopped.value.message
    )
    assert stopped.value.hint == "the same command again goes on where this one stopped"
    encoder = Watched()
    assert (
        encode_images(pool(broken, "image"), some, ready(encoder), Silent()).encoded
        == 11 - stop
        == encoder.pictures
    )
    assert files(broken) == files(whole)


def test_a_finished_file_without_a_row_is_taken_over_and_not_encoded_again(
    new_store: Callable[[str], Store],
) -> None:
    whole, broken = new_store("whole"), new_store("broken")
    encode_texts(pool(whole, "text"), TEXTS, ready(Watched()), Silent())
    for name, data in list(files(whole).items())[:2]:
        path = broken.home.embeddings / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    encoder = Watched()
    encode_texts(pool(broken, "text"), TEXTS, ready(encoder), Silent())
    assert len(encoder.texts) == 1
    assert files(broken) == files(whole)
    keys = [text_key(text) for text in TEXTS]
    assert np.array_equal(pool(broken, "text").gather(keys), pool(whole, "text").gather(keys))


@dataclass
class Counted:
    """Progress that is only counted: the totals of all bars, and all their advances together."""

    totals: list[int] = field(default_factory=list)
    done: int = 0

    def start(self, _: str, total: int) -> int:
        self.totals.append(total)
        return len(self.totals)

    def advance(self, _: int, count: int = 1) -> None:
        self.done += count

    def say(self, _: int, words: str) -> None:
        pass


def test_progress_comes_to_the_total_whatever_was_stored_before(
    tmp_path: Path, new_store: Callable[[str], Store]
) -> None:
    some, store = pictures(tmp_path / "photos", 11), new_store("a")
    some[9].path.write_bytes(b"no image")
    listening = Counted()
    with pytest.raises(StoppedError):
        encode_images(pool(store, "image"), some, ready(Watched(stop=4)), listening)
    listening = Counted()
    encode_images(pool(store, "image"), some, ready(Watched()), listening)
    encode_texts(pool(store, "text"), TEXTS, ready(Watched()), listening)
    assert (listening.totals, listening.done) == ([7, 13], 20)
    other = new_store("other")
    shutil.copytree(store.home.embeddings, other.home.embeddings)
    listening = Counted()
    encode_images(pool(other, "image"), some[:8], ready(Watched()), listening)
    assert (listening.totals, listening.done) == ([8], 8), "files that were only taken over count too"


def test_captions_show_from_the_first_batch_on(new_store: Callable[[str], Store]) -> None:
    from clipbench.encoders.batching import tell

    steps: list[int] = []

    class Batched(ToyEncoder):
        def encode_texts(self, texts: Sequence[str]) -> TextVectors:
            for start in range(0, len(texts), 5):
                tell(len(texts[start : start + 5]))
            steps.append(listening.done)  # before a single vector of the shard is stored
            return super().encode_texts(texts)

    listening = Counted()
    encode_texts(pool(new_store("a"), "text"), TEXTS, Here(Batched), listening)
    assert (steps, listening.done, listening.totals) == ([5, 10, 13], 13, [13])
    tell(3)  # nobody listens any more
    assert listening.done == len(TEXTS)


def test_a_perturbed_photograph_is_another_item_by_image_id(
    tmp_path: Path, new_store: Callable[[str], Store]
) -> None:
    from clipbench.records import Perturbation

    blur = Perturbation("blur", "image", 2, 0)
    some, store = pictures(tmp_path / "photos", 2), new_store("a")
    twin = Picture("twin", some[0].path, some[0].digest)
    seen: list[str] = []

    def transform(image_id: str, image: Image.Image) -> npt.NDArray[np.uint8]:
        seen.append(image_id)
        return ToyEncoder().prepare(image.rotate(90))

    done = encode_images(
        pool(store, "image"), [*some, twin], ready(Watched()), Silent(), blur, lambda _: transform
    )
    assert done.encoded == 3
    assert sorted(seen) == ["p000.png", "p001.png", "twin"]


def test_shard_files_are_plain_hdf5(new_store: Callable[[str], Store]) -> None:
    store = new_store("a")
    encode_texts(pool(store, "text"), TEXTS, ready(Watched()), Silent())
    with h5py.File(next(store.home.embeddings.rglob("*.h5"))) as file:
        assert set(file) == {"keys", "vectors"}


def test_a_large_collection_has_larger_shards(
    new_store: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pool = Pool(new_store("large"), ToyEncoder().identity.key, "image")
    pictures = [Picture(f"p{i}", tmp_path / f"{i}.png", f"{i:064x}") for i in range(40)]
    assert [len(task.pictures) for task in encode.image_tasks(pool, pictures)] == [4] * 10
    monkeypatch.setattr(encode, "MOST_SHARDS", 3)
    assert [len(task.pictures) for task in encode.image_tasks(pool, pictures)] == [16, 16, 8]
