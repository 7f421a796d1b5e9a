"""`clipbench search`: what is found is what the cosines say, whatever is asked by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_toys import added, draw, good, picture, refused

from clipbench.home import locate
from clipbench.store.engine import open_store
from clipbench.study.embedding.models import EncoderSource, ModelRequest
from clipbench.study.searching.gallery import Gallery, open_gallery
from clipbench.study.searching.query import Query, SourceEncoder, TextPart, VectorPart, query_vector
from clipbench.study.searching.search import search
from clipbench.study.workplace.progress import Silent

TOY = ("--model", "toy", "-q", "--json")


@pytest.fixture
def toys(tmp_path: Path) -> str:
    return added(tmp_path, images=24, captions=(2,))


def opened(name: str) -> tuple[Gallery, EncoderSource]:
    store = open_store(locate())
    source = EncoderSource(store, ModelRequest("toy"))
    return open_gallery(store, name, source, Silent()), source


def hits(*words: str | Path) -> list[dict]:
    return good("search", *words, *TOY).json["rows"]


def test_hits_are_the_highest_cosines_in_order(toys: str) -> None:
    gallery, source = opened(toys)
    vector = query_vector(SourceEncoder(source), Query(texts=(TextPart("a green field"),)))
    scores = gallery.vectors.astype(np.float64) @ vector.astype(np.float64)
    order = np.lexsort((np.arange(len(scores)), -scores.astype(np.float32)))
    result = search(gallery, vector, 24)
    assert [hit.id for hit in result.hits] == [gallery.samples[n].id for n in order]
    assert [hit.rank for hit in result.hits] == list(range(1, 25))
    np.testing.assert_allclose([hit.score for hit in result.hits], scores[order], atol=1e-6)
    np.testing.assert_allclose([hit.gap for hit in result.hits], scores[order[0]] - scores[order], atol=1e-6)
    assert result.hits[0].percentile == pytest.approx(100 * 23 / 24)
    assert result.hits[-1].percentile == 0
    assert [row["id"] for row in hits("a", "green", "field", "-n", "24")] == [hit.id for hit in result.hits]


def test_among_some_a_percentile_is_that_of_the_whole_gallery(toys: str) -> None:
    gallery, _ = opened(toys)
    everything = {hit.id: hit for hit in search(gallery, gallery.vectors[3], 24).hits}
    some = [gallery.samples[n].id for n in (20, 7, 11)]
    result = search(gallery, gallery.vectors[3], 10, some)
    assert (result.searched, result.gallery) == (3, 24)
    assert {hit.id for hit in result.hits} == set(some)
    assert [hit.percentile for hit in result.hits] == [everything[hit.id].percentile for hit in result.hits]
    assert search(gallery, gallery.vectors[3], 10, []).hits == ()


def test_the_order_of_items_changes_no_result(toys: str) -> None:
    gallery, _ = opened(toys)
    order = np.random.default_rng(0).permutation(gallery.size)
    shuffled = Gallery(
        gallery.dataset,
        gallery.encoder,
        tuple(gallery.samples[n] for n in order),
        gallery.vectors[order],
        gallery.left_out,
    )
    query = gallery.vectors[5] + 0.1 * gallery.vectors[6]
    query /= np.linalg.norm(query)
    one, other = search(gallery, query, 24), search(shuffled, query, 24)
    assert {hit.id: hit.score for hit in one.hits} == {hit.id: hit.score for hit in other.hits}


def test_a_photograph_finds_itself_by_its_file_and_others_by_its_id(toys: str, tmp_path: Path) -> None:
    by_file = hits("--image", tmp_path / "photos" / "p004.png")
    assert by_file[0]["id"] == "p004.png"
    assert by_file[0]["score"] == pytest.approx(1, abs=1e-6)
    like = hits("--like", "p004.png", "-n", "24")
    assert len(like) == 23
    assert [row["id"] for row in like[:9]] == [row["id"] for row in by_file[1:]]


def test_weighted_parts_are_a_weighted_sum(toys: str) -> None:
    gallery, source = opened(toys)
    words = source.encode_texts(["red"])[0]
    wanted = 2 * words + gallery.vectors[1] - 0.5 * gallery.vectors[2]
    parts = (VectorPart(gallery.vectors[1], "a"), VectorPart(gallery.vectors[2], "b", -0.5))
    vector = query_vector(SourceEncoder(source), Query((TextPart("red", 2.0),), vectors=parts))
    np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-6)


def test_what_is_asked_by_a_stored_thing_needs_no_model(toys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good("embed", toys, "--model", "toy", "-q")

    def never(self: EncoderSource) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(EncoderSource, "encoder", property(never))
    for words in (("--like", "p001.png"), ("--caption", "p001.png#0"), ("--image", "photos/p002.png")):
        path = [Path(words[1]).absolute() if words[0] == "--image" else words[1]]
        if words[0] == "--image":
            path = [locate().root.parent / words[1]]
        assert good("search", words[0], *path, "-q", "--json").json["rows"]


def test_a_query_of_nothing_and_one_of_unknown_things_is_refused(toys: str, tmp_path: Path) -> None:
    good("embed", toys, "--model", "toy", "-q")
    assert "says nothing" in refused("search", "-q")
    assert "says nothing" in refused("search", "--without", "snow", "-q")
    assert "no photograph is called 'x'" in refused("search", "--like", "x", "-q")
    assert "no caption is called 'x'" in refused("search", "--caption", "x", "-q")
    assert "called 'sound'" in refused("search", "red", "--weight", "sound=1", "-q")
    (tmp_path / "no.png").write_bytes(b"no picture")
    assert "no.png" in refused("search", "--image", tmp_path / "no.png", "-q")


def test_without_names_the_only_dataset_and_model_are_meant(toys: str, tmp_path: Path) -> None:
    assert "not embedded yet" in refused("search", "red", "-q")
    good("embed", toys, "--model", "toy", "-q")
    assert good("search", "red", "-q", "--json").json["rows"] == hits("red")
    draw(tmp_path / "more", 2)
    picture(40).save(tmp_path / "more" / "x.png")
    added(tmp_path / "other", "second", 3)
    assert "which dataset?" in refused("search", "red", "-q")


def test_a_folder_of_photographs_is_enough(tmp_path: Path) -> None:
    draw(tmp_path / "photos" / "trip", 6)
    (tmp_path / "photos" / "trip" / "p000.txt").write_text("texts are not looked at\n")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "photos" / "phone.HEIC").write_bytes(b"not opened")
    done = good("dataset", "add", "mine", "--images", tmp_path / "photos", "--no-captions")
    assert "7 images, no captions" in done.out
    assert "phone.HEIC" in done.err
    assert "broken.jpg" in done.err
    assert "clipbench search WORDS --dataset mine" in done.err
    embedded = good("embed", "mine", "--model", "toy", "--json").json["rows"]
    assert [(row["side"], row["items"], row["unusable"]) for row in embedded] == [("image", 6, 1)]
    rows = good("search", "a red field", "-q", "--json").json["rows"]
    assert rows[0]["id"] == "trip/p000.png"
    assert {row["caption"] for row in rows} == {None}
    error = refused("evaluate", "mine", "--model", "toy", "-q")
    assert "no captions" in error
    assert "clipbench search WORDS --dataset mine" in error
    assert "no captions" in refused("embed", "mine", "--model", "toy", "--only", "text", "-q")


def test_a_folder_without_captions_says_how_to_take_it(tmp_path: Path) -> None:
    draw(tmp_path / "photos", 2)
    assert "--no-captions" in refused("dataset", "add", "mine", "--images", tmp_path / "photos")
