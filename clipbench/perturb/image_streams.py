"""Where the randomness of image corruptions comes from: one stream per image and setting.

A stream depends on nothing but its four names, so an image's corruption is the same whatever the
order, the batch, the subset or the number of processes.
"""

from __future__ import annotations

import numpy as np

from clipbench.keys import item_key


def generator(operation: str, seed: int, image_id: str, severity: int) -> np.random.Generator:
    """Return the fresh generator of one image under one setting.

    A PCG64 keyed with 128 bits of BLAKE2b over the operation's name, the severity, the seed and the
    image's id. Every call returns a generator in the same state.

    >>> first = generator("gaussian-noise", 42, "a.jpg", 3)
    >>> again = generator("gaussian-noise", 42, "a.jpg", 3)
    >>> other = generator("gaussian-noise", 42, "b.jpg", 3)
    >>> first.integers(1000, size=3).tolist() == again.integers(1000, size=3).tolist()
    True
    >>> first.integers(1000, size=3).tolist() == other.integers(1000, size=3).tolist()
    False
    """
    key = item_key(("image-stream", operation, str(int(severity)), str(int(seed)), image_id))
    return np.random.Generator(np.random.PCG64(int.from_bytes(key, "little")))
