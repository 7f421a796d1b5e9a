"""Families of comparisons: p-values adjusted so that a whole table of them can be read honestly.

Knows nothing of where the p-values come from, nor which of them form a family.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clipbench.statistics.intervals import Floats


def holm(p: npt.ArrayLike) -> Floats:
    """Return Holm's adjusted p-values (M,), in the order given. For few comparisons.

    Rejecting where the adjusted value is at most α keeps the chance of any false rejection in the
    family at α, whatever the dependence. Raises ValueError for a p-value missing or outside 0..1.

    Source: Holm 1979, Scandinavian Journal of Statistics 6:65.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values, order = _sorted(p)
    steps = np.arange(len(values), 0, -1)
    return _restored(np.maximum.accumulate(values * steps), order)


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """Return Benjamini and Hochberg's adjusted p-values (M,), in the order given. For sweeps.

    Rejecting where the adjusted value is at most α keeps the expected share of false rejections among
    the rejections at α, for independent or positively dependent tests. Errors as `holm`.

    Source: Benjamini & Hochberg 1995, JRSS B 57:289.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.04, 0.04]
    """
    values, order = _sorted(p)
    scaled = values * len(values) / np.arange(1, len(values) + 1)
    return _restored(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _sorted(p: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.intp]]:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"p-values are one row of numbers, got shape {values.shape}")
    wrong = ~((values >= 0) & (values <= 1))  # NaN is neither
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{np.count_nonzero(wrong)} of {len(values)} p-values lie outside 0..1, "
            f"the first is number {first + 1}: {values[first]}"
        )
    order = np.argsort(values, kind="stable")
    return values[order], order


def _restored(adjusted: Floats, order: npt.NDArray[np.intp]) -> Floats:
    out = np.empty_like(adjusted)
    out[order] = np.minimum(adjusted, 1.0)
    return out
