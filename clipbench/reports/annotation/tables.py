"""Tables about labels: what an import did, how categories are distributed, how well annotators agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipbench.failures.taxonomy import CATEGORIES, NAMES
from clipbench.reports.tables import Cell, Column, Table
from clipbench.statistics.agreement import Agreement
from clipbench.statistics.intervals import Interval
from clipbench.store.annotations import StoredLabel
from clipbench.study.annotation.agreement import Agreed, Confusion
from clipbench.study.annotation.importing import ImportedFile
from clipbench.study.annotation.summary import Share, Summary
from clipbench.wording import plural

LONG: Mapping[str, str] = {category.name: category.long_name for category in CATEGORIES}

SINGLE = "- where all resamples say the same, which tells nothing about the error"

COEFFICIENTS: Mapping[str, str] = {
    "raw": "raw agreement",
    "cohen_kappa": "Cohen κ",
    "fleiss_kappa": "Fleiss κ",
    "krippendorff_alpha": "Krippendorff α",
    "gwet_ac1": "Gwet AC1",
}


def import_tables(files: Sequence[ImportedFile]) -> list[Table]:
    """Return what came of each file, and every label that was not written as the guide has it."""
    columns = ("file", "annotator", "rows", "new", "changed", "unchanged", "blank", "irregular", "remarks")
    rows: list[tuple[Cell, ...]] = [
        (
            file.path.name,
            file.annotator,
            file.rows,
            file.saved.added,
            file.saved.changed,
            file.saved.unchanged,
            file.blank,
            len(file.irregular),
            "; ".join(file.notes) or None,
        )
        for file in files
    ]
    notes = [
        f"{file.path.name}: this very file was imported for {file.annotator} on "
        f"{file.before:%Y-%m-%d %H:%M} UTC; nothing was changed"
        for file in files
        if file.before is not None
    ]
    tables = [Table("Imported labels", tuple(map(Column, columns)), tuple(rows), tuple(notes))]
    irregular: list[tuple[Cell, ...]] = [
        (
            f"{file.path.name}:{label.line or label.where}",
            label.caption_id,
            *map(written, label.raw),
            label.taken[0],
            label.taken[1],
            "; ".join(label.rules),
        )
        for file in files
        for label in file.irregular
    ]
    if irregular:
        tables.append(_irregular(irregular))
    return tables


def written(text: str) -> str:
    r"""Return a cell as it was written, with what cannot be seen made visible.

    >>> written("missing_info\t"), written("object"), written("")
    ("'missing_info\\t'", 'object', '')
    """
    return repr(text) if text != text.strip() or not text.isprintable() else text


def _irregular(rows: Sequence[tuple[Cell, ...]]) -> Table:
    columns = ("where", "caption id", "category written", "subtype written", "category", "subtype", "rule")
    note = "each is kept as written beside what it was taken for"
    return Table(
        "Labels not written as the guide has them", tuple(map(Column, columns)), tuple(rows), (note,)
    )


def summary_tables(summary: Summary) -> list[Table]:
    """Return every table of `annotate summary`: the distribution, per annotator, splits, irregular labels."""
    tables = [_distribution(summary), _per_annotator(summary)]
    tables.append(_shares("Ambiguous against clear", summary.ambiguity, _policy(summary)))
    tables.append(_shares("Actionable only (without Ambiguous)", summary.actionable, _policy(summary)))
    if any(share.n for share in summary.subtypes):
        tables.append(_shares("Subtypes of Ambiguous", summary.subtypes, _policy(summary)))
    if summary.irregular:
        tables.append(_irregular([_irregular_row(label) for label in summary.irregular]))
    return tables


def _irregular_row(label: StoredLabel) -> tuple[Cell, ...]:
    where = f"{label.source}:{label.line}" if label.line else label.source
    raw = written(label.raw_category), written(label.raw_subtype)
    rules = "; ".join(label.rules)
    return where, label.failure.caption_id, *raw, label.category, label.subtype, rules


def _policy(summary: Summary) -> str:
    return f"merge policy {summary.policy}: {summary.policy_words}"


def _distribution(summary: Summary) -> Table:
    estimated = any(share.estimate is not None for share in summary.distribution)
    table = _shares(
        f"Failure categories of {summary.what}", summary.distribution, _policy(summary), estimated
    )
    dropped = [
        f"{plural(count, 'failure')} left out: {reason}" for reason, count in sorted(summary.dropped.items())
    ]
    counts = (
        f"{plural(summary.labels, 'label')} of {plural(summary.items, 'failure')}, {summary.counted} counted"
    )
    if summary.drawn is not None:
        counts += f"; {summary.drawn} failures were drawn"
    notes = [counts, *table.notes, *dropped]
    if estimated:
        notes.append("population: weighted by how many failures each stratum holds")
    if summary.unlabelled:
        listed = "; ".join(summary.unlabelled)
        notes.append(
            "these are shares of the sample, which favours some strata, and not of all failures; the population "
            f"cannot be estimated, for no label counts of: {listed}"
        )
    return Table(table.title, table.columns, table.rows, tuple(notes))


def _shares(title: str, shares: Sequence[Share], policy: str, estimated: bool = False) -> Table:  # noqa: FBT001, FBT002, private
    columns = [
        Column("category"),
        Column("count"),
        Column("n"),
        Column("share"),
        Column("low"),
        Column("high"),
    ]
    if estimated:
        columns += [Column("population"), Column("population low"), Column("population high")]
    rows = []
    for share in shares:
        cells: list[Cell] = [LONG.get(share.name, share.name), share.count, share.n, share.share]
        cells += bounds(share.interval)
        if estimated:
            cells += [share.estimate, *bounds(share.estimate_interval)]
        rows.append(tuple(cells))
    found = next((s.interval for s in shares if s.interval is not None), None)
    words = () if found is None else (f"low, high: {_percent(found.confidence)} Wilson intervals",)
    return Table(title, tuple(columns), tuple(rows), (policy, *words))


def _percent(confidence: float) -> str:
    return f"{confidence * 100:g} %"


def bounds(interval: Interval | None) -> list[Cell]:
    """Return the ends of an interval as two cells, empty where there is none, or only a point (`SINGLE`)."""
    if interval is None or interval.low == interval.high:
        return [None, None]
    return [interval.low, interval.high]


def _per_annotator(summary: Summary) -> Table:
    names = tuple(summary.by_annotator)
    rows: list[tuple[Cell, ...]] = [
        (LONG[category], *(summary.by_annotator[name][category] for name in names)) for category in NAMES
    ]
    rows.append(("all", *(sum(summary.by_annotator[name].values()) for name in names)))
    notes = ["every annotator's newest labels, before merging"]
    if summary.alike is not None:
        notes.append(
            f"do the annotators use the categories alike? permutation test of X² = {summary.alike.statistic:.2f}: "
            f"p = {summary.alike.p:.4f}, Cramér's V = {summary.alike.cramers_v:.2f} "
            f"({summary.alike.resamples:,} resamples); they may differ because their failures do"
        )
    columns = (Column("category"), *(Column(name) for name in names))
    return Table("Labels by annotator", columns, tuple(rows), tuple(notes))


def agreement_tables(found: Agreed) -> list[Table]:
    """Return every table of `annotate agreement`: coefficients, categories, Ambiguous or not, confusions."""
    who = f"{', '.join(found.annotators)}; {found.overlap} of {found.items} failures have two labels or more"
    how = f"{found.resamples:,} resamples, seed {found.seed}"
    note = (who, f"intervals: {_percent(found.confidence)} bootstrap over failures, {how}")
    chance = [one for one in found.categories if one.name in COEFFICIENTS]
    specific = [one for one in found.categories if one.name not in COEFFICIENTS]
    binary = [one for one in found.ambiguity if one.name in COEFFICIENTS]
    return [
        _coefficients(f"Agreement on {found.what}", chance, note),
        _coefficients(
            "Agreement on each category", specific, ("of a label's partners, the share that agrees",)
        ),
        _coefficients("Ambiguous against the rest", binary, ()),
        *(_confusion(one) for one in found.confusions),
    ]


def _coefficients(title: str, found: Sequence[Agreement], notes: tuple[str, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        name = COEFFICIENTS.get(one.name) or LONG.get(one.name.partition(":")[2], one.name)
        rows.append((name, one.value, *bounds(one.interval), one.items))
    if any(one.interval is not None and bounds(one.interval) == [None, None] for one in found):
        notes = (*notes, f"low, high: {SINGLE}")
    undefined = [one for one in found if one.value is None]
    if undefined:
        notes = (*notes, "-: does not exist for these labels")
    columns = (Column("measure"), Column("value"), Column("low"), Column("high"), Column("failures"))
    return Table(title, columns, tuple(rows), notes)


def _confusion(found: Confusion) -> Table:
    used = [n for n in range(len(found.names)) if found.counts[n].any() or found.counts[:, n].any()]
    columns = (Column(f"{found.first} \\ {found.second}"), *(Column(found.names[n]) for n in used))
    rows: list[tuple[Cell, ...]] = [(found.names[n], *(int(found.counts[n, m]) for m in used)) for n in used]
    title = f"Labels of {found.first} (rows) against {found.second} (columns)"
    return Table(title, columns, tuple(rows), (f"{int(found.counts.sum())} failures that both labelled",))
