"""What HDF5 cannot hold is escaped on the way out and restored on the way in."""

import json
from pathlib import Path

import h5py
from cli_toys import good
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from clipbench.failures.exchange import FORMULA_STARTS, UNFIT, guarded, unguarded
from clipbench.study.output.escapes import MARK, escaped, needs_escapes, restored


@given(st.text(st.characters(), max_size=40) | st.text("\\u0d8\0\ud800", max_size=12))
def test_every_text_comes_back_to_the_letter(text: str) -> None:
    assert restored(escaped(text)) == text
    assert not needs_escapes([escaped(text)])


@given(st.text("a_x0005F\0\x0b'=-\ud800", max_size=20) | st.text(max_size=20))
def test_a_cell_comes_back_to_the_letter_and_holds_nothing_unfit(text: str) -> None:
    assume(
        not (text[:1] == "'" and text[1:].startswith(FORMULA_STARTS))
    )  # a quote mark before a sign is what guarding itself writes
    cell = guarded(text)
    assert not UNFIT.search(cell)
    assert text in {cell, unguarded(cell)}


def test_a_caption_with_a_nul_is_exported_and_its_ids_imported_again(tmp_path: Path) -> None:
    lines = []
    for name, text in (("a", "a red\0ball"), ("b", "a blue \\ball")):
        Image.new("RGB", (8, 8), "red" if name == "a" else "blue").save(tmp_path / f"{name}.png")
        lines.append(json.dumps({"image": f"{name}.png", "caption": text, "caption_id": f"{name}\0\\"}))
    (tmp_path / "captions.jsonl").write_text("\n".join(lines) + "\n")
    good("dataset", "add", "toys", "-c", tmp_path / "captions.jsonl", "--images", tmp_path, "-q")
    good("evaluate", "toys", "--model", "toy", "-q")
    good("embed", "export", "toys", "--model", "toy", "--out", tmp_path / "v.h5")
    with h5py.File(tmp_path / "v.h5") as file:
        assert [restored(value.decode()) for value in file["text/texts"][()]] == [
            "a red\0ball",
            "a blue \\ball",
        ]
        assert MARK in file["text/ids"].attrs
        assert MARK not in file["image/ids"].attrs
    good(
        "embed", "import", "toys", "--model", "x", "--images", tmp_path / "v.h5", "--texts", tmp_path / "v.h5"
    )
