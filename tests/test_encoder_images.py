"""Photographs decoded ahead of the model: in order, none too many, each failure in its place."""

import io
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipbench.encoders.images import Decoded, PhotoFile, decode_ahead
from clipbench.errors import PhotographError
from clipbench.photographs import opening
from clipbench.photographs.budget import PixelBudget


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


def test_whoever_waits_decodes_as_well_and_the_order_stays(tmp_path: Path) -> None:
    waiting = threading.Event()

    def slow(position: int, image: Image.Image) -> np.ndarray:
        if threading.current_thread() is threading.main_thread():
            waiting.set()
        else:
            assert waiting.wait(10)  # the thread of the pool is busy until the one that waits has decoded too
        return np.full((1, 1, 3), position, np.uint8)

    decoded = list(decode_ahead(written(tmp_path, 12), slow, workers=1))
    assert waiting.is_set()
    assert [int(d.pixels.max()) for d in decoded if d.pixels is not None] == list(range(12))


def test_no_thread_begins_a_photograph_while_all_processors_are_needed(tmp_path: Path) -> None:
    begun: list[int] = []

    def slow(position: int, image: Image.Image) -> np.ndarray:
        begun.append(position)
        time.sleep(0.002)
        return pixels(position, image)

    ahead = decode_ahead(written(tmp_path, 60), slow, workers=3, meanwhile=False)
    taken = [next(ahead) for _ in range(2)]
    before = len(begun)
    time.sleep(0.1)
    assert len(begun) <= before + 3  # each thread may have been at one
    assert len([*taken, *ahead]) == len(begun) == 60


def test_an_error_comes_after_the_photographs_before_it_whoever_met_it(tmp_path: Path) -> None:
    def fails(position: int, image: Image.Image) -> np.ndarray:
        if position == 5:
            raise ZeroDivisionError
        return pixels(position, image)

    ahead = decode_ahead(written(tmp_path, 9), fails, workers=1)
    assert len([next(ahead) for _ in range(5)]) == 5
    with pytest.raises(ZeroDivisionError):
        next(ahead)


def test_no_more_pixels_are_decoded_at_once_than_the_budget_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, lock, open_now, most = 40, threading.Lock(), [0], [0]
    monkeypatch.setattr(opening, "BUDGET", PixelBudget(room))  # two photographs of 4 × 4 pixels

    def count(position: int, image: Image.Image) -> np.ndarray:
        with lock:
            open_now[0] += image.width * image.height
            most[0] = max(most[0], open_now[0])
        time.sleep(0.002)
        with lock:
            open_now[0] -= image.width * image.height
        return pixels(position, image)

    decoded = list(decode_ahead(written(tmp_path, 24), count, workers=6))
    assert len(decoded) == 24
    assert 0 < most[0] <= room
