r"""Strings as HDF5 can hold them: it ends a string at a NUL, and takes no half of a surrogate pair.

Only where one of a list needs it are all of them escaped, with a mark beside them, so that files stay as everybody
expects them, and what was written is read again to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MARK = "escaped"
"""Attribute of a dataset whose strings are escaped."""

HOW = r"\\ is a backslash, \u0000 a NUL, \ud800 to \udfff half of a surrogate pair"
"""Its value, for whoever reads the file without clipbench."""

_UNFIT = re.compile("[\0\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")


def needs_escapes(texts: Sequence[str]) -> bool:
    """Return whether any of the texts cannot be written as it is."""
    return any(_UNFIT.search(text) for text in texts)


def escaped(text: str) -> str:
    r"""Return a text with what HDF5 cannot hold, and backslashes, as escapes.

    >>> escaped("a\0b")
    'a\\u0000b'
    """
    return _UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\\", "\\\\"))


def restored(text: str) -> str:
    r"""Return the text that `escaped` was given.

    >>> restored("a\\u0000b") == "a\0b"
    True
    """
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", text)
