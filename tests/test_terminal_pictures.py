"""Pictures in a terminal: what is written is the picture, and only where a terminal says that it can."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from clipbench.cli.terminal_pictures import Box, detected, drawn


def two_colours(width: int = 40, height: int = 20) -> Image.Image:
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    return image


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ({}, None),
        ({"TERM": "dumb"}, None),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, None),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "tmux-256color", "TMUX": "x", "KITTY_WINDOW_ID": "1"}, "blocks"),
    ],
)
def test_a_terminal_is_known_by_what_it_says(said: dict[str, str], way: str | None) -> None:
    assert detected(said) == way


def test_half_blocks_are_two_pixels_a_character() -> None:
    text = drawn("blocks", two_colours(), Box(8, 2))
    lines = text.split("\x1b[8D\x1b[1B")
    assert len(lines) == 2
    for line in lines:
        cells = re.findall(r"\x1b\[38;2;(\d+);(\d+);(\d+)m\x1b\[48;2;(\d+);(\d+);(\d+)m▀", line)
        pixels = np.array([[int(value) for value in cell] for cell in cells])
        assert pixels.shape == (8, 6)
        assert np.abs(pixels[0] - [255, 0, 0] * 2).max() < 12  # shrinking rings a little
        assert np.abs(pixels[-1] - [0, 0, 255] * 2).max() < 12


def test_an_odd_last_row_has_no_lower_half() -> None:
    text = drawn("blocks", two_colours(3, 3), Box(3, 2))
    assert text.count("\x1b[49m▀") == 3


def test_kitty_gets_the_picture_in_pieces_and_is_asked_for_no_reply() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (100, 200, 3), dtype=np.uint8))
    text = drawn("kitty", noise, Box(20, 5))
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) == text
    assert parts[0][0].startswith("a=T,f=100,C=1,q=2,")
    assert [keys[-3:] for keys, _ in parts] == ["m=1"] * (len(parts) - 1) + ["m=0"]
    assert all(len(data) <= 4096 for _, data in parts)
    with Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in parts)))) as image:
        assert np.array_equal(np.asarray(image), np.asarray(noise))


def test_iterm_gets_the_picture_within_its_box() -> None:
    head, _, data = drawn("iterm", two_colours(), Box(4, 1)).partition(":")
    assert head.startswith("\x1b]1337;File=inline=1;width=4;height=1;")
    with Image.open(io.BytesIO(base64.b64decode(data.removesuffix("\x07")))) as image:
        assert image.size == (40, 20)


def sixel_pixels(text: str) -> np.ndarray:
    """What a terminal would draw: an own reading of the protocol."""
    body = text.removeprefix("\x1bPq").removesuffix("\x1b\\")
    size = re.match(r'"1;1;(\d+);(\d+)', body)
    assert size
    width, height = int(size[1]), int(size[2])
    canvas = np.full((height + 6, width, 3), -1)
    colours: dict[int, list[int]] = {}
    x = top = colour = 0
    for match in re.finditer(
        r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)(.)|(\$)|(-)|([?-~])", body[size.end() :]
    ):
        if match[1]:
            colour = int(match[1])
            if match[2]:
                colours[colour] = [round(int(match[n]) * 2.55) for n in (2, 3, 4)]
        elif match[7]:
            x = 0
        elif match[8]:
            x, top = 0, top + 6
        else:
            count, code = (int(match[5]), match[6]) if match[5] else (1, match[9])
            for bit in range(6):
                if (ord(code) - 63) >> bit & 1:
                    canvas[top + bit, x : x + count] = colours[colour]
            x += count
    return canvas[:height]


def test_sixel_draws_every_pixel_in_its_colour() -> None:
    picture = two_colours(40, 20)
    read = sixel_pixels(drawn("sixel", picture, Box(4, 1)))
    assert np.abs(read - np.asarray(picture).astype(int)).max() <= 3


def test_sixel_of_a_photograph_is_near_it() -> None:
    ramp = np.linspace(0, 255, 60).astype(np.uint8)
    picture = Image.fromarray(np.stack(np.broadcast_arrays(ramp, ramp[:, None], np.uint8(90)), axis=2))
    read = sixel_pixels(drawn("sixel", picture, Box(6, 3)))
    assert read.min() >= 0
    assert np.abs(read - np.asarray(picture).astype(int)).mean() < 20
