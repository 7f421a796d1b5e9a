"""What an address asks for, and how addresses are written: every view has its own, with everything that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The words after the question mark of an address, in order; one may be there several times."""

    path: str
    values: Values = ()

    def one(self, name: str, default: str = "") -> str:
        """Return the first value of a name."""
        return next((value for key, value in self.values if key == name), default)

    def many(self, name: str) -> tuple[str, ...]:
        """Return every value of a name that is not empty, each once."""
        return tuple(dict.fromkeys(value for key, value in self.values if key == name and value))

    def number(self, name: str, default: int) -> int:
        """Return a value as a number from 1 on; what is none is the default."""
        word = self.one(name)
        return max(1, int(word)) if word.isascii() and word.isdigit() and len(word) < 10 else default

    def but(self, **changed: str | Sequence[str]) -> str:
        """Return this address with some values replaced, or left out where they are empty; the page begins anew."""
        gone = {*changed, "page", "form"}
        kept = [(key, value) for key, value in self.values if key not in gone and value]
        return _address(self.path, (*kept, *_pairs(changed)))

    def rest(self, *names: str) -> Values:
        """Return the values of other names than these, for a form to carry on."""
        return tuple((key, value) for key, value in self.values if key not in names and value)


def address(path: str, **values: str | Sequence[str]) -> str:
    """Return the address of a view, from the page's root.

    >>> address("run", run="ab12"), address("compare", run=["a", "b"]), address("dataset", dataset="a&b /")
    ('run?run=ab12', 'compare?run=a&run=b', 'dataset?dataset=a%26b+%2F')
    """
    return _address(path, _pairs(values))


def _pairs(values: dict[str, str | Sequence[str]]) -> list[tuple[str, str]]:
    lists = {name: [value] if isinstance(value, str) else value for name, value in values.items()}
    return [(name, one) for name, several in lists.items() for one in several if one]


def _address(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(pairs, errors='replace')}" if pairs else path or "."
