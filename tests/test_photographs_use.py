"""One photograph is one photograph's problem: named, counted, left out on request, never the end of a command."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from cli_toys import good, refused
from PIL import Image, PngImagePlugin


def saved(path: Path, size: tuple[int, int], seed: int, mode: str = "RGB", form: str = "PNG") -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, form)


def collection(folder: Path, *names: str) -> tuple[str | Path, ...]:
    lines = [f"{name},a picture called {name}\n" for name in names]
    (folder / "captions.csv").write_text("image,caption\n" + "".join(lines))
    return ("dataset", "add", "toys", "-c", folder / "captions.csv", "--images", folder)


def test_a_picture_too_small_to_corrupt_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    for number, size in enumerate([(40, 30), (40, 5), (30, 40)]):
        saved(tmp_path / f"{number}.png", size, number)
    good(*collection(tmp_path, "0.png", "1.png", "2.png"))
    words = ("robustness", "sweep", "toys", "--model", "toy", "--perturb", "jpeg", "--severities", "1")
    assert "1.png: a picture of 40×5 pixels is too small" in refused(*words, "--apply", "source")
    done = good(*words, "--apply", "source", "--allow-missing", "0.5")
    assert "1.png: a picture of 40×5 pixels is too small" in done.out + done.err
    assert "the galleries differ and no drop is given" in done.out + done.err


def odd(folder: Path) -> list[str]:
    """Write pictures of every odd kind that is sound; return their names."""
    for number, mode in enumerate(["1", "L", "LA", "P", "RGBA", "I;16"]):
        if mode == "I;16":
            deep = np.arange(300, dtype=np.uint16).reshape(15, 20) * 200
            Image.fromarray(deep).save(folder / f"mode{number}.png")
        else:
            saved(folder / f"mode{number}.png", (20, 15), number, mode)
    saved(folder / "cmyk.jpg", (20, 15), 9, "CMYK", "JPEG")
    saved(folder / "wide.png", (3_000, 1), 10)
    saved(folder / "tall.png", (1, 3_000), 11)
    saved(folder / "point.png", (1, 1), 12)
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "abc " * 1_000_000, zip=True)
    Image.new("RGB", (9, 9), "green").save(folder / "chatty.png", pnginfo=info)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (9, 5), "white").save(folder / "turned.jpg", exif=exif)
    return sorted(path.name for path in folder.iterdir())


def test_what_lint_passes_evaluate_takes(tmp_path: Path) -> None:
    names = odd(tmp_path)
    good(*collection(tmp_path, *names))
    good("dataset", "lint", "toys")
    good("evaluate", "toys", "--model", "toy")


def damaged(folder: Path) -> list[str]:
    """Write files that have a sound header and no sound pixels, or none at all; return their names."""
    for form in ("JPEG", "PNG", "GIF"):
        saved(folder / f"cut.{form.lower()}", (64, 64), 3, form=form)
        data = (folder / f"cut.{form.lower()}").read_bytes()
        (folder / f"cut.{form.lower()}").write_bytes(data[: len(data) * 2 // 3])
    deep = io.BytesIO()
    Image.fromarray(np.ones((4, 4), np.float32)).save(deep, "TIFF")
    (folder / "float.tiff").write_bytes(deep.getvalue())
    return sorted(path.name for path in folder.iterdir())


def test_what_evaluate_cannot_take_lint_names(tmp_path: Path) -> None:
    names = damaged(tmp_path)
    saved(tmp_path / "sound.png", (9, 9), 1)
    good(*collection(tmp_path, *names, "sound.png"))
    said = refused("evaluate", "toys", "--model", "toy")
    done = good("evaluate", "toys", "--model", "toy", "--allow-missing", "1")
    linted = good(
        "dataset", "lint", "toys", "--allow", "truncated-image=any", "--allow", "unreadable-image=any"
    )
    for name in names:
        assert name in said
        assert name in linted.out
    assert f"{len(names)}" in done.out + done.err


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_what_is_no_regular_file_is_told_and_left_out(tmp_path: Path, kind: str) -> None:
    saved(tmp_path / "sound.png", (9, 9), 1)
    path = tmp_path / "odd.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    words = collection(tmp_path, "odd.png", "sound.png")
    assert "odd.png" in refused(*words)
    good(*words, "--allow-missing", "0.5", "--follow-links")
    good("evaluate", "toys", "--model", "toy", "--allow-missing", "0.5")


FUSSY = """
import numpy as np

