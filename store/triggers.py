"""Triggers that keep what is finished as it is, for every program that opens the file.

Knows table names, no rows. Of a finished thing nothing can be updated, replaced, added or deleted.
The one way to delete is to put (table, id) into `deletion` first, in the same transaction; then the
parent and, by cascade, its children may go. A batch alter drops triggers, so `create_triggers` is
run after every upgrade and always makes the same set.
"""

from collections.abc import Iterator

from sqlalchemy import Connection

from clipbench.store.digests import trigger_bodies

PARENTS = (
    "dataset",
    "encoder",
    "adapter",
    "dataset_columns",
    "perturbation",
    "vector_shard",
    "embedding_set",
    "vector_index",
    "run",
    "failure",
    "failure_sample",
    "assignment",
)
"""Tables whose rows are finished the moment they exist."""

CHILDREN = {
    "image": "dataset",
    "caption": "dataset",
    "embedding_order": "embedding_set",
    "ledger": "run",
    "shortlist": "run",
    "metric": "run",
    "failure_sample_item": "failure_sample",
    "assignment_item": "assignment",
}
"""Tables whose rows belong to a parent, are written before it and finished with it."""

APPENDED = ("annotator", "annotation_source", "annotation", "suggestion")
"""Tables that only grow: a newer row beside the old one is the way to change one's mind."""

BY_CONTENT = ("item_text",)
"""Tables whose rows say what their key is of: they may go when nothing needs them, and never change."""

PREFIX = "final_"
"""Begins the names of triggers that refuse to change what is finished."""

NOTES = "noted_"
"""Begins the names of triggers that note what was written, for its digest."""


def statements() -> Iterator[str]:
    """Yield the CREATE TRIGGER statements in a fixed order."""
    for table in PARENTS:
        # REPLACE deletes without firing delete triggers, so the second insert is what is refused.
        exists = f"EXISTS (SELECT 1 FROM {table} WHERE key = NEW.key OR id = NEW.id)"  # noqa: S608, our own names
        yield _trigger(table, "INSERT", exists, f"this {table} is already stored")
        yield _trigger(table, "UPDATE", "1", f"a stored {table} is final")
        yield _trigger(table, "DELETE", _unguarded(table, "OLD.id"), f"a stored {table} is final")
    for table, parent in CHILDREN.items():
        finished = f"EXISTS (SELECT 1 FROM {parent} WHERE id = NEW.{parent}_id)"  # noqa: S608, our own names
        yield _trigger(table, "INSERT", finished, f"the {parent} of this {table} is final")
        yield _trigger(table, "UPDATE", "1", f"a stored {table} is final")
        guard = _unguarded(parent, f"OLD.{parent}_id")
        yield _trigger(table, "DELETE", guard, f"the {parent} of this {table} is final")
    for table in APPENDED:
        exists = f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"  # noqa: S608, our own names
        yield _trigger(table, "INSERT", exists, f"this {table} is already stored")
        yield _trigger(table, "UPDATE", "1", f"a stored {table} is final")
        yield _trigger(table, "DELETE", _unguarded(table, "OLD.id"), f"a stored {table} is final")
    for table in BY_CONTENT:
        yield _trigger(table, "UPDATE", "1", f"a stored {table} is final")
    yield _trigger("content_digest", "UPDATE", "OLD.digest <> ''", "a stored content_digest is final")
    for table, event, body in trigger_bodies():
        yield (
            f"CREATE TRIGGER {NOTES}{table}_{event.lower()} AFTER {event} ON {table}\n"
            f"BEGIN {body.strip()} END"
        )


def create_triggers(connection: Connection) -> None:
    """Make the triggers, replacing whatever set is there."""
    drop_triggers(connection)
    for statement in statements():
        connection.exec_driver_sql(statement)


def drop_triggers(connection: Connection) -> None:
    """Take all of our triggers away, as an upgrade must before it rebuilds a table."""
    known = (
        connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
    )
    for name in known:
        if name.startswith((PREFIX, NOTES)):
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')


def _unguarded(entity: str, row: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM deletion WHERE entity = '{entity}' AND row_id = {row})"  # noqa: S608, our own names


def _trigger(table: str, event: str, condition: str, message: str) -> str:
    return (
        f"CREATE TRIGGER {PREFIX}{table}_{event.lower()} BEFORE {event} ON {table} WHEN {condition}\n"
        f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
