"""The names in a folder, and which of them a name in a caption source means.

A file is taken where its name is exactly the given one, or where it is the only one that says the same in other
Unicode (macOS writes "é" as two characters) or with percent signs ("my%20dog.jpg"). Names that differ only in
case or ending are suggested and never taken. Knows names; opens nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Located:
    """What a path was found to be: `path` on the disk, None where there is none, then maybe a `near` one."""

    asked: str
    path: str | None = None
    near: str | None = None


def spelling(name: str) -> str:
    """Return a name in the one form that all its spellings have: NFC, percent signs decoded.

    >>> spelling("my%20dog.jpg"), spelling("100%.jpg")
    ('my dog.jpg', '100%.jpg')
    """
    return unicodedata.normalize("NFC", unquote(name) if "%" in name else name)


def alone(names: Iterable[str]) -> dict[str, str]:
    """Return for each spelling that one name alone has, that name.

    >>> alone(["my dog.jpg", "a.jpg", "%61.jpg"])
    {'my dog.jpg': 'my dog.jpg'}
    """
    forms: dict[str, set[str]] = {}
    for name in names:
        forms.setdefault(spelling(name), set()).add(name)
    return {form: min(same) for form, same in forms.items() if len(same) == 1}


def loose(name: str) -> str:
    """Return a name as people mistake it for another: as it looks, without case.

    >>> loose("My\u00a0d\u043eg.JPG") == loose("my dog.jpg")
    True
    """
    return _look(spelling(name)).casefold()


_LOOK_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7\u03bf",
    "aeopcyxijsABEKMHOPCTXIABEZHIKMNOPTXo",
)
"""Cyrillic and Greek letters -> the Latin ones that nobody can tell them from."""


def _look(name: str) -> str:
    """Return a name as it looks: what differs in compatibility forms, invisible characters and alphabet alone is one."""
    same = unicodedata.normalize("NFKC", name).translate(_LOOK_ALIKE)
    return "".join(character for character in same if unicodedata.category(character) != "Cf")


def visible(name: str, other: str) -> str:
    r"""Return a name for people; where it looks like `other`, the characters that may set them apart are escaped.

    >>> visible("\xdfe\u0301.jpg", "\xdf\u00e9.jpg"), visible("a.jpg", "A.jpg")
    ('ße\\u0301.jpg', 'a.jpg')
    """
    if name == other or _look(name) != _look(other):
        return name
    return "".join(ascii(c)[1:-1] if _tells_apart(c, other) else c for c in name)


def _tells_apart(character: str, other: str) -> bool:
    if character.isascii():
        return False
    composed = unicodedata.normalize("NFD", character) != character or unicodedata.combining(character) > 0
    return composed or character not in other


@dataclass(slots=True)
class Listing:
    """Names per folder, read once. Existence is decided by them, so that case matters on every platform."""

    root: Path
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    spellings: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    mistaken: dict[str, dict[str, str]] = field(default_factory=dict)

    def find(self, path: str) -> Located:
        """Return which file a path below the root means."""
        asked = str(PurePosixPath(path))
        folder = ""
        parts = PurePosixPath(path).parts
        if not parts:
            return Located(asked)
        for number, part in enumerate(parts):
            name = part if part in self.of(folder) else self._respelt(folder, part)
            if name is None:
                near = self._near(folder, parts, number)
                return Located(asked, None, near)
            folder = f"{folder}/{name}" if folder else name
        return Located(asked, folder)

    def of(self, folder: str) -> frozenset[str]:
        """Return the names in a folder, none where it cannot be read."""
        if folder not in self.names:
            try:
                self.names[folder] = frozenset(entry.name for entry in (self.root / folder).iterdir())
            except OSError:  # a file, or no permission: nothing in it can be read, which is reported
                self.names[folder] = frozenset()
        return self.names[folder]

    def _respelt(self, folder: str, name: str) -> str | None:
        """Return the one name in a folder that is `name` in another spelling, None where there are none or more."""
        if folder not in self.spellings:
            forms: dict[str, list[str]] = {}
            for known in self.of(folder):
                forms.setdefault(spelling(known), []).append(known)
            self.spellings[folder] = forms
        same = self.spellings[folder].get(spelling(name), [])
        return same[0] if len(same) == 1 else None

    def _near(self, folder: str, parts: tuple[str, ...], number: int) -> str | None:
        """Return a path that exists and differs only in case, spelling or, failing that, in its ending or folder."""
        if number < len(parts) - 1:
            return parts[-1] if parts[-1] in self.of("") else None
        if folder not in self.mistaken:
            forms: dict[str, str] = {}
            for known in sorted(self.of(folder), reverse=True):  # so that the first in order wins
                forms[loose(known.rpartition(".")[0]) + "."] = known
                forms[loose(known)] = known
            self.mistaken[folder] = forms
        name = parts[number]
        forms = self.mistaken[folder]
        near = forms.get(loose(name)) or forms.get(loose(name.rpartition(".")[0]) + ".")
        if near is None:
            return name if folder and name in self.of("") else None
        return f"{folder}/{near}" if folder else near
