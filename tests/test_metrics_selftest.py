"""The self-test passes on a sound machine, and fails when something is broken."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from clipbench.metrics import measures, products, scores, selftest, sides
from clipbench.metrics.selftest import CASES, run


def failed() -> set[str]:
    return {check.name for check in run() if not check.passed}


def test_a_sound_machine_passes_every_case() -> None:
    checks = run()
    assert len(checks) == len(CASES)
    assert all(check.passed for check in checks), checks
    assert all(check.name and check.detail for check in checks)


def test_the_self_test_says_the_same_each_time() -> None:
    assert run() == run()


def test_a_coarse_product_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def coarse(images: scores.Vectors, texts: scores.Vectors) -> Iterator[products.Multiply]:
        def multiply(rows: slice, columns: slice, out: scores.Vectors) -> None:
            out[:] = (images[rows] @ texts[columns].T).astype(np.float16)

        yield multiply

    monkeypatch.setattr(products, "_ENGINES", {"numpy": coarse})
    assert failed()


def test_ties_taken_for_hits_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classic mistake: a rank is the number of items above, ties ignored."""
    monkeypatch.setattr(measures, "hit_probability", lambda *a: np.asarray(a[0] < a[-1], dtype=float))
    assert "constant embeddings score chance" in failed()


def test_near_ties_left_to_float32_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    widened = sides._widened
    monkeypatch.setattr(sides, "_widened", lambda scores, _: widened(scores, 0.0))
    assert "near-ties are decided the same in any cut" in failed()


def test_a_case_that_raises_has_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> selftest.Check:
        raise selftest.ClipbenchError("no product")

    monkeypatch.setattr(selftest, "CASES", (broken,))
    assert run() == (selftest.Check("broken", passed=False, detail="no product"),)
