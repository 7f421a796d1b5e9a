"""TF-IDF and BM25 against scikit-learn and bm25s, which were written apart from ours."""

import numpy as np
import pytest

from clipbench.rerank.words import Bm25, TfIdf, words_of

TEXTS = (
    "a red chair with wooden legs",
    "a blue chair",
    "Wooden table, red top; a table for four",
    "",
    "lamp lamp lamp",
    "red red wooden chair a a a",
)
QUERIES = ("red wooden chair", "a lamp and a lamp", "nothing known", "", "Table for four.")


def test_tfidf_equals_scikit_learn() -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    oracle = text.TfidfVectorizer(analyzer=words_of)
    texts = oracle.fit_transform(TEXTS)
    want = (oracle.transform(QUERIES) @ texts.T).toarray()
    np.testing.assert_allclose(TfIdf(TEXTS).scores(QUERIES), want, atol=1e-7)


def test_bm25_equals_the_lucene_variant_of_bm25s() -> None:
    bm25s = pytest.importorskip("bm25s")
    texts = [text for text in TEXTS if text]
    oracle = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    oracle.index([words_of(text) for text in texts], show_progress=False)
    ours = Bm25(texts).scores(QUERIES)
    for row, query in enumerate(QUERIES):
        words = [w for w in words_of(query) if w in oracle.vocab_dict]
        want = oracle.get_scores(words) if words else np.zeros(len(texts))
        np.testing.assert_allclose(ours[row], want, rtol=1e-5, atol=1e-6)


def test_bm25_by_hand() -> None:
    # Two texts of one and three words, mean length 2; "x" occurs in both, once and twice.
    ours = Bm25(["x", "x x y"], k1=1.5, b=0.75).scores(["x y"])
    idf_x, idf_y = np.log(1 + 0.5 / 2.5), np.log(1 + 1.5 / 1.5)
    short, long = 1.5 * (0.25 + 0.75 / 2), 1.5 * (0.25 + 0.75 * 3 / 2)
    want = [idf_x / (1 + short), idf_x * 2 / (2 + long) + idf_y / (1 + long)]
    np.testing.assert_allclose(ours[0], want, rtol=1e-6)


def test_texts_without_words_score_nothing_and_break_nothing() -> None:
    for ranker in (TfIdf(["", "..."]), Bm25(["", "..."])):
        assert (ranker.scores(["a", ""]) == 0).all()


def test_case_punctuation_and_width_do_not_matter() -> None:
    assert words_of("Ｒed-CHAIR, straße!") == ["red", "chair", "strasse"]
