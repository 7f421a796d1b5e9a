"""Every table and list that a command takes is read however a spreadsheet saved it."""

import codecs
from pathlib import Path

import numpy as np
import pytest
from cli_toys import draw, good, refused

SAVED = {
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "sep": lambda text: ("sep=;\r\n" + text.replace(",", ";")).encode("utf-8-sig"),
    "utf-16": lambda text: codecs.BOM_UTF16_LE + text.replace(",", "\t").encode("utf-16-le"),
    "carriage returns": lambda text: text.replace("\n", "\r").encode("utf-8-sig"),
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    draw(folder, 5)
    return folder


def rows(*columns: str) -> str:
    return "".join(",".join(cell.format(n) for cell in columns) + "\n" for n in range(5))


@pytest.mark.parametrize("how", SAVED)
def test_datasets_rewrites_labels_texts_templates_and_ids(
    photographs: Path, tmp_path: Path, how: str
) -> None:
    def saved(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(SAVED[how](text))
        return path

    def listed(name: str, text: str) -> Path:
        path = saved(name, text)
        if how == "sep":  # means something to tables alone
            path.write_text(text, encoding="utf-8-sig")
        return path

    captions = saved("captions.csv", "image,caption,\n" + rows("p00{}.png", "grüner Würfel {}", ""))
    good("dataset", "add", "toys", "-c", captions, "--images", photographs, "-q")
    good("evaluate", "toys", "--model", "toy", "-q")
    rewrites = saved("rewrites.csv", "caption_id,text\n" + rows("p00{}.png#0", "Würfel Nummer {}"))
    good("robustness", "sweep", "toys", "--model", "toy", "--from-file", rewrites, "-q")
    labels = saved(
        "assign_A.csv", "idx,caption,gt_img_idx,pred_img_idx,category,ambiguous_subtype\n"
        "0,grüner Würfel 0,0,1,Object,\n",
    )  # fmt: skip
    good("annotate", "import", labels, "--dataset", "toys")
    texts = saved("texts.csv", "image,text\n" + rows("p00{}.png", "ein Würfel {}"))
    words = ("improve", "rerank", "toys", "--model", "toy", "--method", "bm25")
    good(*words, "--texts", texts, "--allow-leak", "-q")
    templates = listed("templates.txt", "{}\nein Foto: {}\n")
    good("improve", "prompts", "toys", "--model", "toy", "--templates", templates, "--tau", "1", "-q")
    ids = listed("ids.txt", rows("p00{}.png"))
    np.save(tmp_path / "v.npy", np.eye(5, 8, dtype=np.float32))
    good("embed", "import", "toys", "--model", "m", "--images", tmp_path / "v.npy", "--image-ids", ids)
    chosen = listed("test.txt", rows("p00{}.png"))
    good("dataset", "add", "chosen", "-c", captions, "--images", photographs, "--split-file", chosen, "-q")


def test_utf_16_without_a_mark_is_not_taken_for_latin_1(photographs: Path, tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_bytes("image,caption\np000.png,grün\n".encode("utf-16-le"))
    said = refused("dataset", "add", "toys", "-c", path, "--images", photographs)
    assert "is UTF-16 without a byte order mark" in said
    assert "latin1" not in said


def test_open_clips_own_table_is_read_with_the_whole_paths_it_has(photographs: Path, tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("filepath\ttitle\n" + rows(f"{photographs}/p00{{0}}.png\ta cube of number {{0}}"))
    assert "5 images, 5 captions" in good("dataset", "add", "toys", "-c", path, "--images", photographs).out
    good("evaluate", "toys", "--model", "toy")
    path.write_text(f"filepath\ttitle\n{photographs}x/p000.png\telsewhere\n")
    assert "leaves the images folder" in refused(
        "dataset", "add", "more", "-c", path, "--images", photographs
    )
