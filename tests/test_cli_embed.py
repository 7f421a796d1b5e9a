"""`clipbench embed`: what is encoded, what is found, what is told, and vectors out again."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, caption, cli, collection, draw, good, refused, write_csv

from clipbench.encoders.toy import ToyEncoder


def embedded(*words: str, name: str = "toys") -> dict[str, dict[str, object]]:
    table = good("embed", name, "--model", "toy", "--json", *words).json
    return {row["side"]: row for row in table["rows"]}


def exported(path: Path, name: str = "toys") -> dict[str, tuple[list[str], np.ndarray]]:
    good("embed", "export", name, "--model", "toy", "--out", path)
    with h5py.File(path) as file:
        return {
            side: ([id_.decode() for id_ in file[side]["ids"]], file[side]["vectors"][:]) for side in file
        }


def test_both_sides_are_encoded_once_and_found_the_second_time(tmp_path: Path) -> None:
    added(tmp_path)
    first = embedded()
    assert {side: (row["items"], row["unique"], row["encoded_now"]) for side, row in first.items()} == {
        "image": (12, 12, 12),
        "text": (24, 24, 24),
    }
    again = good("embed", "toys", "--model", "toy")
    assert "all of it was stored before; nothing was encoded" in again.out
    assert [row["encoded_now"] for row in embedded().values()] == [0, 0]
    assert [row["set"] for row in embedded().values()] == [row["set"] for row in first.values()]


def test_embed_dataset_and_embed_run_dataset_are_the_same_wherever_the_options_stand(tmp_path: Path) -> None:
    added(tmp_path)
    sets = {
        tuple(row["set"] for row in good(*words).json["rows"])
        for words in (
            ("embed", "toys", "--model", "toy", "--json"),
            ("embed", "run", "toys", "--model", "toy", "--json"),
            ("embed", "--model", "toy", "--json", "toys"),
        )
    }
    assert len(sets) == 1


def test_a_dataset_may_be_called_like_a_command(tmp_path: Path) -> None:
    added(tmp_path, "import", images=2)
    assert good("embed", "run", "import", "--model", "toy", "--json").json["rows"][0]["items"] == 2


def test_one_side_alone(tmp_path: Path) -> None:
    added(tmp_path)
    assert set(embedded("--only", "text")) == {"text"}
    assert {side: row["encoded_now"] for side, row in embedded().items()} == {"image": 12, "text": 0}


def test_equal_strings_and_equal_files_are_encoded_once_in_all_datasets(tmp_path: Path) -> None:
    names = draw(tmp_path / "photos", 5)
    (tmp_path / "photos" / "twin.png").write_bytes((tmp_path / "photos" / names[0]).read_bytes())
    rows = [(name, caption(i)) for i, name in enumerate(names)]
    file = write_csv(tmp_path / "a.csv", [*rows, ("twin.png", caption(0)), (names[1], "one more")])
    good("dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "-q")
    first = embedded()
    assert (first["image"]["items"], first["image"]["unique"], first["image"]["encoded_now"]) == (6, 5, 5)
    assert (first["text"]["items"], first["text"]["unique"], first["text"]["encoded_now"]) == (7, 6, 6)
    other = write_csv(tmp_path / "b.csv", [*rows[:3], ("twin.png", "quite new")])
    good("dataset", "add", "other", "-c", other, "--images", tmp_path / "photos", "-q")
    second = embedded(name="other")
    assert (second["image"]["encoded_now"], second["text"]["encoded_now"]) == (0, 1)


def test_truncated_captions_are_counted(tmp_path: Path) -> None:
    draw(tmp_path / "photos", 2)
    file = write_csv(tmp_path / "a.csv", [("p000.png", "word " * 40), ("p001.png", "short")])
    good("dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "-q")
    assert embedded()["text"]["truncated"] == 1


def test_an_unreadable_photograph_is_named_and_refused_or_left_out_by_name(tmp_path: Path) -> None:
    file = collection(tmp_path, 10)
    good("dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "-q")
    spoiled = tmp_path / "photos" / "p004.png"
    spoiled.write_bytes(spoiled.read_bytes()[:60])
    told = refused("embed", "toys", "--model", "toy")
    assert (
        "1 of 10 photographs of toys cannot be used (0.0% may be missing): p004.png: the file has changed"
        in told
    )
    assert "try: mend the files, or leave them out with --allow-missing 0.1" in told
    done = good("embed", "toys", "--model", "toy", "--allow-missing", "0.1")
    assert "left out, image: p004.png (the file has changed" in done.out
    ids, vectors = exported(tmp_path / "out.h5")["image"]
    assert "p004.png" not in ids
    assert (len(ids), len(vectors)) == (9, 9)
    # What was allowed once is stored by name, and not allowed from now on.
    assert "p004.png" in refused("embed", "toys", "--model", "toy")
    good("embed", "toys", "--model", "toy", "--allow-missing", "0.1")


def test_photographs_that_were_missing_from_the_start_are_named_too(tmp_path: Path) -> None:
    file = collection(tmp_path, 4)
    (tmp_path / "photos" / "p002.png").unlink()
    good(
        "dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "--allow-missing", "0.5", "-q"
    )
    assert "p002.png: missing" in refused("embed", "toys", "--model", "toy")
    done = good("embed", "toys", "--model", "toy", "--allow-missing", "0.25")
    assert "left out, image: p002.png (missing)" in done.out


def test_a_dataset_without_photographs_has_a_text_side_only(tmp_path: Path) -> None:
    good("dataset", "add", "toys", "-c", collection(tmp_path), "--captions-only", "-q")
    told = refused("embed", "toys", "--model", "toy")
    assert "toys has no photographs to embed" in told
    assert "try: clipbench embed import toys --images VECTORS.npy" in told
    assert embedded("--only", "text")["text"]["items"] == 24


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nope", "--model", "toy"), "there is no dataset 'nope'"),
        (("toys", "--model", "local-dir:/nowhere"), "/nowhere"),
        (
            ("toys", "--model", "imported:mine"),
            "no vectors were imported as 'imported:mine'; there are: none",
        ),
    ],
)
def test_an_unknown_dataset_or_model_is_told_in_one_line(
    words: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    added(tmp_path, images=2)
    message = refused("embed", *words)
    assert told in message
    assert "  try: " in message


def test_results_go_to_stdout_and_nothing_to_stderr_where_there_is_no_terminal(tmp_path: Path) -> None:
    added(tmp_path)
    done = cli("embed", "toys", "--model", "toy")
    assert done.err == ""
    assert done.out.startswith("toys × toy (fp32)\n")


def test_exported_vectors_are_the_encoders_own_in_the_datasets_order(tmp_path: Path) -> None:
    added(tmp_path, images=5, captions=(1, 3))
    embedded()
    found = exported(tmp_path / "out.h5")
    encoder = ToyEncoder()
    ids, vectors = found["text"]
    captions = [(f"p{i:03}.png#{j}", caption(i, j)) for i in range(5) for j in range((1, 3)[i % 2])]
    assert ids == [id_ for id_, _ in captions]
    assert np.array_equal(vectors, encoder.encode_texts([text for _, text in captions]).vectors)
    ids, vectors = found["image"]
    photographs = [Image.open(tmp_path / "photos" / name) for name in ids]
    pixels = np.stack([encoder.prepare(photograph) for photograph in photographs])
    assert ids == [f"p{i:03}.png" for i in range(5)]
    assert np.array_equal(vectors, encoder.encode_images(pixels))
    with h5py.File(tmp_path / "out.h5") as file:
        assert [text.decode() for text in file["text"]["texts"]] == [text for _, text in captions]
        assert (file.attrs["dataset"], file.attrs["encoder"]) == ("toys", "toy")


def test_export_overwrites_nothing_unless_forced_and_leaves_nothing_half(tmp_path: Path) -> None:
    added(tmp_path, images=2)
    out = tmp_path / "out.h5"
    told = refused("embed", "export", "toys", "--model", "toy", "--out", out)
    assert "toys is not embedded with toy yet" in told
    assert "try: clipbench embed toys --model toy" in told
    embedded("--only", "text")
    assert (
        good("embed", "export", "toys", "--model", "toy", "-o", out).out == f"wrote {out}: 4 text vectors\n"
    )
    assert f"{out} exists" in refused("embed", "export", "toys", "--model", "toy", "-o", out)
    embedded()
    done = good("embed", "export", "toys", "--model", "toy", "-o", out, "--force")
    assert done.out == f"wrote {out}: 2 image vectors, 4 text vectors\n"
    lost = tmp_path / "no" / "out.h5"
    assert f"there is no folder {lost.parent}" in refused("embed", "export", "toys", "-m", "toy", "-o", lost)
    assert "is a folder" in refused("embed", "export", "toys", "-m", "toy", "-o", tmp_path, "--force")
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
