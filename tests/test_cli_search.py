"""`clipbench search`: what is found is what the cosines say, whatever is asked by."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from adapt_toys import split
from cli_toys import added, draw, good, misused, picture, refused, write_csv
from PIL import Image

from clipbench.home import locate
from clipbench.records import text_key
from clipbench.store.engine import open_store
from clipbench.store.vectors import Pool
from clipbench.study.embedding.models import EncoderSource, ModelRequest
from clipbench.study.embedding.sources import open_source
from clipbench.study.searching import choosing
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
    added(tmp_path / "other", "second", 3)
    assert "which dataset?" in refused("search", "red", "-q")
    # A folder that has changed and is added anew is searched by the model that is there.
    (tmp_path / "new").mkdir()
    picture(40).save(tmp_path / "new" / "x.png")
    good("dataset", "add", "new", "--images", tmp_path / "new", "--no-captions", "-q")
    done = good("search", "red", "--dataset", "new")
    assert "1 photograph of new to be embedded first by toy" in done.err


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


def test_a_condition_on_columns_leaves_what_fulfils_it(tmp_path: Path) -> None:
    names = draw(tmp_path / "photos", 12)
    rows = [(name, f"picture {n}", ("Red", "Blue")[n % 2], str(n)) for n, name in enumerate(names)]
    file = write_csv(tmp_path / "c.csv", rows, ("image", "caption", "color", "price"))
    good("dataset", "add", "shop", "--captions", file, "--images", tmp_path / "photos", "-q")
    good("embed", "shop", "--model", "toy", "-q")
    all_rows = hits("a red field", "-n", "12")
    some = hits("a red field", "-n", "12", "--where", "color = 'Red' AND price < 8")
    assert [row["id"] for row in some] == [
        r["id"] for r in all_rows if int(r["id"][1:4]) % 2 == 0 and int(r["id"][1:4]) < 8
    ]
    like = hits("--like", "p002.png", "--where", "color = 'Red'")
    assert {row["id"] for row in like} == {f"p{n:03}.png" for n in range(0, 12, 2) if n != 2}
    told = good("search", "red", "--where", "price > 100", "-q")
    assert "the condition leaves no photograph" in told.out
    assert "no column" in refused("search", "red", "--where", "size = 3", "-q")


def test_pictures_and_words_of_weight_one_move_the_scores_alike(toys: str) -> None:
    gallery, source = opened(toys)
    words = source.encode_texts(["red"])[0]
    picture_part = VectorPart(gallery.vectors[1], "a")
    query = Query((TextPart("red"),), vectors=(picture_part,))
    vector = query_vector(SourceEncoder(source), query, gallery.vectors)
    spread = [float((gallery.vectors @ part).std()) for part in (words, gallery.vectors[1])]
    wanted = words + spread[0] / spread[1] * gallery.vectors[1]
    np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-5)
    # A caption's vector is one of words, and is added as it is.
    told = Query((TextPart("red"),), vectors=(VectorPart(words[::-1].copy(), "c", 1.0, "text"),))
    wanted = words + words[::-1]
    vector = query_vector(SourceEncoder(source), told, gallery.vectors)
    np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-6)


def test_a_score_asked_for_leaves_the_rest_out(toys: str) -> None:
    rows = hits("a red field", "-n", "24")
    least = rows[4]["score"] - 1e-6
    assert hits("a red field", "-n", "24", "--min-score", str(least)) == rows[:5]
    assert "nothing scores 2 or more" in good("search", "red", "--min-score", "2", *TOY[:3]).out


def test_paths_are_files_one_a_line(toys: str) -> None:
    lines = good("search", "a red field", "--paths", "-n", "3", *TOY[:3]).out.splitlines()
    assert [Path(line).name for line in lines] == [row["id"] for row in hits("a red field", "-n", "3")]
    assert all(Path(line).is_file() for line in lines)
    assert "--paths" in misused("search", "red", "--paths", "--json")


def test_a_pipe_gets_no_pictures_and_a_named_way_draws_them(toys: str) -> None:
    plain = good("search", "red", "-n", "2", *TOY[:3]).out
    assert "\x1b" not in plain
    drawn = good("search", "red", "-n", "2", "--pictures", "blocks", *TOY[:3]).out
    assert "▀" in drawn
    assert drawn.endswith(plain)


def test_the_page_and_the_sheet_hold_every_photograph(toys: str, tmp_path: Path) -> None:
    page, sheet = tmp_path / "out.html", tmp_path / "out.png"
    words = ("search", "<b>red</b>", "-n", "24", "--html", page, "--sheet", sheet, *TOY[:3])
    good("embed", toys, "--model", "toy", "-q")
    (tmp_path / "photos" / "p000.png").unlink()
    done = good(*words)
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == 23
    assert "no photograph" in text
    assert "<b>red" not in text
    assert "script" not in text
    assert "&lt;b&gt;red&lt;/b&gt;" in text
    assert done.err.count("1 photograph could not be shown") == 2
    with Image.open(sheet) as image:
        assert image.size[0] > 5 * 224
    assert "exists" in refused(*words)


def test_query_after_query_is_answered_and_a_wrong_one_told(toys: str) -> None:
    good("embed", toys, "--model", "toy", "-q")
    given = (
        "a red field\n\nred --like nobody\nblue --without red -n 2\nred --no-such\nit's red\n-n 1 red\n-n x\n"
    )
    lines = good("search", "--watch", "-n", "3", *TOY, given=given).out.splitlines()
    told = [json.loads(line) for line in lines]
    assert [len(one.get("rows", ())) for one in told] == [3, 0, 2, 0, 3, 1, 0]
    assert told[0]["rows"] == hits("a red field", "-n", "3")
    assert told[2]["rows"] == hits("blue", "--without", "red", "-n", "2")
    assert "nobody" in told[1]["error"]
    assert "--no-such" in told[3]["error"]


def test_an_index_finds_what_exact_search_finds(toys: str) -> None:
    good("index", "build", toys, "--model", "toy", "--type", "exact", "--name", "whole", "-q")
    exact = good("search", "a red field", "--index", "whole", "-q", "--json").json["rows"]
    assert exact == hits("a red field")
    assert "no parameter 'ef'" in refused("search", "x", "--index", "whole", "--setting", "ef=3", "-q")
    assert "leave --dataset out" in misused("search", "x", "--index", "whole", "--dataset", toys)
    assert "--index" in misused("search", "x", "--setting", "ef=3")


def test_an_approximate_index_is_asked_by_its_setting_and_knows_no_percentile(toys: str) -> None:
    pytest.importorskip("faiss")
    good("index", "build", toys, "--model", "toy", "--type", "hnsw", "--name", "graph", "-q")
    done = good(
        "search", "a red field", "--index", "graph", "--setting", "ef=64", "-n", "5", "-q", "--json"
    ).json
    assert "index graph (hnsw)" in done["title"]
    expected = [{**row, "percentile": None} for row in hits("a red field", "-n", "5")]
    assert done["rows"] == expected
    some = ("--where", "image_id < 'p010.png'", "-n", "24", "-q", "--json")
    rows = good("search", "a red field", "--index", "graph", *some).json["rows"]
    assert {row["id"] for row in rows} == {f"p{n:03}.png" for n in range(10)}


def test_an_index_of_captions_is_refused(toys: str) -> None:
    words = ("index", "build", toys, "--model", "toy", "--side", "captions", "--name", "texts", "-q")
    good(*words)
    assert "--side images" in refused("search", "x", "--index", "texts", "-q")


def test_an_adapter_reads_queries_as_it_reads_captions(
    toys: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("train", "val")):
        (tmp_path / name).mkdir()
        split(tmp_path / name, name, number)
    recipe = ("--head", "linear", "--rate", "0.05", "--epochs", "2", "--batch", "8", "-q")
    good("adapt", "train", "train", "--val", "val", "--model", "toy", "--name", "head", *recipe)
    store = open_store(locate())
    source = open_source(store, ModelRequest("adapter:head"))
    gallery = open_gallery(store, toys, source, Silent())
    texts = [caption.text for caption in gallery.dataset.captions]
    source.ensure_texts(texts, Silent())
    stored = Pool(store, source.identity.key, "text").gather([text_key(text) for text in texts])
    np.testing.assert_allclose(source.encode_texts(texts), stored, atol=1e-5)
    assert np.abs(stored - EncoderSource(store, ModelRequest("toy")).encode_texts(texts)).max() > 1e-3
    rows = good("search", texts[0], "--model", "adapter:head", "--dataset", toys, "-q", "--json").json["rows"]
    best = search(gallery, stored[0], 10).hits
    assert [row["id"] for row in rows] == [hit.id for hit in best]
    good("embed", toys, "--model", "toy", "-q")
    monkeypatch.setattr(choosing, "NAMED", 1)  # a scan leaves dozens of adapters
    told = refused("search", texts[0], "--dataset", toys, "-q")
    assert f"which model for {toys}? There are 2: " in told, told
    assert ", and 1 more\n" in told, told


def test_vectors_from_elsewhere_are_searched_by_what_is_stored(toys: str, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(24, 8)).astype(np.float32)
    np.save(tmp_path / "v.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    (tmp_path / "ids.txt").write_text("".join(f"p{n:03}.png\n" for n in range(24)))
    files = ("--images", tmp_path / "v.npy", "--image-ids", tmp_path / "ids.txt")
    good("embed", "import", toys, "--model", "their model", *files, "-q")
    assert len(good("search", "--like", "p003.png", "-q", "--json").json["rows"]) == 10
    error = refused("search", "a red field", "-q")
    assert "made elsewhere" in error
    assert "--like" in error
    good("index", "build", toys, "--model", "imported:their model", "--name", "theirs", "-q")
    assert good("search", "--like", "p003.png", "--index", "theirs", "-q", "--json").json["rows"]
    assert "not with toy" in refused(
        "search", "--like", "p003.png", "--index", "theirs", "--model", "toy", "-q"
    )


def test_asking_by_what_is_stored_imports_no_torch(tmp_path: Path) -> None:
    added(tmp_path, images=6)
    good("embed", "toys", "--model", "toy", "-q")
    code = (
        "import sys; sys.argv = ['clipbench', 'search', '--like', 'p001.png', '-q']\n"
        "from clipbench.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'open_clip', 'matplotlib', 'faiss') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_store_that_is_write_protected_is_searched(toys: str) -> None:
    good("embed", toys, "--model", "toy", "-q")
    rows = hits("red")
    root = locate().root
    for path in (*root.rglob("*"), root):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert hits("red") == rows
    finally:
        for path in (root, *root.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
