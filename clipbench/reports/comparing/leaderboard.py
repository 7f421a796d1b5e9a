"""A leaderboard as a table: ranks as sure as they are, scores with intervals, and perturbed scores beside."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.reports.chance import chance_lines
from clipbench.reports.comparing.words import digits, metric_label, p_value, percent, signed
from clipbench.reports.left_out import left_out_notes, left_out_words
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.comparison import CompareRequest
from clipbench.study.comparing.leaderboard import Leaderboard, Standing, leaderboards
from clipbench.study.evaluation.methods import method_words


def leaderboard_of(store: Store, runs: Sequence[StoredRun], *, wide: bool = False) -> Table:
    """Return the table of these clean runs of one dataset, by t2i R@1."""
    only = {run.key for run in runs}
    filters = RunFilter(dataset=runs[0].spec.dataset)
    (board,) = leaderboards(store, filters, CompareRequest(), only=only)
    return leaderboard_table(board, wide=wide)


def leaderboard_table(board: Leaderboard, *, wide: bool = False) -> Table:
    """Return the standings, best first. wide: whole keys and bounds in columns of their own, for programs."""
    label, places = metric_label(board.direction, board.metric), digits(board.metric)
    columns = [Column("rank", right=True), Column("model"), Column("method"), Column("run", aside=True)]
    columns += [Column("value", label, places), Column("low", "low", places), Column("high", "high", places)]
    columns += [Column("behind", "behind the best", places, right=True), Column("p", "p (Holm)", right=True)]
    for operation, level in board.settings:
        columns.append(Column(f"{operation}={level:g}", f"{operation} {level:g}", places))
    columns += [Column("left out"), Column("left out why")] if wide else []
    rows = [_row(board, one, wide=wide) for one in board.standings]
    empty = {
        i for i, column in enumerate(columns) if column.name == "method" and not any(row[i] for row in rows)
    }
    kept = [i for i in range(len(columns)) if wide or i not in empty]
    return Table(
        f"{board.dataset}: leaderboard by {label}",
        tuple(columns[i] for i in kept),
        tuple(tuple(row[i] for i in kept) for row in rows),
        _notes(board),
    )


def _row(board: Leaderboard, one: Standing, *, wide: bool) -> tuple[Cell, ...]:
    rank = f"{one.first}" if one.first == one.last else f"{one.first}–{one.last}"
    best = one is board.standings[0]
    behind: Cell = one.gap if wide else None if best else signed(one.gap, board.metric)
    p: Cell = one.p if wide else p_value(one.p)
    settings = [one.perturbed.get(setting, (None, 0))[0] for setting in board.settings]
    run = one.run.key if wide else short(one.run.key)
    scores = (one.estimate.value, one.estimate.low, one.estimate.high)
    gone = one.run.left_out
    told: tuple[Cell, ...] = (len(gone.reasons), left_out_words(gone)) if wide else ()
    return (rank, one.run.model, method_words(one.run.spec.method), run, *scores, behind, p, *settings, *told)


def _notes(board: Leaderboard) -> tuple[str, ...]:
    if not board.tests:
        return ("one run: nothing to tell it from", *_warnings(board))
    notes = [
        (
            "rank: 2–3 means that one run is really better and that the place among the rest cannot be told; "
            f"real is p < .05 by the randomisation test over {board.images:,} images, corrected by Holm over "
            f"all {board.tests:,} pairs"
        ),
        f"low and high: the {percent(board.confidence)} interval of each score by itself; it says nothing of a difference",
    ]
    if board.settings:
        seeds = sorted({n for one in board.standings for _, n in one.perturbed.values()})
        many = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        what = "of one seed" if seeds == [1] else f"means over {many} seeds"
        notes.append(f"perturbed scores are {what}, and are not tested here")
    return (*notes, *_warnings(board))


def _warnings(board: Leaderboard) -> tuple[str, ...]:
    """Return what is said of galleries that are smaller than the dataset, and of scores that luck reaches too."""
    gone = left_out_notes([one.run for one in board.standings])
    return (*gone, *chance_lines({short(one.run.key): one.scores for one in board.standings}))
