"""Tables of a sweep: its settings, its operations, several models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from clipbench.keys import Json, short
from clipbench.reports.chance import chance_lines
from clipbench.reports.left_out import left_out_notes
from clipbench.reports.runs import SPELLED
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.sweeps import StoredSweep
from clipbench.study.robustness.corruption_error import CorruptionError
from clipbench.study.robustness.effective import EffectiveRobustness
from clipbench.study.robustness.measures import Effect, Name, SweepSummary, score_of

FIRST: Name = ("t2i", "hit@1")
BEFORE: tuple[tuple[Name, str, int], ...] = (
    (("i2t", "hit@1"), "i2t R@1", 4),
    (("t2i", "MedR"), "t2i MedR", 1),
    (("both", "rsum"), "RSUM", 1),
)
"""Direction and metric, heading and decimals of what stands beside t2i R@1."""

AFTER: tuple[tuple[Name, str, int], ...] = (
    (("t2i", "hit@5"), "t2i R@5", 4),
    (("t2i", "hit@10"), "R@10", 4),
)

MOST_NAMED = 3
"""Images that a note names with the reason why they were left out."""


def effect_table(summary: SweepSummary) -> Table:
    """Return one row per operation and level for people: scores over seeds, the drop, what was changed."""
    first = _headline(summary)
    columns = [Column("operation"), Column("level"), Column(f"{first[0]} R@1"), Column("sd")]
    columns += [Column("drop"), Column("95 % of the drop")]
    before = [one for one in BEFORE if one[0] != first and one[0] in summary.clean]
    after = [one for one in AFTER if one[0] in summary.clean]
    columns += [Column(label, label, digits) for _, label, digits in before]
    columns += [Column("changed", aside=True), *(Column(label, label, digits) for _, label, digits in after)]
    columns += [Column("hits kept", aside=True), Column("misses gained", aside=True)]
    columns += [Column(f"share of clean {summary.score_name}", aside=True)]
    rows = [_clean_row(summary, first, before, after)]
    rows += [_effect_row(summary, effect, first, before, after) for effect in summary.effects]
    run = summary.clean_run
    return Table(
        f"{run.dataset_name} × {run.model}: robustness", tuple(columns), tuple(rows), _notes(summary, first)
    )


def _headline(summary: SweepSummary) -> Name:
    return FIRST if FIRST in summary.clean else ("i2t", "hit@1")


Shown = Sequence[tuple[Name, str, int]]


def _clean_row(summary: SweepSummary, first: Name, before: Shown, after: Shown) -> tuple[Cell, ...]:
    def values(shown: Shown) -> list[Cell]:
        return [summary.clean[name] for name, _, _ in shown]

    whole = 1.0 if score_of(summary.clean) else None
    scores = ("clean", "0", summary.clean[first], None, None, None, *values(before), None, *values(after))
    return (*scores, None, None, whole)


def _effect_row(
    summary: SweepSummary, effect: Effect, first: Name, before: Shown, after: Shown
) -> tuple[Cell, ...]:
    def means(shown: Shown) -> list[Cell]:
        return [effect.values[name].mean if name in effect.values else None for name, _, _ in shown]

    drop, bound = effect.drops.get(first, (None, None))
    whole, score = score_of(summary.clean), effect.score
    return (
        effect.operation,
        f"{effect.level:g}",
        effect.values[first].mean,
        effect.values[first].sd,
        drop,
        f"[{bound.low:.4f}, {bound.high:.4f}]" if bound else None,
        *means(before),
        _achieved(effect),
        *means(after),
        effect.kept.get(first),
        effect.gained.get(first),
        score / whole if score is not None and whole and not effect.lacking else None,
    )


def _achieved(effect: Effect) -> str | None:
    audit = effect.audit
    if effect.target == "text" and isinstance(audit.get("changed_rate"), float | int):
        return f"WER {_number(audit.get('word_error_rate'), 2)}"
    if effect.target == "image" and audit:
        return f"{_number(audit.get('psnr'), 1)} dB"
    return None


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float | int) else "-"


def _notes(summary: SweepSummary, first: Name) -> tuple[str, ...]:
    request = summary.sweep.request
    seeds = f"means and sd over up to {summary.seeds} seeds" if summary.seeds > 1 else "one seed"
    lines = [
        f"sweep {summary.sweep.name}, clean run {short(summary.clean_run.key)}; {seeds}",
        SPELLED,
        f"drop: clean less perturbed {first[0]} R@1, with its paired cluster-bootstrap interval over images",
        f"hits kept, misses gained: share of clean {first[0]} hits@1 that stay hits, of clean misses that become hits",
    ]
    if any(effect.target == "text" for effect in summary.effects):
        lines.append("WER: words changed per word of the captions, as counted")
    if any(effect.target == "image" for effect in summary.effects):
        where = {"model_input": "what the model sees", "source": "the files' own pixels"}
        place = where.get(str(request.get("apply")), "")
        lines.append(f"dB: mean PSNR of the pictures as the model sees them; corruptions applied to {place}")
    lines += left_out_notes([summary.clean_run])
    lines += chance_lines({"clean": summary.clean, **{_setting(e): _means(e) for e in summary.effects}})
    lines += _unlike(summary)
    idle = [f"{e.operation} {e.level:g}" for e in summary.effects if e.audit.get("changed") == 0]
    if idle:
        lines.append(f"found nothing to change in any caption: {', '.join(idle)}")
    return (*lines, *source_notes(request))


def _setting(effect: Effect) -> str:
    return f"{effect.operation} {effect.level:g}"


def _means(effect: Effect) -> Mapping[Name, float]:
    return {name: values.mean for name, values in effect.values.items()}


def _unlike(summary: SweepSummary) -> list[str]:
    """Return what is said of settings that ranked other images than the clean run."""
    unlike = [effect for effect in summary.effects if effect.lacking]
    if not unlike:
        return []
    named = ", ".join(_setting(effect) for effect in unlike)
    reasons = {id_: reason for effect in unlike for id_, reason in effect.lacking.items()}
    shown = "; ".join(f"{id_}: {reason}" for id_, reason in list(reasons.items())[:MOST_NAMED])
    more = f"; and {len(reasons) - MOST_NAMED:,} more" if len(reasons) > MOST_NAMED else ""
    differ = "the clean run ranked other images, so the galleries differ and no drop is given"
    return [f"{named}: {differ}; unusable in one of them: {len(reasons):,} ({shown}{more})"]


def source_notes(request: Mapping[str, Json]) -> list[str]:
    """Return what must be said of the data that text operations drew upon."""
    lines = []
    synonyms = request.get("synonyms")
    if isinstance(synonyms, Mapping):
        lines.append(f"synonyms: {synonyms_name(synonyms)}")
    if "legacy" in request:
        lines.append("captions: from the source study's single random stream (--legacy-stream)")
    return lines


def synonyms_name(identity: Mapping[str, Json]) -> str:
    """Return in words where synonyms came from."""
    if identity.get("source") == "wordnet":
        return f"the user's WordNet (files {str(identity.get('files'))[:10]})"
    return "the small built-in table (--wordnet DIR takes a WordNet of yours)"


def operation_table(summary: SweepSummary, errors: Sequence[CorruptionError] = ()) -> Table:
    """Return one row per operation, and their mean: MMI, worst level, and mCE where there is a reference."""
    by_name = {error.operation: error for error in errors}
    columns = [Column("operation"), Column("MMI"), Column("worst MMI"), Column("worst level")]
    columns += [Column("relative")]
    columns += [Column("CE"), Column("relative CE")] if errors else []
    rows: list[tuple[Cell, ...]] = []
    for one in summary.operations:
        row: tuple[Cell, ...] = (one.operation, one.mmi, one.worst, f"{one.worst_level:g}", one.relative)
        error = by_name.get(one.operation)
        rows.append((*row, error.ce if error else None, error.relative if error else None) if errors else row)
    if len(rows) > 1:
        worst = max(summary.operations, key=lambda one: one.worst)
        mean: tuple[Cell, ...] = (
            "mean of all",
            summary.mmi,
            worst.worst,
            f"{worst.operation} {worst.worst_level:g}",
            fmean(one.relative for one in summary.operations),
        )
        rows.append((*mean, fmean(e.ce for e in errors), _mean_relative(errors)) if errors else mean)
    averaged = "mean over seeds, then levels, then operations"
    notes = [
        f"MMI: (s_clean - s) / s_clean with s = {summary.score_name} (Qiu et al. 2024), {averaged}",
        "worst MMI: of the operation's worst level, in the last row of all operations; relative: s / s_clean",
    ]
    if errors:
        notes.append(
            "CE: t2i errors at 1, summed over levels, relative to the reference's; the last row is mCE "
            "(Hendrycks & Dietterich 2019)"
        )
    notes += left_out_notes([summary.clean_run])
    return Table("By operation", tuple(columns), tuple(rows), tuple(notes))


def _mean_relative(errors: Sequence[CorruptionError]) -> float | None:
    values = [e.relative for e in errors if e.relative is not None]
    return fmean(values) if len(values) == len(errors) else None


def effective_table(found: Sequence[EffectiveRobustness]) -> Table:
    """Return one row per operation: observed and expected t2i R@1, and the gap between them."""
    rows = tuple((e.operation, e.observed, e.expected, e.effective, e.slope, e.intercept) for e in found)
    names = ("operation", "t2i R@1", "expected", "effective robustness", "slope", "intercept")
    number = found[0].baselines if found else 0
    fitted = f"expected: by the line through {number} baselines' perturbed against clean t2i R@1"
    notes = (f"{fitted}, on the logit scale (Taori et al. 2020)",)
    return Table("Effective robustness", tuple(Column(name) for name in names), rows, notes)


def models_table(summaries: Sequence[SweepSummary]) -> Table:
    """Return t2i R@1 of several sweeps side by side, and its share of each model's clean value."""
    columns = [Column("operation"), Column("level")]
    for label in model_labels(summaries):
        columns += [Column(f"{label} R@1", label), Column(f"{label} share of clean", "of clean")]
    found = [{(e.operation, e.level): e.values[FIRST].mean for e in one.effects} for one in summaries]
    rows: list[tuple[Cell, ...]] = [
        ("clean", "0", *(v for one in summaries for v in (one.clean[FIRST], 1.0)))
    ]
    for operation, level in dict.fromkeys(key for values in found for key in values):
        cells: list[Cell] = []
        for one, values in zip(summaries, found, strict=True):
            value, clean = values.get((operation, level)), one.clean[FIRST]
            cells += [value, value / clean if value is not None and clean else None]
        rows.append((operation, f"{level:g}", *cells))
    sweeps = "; ".join(f"{one.sweep.name}: {one.clean_run.model}" for one in summaries)
    gone = left_out_notes([one.clean_run for one in summaries])
    return Table("t2i R@1, models side by side", tuple(columns), tuple(rows), (sweeps, *gone))


def model_labels(summaries: Sequence[SweepSummary]) -> tuple[str, ...]:
    """Return what each sweep is called beside the others: its model, with the sweep where models repeat."""
    models = [one.clean_run.model for one in summaries]
    return tuple(
        f"{model}, {one.sweep.name}" if models.count(model) > 1 else model
        for model, one in zip(models, summaries, strict=True)
    )


def sweep_list(sweeps: Sequence[StoredSweep]) -> Table:
    """Return the stored sweeps, newest first."""
    rows = []
    for sweep in sweeps:
        operations = sweep.request.get("operations")
        names = ", ".join(operations) if isinstance(operations, Mapping) else ""
        rows.append((sweep.name, len(sweep.runs), f"{sweep.created_at:%Y-%m-%d %H:%M}", names))
    columns = (Column("name"), Column("runs"), Column("created", aside=True), Column("operations"))
    return Table("Sweeps", columns, tuple(rows))
