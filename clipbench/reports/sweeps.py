"""Tables and figures of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from clipbench.keys import short
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.sweeps import StoredSweep
from clipbench.study.robustness import CorruptionError, Effect, Name, SweepSummary

SHOWN: tuple[tuple[Name, str, int], ...] = (
    (("t2i", "hit@1"), "t2i R@1", 4),
    (("t2i", "hit@5"), "R@5", 4),
    (("t2i", "hit@10"), "R@10", 4),
    (("t2i", "MedR"), "MedR", 1),
    (("i2t", "hit@1"), "i2t R@1", 4),
    (("both", "rsum"), "RSUM", 1),
)


def effect_table(summary: SweepSummary) -> Table:
    """Return one row per operation and level: values over seeds, the drop of t2i R@1, what was changed."""
    run = summary.clean_run
    columns = [Column("operation"), Column("level"), Column("seeds")]
    columns += [Column(f"{d} {m}", label, digits) for (d, m), label, digits in SHOWN]
    columns += [
        Column("t2i hit@1 sd", "R@1 sd"),
        Column("drop", "t2i R@1 drop"),
        Column("drop interval", "95 % interval"),
        Column("retention@1"),
        Column("gained@1"),
        Column("relative", "relative RSUM"),
        Column("changed", "achieved"),
    ]
    rows = [_clean_row(summary), *(_effect_row(summary, e) for e in summary.effects)]
    notes = (
        f"sweep {summary.sweep.name}; clean run {short(run.key)}; values are means over seeds",
        "drop: clean less perturbed, with the paired cluster-bootstrap interval over images",
        "retention@1: share of clean hits that stay hits; gained@1: share of clean misses that become hits",
        "achieved: captions changed and word error rate, or PSNR and SSIM",
    )
    return Table(f"{run.dataset_name} × {run.model}: robustness", tuple(columns), tuple(rows), notes)


def _clean_row(summary: SweepSummary) -> tuple[Cell, ...]:
    numbers = [summary.clean.get(name) for name, _, _ in SHOWN]
    return ("clean", None, None, *numbers, None, None, None, None, None, 1.0, None)


def _effect_row(summary: SweepSummary, effect: Effect) -> tuple[Cell, ...]:
    numbers = [v.mean if (v := effect.values.get(name)) else None for name, _, _ in SHOWN]
    first = effect.values.get(("t2i", "hit@1"))
    drop, bound = effect.drops.get(("t2i", "hit@1"), (None, None))
    whole, total = summary.clean.get(("both", "rsum")), effect.values.get(("both", "rsum"))
    return (
        effect.operation,
        f"{effect.level:g}",
        len(next(iter(effect.values.values())).values),
        *numbers,
        first.sd if first else None,
        drop,
        f"[{bound.low:.4f}, {bound.high:.4f}]" if bound else None,
        effect.kept,
        effect.gained,
        total.mean / whole if total and whole else None,
        _achieved(effect),
    )


def _achieved(effect: Effect) -> str | None:
    audit = effect.audit
    if effect.target == "text" and isinstance(audit.get("changed_rate"), float | int):
        return f"{audit['changed_rate']:.0%} of captions, WER {_number(audit.get('word_error_rate'), 2)}"
    if effect.target == "image" and audit:
        return f"{_number(audit.get('psnr'), 1)} dB, SSIM {_number(audit.get('ssim'), 2)}"
    return None


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float | int) else "-"


def operation_table(summary: SweepSummary, errors: Sequence[CorruptionError] = ()) -> Table:
    """Return one row per operation, and their mean: MMI, worst level, and mCE where there is a reference."""
    by_name = {error.operation: error for error in errors}
    columns = [
        Column("operation"),
        Column("MMI"),
        Column("worst MMI"),
        Column("worst level"),
        Column("relative"),
    ]
    columns += [Column("CE"), Column("relative CE")] if errors else []
    rows: list[tuple[Cell, ...]] = []
    for one in summary.operations:
        row: tuple[Cell, ...] = (one.operation, one.mmi, one.worst, f"{one.worst_level:g}", one.relative)
        error = by_name.get(one.operation)
        rows.append((*row, error.ce if error else None, error.relative if error else None) if errors else row)
    if len(rows) > 1:
        worst = max(summary.operations, key=lambda one: one.worst)
        mean: tuple[Cell, ...] = (
            "all (macro mean)",
            summary.mmi,
            worst.worst,
            f"{worst.operation} {worst.worst_level:g}",
            fmean(one.relative for one in summary.operations),
        )
        rows.append((*mean, fmean(e.ce for e in errors), _mean_relative(errors)) if errors else mean)
    notes = (
        "MMI = (s_clean - s) / s_clean with s = RSUM (Qiu et al. 2024): mean over seeds, then levels, then operations",
    )
    return Table("By operation", tuple(columns), tuple(rows), notes)


def _mean_relative(errors: Sequence[CorruptionError]) -> float | None:
    values = [e.relative for e in errors if e.relative is not None]
    return fmean(values) if len(values) == len(errors) else None


def sweep_list(sweeps: Sequence[StoredSweep]) -> Table:
    """Return the stored sweeps, newest first."""
    rows = tuple((s.name, len(s.runs), f"{s.created_at:%Y-%m-%d %H:%M}") for s in sweeps)
    return Table("Sweeps", (Column("name"), Column("runs"), Column("created")), rows)
