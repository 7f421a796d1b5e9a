"""Parts of an encoding on several machines: a partition, equal to one machine to the byte, and trusted file by file."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import kill_toys
from cli_toys import cli, collection, good, misused, refused

from clipbench.encoders import toy
from clipbench.errors import ClipbenchError
from clipbench.home import TEMPORARY, Home
from clipbench.store import shards
from clipbench.store.embeddings import list_sets
from clipbench.store.engine import open_store
from clipbench.study.embedding import encode
from clipbench.study.embedding.encode import Picture
from clipbench.study.embedding.parts import Part, picture_part, text_part

IMAGES, CAPTIONS = 21, 63
MODEL = ("--model", "toy")
Stores = Callable[[str], Path]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "IMAGE_SHARD", 4)
    monkeypatch.setattr(encode, "TEXT_SHARD", 10)


@pytest.fixture
def new_store(tmp_path: Path) -> Stores:
    """Makes stores that hold the same collection and nothing encoded."""
    file = collection(tmp_path, IMAGES, (3,))

    def made(name: str) -> Path:
        folder = tmp_path / name
        good(
            "dataset", "add", "toys", "--captions", file, "--images", tmp_path / "photos", "-q", store=folder
        )
        return folder

    return made


def part(store: Path, which: str, *words: str) -> dict[str, tuple[int, int, int]]:
    table = good("embed", "toys", *MODEL, "--part", which, "--json", *words, store=store).json
    return {row["side"]: (row["plan"], row["items"], row["encoded_now"]) for row in table["rows"]}


def adopted(store: Path, *folders: Path) -> dict[str, tuple[int, int]]:
    table = good("embed", "adopt", "toys", *folders, *MODEL, "--json", store=store).json
    return {row["side"]: (row["adopted"], row["lacking"]) for row in table["rows"]}


def embedded(store: Path) -> dict[str, tuple[int, str]]:
    rows = good("embed", "toys", *MODEL, "--json", store=store).json["rows"]
    return {row["side"]: (row["encoded_now"], row["set"]) for row in rows}


def vector_files(store: Path) -> dict[str, bytes]:
    folder = store / "embeddings"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.h5")}


def sums(store: Path) -> dict[str, str]:
    return {one.key: one.checksum for one in list_sets(open_store(Home(store)))}


@pytest.mark.parametrize("of", [1, 2, 3, 7, 40])
def test_any_number_of_parts_is_a_partition_by_whole_shards(of: int) -> None:
    texts = [f"text {number % 95}" for number in range(200)]
    pictures = [Picture(f"p{n}", Path(f"p{n}.png"), f"{n % 29:064}") for n in range(50)]
    cut = [text_part(texts, Part(number, of)) for number in range(1, of + 1)]
    assert sorted(text for one in cut for text in one) == sorted(set(texts))
    whole = [tuple(one) for one in encode.shards(sorted(set(texts)), encode.TEXT_SHARD)]
    assert {one for mine in cut for one in map(tuple, encode.shards(mine, encode.TEXT_SHARD))} == set(whole)
    seen = [p.digest for number in range(1, of + 1) for p in picture_part(pictures, Part(number, of))]
    assert sorted(seen) == sorted({p.digest for p in pictures})
    assert max(map(len, cut)) - min(map(len, cut)) <= encode.TEXT_SHARD
    assert text_part(texts[::-1], Part(1, of)) == cut[0]


@pytest.mark.parametrize("which", [(0, 4), (5, 4), (-1, 4), (0, 0)])
def test_a_part_that_is_none_cannot_be_made(which: tuple[int, int]) -> None:
    with pytest.raises(ClipbenchError, match="is no part"):
        Part(*which)


@pytest.mark.parametrize(
    "which", ["0/4", "5/4", "x", "1", "1/", "/4", "1/4/4", "-1/4", "1.5/4", "0/0", "١/٤"]
)
def test_wrong_parts_are_wrong_usage(which: str) -> None:
    assert "of 16 parts they are 1/16 to 16/16" in " ".join(
        misused("embed", "toys", *MODEL, f"--part={which}").replace("│", " ").split()
    )


def test_parts_are_for_embedding_only_and_say_nothing_of_whole_sets(new_store: Stores) -> None:
    new_store("home")
    for words in (("evaluate", "toys"), ("robustness", "sweep", "toys", "--perturb", "word-dropout")):
        assert "--part" in misused(*words, *MODEL, "--part", "1/2")
    assert "--allow-missing" in misused("embed", "toys", *MODEL, "--part", "1/2", "--allow-missing", "0.5")


def test_three_parts_in_three_stores_equal_one_machine_to_the_byte(new_store: Stores) -> None:
    one = new_store("one")
    whole = embedded(one)
    parts = [new_store(f"part{number}") for number in (1, 2, 3)]
    counts = [part(store, f"{number}/3") for number, store in enumerate(parts, start=1)]
    assert sum(count["image"][2] for count in counts) == IMAGES
    assert sum(count["text"][2] for count in counts) == CAPTIONS
    assert all(sums(store) == {} for store in parts), "a part is no embedding set"
    assert part(parts[1], "2/3") == {side: (n, mine, 0) for side, (n, mine, _) in counts[1].items()}

    owner, copy = parts[0], parts[2].parent / "copy"
    shutil.copytree(parts[2] / "embeddings", copy)
    lacking = {side: n - counts[0][side][1] for side, n in (("image", IMAGES), ("text", CAPTIONS))}
    assert adopted(owner, parts[1], copy) == {side: (n, 0) for side, n in lacking.items()}
    assert vector_files(owner) == vector_files(one)
    assert embedded(owner) == {side: (0, key) for side, (_, key) in whole.items()}
    assert sums(owner) == sums(one)
    assert "all of it is right" in good("store", "verify", "--deep", store=owner).out


def test_what_is_adopted_already_is_not_adopted_again_and_the_rest_is_encoded(new_store: Stores) -> None:
    one, owner, two, both = map(new_store, ("one", "owner", "two", "both"))
    embedded(one)
    part(two, "2/4")
    part(both, "2/4")
    part(both, "3/4")
    first = adopted(owner, two)
    second = adopted(owner, both, two)
    assert second["image"][0] == IMAGES - second["image"][1] - first["image"][0]
    again = good("embed", "adopt", "toys", two, both, *MODEL, store=owner)
    assert adopted(owner, both) == {side: (0, left) for side, (_, left) in second.items()}
    assert "are lacking and makes the embedding sets" in " ".join(again.out.split())
    assert {side: n for side, (n, _) in embedded(owner).items()} == {
        s: left for s, (_, left) in second.items()
    }
    assert vector_files(owner) == vector_files(one)


def test_a_file_that_overlaps_gives_what_is_lacking_alone(new_store: Stores) -> None:
    owner, other = new_store("owner"), new_store("other")
    part(owner, "1/2", "--only", "text")
    encode.TEXT_SHARD = 17  # put back by the fixture
    part(other, "1/1", "--only", "text")
    table = adopted(owner, other)
    assert table["text"] == (CAPTIONS - 33, 0)
    assert "all of it is right" in good("store", "verify", "--deep", store=owner).out


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-8] ^= 1  # the last bit of a number
    path.write_bytes(data)


def scale(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["vectors"][...] *= 2
        file.attrs["content"] = shards.content(file["keys"][...], file["vectors"][...])


def nan(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["vectors"][0, 0] = np.nan
        file.attrs["content"] = shards.content(file["keys"][...], file["vectors"][...])


def declare(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["encoder"] = "encoder:" + "0" * 40


def rename(path: Path) -> None:
    path.rename(path.with_name("text-" + "0" * 40 + ".h5"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def swell(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1 << 40)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def leave(path: Path) -> None:
    outside = path.parent.parent.parent.parent / "outside.h5"
    shutil.move(path, outside)
    path.symlink_to(outside)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (flip, "is damaged (its content has another digest)"),
        (scale, "are not of norm 1"),
        (nan, "hold NaN or infinity"),
        (declare, "it is of another encoder"),
        (rename, "it is not where its content belongs"),
        (cut, "is no HDF5 file that can be read"),
        (swell, "bytes, at most"),
        pytest.param(
            pipe, "is no regular file but a pipe", marks=pytest.mark.skipif(os.name == "nt", reason="")
        ),
        pytest.param(leave, "is a link out of", marks=pytest.mark.skipif(os.name == "nt", reason="")),
    ],
)
def test_a_damaged_or_foreign_file_is_named_and_refused_and_the_rest_is_used(
    damage: Callable[[Path], None], why: str, new_store: Stores
) -> None:
    owner, other = new_store("owner"), new_store("other")
    part(other, "1/2", "--only", "text")
    victim = sorted((other / "embeddings").rglob("text-*.h5"))[1]
    rows = shards.whole_shard(victim).items.shape[0]
    total = sum(len(shards.whole_shard(path).items) for path in (other / "embeddings").rglob("text-*.h5"))
    damage(victim)
    done = cli("embed", "adopt", "toys", other, *MODEL, "--json", store=owner)
    assert done.code == 1
    assert why in done.err, done.err
    assert damage is rename or str(victim) in done.err
    assert "1 of 4 vector files were refused, the others are used" in done.err
    (row,) = [row for row in done.json["rows"] if row["side"] == "text"]
    assert row["adopted"] == total - rows
    assert not list(owner.rglob(f"*{TEMPORARY}*"))
    assert "all of it is right" in good("store", "verify", "--deep", store=owner).out


def test_another_version_of_the_encoder_is_refused(
    new_store: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other = new_store("owner"), new_store("other")
    part(owner, "1/2")
    with monkeypatch.context() as patched:
        another = replace(toy.ToyEncoder().identity, weights="weights:" + "1" * 40)
        plain = toy.ToyEncoder
        patched.setattr(toy, "ToyEncoder", lambda: plain(identity=another))
        part(other, "2/2")
    ours, theirs = (next((store / "embeddings").iterdir()).name for store in (owner, other))
    assert ours != theirs
    before = vector_files(owner)
    told = refused("embed", "adopt", "toys", other, *MODEL, store=owner)
    assert f"has vectors of other encoders ({theirs}) and none of toy fp32 as it is here ({ours})" in told
    # A folder that lies of it is found out file by file.
    (other / "embeddings" / theirs).rename(other / "embeddings" / ours)
    told = refused("embed", "adopt", "toys", other, *MODEL, store=owner)
    assert "vector files were refused" in told
    assert "it is of another encoder" in told
    assert vector_files(owner) == before


def test_folders_that_are_no_parts(new_store: Stores, tmp_path: Path) -> None:
    owner, other = new_store("owner"), new_store("other")
    part(owner, "1/2")
    assert "is this store itself" in refused("embed", "adopt", "toys", owner, *MODEL, store=owner)
    assert "is no folder" in refused("embed", "adopt", "toys", tmp_path / "none", *MODEL, store=owner)
    assert "there are no vector files in" in refused(
        "embed", "adopt", "toys", tmp_path / "photos", *MODEL, store=owner
    )
    assert {n for n, _ in adopted(owner, other).values()} == {0}, "a part may have no shard at all"
    part(other, "2/2")
    told = good("embed", "adopt", "toys", tmp_path / "photos", other, *MODEL, store=owner).out
    assert f"no vector files in {tmp_path / 'photos'}" in told


def test_an_unreadable_photograph_moves_no_shard(new_store: Stores, tmp_path: Path) -> None:
    one, owner, other = map(new_store, ("one", "owner", "other"))
    (tmp_path / "photos" / "p009.png").write_bytes(b"no picture")
    shown = good("embed", "toys", *MODEL, "--part", "1/2", store=owner).out
    assert "left out, image of this part: p009.png" in shown
    part(other, "2/2")
    adopted(owner, other)
    words = ("embed", "toys", *MODEL, "--allow-missing", "0.2")
    good(*words, store=one)
    good(*words, store=owner)
    assert sums(owner) == sums(one)
    assert vector_files(owner) == vector_files(one)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals work differently on Windows")
def test_a_part_that_was_killed_goes_on(tmp_path: Path) -> None:
    toys = kill_toys.collection(tmp_path)
    fine = kill_toys.Collection(toys.folder, text_shard=16, image_shard=8)
    one, other = tmp_path / "one", tmp_path / "other"
    words = ("embed", "toys", *MODEL)
    for home in (one, other):
        fine.add(home)
    assert fine.run(one, *words)[0] == 0
    process = fine.start(other, *words, "--part", "1/2")
    while process.poll() is None and len(list(other.rglob("*.h5"))) < 3:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was killed too late to tell anything"
    assert sums(other) == {}
    assert fine.run(other, *words, "--part", "1/2")[0] == 0
    assert fine.run(other, *words)[0] == 0
    assert vector_files(other) == vector_files(one)
    assert sums(other) == sums(one)