class Fussy:
    version = "1"

    def prepare(self, image):
        if image.width == 50:
            raise ValueError("too wide for me")
        return image if image.width == 60 else image.resize((8, 8))

    def encode_texts(self, texts):
        return np.array([[len(t), 1.0, 2.0] for t in texts])

    def encode_images(self, images):
        return np.array([np.asarray(i).reshape(-1, 3).mean(0) + 1 for i in images])

def load():
    return Fussy()
"""


def test_what_a_model_of_ones_own_cannot_prepare_is_named_and_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, width in (("a", 20), ("b", 50), ("c", 30), ("d", 60)):
        saved(tmp_path / f"{name}.png", (width, 20), ord(name))
    (tmp_path / "fussy_encoder.py").write_text(FUSSY)
    good(*collection(tmp_path, "a.png", "b.png", "c.png", "d.png"))
    monkeypatch.chdir(tmp_path)
    words = ("evaluate", "toys", "--model", "python:fussy_encoder:load")
    said = refused(*words)
    assert "b.png: prepare of fussy_encoder:load 1 failed: ValueError: too wide for me" in said
    assert "d.png: prepare of fussy_encoder:load 1 made 60 × 20 pixels, of others 8 × 8" in said
    assert "2 of 4 images" in good(*words, "--allow-missing", "0.5").out


def linked(folder: Path, *names: str) -> Path:
    """Make a snapshot whose files are links into a cache beside it, as hubs keep them."""
    snapshot = folder / "snapshot"
    snapshot.mkdir()
    (folder / "cache").mkdir()
    for number, name in enumerate(names):
        saved(folder / "cache" / f"p{number}", (20, 20), number)
        (folder / "cache" / f"t{number}").write_text(f"picture {number}\n")
        (snapshot / f"{name}.png").symlink_to(f"../cache/p{number}")
        (snapshot / f"{name}.txt").symlink_to(f"../cache/t{number}")
    return snapshot


def test_captions_behind_links_are_read_where_links_are_followed(tmp_path: Path) -> None:
    snapshot = linked(tmp_path, "a", "b", "c")
    words = ("dataset", "add", "toys", "--images", snapshot)
    said = refused(*words)
    assert "a.txt: is a link that leads out of the folder of captions" in said
    assert "--follow-links" in said
    assert "3 images, 3 captions" in good(*words, "--follow-links").out


def test_folders_that_are_links_are_read_once_where_links_are_followed(tmp_path: Path) -> None:
    linked(tmp_path, "a", "b", "c")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "photos").symlink_to("../snapshot")
    (tree / "round").symlink_to("..")  # a circle
    words = ("dataset", "add", "toys", "--images", tree)
    assert "--follow-links goes into folders that are links" in refused(*words)
    assert "3 images, 3 captions" in good(*words, "--follow-links").out


def test_photographs_behind_links_are_evaluated_linted_and_shown(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "snapshot").mkdir()
    for name in "abc":
        saved(tmp_path / "cache" / name, (20, 20), ord(name))
        (tmp_path / "snapshot" / f"{name}.png").symlink_to(f"../cache/{name}")
    words = collection(tmp_path / "snapshot", "a.png", "b.png", "c.png")
    assert "--follow-links" in refused(*words)
    good(*words, "--follow-links")
    good("dataset", "lint", "toys")
    good("evaluate", "toys", "--model", "toy")
