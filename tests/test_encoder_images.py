"""Photographs decoded ahead of the model: in order, none too many, each failure in its place."""

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipbench.encoders.images import Decoded, PhotoFile, decode_ahead
from clipbench.errors import PhotographError


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def written(folder: Path, count: int) -> list[PhotoFile]:
    files = []
    for number in range(count):
        path = folder / f"{number}.png"
        path.write_bytes(encoded(Image.new("RGB", (4, 4), (number, 0, 0))))
        files.append(PhotoFile(path))
    return files


def pixels(position: int, image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


@pytest.mark.parametrize(("workers", "depth"), [(1, 1), (3, 2), (4, 100)])
def test_files_come_back_in_order_whatever_the_threads(tmp_path: Path, workers: int, depth: int) -> None:
    files = written(tmp_path, 30)
    decoded = list(decode_ahead(files, pixels, workers=workers, depth=depth))
    assert [d.file for d in decoded] == files
    assert [int(d.pixels[0, 0, 0]) for d in decoded if d.pixels is not None] == list(range(30))


def test_an_unreadable_file_is_named_in_its_place_and_the_others_go_on(tmp_path: Path) -> None:
    files = written(tmp_path, 5)
    files[2].path.write_bytes(b"broken")
    decoded = list(decode_ahead(files, pixels, workers=2))
    assert [d.problem is None for d in decoded] == [True, True, False, True, True]
    assert decoded[2].pixels is None


def test_preparing_is_told_the_position_of_the_file(tmp_path: Path) -> None:
    files = written(tmp_path, 6)
    seen = decode_ahead(files, lambda position, _: np.full((1, 1, 3), position, np.uint8), workers=3)
    assert [int(d.pixels.max()) for d in seen if d.pixels is not None] == list(range(6))


def test_any_other_error_ends_the_iteration(tmp_path: Path) -> None:
    def fails(position: int, image: Image.Image) -> np.ndarray:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(decode_ahead(written(tmp_path, 3), fails, workers=2))


@pytest.mark.parametrize("how", [KeyboardInterrupt, None])
def test_leaving_early_stops_the_threads(tmp_path: Path, how: type[BaseException] | None) -> None:
    begun: list[int] = []

    def count(position: int, image: Image.Image) -> np.ndarray:
        begun.append(position)
        return pixels(position, image)

    ahead = decode_ahead(written(tmp_path, 50), count, workers=2, depth=4)
    assert isinstance(next(ahead), Decoded)
    if how is None:
        ahead.close()
    else:
        with pytest.raises(how):
            ahead.throw(how())
    assert len(begun) < 50
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_no_more_than_depth_files_wait_in_memory(tmp_path: Path) -> None:
    begun: list[int] = []

    def count(position: int, image: Image.Image) -> np.ndarray:
        begun.append(position)
        return pixels(position, image)

    ahead = decode_ahead(written(tmp_path, 40), count, workers=2, depth=5)
    for taken in range(1, 11):
        next(ahead)
        assert len(begun) <= taken + 5
    ahead.close()


@pytest.mark.parametrize("error", [PhotographError("too small"), ValueError("too small")])
def test_a_photograph_that_cannot_be_prepared_is_named_in_its_place(tmp_path: Path, error: Exception) -> None:
    def fails(position: int, image: Image.Image) -> np.ndarray:
        if position == 1:
            raise error
        return pixels(position, image)

    problems = [one.problem for one in decode_ahead(written(tmp_path, 3), fails, workers=2)]
    assert [problem is None for problem in problems] == [True, False, True]
    assert "too small" in str(problems[1])
