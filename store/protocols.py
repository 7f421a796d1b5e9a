"""How a run was scored, in few words: what of its protocol is not the usual one.

Knows the protocol as it is stored, and neither tables nor metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from clipbench.keys import Json
from clipbench.records import Protocol, filled

USUAL: Mapping[str, Json] = MappingProxyType(Protocol().as_json())
"""The protocol that goes without saying."""

GALLERY_SAMPLE = "gallery_sample"
"""What a stored protocol says of the samples from which a run is estimated."""

SHOWN = 3
"""Operations of fooling captions that are named one by one."""


def protocol_words(protocol: Mapping[str, Json]) -> str:
    """Return what is unusual in a stored protocol, the weightiest first; "" for nothing.

    What only shapes intervals is left out over folds, which have none.

    >>> protocol_words({**USUAL, "fold": 1000, "ties": "optimistic"})
    'folds of 1,000, optimistic ties'
    >>> protocol_words({**USUAL, "positives": "equal-captions", "ks": [1, 20]})
    'duplicate-aware, K 1 20'
    >>> protocol_words(USUAL)
    ''
    """
    return ", ".join(_words(filled(protocol)))


def ledger_parts(protocol: Mapping[str, Json], gallery: int) -> int:
    """Return how many times the ledger of a gallery of so many items holds each query: once where it is ranked whole.

    An estimated one holds counts of half samples, one after another, and then of the exact head where there is one.

    >>> sample = {"size": 100, "repeats": 5, "seed": 0, "head": None}
    >>> ledger_parts({"gallery_sample": sample}, 10_000), ledger_parts({"gallery_sample": sample}, 500)
    (10, 1)
    """
    sample = protocol.get(GALLERY_SAMPLE)
    if not isinstance(sample, Mapping):
        return 1
    size, repeats = sample.get("size"), sample.get("repeats")
    if not isinstance(size, int) or not isinstance(repeats, int) or size * repeats >= gallery:
        return 1
    return 2 * repeats + (sample.get("head") is not None)


def _words(told: Mapping[str, Json]) -> Iterator[str]:
    yield from _gallery(told)
    fold = told["fold"]
    if isinstance(fold, int):
        yield f"folds of {fold:,}"
    if told["ties"] != USUAL["ties"]:
        yield f"{told['ties']} ties"
    if told["positives"] != USUAL["positives"]:
        yield "duplicate-aware" if told["positives"] == "equal-captions" else f"{told['positives']} positives"
    for name, say in (("ks", "K {}"), ("directions", "{} only")):
        if _list(told[name]) != _list(USUAL[name]):
            yield say.format(" ".join(map(str, _list(told[name]))))
    if fold is None:
        yield from _intervals(told)


def _gallery(told: Mapping[str, Json]) -> Iterator[str]:
    """Yield what was done to the gallery: the runs of `clipbench robustness gallery` say it in words of theirs."""
    if told.get("uncaptioned"):
        yield "images without captions as distractors"
    sample = told.get(GALLERY_SAMPLE)
    if isinstance(sample, Mapping):
        head = sample.get("head")
        yield f"estimated from {sample.get('repeats')} samples of {_count(sample.get('size'))}" + (
            "" if head is None else f", exact to rank {_count(head)}"
        )
    sizes = _list(told.get("sizes"))
    if sizes:
        yield f"galleries of {_count(sizes[0])} to {_count(sizes[-1])}"
    others = told.get("distractors")
    if isinstance(others, Mapping):
        whose = str(others.get("dataset", "")).rpartition(":")[2][:8]
        yield f"{_count(others.get('added'))} distractors{f' of {whose}' if whose else ''}"
    copies = _list(told.get("fooling"))
    if copies:
        named = [str(_list(one)[0]) for one in copies if _list(one)]
        yield " + ".join(named) if len(named) <= SHOWN else f"{len(named)} controls"


def _intervals(told: Mapping[str, Json]) -> Iterator[str]:
    if told["resamples"] != USUAL["resamples"]:
        yield f"{_count(told['resamples'])} resamples"
    if told["seed"] != USUAL["seed"]:
        yield f"resampling seed {told['seed']}"
    confidence = told["confidence"]
    if isinstance(confidence, float) and confidence != USUAL["confidence"]:
        yield f"{100 * confidence:g} % intervals"


def _list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


def _count(value: Json) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
