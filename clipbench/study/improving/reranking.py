"""Re-rankers as variants: by the scores alone, or by words fused with them.

Each says what it needs. A bank is the captions of another split; without one the test queries themselves are
the bank, which is transductive, and the method's name says so. Text→image only where a method's idea is of
queries in words; both directions where it is of scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.keys import Json
from clipbench.metrics.row_ranks import Rows
from clipbench.metrics.scorers import Biased, Product, Scorer
from clipbench.records import Direction
from clipbench.rerank.depth import within_depth
from clipbench.rerank.expansion import augmented_gallery, expanded_queries
from clipbench.rerank.fusion import linear, reciprocal_ranks
from clipbench.rerank.hubness import csls_bias, dual_softmax_bias, first_items, hub_gate, softmax_bias
from clipbench.rerank.reciprocal import Reciprocal
from clipbench.rerank.words import Bm25, TfIdf, WordRanker
from clipbench.study.improving.bank import Bank
from clipbench.study.improving.item_texts import ItemTexts, query_texts, without_own
from clipbench.study.improving.variants import Ranking, Variant, pair_ranking, row_ranking
from clipbench.study.robustness.stress import Ground

METHOD = "rerank"
Vectors: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RerankRequest:
    """One re-ranker with its parameters; k None for what suits the method. bank: another split's vectors, None for the test queries themselves.

    k: neighbours (CSLS, α query expansion, k-reciprocal). tau: of the softmax methods. alpha: of the expansions.
    weight: of the second ranker in a fusion, 0..1. fusion: "linear" or "rrf". depth: first items that are touched.
    """

    method: str
    bank: Bank | None = None
    k: int | None = None
    tau: float = 0.02
    alpha: float = 3.0
    weight: float = 0.1
    fusion: str = "linear"
    depth: int | None = None
    texts: ItemTexts | None = None


@dataclass(frozen=True)
class Method:
    """A re-ranker. needs: beyond the query and the gallery. uses: parameters that enter its key."""

    needs: str
    uses: tuple[str, ...]
    rank: Callable[[Ground, RerankRequest], Ranking]
    banked: bool = False
    words: bool = False


def rerank_variant(base: Ground, request: RerankRequest) -> Variant:
    """Return the variant of a request. Raises ClipbenchError for an unknown method or what it lacks."""
    if request.method not in METHODS:
        raise ClipbenchError(
            f"there is no re-ranker {request.method!r}; there are {', '.join(METHODS)}", "--method csls"
        )
    method = METHODS[request.method]
    request = replace(request, k=request.k or NEIGHBOURS.get(request.method, 10))
    if method.words and request.texts is None:
        raise ClipbenchError(
            f"{request.method} needs a text of each photograph",
            "--texts FILE, --own-captions --leave-one-out, or --pseudo with --bank DATASET",
        )
    told: dict[str, Json] = {"name": METHOD, "method": request.method}
    told |= {name: getattr(request, name) for name in method.uses}
    transductive = method.banked and request.bank is None
    if method.banked:
        told["bank"] = request.bank.dataset.key if request.bank else "the test queries"
    if request.texts is not None and method.words:
        told["texts"] = request.texts.as_json()
    if request.depth is not None:
        told["depth"] = request.depth
    needs = "transductive: the test queries together" if transductive else method.needs
    label = request.method + (" (transductive)" if transductive else "")
    if method.words and request.texts is not None:
        label = f"{request.method} of {request.texts.source}, {request.fusion}"
        label += f" {request.weight:g}" if request.fusion == "linear" else ""
    if request.depth is not None:
        label += f", first {request.depth}"
    return Variant(label, told, lambda: _ranked(base, request, method), needs=needs)


def alone_variant(base: Ground, request: RerankRequest) -> Variant | None:
    """Return a transductive method with each query as its own bank, None for a method that is not.

    It shows what one user with one query would have of it: mostly the plain ranking.
    """
    method = METHODS[request.method]
    if not method.banked or request.bank is not None:
        return None
    bias = _BIASES[request.method]
    images, texts = base.image_vectors(), base.text_vectors()

    def rows(part: slice) -> Vectors:
        scores = texts[part] @ images.T
        for row, query in enumerate(texts[part]):
            scores[row] -= bias(images, query[None], request).astype(np.float32)
        return scores

    told: dict[str, Json] = {"name": METHOD, "method": request.method, "bank": "each query alone"}
    told |= {name: getattr(request, name) for name in method.uses}
    label = f"{request.method}, one query at a time"
    return Variant(label, told, lambda: row_ranking(base, {"t2i": rows}), needs="the query and the gallery")


def _ranked(base: Ground, request: RerankRequest, method: Method) -> Ranking:
    if request.depth is None:
        return method.rank(base, request)
    rows = _rows_of(base, request, method)
    images, texts = base.image_vectors(), base.text_vectors()
    plain: dict[Direction, Rows] = {
        "t2i": lambda part: texts[part] @ images.T,
        "i2t": lambda part: images[part] @ texts.T,
    }
    depth = request.depth

    def limited(direction: Direction) -> Rows:
        def scores(part: slice) -> Vectors:
            before, after = (one[direction](part).astype(np.float32) for one in (plain, rows))
            return within_depth(before, after, depth)

        return scores

    return row_ranking(base, {direction: limited(direction) for direction in rows})


def _rows_of(base: Ground, request: RerankRequest, method: Method) -> Mapping[Direction, Rows]:
    """Return whole rows of a method's scores, for limiting its depth."""
    maker = ROWS.get(request.method)
    if maker is None:
        raise ClipbenchError(
            f"--depth does not go with {request.method}", f"--depth goes with {', '.join(ROWS)}"
        )
    del method
    return maker(base, request)


