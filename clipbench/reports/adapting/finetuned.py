"""Fine-tuned models as tables: what each between the base and itself brings and costs, and a plan before the work."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.queries import metrics_of
from clipbench.study.adapting.finetune_plan import FinetunePlan
from clipbench.study.adapting.interpolate import Standing

BASE = "(the base)"


def standing_table(store: Store, rows: Sequence[Standing], validation: str, origin: str | None) -> Table:
    """Return the models by alpha with their validation scores and, where an origin set was named, what it lost."""
    columns = [
        Column("model"),
        Column("alpha", digits=2),
        Column("val_t2i_r1", f"{validation} t2i R@1"),
        Column("val_i2t_r1", "i2t R@1"),
        Column("val_rsum", "RSUM", digits=1),
    ]
    if origin is not None:
        columns += [
            Column("origin_t2i_r1", f"{origin} t2i R@1"),
            Column("origin_i2t_r1", "i2t R@1"),
            Column("origin_rsum", "RSUM", digits=1),
            Column("change", "change", digits=1),
            Column("run", aside=True),
        ]
    columns.append(Column("best", " "))
    best = max(rows, key=lambda one: (one.scores["rsum"], -one.alpha))
    first = _origin(store, rows[0])
    cells: list[tuple[Cell, ...]] = []
    for one in rows:
        own = _origin(store, one)
        cells.append(
            (
                one.name or BASE,
                one.alpha,
                one.scores["t2i hit@1"],
                one.scores["i2t hit@1"],
                one.scores["rsum"],
                *(_lost(one, own, first) if origin is not None else ()),
                "best" if one is best else None,
            )
        )
    notes = [f"best is by the RSUM of {validation}, which chose the epoch too: evaluate on a test set"]
    if origin is not None:
        notes.append(
            f"change is that of RSUM on {origin}: what was forgotten where it is below 0; "
            "clipbench report --compare RUN RUN says how sure it is"
        )
    return Table("between the base and the fine-tuned model", tuple(columns), tuple(cells), tuple(notes))


def _origin(store: Store, one: Standing) -> dict[str, float]:
    if one.origin is None:
        return {}
    metrics = metrics_of(store, [one.origin.key], ["hit@1", "rsum"])[one.origin.key]
    return {f"{metric.direction} {metric.name}": metric.value for metric in metrics}


def _lost(one: Standing, own: dict[str, float], first: dict[str, float]) -> tuple[Cell, ...]:
    change = own["both rsum"] - first["both rsum"] if own and first and one.name else None
    return (
        own.get("t2i hit@1"),
        own.get("i2t hit@1"),
        own.get("both rsum"),
        change,
        short(one.origin.key) if one.origin else None,
    )


def plan_finetuning_table(plan: FinetunePlan) -> Table:
    """Return what a fine-tuning would do."""
    state = "not begun"
    if plan.stored is not None:
        state = f"stored as {plan.stored}"
    elif plan.done:
        state = f"stopped after epoch {plan.done}"
    rows: list[tuple[Cell, ...]] = [
        ("state", state),
        ("learns", f"{plan.learned:,} of {plan.parameters:,} parameters"),
        ("training images", plan.images),
        ("validation images", plan.validation),
        ("epochs", f"{plan.epochs:,} of {plan.batches:,} batches"),
        ("models to write", f"{plan.models:,} ({plan.bytes / 2**20:,.0f} MiB)"),
        ("time", "none" if plan.seconds is None else f"about {_time(plan.seconds)}"),
    ]
    return Table("fine-tuning to come", (Column("what"), Column("value")), tuple(rows))


def _time(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
