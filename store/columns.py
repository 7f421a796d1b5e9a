"""How values become columns and come back: JSON, arrays, and text that is not quite Unicode.

Knows neither tables nor SQL. Whatever goes in comes out equal, to the bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from clipbench.errors import StoreError
from clipbench.keys import ITEM_BYTES, Json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Items: TypeAlias = "npt.NDArray[np.uint8]"
"""Item keys as an array of shape (n, 16)."""


def json_in(value: Json) -> str:
    """Return `value` as JSON text; floats keep every digit. Raises ValueError for NaN and infinity."""
    return json.dumps(_plain(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def json_out(text: str) -> Any:
    """Return the value of JSON text. Raises StoreError where it is none: we never write such a thing."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(
            f"the database is damaged: {str(text)[:40]!r} stands where JSON should", "clipbench store verify"
        ) from error


def _plain(value: Json) -> Json:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, Sequence):
        return [_plain(part) for part in value]
    return value


def text_in(text: str | None) -> str | bytes | None:
    r"""Return text as SQLite can hold it: itself, or bytes where it holds half a surrogate pair.

    Such halves come from JSON escapes ("\ud83d") and from file names that are not UTF-8.
    """
    if text is None:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text_out(value: Any) -> Any:
    """Return the text that `text_in` was given."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value


def int_blob(array: npt.NDArray[np.int32]) -> bytes:
    """Return an int32 array as little-endian bytes. Raises ValueError where a value does not fit."""
    import numpy as np

    narrow = np.asarray(array).astype("<i4")
    if not np.array_equal(narrow, array):
        raise ValueError("a ledger value does not fit 32 bits")
    return narrow.tobytes()


def int_array(blob: bytes) -> npt.NDArray[np.int32]:
    """Return the int32 array of little-endian bytes."""
    import numpy as np

    return np.frombuffer(blob, dtype="<i4").astype(np.int32)


def float_blob(array: npt.NDArray[np.float32]) -> bytes:
    """Return a float32 array as little-endian bytes."""
    import numpy as np

    return np.asarray(array, dtype="<f4").tobytes()


def float_array(blob: bytes) -> npt.NDArray[np.float32]:
    """Return the float32 array of little-endian bytes."""
    import numpy as np

    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


def items_array(keys: Sequence[bytes]) -> Items:
    """Return item keys as an array of shape (n, 16). Raises ValueError where one is not 16 bytes long."""
    import numpy as np

    if set(map(len, keys)) - {ITEM_BYTES}:
        raise ValueError(f"an item key has {ITEM_BYTES} bytes")
    return np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, ITEM_BYTES)


def items_from(blob: bytes) -> Items:
    """Return the item keys of a blob as an array of shape (n, 16)."""
    import numpy as np

    return np.frombuffer(blob, dtype=np.uint8).reshape(-1, ITEM_BYTES)
