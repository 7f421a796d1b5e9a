"""What HDF5 cannot hold is escaped on the way out and restored on the way in."""

import csv
import json
from pathlib import Path

import h5py
from cli_toys import good
from hypothesis import given
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
    cell = guarded(text)
    assert not UNFIT.search(cell)
    assert not cell.startswith(FORMULA_STARTS)
    assert unguarded(cell) == text


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


ODD = [
    "a red\0ball",
    "form\x0cfeed \x0b",
    "_x0000_ as such",
    "line\nbreak",
    "=1+1",
    "'=quoted",
    "\ufffe\uffff",
    "_x00e9_",
]


def test_what_tables_cannot_hold_goes_out_and_comes_back_in_every_table(tmp_path: Path) -> None:
    lines = []
    for number, text in enumerate(ODD):
        Image.new("RGB", (8, 8), (30 * number, 200 - 20 * number, 99)).save(tmp_path / f"{number}.png")
        lines.append(json.dumps({"image": f"{number}.png", "caption": text, "caption_id": f"={number}\0"}))
    (tmp_path / "captions.jsonl").write_text("\n".join(lines) + "\n")
    good("dataset", "add", "toys", "-c", tmp_path / "captions.jsonl", "--images", tmp_path, "-q")
    good("evaluate", "toys", "--model", "toy", "-q")
    good("annotate", "sample", "latest", "--n", "9", "--no-hints", "-q")
    parts = ("--annotators", "A", "--overlap", "0", "--per-annotator", "6", "--backup", "0")
    good("annotate", "assign", *parts, "--out", tmp_path / "parts", "-q")
    table = tmp_path / "parts" / "assign_A.csv"
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    for row in rows[1:]:
        row[rows[0].index("category")], row[rows[0].index("notes")] = "Object", guarded("=a\0b")
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    good("annotate", "import", table)
    told = good("report", "--query", "SELECT DISTINCT note FROM annotations", "--json").out
    assert json.loads(told)["rows"] == [{"note": "=a\0b"}]
    good("annotate", "export", "--out", tmp_path / "labels")
    good("annotate", "import", tmp_path / "labels" / "labels_A.csv", "--annotator", "B")
    good("annotate", "export", "--format", "label-studio", "--out", tmp_path / "studio")
    assert "\\u0000" not in (tmp_path / "studio" / "tasks.json").read_text()
    good("robustness", "export", "toys", "--perturb", "word-shuffle", "--out", tmp_path / "perturbed", "-q")
    (written,) = (tmp_path / "perturbed" / "captions").glob("*.csv")
    good("robustness", "sweep", "toys", "--model", "toy", "--from-file", written, "-q")
