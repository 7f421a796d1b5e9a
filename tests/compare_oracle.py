"""The statistics of a comparison written again from their definitions, for tests to hold ours against.

Plain numpy on exported ledgers; calls nothing of clipbench but its command line. No test is in here.
Sources: Efron 1987 for BCa; Phipson & Smyth 2010 for the randomisation p; Fagerland, Lydersen & Laake 2013 for
the mid-p; Holm 1979; Benjamini & Hochberg 1995; Bloom 1995 for the detectable difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from cli_toys import good

Floats = npt.NDArray[np.float64]
NORMAL = NormalDist()
B = 20_000
SLACK = 0.009
"""How far, in probability, an end of an interval may lie from where it should: five standard errors of 10,000 draws."""


@dataclass(frozen=True)
class Ledger:
    """A run's queries of one direction: items strictly above the best right one, tied with it, right among those.

    An exported ledger does not say how many right ones are among the tied; here it is one, so no image has two
    captions of the same text.
    """

    queries: list[str]
    captions: list[str]
    images: npt.NDArray[np.int64]
    above: npt.NDArray[np.int64]
    tied: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]

    def only(self, members: npt.NDArray[np.bool_]) -> Ledger:
        kept = np.flatnonzero(members)
        return Ledger(
            [self.queries[i] for i in kept],
            [self.captions[i] for i in kept],
            self.images[kept],
            self.above[kept],
            self.tied[kept],
            self.right[kept],
        )


def ledger(run: str, direction: str) -> Ledger:
    rows = good("runs", "export", run, "--direction", direction).rows
    _, images = np.unique([row["own image"] for row in rows], return_inverse=True)
    above, tied = (np.array([int(row[name]) for row in rows]) for name in ("above", "tied"))
    right = np.ones_like(tied)
    return Ledger([r["query"] for r in rows], [r["caption"] for r in rows], images, above, tied, right)


def hit(one: Ledger, k: int) -> Floats:
    """Return the expected hit@k over a random order of the ties."""
    return np.array(
        [
            1.0 if k >= g + t else 0.0 if k <= g else 1 - comb(t - p, k - g) / comb(t, k - g)
            for g, t, p in zip(one.above.tolist(), one.tied.tolist(), one.right.tolist(), strict=True)
        ]
    )


def over_places(one: Ledger, value: Callable[[int], float]) -> Floats:
    """Return the expectation of a value of the rank: place j of t tied with p right ones comes first C(t-j, p-1) / C(t, p)."""
    return np.array(
        [
            sum(comb(t - j, p - 1) / comb(t, p) * value(g + j) for j in range(1, t - p + 2))
            for g, t, p in zip(one.above.tolist(), one.tied.tolist(), one.right.tolist(), strict=True)
        ]
    )


VALUES: dict[str, Callable[[Ledger], Floats]] = {
    "hit@1": lambda one: hit(one, 1),
    "hit@5": lambda one: hit(one, 5),
    "hit@10": lambda one: hit(one, 10),
    "MRR": lambda one: over_places(one, lambda rank: 1 / rank),
    "MeanR": lambda one: over_places(one, float),
}


def certain(one: Ledger, k: int) -> npt.NDArray[np.bool_]:
    """Whether a right item is among the first k in whatever order the ties stand."""
    return one.above + one.tied - one.right + 1 <= k


class Sums:
    """A change per query added up by image, for everything that resamples images."""

    def __init__(self, change: Floats, images: npt.NDArray[np.int64]) -> None:
        _, places = np.unique(images, return_inverse=True)
        self.sums, self.sizes = np.bincount(places, change), np.bincount(places).astype(float)
        self.mean = float(change.mean())
        count, random = len(self.sums), np.random.default_rng(29)
        drawn = random.integers(0, count, size=(B, count))
        self.replicates: Floats = self.sums[drawn].sum(axis=1) / self.sizes[drawn].sum(axis=1)

    def p(self) -> float:
        """Return the randomisation p: each image's labels swapped or not."""
        signs = np.random.default_rng(31).choice([-1.0, 1.0], size=(B, len(self.sums)))
        reached = np.abs(signs @ self.sums) >= abs(self.sums.sum()) - 1e-9
        return float((1 + reached.sum()) / (1 + B))

    def bca_levels(self) -> list[float]:
        """Return where among the replicates the ends of the 95 % BCa interval lie."""
        below = (self.replicates < self.mean - 1e-12).mean() + (
            np.abs(self.replicates - self.mean) <= 1e-12
        ).mean() / 2
        bias = NORMAL.inv_cdf(float(below))
        left = (self.sums.sum() - self.sums) / (self.sizes.sum() - self.sizes)
        shift = left.mean() - left
        rate = (shift**3).sum() / (6 * (shift**2).sum() ** 1.5)
        ends = (NORMAL.inv_cdf(0.025), NORMAL.inv_cdf(0.975))
        return [NORMAL.cdf(bias + (bias + z) / (1 - rate * (bias + z))) for z in ends]

    def end_fits(self, end: float, level: float) -> bool:
        """Whether an end of an interval lies where its level says, as nearly as draws can tell."""
        low, high = np.quantile(self.replicates, np.clip([level - SLACK, level + SLACK], 0, 1))
        return bool(low - 1e-9 <= end <= high + 1e-9)


