"""Damage to bytes, drawn by a seed: what disks, transfers and people do to files. No test is in here."""

from __future__ import annotations

import os
import random

LONGER = int(os.environ.get("CLIPBENCH_LONGER", "1"))
"""How many times more than in CI is tried: CLIPBENCH_LONGER=50 pytest ... looks for hours."""


def damaged(data: bytes, seed: int) -> bytes:
    """Return bytes with one thing wrong: flipped bits, a run of one byte, a cut, a part twice or missing."""
    drawn = random.Random(seed)  # noqa: S311, a seeded draw of damage
    changed = bytearray(data)
    at = drawn.randrange(len(data))
    kind = seed % 6
    if kind == 0:
        changed[at] ^= 1 << drawn.randrange(8)
    elif kind == 1:  # heads say how large things are, so they are hit more often than bodies
        for _ in range(drawn.randint(1, 8)):
            changed[drawn.randrange(min(len(data), 512))] = drawn.randrange(256)
    elif kind == 2:
        length = drawn.randint(1, 16)
        changed[at : at + length] = bytes([drawn.choice((0, 0xFF))]) * length
    elif kind == 3:
        del changed[at:]
    elif kind == 4:
        del changed[at : at + drawn.randint(1, 64)]
    else:
        changed[at:at] = changed[: drawn.randint(1, 64)]
    return bytes(changed)
