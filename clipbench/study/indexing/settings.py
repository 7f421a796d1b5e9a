"""Which settings a sweep tries: recipes as they are typed, every combination of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from clipbench.errors import ClipbenchError
from clipbench.indexes.backends import backend
from clipbench.indexes.protocol import IndexRecipe, Settings

EXAMPLE = "--recipe hnsw:m=16/32,ef=10/64"

DEFAULTS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "hnsw": {"ef": (10, 32, 64, 128)},
    "ivf": {"nprobe": (1, 4, 16)},
    "sq8": {"refine": (1, 4)},
    "ivf-pq": {"nprobe": (8,), "refine": (1, 4)},
    "milvus": {"ef": (10, 32, 64, 128)},
}
"""Values that are tried where none are typed."""

TYPES = ("hnsw", "ivf", "sq8")
"""Types that are tried where none are typed."""


@dataclass(frozen=True)
class Setting:
    """One way to search: an index's recipe, and the parameters of the search."""

    recipe: IndexRecipe
    search: Settings


@dataclass(frozen=True)
class TypedSettings:
    """What was typed. recipes: "hnsw", "ivf:lists=215,nprobe=1/4". values: for every type that has the parameter."""

    recipes: tuple[str, ...] = ()
    values: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def settings_of(typed: TypedSettings) -> tuple[Setting, ...]:
    """Return every setting that was asked for, each once, recipe after recipe.

    Raises ClipbenchError for a type or parameter that there is not, or a value that is no number.
    """
    wanted: dict[str, Setting] = {}
    unused = set(typed.values)
    for recipe in typed.recipes or TYPES:
        kind, chosen = _recipe(recipe)
        if kind == "exact":
            continue  # it is always there
        build, search = backend(kind).made, backend(kind).search
        common = {name: values for name, values in typed.values.items() if name in {*build, *search}}
        unused -= set(common)
        values = {**DEFAULTS.get(kind, {}), **common, **chosen}
        for name in values:
            if name not in {*build, *search}:
                known = ", ".join([*build, *search])
                raise ClipbenchError(f"{kind} has no parameter {name!r}; there are: {known}", EXAMPLE)
        if min((value for chosen in values.values() for value in chosen), default=1) < 0:
            raise ClipbenchError(f"a value of {recipe!r} is below 0", EXAMPLE)
        order = [
            name for name in (*build, *search) if name in values
        ]  # an index is built once for its searches
        for combined in product(*(values[name] for name in order)):
            told = {**build, **search, **dict(zip(order, combined, strict=True))}
            one = Setting(
                IndexRecipe(kind, {n: v for n, v in told.items() if n in build}),
                {n: v for n, v in told.items() if n in search},
            )
            wanted.setdefault(repr((kind, sorted(told.items()))), one)
    if unused:
        raise ClipbenchError(f"no recipe has the parameter {sorted(unused)[0]!r}", EXAMPLE)
    return tuple(wanted.values())


def _recipe(text: str) -> tuple[str, dict[str, tuple[int, ...]]]:
    kind, _, rest = text.partition(":")
    backend(kind)
    values = {}
    for part in filter(None, rest.split(",")):
        name, _, told = part.partition("=")
        values[name.strip().replace("-", "_")] = numbers(told, part)
    return kind, values


def numbers(text: str, where: str, separator: str = "/") -> tuple[int, ...]:
    """Return the whole numbers of a text. Raises ClipbenchError for anything else.

    >>> numbers("10/64", "ef")
    (10, 64)
    """
    try:
        return tuple(int(word) for word in text.split(separator))
    except ValueError:
        raise ClipbenchError(f"{where!r} does not say whole numbers", EXAMPLE) from None