def mcnemar(before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_]) -> tuple[int, int, float]:
    fixed, broken = int((~before & after).sum()), int((before & ~after).sum())
    n, few = fixed + broken, min(fixed, broken)
    tail = sum(comb(n, i) for i in range(few + 1)) / 2**n
    return fixed, broken, min(1.0, 2 * tail) if n < 25 else min(1.0, 2 * tail - comb(n, few) / 2**n)


def holm(raw: Sequence[float]) -> list[float]:
    order = sorted(range(len(raw)), key=raw.__getitem__)
    out, running = [0.0] * len(raw), 0.0
    for place, index in enumerate(order):
        running = max(running, min(1.0, raw[index] * (len(raw) - place)))
        out[index] = running
    return out


def benjamini_hochberg(raw: Sequence[float]) -> list[float]:
    ordered = sorted(raw)
    return [
        min(min(1.0, ordered[j] * len(raw) / (j + 1)) for j in range(len(raw)) if ordered[j] >= p)
        for p in raw
    ]


def check_line(row: dict[str, str], before: Ledger, after: Ledger) -> None:
    """Hold one line of `report --compare --format csv` against the definitions."""
    assert before.queries == after.queries
    name = row["metric"]
    value = VALUES[name]
    change = value(after) - value(before)
    assert int(row["queries"]) == len(change)
    assert int(row["images"]) == len(np.unique(before.images))
    assert abs(float(row["baseline value"]) - value(before).mean()) < 1e-9 * max(1, value(before).mean())
    assert abs(float(row["delta"]) - change.mean()) < 1e-9 * max(1, value(before).mean())
    made = Sums(change, before.images)
    if not change.any():
        ends = ("percentile low", "percentile high", "bca low", "bca high")
        assert {float(row[f"delta {end}"]) for end in ends} == {0.0}
        assert (float(row["standard error"]), float(row["p"]), row["detectable"]) == (0.0, 1.0, "")
        return
    error = float(made.replicates.std(ddof=1))
    assert abs(float(row["standard error"]) - error) <= 0.06 * error + 1e-12
    for end, level in (("low", 0.025), ("high", 0.975)):
        assert made.end_fits(float(row[f"delta percentile {end}"]), level), (row, "percentile", end)
    if row["delta bca method"] == "bca":
        for end, level in zip(("low", "high"), made.bca_levels(), strict=True):
            assert made.end_fits(float(row[f"delta bca {end}"]), level), (row, "bca", end)
    p = made.p()
    assert abs(float(row["p"]) - p) <= 5 * np.sqrt(p * (1 - p) * 1.5e-4) + 2e-4, (row, p)
    if name.startswith("hit@"):
        k = int(name.removeprefix("hit@"))
        fixed, broken, exact = mcnemar(certain(before, k), certain(after, k))
        assert (int(row["fixed"]), int(row["broken"])) == (fixed, broken)
        assert abs(float(row["mcnemar p"]) - exact) < 1e-9
        assert row["mcnemar method"] == ("exact" if fixed + broken < 25 else "mid-p")
    else:
        assert row["fixed"] == row["broken"] == row["mcnemar p"] == ""
    if float(row["standard error"]):
        seen = (NORMAL.inv_cdf(0.975) + NORMAL.inv_cdf(0.8)) * float(row["standard error"])
        assert abs(float(row["detectable"]) - seen) < 1e-9
    else:
        assert row["detectable"] == ""


def check_corrections(rows: Sequence[dict[str, str]]) -> None:
    """Hold the corrected p of a whole table against the definitions."""
    raw = [float(row["p"]) for row in rows if row["p"]]
    assert {row["tests"] for row in rows} == {str(len(raw))}
    [name] = {row["correction"] for row in rows}
    expected = {"holm": holm, "bh": benjamini_hochberg}[name](raw)
    found = [float(row["p adjusted"]) for row in rows if row["p"]]
    assert np.allclose(found, expected, rtol=1e-12, atol=0)
