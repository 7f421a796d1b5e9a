"""Words: TF-IDF and BM25 between a query and the text of each gallery item.

A dozen lines of scipy each; equal to scikit-learn's TfidfVectorizer and to the lucene variant of BM25. Words
are runs of letters and digits in lower case; nothing is stemmed and no stop words are dropped, since their
weight is small as it is. Knows no photograph and no vector.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

Scores = npt.NDArray[np.float32]

_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, in order.

    >>> words_of("Two DOGS, one ball.")
    ['two', 'dogs', 'one', 'ball']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


class WordRanker(Protocol):
    """Scores of queries against the texts it was built from; higher is nearer."""

    def scores(self, queries: Sequence[str]) -> Scores:
        """Return the score of every text for each query; float32 (len(queries), texts)."""

    def score(self, query: str, text: str) -> float:
        """Return the score of a query with any text, under the words' weights of the texts it was built from."""


@dataclass(frozen=True)
class _Counts:
    """How often each word occurs in each text; words in sorted order, so nothing depends on a hash seed."""

    vocabulary: dict[str, int]
    matrix: Any  # scipy.sparse.csr_matrix float64 (texts, words); scipy has no types

    def of(self, texts: Sequence[str]) -> Any:
        """Return the counts of other texts over the same words; unknown words are left out."""
        return _matrix([words_of(text) for text in texts], self.vocabulary)


def _counts(texts: Sequence[str]) -> _Counts:
    split = [words_of(text) for text in texts]
    vocabulary = {word: number for number, word in enumerate(sorted({w for words in split for w in words}))}
    return _Counts(vocabulary, _matrix(split, vocabulary))


def _matrix(split: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> Any:
    pairs = [
        (row, vocabulary[word]) for row, words in enumerate(split) for word in words if word in vocabulary
    ]
    rows, columns = (np.array([p[i] for p in pairs], dtype=np.int64) for i in (0, 1))
    shape = (len(split), max(1, len(vocabulary)))
    # Repeated (row, word) pairs are added up by the conversion.
    return sparse.coo_matrix((np.ones(len(pairs)), (rows, columns)), shape=shape).tocsr()


class TfIdf:
    """Cosine of TF-IDF vectors: tf · (ln((1 + n)/(1 + df)) + 1), rows of norm 1.

    The smoothed form of Salton's weighting, with the constants that scikit-learn made usual. A text or a
    query without a known word scores 0 with everything.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = _counts(texts)
        document = np.asarray((self._counts.matrix > 0).sum(axis=0)).ravel()
        self._idf = np.log((1 + len(texts)) / (1 + document)) + 1
        self._texts = self._weighted(self._counts.matrix)

    def scores(self, queries: Sequence[str]) -> Scores:
        """Return the cosine of every text for each query; float32 (len(queries), texts)."""
        product = self._weighted(self._counts.of(queries)) @ self._texts.T
        return np.asarray(product.toarray(), dtype=np.float32)

    def score(self, query: str, text: str) -> float:
        """Return the cosine of a query and any text."""
        left, right = (self._weighted(self._counts.of([one])) for one in (query, text))
        return float((left @ right.T).toarray()[0, 0])

    def _weighted(self, counts: Any) -> Any:
        weighted = counts @ sparse.diags(self._idf)
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        return sparse.diags(1 / np.where(norms > 0, norms, 1)) @ weighted


class Bm25:
    """BM25 as Lucene computes it: Σ idf(w) · tf / (tf + k1 (1 − b + b · length/mean length)).

    idf(w) = ln(1 + (n − df + .5)/(df + .5)), over the query's words, repeated ones counted as often
    (Robertson & Zaragoza 2009; the variant is the one of Kamphuis et al. 2020, Which BM25 do you mean?).
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> None:
        self._counts = _counts(texts)
        counts = self._counts.matrix.tocsr(copy=True)
        document = np.asarray((counts > 0).sum(axis=0)).ravel()
        idf = np.log(1 + (len(texts) - document + 0.5) / (document + 0.5))
        lengths = np.asarray(counts.sum(axis=1)).ravel()
        mean = lengths.mean() if len(lengths) and lengths.any() else 1.0
        self._k1, self._b, self._mean, self._idf = k1, b, mean, idf
        self._texts = self._saturated(counts, lengths)

    def scores(self, queries: Sequence[str]) -> Scores:
        """Return the score of every text for each query; float32 (len(queries), texts)."""
        product = self._counts.of(queries) @ self._texts.T
        return np.asarray(product.toarray(), dtype=np.float32)

    def score(self, query: str, text: str) -> float:
        """Return the score of a query with any text, its length counted over all its words."""
        counts = self._counts.of([text]).tocsr(copy=True)
        weighted = self._saturated(counts, np.array([float(len(words_of(text)))]))
        return float((self._counts.of([query]) @ weighted.T).toarray()[0, 0])

    def _saturated(self, counts: Any, lengths: npt.NDArray[np.float64]) -> Any:
        """Return idf · tf / (tf + k1 (1 − b + b · length/mean length)) in place of every count tf."""
        saturation = self._k1 * (1 - self._b + self._b * lengths / self._mean)
        counts.data /= counts.data + np.repeat(saturation, np.diff(counts.indptr))
        return counts @ sparse.diags(self._idf)
