"""What turned two embedding sets into a ranking, in words: one describer for each method that has a name.

A method is JSON with a `name` and its parameters, `{}` for the plain product of vectors. A method that
nobody describes here, of a newer clipbench say, is shown as its JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from clipbench.keys import Json, canonical

Describer = Callable[[Mapping[str, Json]], str]


def _prompts(method: Mapping[str, Json]) -> str:
    from clipbench.study.improving.prompting import prompt_words

    return prompt_words(method)


def _rerank(method: Mapping[str, Json]) -> str:
    from clipbench.study.improving.reranking import rerank_words

    return rerank_words(method)


def _index(method: Mapping[str, Json]) -> str:
    from clipbench.study.indexing.ranking import index_words

    return index_words(method)


DESCRIBERS: Mapping[str, Describer] = MappingProxyType(
    {"prompts": _prompts, "rerank": _rerank, "index": _index}
)
"""Words for the parameters of a method, by the method's name."""


def method_words(method: Mapping[str, Json]) -> str:
    """Return a method in words, "" for the plain product of vectors.

    >>> method_words({})
    ''
    >>> method_words({"name": "unheard-of", "k": 3})
    'unheard-of {"k":3}'
    """
    if not method:
        return ""
    name = method.get("name")
    describe = DESCRIBERS.get(name) if isinstance(name, str) else None
    if describe is not None:
        try:
            return describe(method)
        except (KeyError, TypeError, ValueError):  # not what the describer's method writes: shown as it is
            pass
    rest = {key: value for key, value in method.items() if key != "name"}
    if not isinstance(name, str):
        return canonical(method)
    return f"{name} {canonical(rest)}" if rest else name
