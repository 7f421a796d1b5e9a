"""The first tables of a page: which runs, on what data."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.reports.chance import chance_lines
from clipbench.reports.comparing.words import HEADLINE, digits, metric_label, run_labels
from clipbench.reports.left_out import left_out_notes
from clipbench.reports.runs import POSITIVES, TIES
from clipbench.reports.tables import Cell, Column, Table
from clipbench.study.comparing.page_content import Chosen, PageContent
from clipbench.study.evaluation.methods import method_words
from clipbench.study.runs.loaded import LoadedRun


def runs_table(sides: Sequence[LoadedRun]) -> Table:
    """Return the runs with their headline numbers; what is the same of all of them is said beneath."""
    labels: dict[str, list[Cell]] = {
        "run": [short(side.run.key, 8) for side in sides],
        "dataset": [side.run.dataset_name for side in sides],
        "model": [side.run.model for side in sides],
        "perturbation": [side.run.perturbation.words for side in sides],
        "method": [method_words(side.run.spec.method) for side in sides],
        "tags": [" ".join(side.run.tags) for side in sides],
    }
    told = [name for name, cells in labels.items() if name == "run" or len(set(cells)) > 1]
    if len(told) == 1:
        told += ["model", "perturbation"]
    columns = [Column(name) for name in told]
    columns += [Column(metric_label(*name), digits=digits(name[1])) for name in HEADLINE]
    rows = []
    for place, side in enumerate(sides):
        numbers = [m.value if (m := side.metrics.get(name)) else None for name in HEADLINE]
        rows.append((*(labels[name][place] for name in told), *numbers))
    same = [f"{name}: {labels[name][0]}" for name in labels if name not in told and labels[name][0]]
    notes = ["R@K: share of queries with a right item among the first K; MedR: median rank, lower is better"]
    gone = left_out_notes([side.run for side in sides])
    values = {short(side.run.key, 8): {name: m.value for name, m in side.metrics.items()} for side in sides}
    gone += chance_lines(values)
    return Table("", tuple(columns), tuple(rows), (*same, *notes, *_protocols(sides), *gone))


def _protocols(sides: Sequence[LoadedRun]) -> list[str]:
    pairs = dict.fromkeys((str(side.protocol["positives"]), str(side.protocol["ties"])) for side in sides)
    return [
        f"{POSITIVES.get(positives, 'positives unknown')}; {TIES.get(ties, 'ties unknown')}"
        for positives, ties in pairs
    ]


def data_table(sides: Sequence[LoadedRun]) -> Table:
    """Return what the runs are of: collections by fingerprint, with chance, which any score is seen against."""
    collections: dict[tuple[str, int], dict[str, Cell]] = {}
    for side in sides:
        gallery, chance = side.gallery, side.metrics.get(("t2i", "chance-hit@1"))
        collections.setdefault(
            (side.run.fingerprint, len(gallery.images)),
            {
                "dataset": side.run.dataset_name,
                "split": side.dataset.split,
                "captions kept": side.dataset.caption_policy,
                "images": len(gallery.images),
                "of them without captions": len(gallery.distractors),
                "captions": len(gallery.captions),
                "left out": len(gallery.left_out),
                "chance t2i R@1": chance.value if chance else None,
                "fingerprint": short(side.run.fingerprint),
            },
        )
    columns = tuple(map(Column, dict.fromkeys(name for cells in collections.values() for name in cells)))
    rows = tuple(tuple(cells.values()) for cells in collections.values())
    return Table("", columns, rows, ("runs compare where their fingerprints are equal",))


def left_out(content: PageContent, chosen: Chosen) -> list[str]:
    """Return in words which runs a comparison of a page leaves out, and why."""
    if chosen.baseline is None:
        return []
    runs = [loaded.run for loaded in content.runs]
    labels = dict(zip((run.key for run in runs), run_labels(runs), strict=True))
    base = labels[chosen.baseline.key]
    words = [
        f"{labels[run.key]}, which differs from {base} in {', '.join(one.what for one in reasons)}"
        for run, reasons in chosen.unlike
    ]
    older = f"the oldest {chosen.older} of {chosen.alike} runs like {base}"
    return [*words, older] if chosen.older else words
