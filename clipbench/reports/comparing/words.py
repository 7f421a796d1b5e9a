"""How a comparison is put in words: labels of runs, numbers, marks of significance, and the notes beneath."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.reports.chance import chance_lines
from clipbench.reports.left_out import left_out_notes
from clipbench.reports.runs import DIGITS, SPELLED, shown_name
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.comparison import Comparison, Estimate, Line
from clipbench.study.evaluation.methods import method_words

DAGGER, DOUBLE_DAGGER = "†", "‡"
LEVELS = ((0.01, DOUBLE_DAGGER), (0.05, DAGGER))
"""Corrected p-values below these get these marks."""

CORRECTION_NAMES = {"holm": "Holm", "bh": "Benjamini-Hochberg"}

HEADLINE = (
    *(("t2i", name) for name in ("hit@1", "hit@5", "hit@10", "MedR")),
    *(("i2t", name) for name in ("hit@1", "hit@5", "hit@10", "MedR")),
    ("both", "rsum"),
)
"""Direction and metric of the columns that an overview shows where none are named."""

UNLIKE = "unlike"


def run_labels(runs: Sequence[StoredRun]) -> tuple[str, ...]:
    """Return a label for each run, of what tells it from the others; with its key where nothing else does."""
    facts = [
        [
            run.dataset_name,
            run.model,
            run.perturbation.words,
            method_words(run.spec.method),
            " ".join(run.tags),
        ]
        for run in runs
    ]
    settings = facts[0][2]
    varying = [i for i in range(4) if len({fact[i] for fact in facts}) > 1]
    chosen = varying or ([4] if len({fact[4] for fact in facts}) == len(facts) else [2 if settings else 1])
    labels = [", ".join(fact[i] for i in chosen if fact[i]) for fact in facts]
    return tuple(
        f"{label} {short(run.key, 6)}".strip() if labels.count(label) > 1 else label
        for label, run in zip(labels, runs, strict=True)
    )


def metric_label(direction: str, metric: str) -> str:
    """Return a metric with its direction, as tables head it.

    >>> metric_label("t2i", "hit@1"), metric_label("both", "rsum")
    ('t2i R@1', 'RSUM')
    """
    return shown_name(metric) if direction == "both" else f"{direction} {shown_name(metric)}"


def digits(metric: str) -> int:
    """Return the decimals of a metric that people see."""
    return DIGITS.get(metric, 4)


def with_bounds(estimate: Estimate, metric: str) -> str:
    """Return a value with its interval.

    >>> with_bounds(Estimate(0.5, 0.4, 0.6), "hit@1")
    '0.5000 [0.4000, 0.6000]'
    """
    places = digits(metric)
    value = f"{estimate.value:.{places}f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{estimate.low:.{places}f}, {estimate.high:.{places}f}]"


def signed(value: float, metric: str) -> str:
    """Return a difference with its sign; 0 has none.

    >>> signed(-0.03125, "hit@1"), signed(0.0, "MedR")
    ('−0.0312', '0.0')
    """
    text = f"{abs(value):.{digits(metric) + (metric == 'rsum')}f}"
    if not float(text):
        return text
    return f"{'−' if value < 0 else '+'}{text}"


def p_value(p: float | None) -> str | None:
    """Return a p-value as people read it.

    >>> p_value(0.0123456), p_value(9.999e-7), p_value(None)
    ('0.0123', '<0.0001', None)
    """
    if p is None:
        return None
    return "<0.0001" if p < 0.00005 else f"{p:.4f}"


def significance_mark(line: Line) -> str:
    """Return the mark of a line's corrected p-value, "" where the difference is not significant."""
    if line.p_adjusted is None or line.improves is None:
        return ""
    return next((sign for level, sign in LEVELS if line.p_adjusted < level), "")


def percent(confidence: float) -> str:
    """Return a confidence in words: "95 %"."""
    return f"{100 * confidence:g} %"


def comparison_title(comparison: Comparison) -> str:
    """Return what is compared with what."""
    base = comparison.runs[comparison.baseline]
    labels = run_labels(comparison.runs)
    others = len(comparison.runs) - 1
    what = f"{others} runs" if others > 1 else labels[1 - comparison.baseline]
    return f"{base.dataset_name}: {what} against {labels[comparison.baseline]}"


def verdict(comparison: Comparison) -> str:
    """Return how many differences are real, in one sentence."""
    marked = [line for line in comparison.lines if significance_mark(line)]
    better = sum(line.improves is True for line in marked)
    return (
        f"{len(marked)} of {comparison.tests} differences are significant at .05 after correction: "
        f"{better} better, {len(marked) - better} worse than the baseline"
    )


def comparison_notes(comparison: Comparison) -> tuple[str, ...]:
    """Return what a reader must know to read the tables."""
    request = comparison.request
    correction = CORRECTION_NAMES[comparison.correction]
    share = percent(request.confidence)
    images = sorted({line.images for line in comparison.lines if not line.group}) or sorted(
        {line.images for line in comparison.lines}
    )
    over = f"{images[0]:,}" if len(images) == 1 else f"{images[0]:,} to {images[-1]:,}"
    told = [
        verdict(comparison),
        SPELLED,
        (
            f"Δ is run − baseline; {share} intervals of Δ: paired cluster bootstrap over {over} images, "
            f"{request.resamples:,} resamples, seed {request.seed}; BCa does not exist for medians"
        ),
        (
            f"p: two-sided randomisation over images; corrected by {correction} over the {comparison.tests} tests "
            f"of this table; {DAGGER} p < .05, {DOUBLE_DAGGER} p < .01 after correction"
        ),
        (
            "fixed, broken: queries that became hits, and ceased to be; McNemar's p takes queries as independent "
            "and is not corrected"
        ),
        "detectable: the smallest true difference that so many images show 4 times out of 5 (uncorrected)",
        *comparison.notes,
    ]
    chance = chance_lines(dict(zip(run_labels(comparison.runs), comparison.scores, strict=False)))
    return (*told, *left_out_notes(comparison.runs), *chance, *unlike_notes(comparison))


def unlike_notes(comparison: Comparison) -> tuple[str, ...]:
    """Return what a forced comparison passed over, a sentence for each run."""
    labels = dict(zip((run.key for run in comparison.runs), run_labels(comparison.runs), strict=True))
    found = []
    for key, differences in comparison.unlike.items():
        told = "; ".join(str(difference) for difference in differences)
        found.append(f"FORCED: {labels[key]} is unlike the baseline (baseline / run): {told}")
    if found:
        found.append("FORCED: only queries that all runs hold are compared, each in its own run's gallery")
    return tuple(found)


def unlike_words(comparison: Comparison, line: Line) -> str:
    """Return what keeps a line's run from being compared, "" where nothing does."""
    keys = (comparison.runs[line.run].key, comparison.runs[line.baseline].key)
    found = [difference.what for key in keys for difference in comparison.unlike.get(key, ())]
    if found:
        return ", ".join(dict.fromkeys(found))
    # One unlike run narrows the queries of all of them.
    return "queries" if comparison.unlike else ""
