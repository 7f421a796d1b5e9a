"""What people type to choose items by their columns: read word by word, and written anew as SQL over numbered columns.

Nothing of the typed text reaches SQL as it stands. Words are columns, a few keywords or a few functions, and
anything else is told; so there are no subqueries, comments, parameters or second statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from clipbench.errors import DatasetError

LONGEST = 4_000
"""Characters that a condition may have."""

KEYWORDS = frozenset(
    {
        *("AND", "OR", "NOT", "IN", "LIKE", "GLOB", "BETWEEN", "IS", "NULL", "ISNULL", "NOTNULL", "ESCAPE"),
        *("CASE", "WHEN", "THEN", "ELSE", "END", "CAST", "AS", "COLLATE", "NOCASE", "TRUE", "FALSE"),
    }
)
TYPES = frozenset({"TEXT", "INTEGER", "REAL", "NUMERIC"})
FUNCTIONS = frozenset(
    {
        *("abs", "coalesce", "ifnull", "iif", "instr", "length", "lower", "ltrim", "max", "min", "nullif"),
        *("round", "rtrim", "substr", "trim", "upper"),
    }
)
"""What a condition may call: nothing that is random, large or touches anything."""

_TOKEN = re.compile(
    r"""(?P<blank>\s+)|(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*")|(?P<bracketed>\[[^\]]*\])
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?!\w))|(?P<word>[^\W\d]\w*)
    |(?P<sign><>|<=|>=|!=|==|\|\||[=<>+\-*/%(),])""",
    re.VERBOSE,
)
_ORDERING = frozenset({"<", ">", "<=", ">=", "BETWEEN"})

EXAMPLE = "--where \"color = 'Red' AND price < 20\""


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a condition. kind: "text", "number", "sign", "keyword", "function" or "column".

    sql: how it is written. column: the number of the column, -1 for another kind.
    """

    kind: str
    sql: str
    column: int = -1


def condition_sql(where: str, names: Sequence[str], numeric: Sequence[bool]) -> str:
    """Return a condition as SQL over columns c0, c1, ... that stand for `names`.

    numeric: which columns hold numbers; others are not ordered against one. Raises DatasetError with what is
    wrong with it.
    """
    if len(where) > LONGEST:
        raise DatasetError(f"a condition has at most {LONGEST:,} characters, this one {len(where):,}")
    if not where.isascii() and any("\ud800" <= sign <= "\udfff" for sign in where):
        raise DatasetError("the condition is not whole Unicode text", EXAMPLE)
    tokens = list(_tokens(where, names))
    if not tokens:
        raise DatasetError("the condition is empty", EXAMPLE)
    _check_brackets(tokens)
    _check_ordering(tokens, names, numeric)
    return " ".join(token.sql for token in tokens)


def _tokens(where: str, names: Sequence[str]) -> Iterator[Token]:
    places: Mapping[str, int] = {name: place for place, name in reversed(list(enumerate(names)))}
    found = [match for match in _matches(where) if match.lastgroup != "blank"]
    for number, match in enumerate(found):
        kind, word = str(match.lastgroup), match.group()
        if kind in {"text", "number", "sign"}:
            yield Token(kind, word)
        elif kind in {"quoted", "bracketed"}:
            name = word[1:-1].replace('""', '"') if kind == "quoted" else word[1:-1]
            yield _column(name, places, quoted=kind == "quoted")
        elif word.upper() in (KEYWORDS | TYPES if _after_as(found, number) else KEYWORDS):
            yield Token("keyword", word.upper())
        elif number + 1 < len(found) and found[number + 1].group() == "(":
            yield _function(word)
        else:
            yield _column(word, places)


def _after_as(found: Sequence[re.Match[str]], number: int) -> bool:
    """Whether a word stands where CAST wants a type; elsewhere TEXT may be a column."""
    return number > 0 and found[number - 1].group().upper() == "AS"


def _matches(where: str) -> Iterator[re.Match[str]]:
    start = 0
    while start < len(where):
        match = _TOKEN.match(where, start)
        if match is None:
            rest = where[start : start + 12]
            unended = "a quotation mark without its other half" if rest[0] in "'\"[" else "not understood"
            raise DatasetError(f"the condition is wrong at {rest!r}: {unended}", EXAMPLE)
        yield match
        start = match.end()


def _function(word: str) -> Token:
    if word.lower() not in FUNCTIONS:
        raise DatasetError(
            f"a condition cannot call {word}(); it can call {', '.join(sorted(FUNCTIONS))}", EXAMPLE
        )
    return Token("function", word.lower())


def _column(word: str, places: Mapping[str, int], *, quoted: bool = False) -> Token:
    place = places.get(word)
    if place is None:
        alike = [number for name, number in places.items() if name.casefold() == word.casefold()]
        place = alike[0] if len(alike) == 1 else None
    if place is not None:
        return Token("column", f"c{place}", place)
    near = get_close_matches(word.casefold(), [name.casefold() for name in places], n=1)
    known = ", ".join(sorted(places, key=lambda name: places[name]))
    says = f" (near: {near[0]})" if near else f"; a value stands in single quotes: '{word}'"
    marks = " in double quotes" if quoted else ""
    raise DatasetError(f"there is no column {word!r}{marks}{says}", f"the columns are {known}")


def _check_brackets(tokens: Sequence[Token]) -> None:
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.sql, 0) if token.kind == "sign" else 0
        if depth < 0:
            break
    if depth:
        raise DatasetError("the brackets of the condition do not match", EXAMPLE)


def _check_ordering(tokens: Sequence[Token], names: Sequence[str], numeric: Sequence[bool]) -> None:
    """Refuse `size < 20` where sizes are text: SQLite would put "100 cm" before 20, as words are ordered."""
    for first, sign, second in zip(tokens, tokens[1:], tokens[2:], strict=False):
        columns = [token.column for token in (first, second) if token.kind == "column"]
        numbers = [token for token in (first, second) if token.kind == "number"]
        if sign.sql in _ORDERING and columns and numbers and not numeric[columns[0]]:
            name = names[columns[0]]
            raise DatasetError(
                f"the column {name!r} holds text, which is not larger or smaller than a number",
                f'CAST("{name}" AS REAL) takes the number it begins with',
            )
