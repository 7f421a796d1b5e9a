"""A study done again as tables: its data and plan before, its verdicts after."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.reports.tables import Cell, Column, Table
from clipbench.study.replicating.plan import Plan, PlannedStep
from clipbench.study.replicating.verdicts import Verdict

UNLIKE = "cannot be compared"
"""How verdicts begin on figures of another model or other data."""


def plan_tables(plan: Plan) -> tuple[Table, ...]:
    """Return what the study needs and has, and its steps as commands."""
    data = tuple(
        (
            state.name,
            "in the store" if state.present else "to be added",
            state.images,
            state.captions,
            "; ".join(state.faults) or ("as the study had it" if state.present else state.about),
        )
        for state in plan.states
    )
    columns = (Column("dataset"), Column("state"), Column("images"), Column("captions"), Column("remark"))
    return Table(f"{plan.recipe.title}: data", columns, data), steps_table(plan.steps)


def steps_table(planned: Sequence[PlannedStep]) -> Table:
    """Return commands in their order, and which are left out."""
    steps = tuple(
        (number, step.what, step.line, f"left out: {step.lacking}" if step.lacking else "")
        for number, step in enumerate(planned, 1)
    )
    told = (Column("step"), Column("what"), Column("command"), Column("remark"))
    kept = told if any(row[-1] for row in steps) else told[:-1]
    rows = tuple(row[: len(kept)] for row in steps)
    return Table("Steps", kept, rows, ("what is stored already is found, not computed again",))


def verdict_table(plan: Plan, found: Sequence[Verdict], *, wide: bool = False) -> Table:
    """Return published, here, difference and verdict of every figure. wide: with runs' whole keys, for programs."""
    columns = [Column("figure"), Column("published"), Column("here"), Column("difference")]
    columns += [Column("low"), Column("high"), Column("verdict")]
    columns += [Column("hits published", right=True)] if any(one.figure.hits for one in found) else []
    columns += [Column("run", aside=True)]
    counted = any(one.figure.hits for one in found)
    reasons = {one.says for one in found if one.says.startswith(UNLIKE)}
    shared = None if wide or len(reasons) != 1 else next(iter(reasons))
    rows = []
    for one in found:
        gap, published = one.difference, one.figure.published
        low, high = (
            None if bound is None or published is None else bound - published for bound in (one.low, one.high)
        )
        hits: list[Cell] = []
        if counted:
            hits = [None if one.figure.hits is None else f"{one.figure.hits:,} of {one.figure.of or 0:,}"]
        run: Cell = None if one.run is None else one.run if wide else short(one.run)
        counted_value = one.figure.query is not None
        cells = (
            *(_count(value) if counted_value else value for value in (published, one.value, gap)),
            low,
            high,
        )
        says = UNLIKE if shared and one.says.startswith(UNLIKE) else one.says
        rows.append((one.figure.name, *cells, says, *hits, run))
    notes = (
        *((shared,) if shared else ()),
        f"published: {plan.recipe.source}",
        (
            "low and high: the 95 % cluster-bootstrap interval of our figure, less the published one; "
            "within sampling error where it holds 0"
        ),
        *(f"known of the publication: {mistake}" for mistake in plan.recipe.mistakes),
    )
    return Table(f"{plan.recipe.title}: published and here", tuple(columns), tuple(rows), notes)


def _count(value: float | None) -> Cell:
    """Return the answer to a question as a whole number where it is one."""
    return int(value) if value is not None and value == int(value) else value