def _bank(base: Ground, request: RerankRequest, direction: Direction) -> Vectors | None:
    """Return the queries over which hubs are counted: of another split, or the test queries themselves.

    None for image→text where the bank has no photographs.
    """
    if request.bank is not None:
        return request.bank.texts if direction == "t2i" else request.bank.images
    return base.text_vectors() if direction == "t2i" else base.image_vectors()[: len(base.gallery.samples)]


Bias: TypeAlias = Callable[[Vectors, Vectors, RerankRequest], npt.NDArray[np.float64]]


def _biases(base: Ground, request: RerankRequest, bias: Bias) -> dict[Direction, npt.NDArray[np.float64]]:
    images, texts = base.image_vectors(), base.text_vectors()
    galleries: dict[Direction, Vectors] = {"t2i": images, "i2t": texts}
    biases = {}
    for direction in base.protocol.directions:
        bank, gallery = _bank(base, request, direction), galleries[direction]
        # Without queries of its kind a direction stays as it is.
        biases[direction] = np.zeros(len(gallery)) if bank is None else bias(gallery, bank, request)
    return biases


def _biased(bias: Bias, *, gated: bool = False) -> Callable[[Ground, RerankRequest], Ranking]:
    def rank(base: Ground, request: RerankRequest) -> Ranking:
        images, texts = base.image_vectors(), base.text_vectors()
        product = Product(images, texts)
        scorers: dict[Direction, Scorer] = {}
        for direction, values in _biases(base, request, bias).items():
            gate = _gate(base, request, direction) if gated else None
            if direction == "t2i":
                column = None if gate is None else gate[None, :]
                scorers[direction] = Biased(product, values, np.zeros(len(texts)), column)
            else:
                row = None if gate is None else gate[:, None]
                scorers[direction] = Biased(product, np.zeros(len(images)), values, row)
        return pair_ranking(base, scorers)

    return rank


def _gate(base: Ground, request: RerankRequest, direction: Direction) -> npt.NDArray[np.bool_]:
    images, texts = base.image_vectors(), base.text_vectors()
    queries, gallery = (texts, images) if direction == "t2i" else (images, texts)
    bank = _bank(base, request, direction)
    hubs = np.empty(0, np.int64) if bank is None else first_items(bank, gallery)
    return hub_gate(first_items(queries, gallery), hubs)


def _csls(gallery: Vectors, bank: Vectors, request: RerankRequest) -> npt.NDArray[np.float64]:
    return csls_bias(gallery, bank, min(_k(request), len(bank)))


def _softmax(gallery: Vectors, bank: Vectors, request: RerankRequest) -> npt.NDArray[np.float64]:
    return softmax_bias(gallery, bank, request.tau)


def _dual(gallery: Vectors, bank: Vectors, request: RerankRequest) -> npt.NDArray[np.float64]:
    return dual_softmax_bias(gallery, bank, request.tau)


def _expanded(base: Ground, request: RerankRequest) -> Ranking:
    images, texts = base.image_vectors(), base.text_vectors()
    scorers: dict[Direction, Scorer] = {
        "t2i": Product(images, expanded_queries(texts, images, _k(request), request.alpha)),
        "i2t": Product(expanded_queries(images, texts, _k(request), request.alpha), texts),
    }
    return pair_ranking(base, {d: scorers[d] for d in base.protocol.directions})


