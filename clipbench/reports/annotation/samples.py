"""Tables about samples: the list, what one drew, and its manifest with labels and hints."""

from __future__ import annotations

from collections.abc import Mapping

from clipbench.failures.items import FAILURE, SampledFailure
from clipbench.failures.suggestions import Suggestion
from clipbench.keys import short
from clipbench.reports.left_out import notes_of
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.annotations import newest_labels
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import StoredSample, list_samples, load_suggestions
from clipbench.store.left_out import left_out
from clipbench.study.annotation.labels import by_failure


def sample_list(store: Store) -> Table:
    """Return all samples, newest first, with how far labelling is."""
    labelled = by_failure(newest_labels(store))
    names = ("sample", "run", "direction", "failures", "controls", "of", "labelled", "drawn by", "created")
    rows: list[tuple[Cell, ...]] = []
    samples = list_samples(store)
    for stored in samples:
        sample = stored.sample
        done = sum(item.failure.key in labelled for item in sample.failures)
        rows.append(
            (
                short(stored.key),
                short(sample.run),
                sample.direction,
                len(sample.failures),
                len(sample.items) - len(sample.failures),
                sample.population,
                done,
                _method(sample.request),
                f"{stored.created_at:%Y-%m-%d %H:%M}",
            )
        )
    runs = dict.fromkeys(stored.sample.run for stored in samples)
    notes = notes_of(left_out(store, list(runs))) if rows else ("draw one: clipbench annotate sample RUN",)
    return Table("Samples of failures", tuple(map(Column, names)), tuple(rows), notes)


def _method(request: Mapping[str, object]) -> str:
    strata = request.get("strata")
    by = f" by {' and '.join(map(str, strata))}" if isinstance(strata, list) and strata else ""
    return f"{request.get('method', '')}, seed {request.get('seed')}{by}"


def sample_tables(store: Store, stored: StoredSample) -> list[Table]:
    """Return what a sample drew from each stratum, and how many failures have hints by which rule."""
    sample = stored.sample
    rows: list[tuple[Cell, ...]] = [(s.name, s.population, s.drawn, s.weight or None) for s in sample.strata]
    columns = (Column("stratum"), Column("failures"), Column("drawn"), Column("each stands for", digits=2))
    controls = len(sample.items) - len(sample.failures)
    what = f"{len(sample.failures):,} of {sample.population:,} {sample.direction} failures"
    notes = [f"sample {short(stored.key)} of run {short(sample.run)}: {what}, {_method(sample.request)}"]
    if controls:
        how = "successes of like length" if sample.direction == "t2i" else "successes, drawn by hash,"
        notes.append(f"{controls} {how} beside them, as controls")
    notes += notes_of(left_out(store, [sample.run]))
    tables = [Table("Drawn failures", columns, tuple(rows), tuple(notes))]
    hints = load_suggestions(store, [item.failure.key for item in sample.failures])
    counts: dict[tuple[str, str], int] = {}
    for found in hints.values():
        for hint in found:
            counts[hint.rule, hint.category] = counts.get((hint.rule, hint.category), 0) + 1
    if counts:
        shown = tuple((rule, category, count) for (rule, category), count in sorted(counts.items()))
        names = (Column("rule"), Column("hints at"), Column("failures"))
        tables.append(Table("Hints (no labels)", names, shown))
    return tables


def manifest_table(store: Store, stored: StoredSample, *, hints: bool = False) -> Table:
    """Return a sample's items in the order of the draw, with what is known of each; hints only if asked."""
    sample = stored.sample
    dataset = load_dataset(store, sample.dataset)
    labels = by_failure(newest_labels(store, dataset.fingerprint))
    found = load_suggestions(store, [item.failure.key for item in sample.items]) if hints else {}
    names = ["item", "role", "caption id", "caption", "gt image", "retrieved", "stratum", "rank"]
    columns = [Column(name, digits=1) for name in names]
    columns += [Column("positive score"), Column("retrieved score"), Column("margin"), Column("labels")]
    if hints:
        columns.append(Column("hints"))
    rows = []
    for item in sample.items:
        given = labels.get(item.failure.key, ())
        cells = (*_manifest_cells(item, dataset.captions[item.failure.caption].text),)
        said = "; ".join(f"{label.annotator}: {label.category}" for label in given) or None
        more: tuple[Cell, ...] = (_told(found.get(item.failure.key, ())),) if hints else ()
        rows.append((*cells, said, *more))
    title = f"Sample {short(stored.key)} of run {short(sample.run)}"
    return Table(title, tuple(columns), tuple(rows), notes_of(left_out(store, [sample.run])))


def _manifest_cells(item: SampledFailure, caption: str) -> tuple[Cell, ...]:
    failure = item.failure
    return (
        short(failure.key),
        item.role,
        failure.caption_id,
        caption,
        failure.image_id,
        failure.retrieved_id,
        item.stratum if item.role == FAILURE else None,
        item.rank,
        item.positive_score,
        item.negative_score,
        item.margin,
    )


def _told(hints: tuple[Suggestion, ...]) -> Cell:
    return "; ".join(f"{hint.category} ({hint.rule}): {hint.detail}" for hint in hints) or None