def _augmented(base: Ground, request: RerankRequest) -> Ranking:
    images, texts = base.image_vectors(), base.text_vectors()
    scorers: dict[Direction, Scorer] = {
        "t2i": Product(augmented_gallery(images, _k(request), request.alpha), texts),
        "i2t": Product(images, augmented_gallery(texts, _k(request), request.alpha)),
    }
    return pair_ranking(base, {d: scorers[d] for d in base.protocol.directions})


def _reciprocal_rows(base: Ground, request: RerankRequest) -> dict[Direction, Rows]:
    images, texts = base.image_vectors(), base.text_vectors()
    ranker = Reciprocal(images, min(_k(request), len(images)))
    return {
        "t2i": lambda part: ranker.scores(texts[part] @ images.T, texts[part], request.weight),
    }


def _word_rows(base: Ground, request: RerankRequest) -> dict[Direction, Rows]:
    told = request.texts
    if told is None:
        raise ClipbenchError(f"{request.method} needs a text of each photograph")
    ranker: WordRanker = (TfIdf if request.method == "tfidf" else Bm25)(told.texts)
    images, texts = base.image_vectors(), base.text_vectors()
    words, owners = query_texts(base.gallery), base.gallery.owners
    left = without_own(base.gallery) if told.leave_one_out else {}

    def rows(part: slice) -> Vectors:
        cosines = texts[part] @ images.T
        scores = ranker.scores(words[part])
        for row, query in enumerate(range(*part.indices(len(words)))) if left else ():
            scores[row, owners[query]] = _alone(ranker, words[query], left[query])
        if request.fusion == "rrf":
            return reciprocal_ranks(cosines, scores)
        return linear(cosines, scores, request.weight)

    return {"t2i": rows}


def _alone(ranker: WordRanker, query: str, text: str) -> float:
    """Return the score of a query with a text that is not one of the ranker's, by the ranker's own weights."""
    return float(ranker.score(query, text))


_BIASES: Mapping[str, Bias] = {
    "csls": _csls,
    "inverted-softmax": _softmax,
    "qb-norm": _softmax,
    "dual-softmax": _dual,
}

NEIGHBOURS: Mapping[str, int] = {"csls": 10, "aqe": 2, "dba": 2, "k-reciprocal": 20}
"""Neighbours by method. Expansions take few: a caption moved towards ten photographs is no caption any more."""


def _k(request: RerankRequest) -> int:
    return request.k or NEIGHBOURS[request.method]


ROWS: Mapping[str, Callable[[Ground, RerankRequest], Mapping[Direction, Rows]]] = {
    "k-reciprocal": _reciprocal_rows,
    "tfidf": _word_rows,
    "bm25": _word_rows,
}
"""Re-rankers that give whole rows of scores, text→image only."""


def _by_rows(name: str) -> Callable[[Ground, RerankRequest], Ranking]:
    return lambda base, request: row_ranking(base, ROWS[name](base, request))


METHODS: Mapping[str, Method] = {
    "csls": Method("a bank of other queries", ("k",), _biased(_csls), banked=True),
    "inverted-softmax": Method("a bank of other queries", ("tau",), _biased(_softmax), banked=True),
    "qb-norm": Method("a bank of other queries", ("tau",), _biased(_softmax, gated=True), banked=True),
    "dual-softmax": Method("all test queries at once", ("tau",), _biased(_dual), banked=True),
    "aqe": Method("", ("k", "alpha"), _expanded),
    "dba": Method("", ("k", "alpha"), _augmented),
    "k-reciprocal": Method("", ("k", "weight"), _by_rows("k-reciprocal")),
    "tfidf": Method("a text of each photograph", ("fusion", "weight"), _by_rows("tfidf"), words=True),
    "bm25": Method("a text of each photograph", ("fusion", "weight"), _by_rows("bm25"), words=True),
}
"""Every re-ranker by the word of the command line."""


def rerank_words(method: Mapping[str, Json]) -> str:
    """Return a re-ranker in words."""
    parts = [f"{name} {value:g}" for name, value in method.items() if isinstance(value, int | float)]
    bank = method.get("bank")
    if bank is not None:
        words = {"the test queries": "transductive", "each query alone": "one query at a time"}
        parts.append(words.get(str(bank), "bank of another split"))
    texts = method.get("texts")
    if isinstance(texts, Mapping):
        parts.append(str(texts["source"]) + (", leave-one-out" if texts.get("leave_one_out") else ""))
    if method.get("fusion") == "rrf":
        parts.append("rank fusion")
    return f"{method['method']} ({', '.join(parts)})" if parts else str(method["method"])
