"""Failures, samples, assignments, annotators, labels with their history, and hints. Only adds tables.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _failures()
    _assignments()
    _labels()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _int(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _float(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float, nullable=nullable)


def _id_and_key(table: str) -> list[sa.schema.SchemaItem]:
    return [
        _int("id"),
        _text("key"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key", name=f"uq_{table}_key"),
    ]


def _points_at(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([f"{table}_id"], [f"{table}.id"])


def _of_parent(table: str) -> sa.ForeignKeyConstraint:
    """Return the link of child rows, which are written before their parent and go with it."""
    return sa.ForeignKeyConstraint(
        [f"{table}_id"], [f"{table}.id"], ondelete="CASCADE", deferrable=True, initially="DEFERRED"
    )


def _failures() -> None:
    op.create_table(
        "failure",
        *_id_and_key("failure"),
        _int("dataset_id"),
        *(_text(name) for name in ("direction", "caption_id", "image_id", "retrieved_id")),
        *(_int(name) for name in ("caption", "image", "retrieved")),
        _text("created_at"),
        _points_at("dataset"),
    )
    op.create_index("ix_failure_dataset_id", "failure", ["dataset_id"])
    op.create_table(
        "failure_sample",
        *_id_and_key("failure_sample"),
        _int("dataset_id"),
        *(_text(name) for name in ("run", "direction", "request", "strata")),
        _int("population"),
        _text("created_at"),
        _points_at("dataset"),
    )
    op.create_index("ix_failure_sample_dataset_id", "failure_sample", ["dataset_id"])
    op.create_table(
        "failure_sample_item",
        _int("failure_sample_id"),
        _int("position"),
        _int("failure_id"),
        _text("role"),
        _text("stratum"),
        *(_float(name) for name in ("rank", "positive_score", "negative_score")),
        sa.PrimaryKeyConstraint("failure_sample_id", "position"),
        _of_parent("failure_sample"),
        _points_at("failure"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_failure_sample_item_failure_id", "failure_sample_item", ["failure_id"])
    op.create_table(
        "suggestion",
        _int("id"),
        _int("failure_id"),
        _text("rule"),
        _text("category"),
        _text("subtype", nullable=True),
        _text("detail"),
        _float("score", nullable=True),
        _text("created_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("failure_id", "rule", "detail", name="uq_suggestion_failure_id_rule_detail"),
        _points_at("failure"),
    )


def _assignments() -> None:
    op.create_table(
        "assignment",
        *_id_and_key("assignment"),
        _int("failure_sample_id"),
        _text("request"),
        _text("created_at"),
        _points_at("failure_sample"),
    )
    op.create_index("ix_assignment_failure_sample_id", "assignment", ["failure_sample_id"])
    op.create_table(
        "assignment_item",
        _int("assignment_id"),
        _text("part"),
        _int("position"),
        _int("failure_id"),
        _int("swapped"),
        sa.PrimaryKeyConstraint("assignment_id", "part", "position"),
        _of_parent("assignment"),
        _points_at("failure"),
        sqlite_with_rowid=False,
    )


def _labels() -> None:
    op.create_table(
        "annotator",
        _int("id"),
        *(_text(name) for name in ("name", "kind", "created_at")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", name="uq_annotator_name"),
    )
    op.create_table(
        "annotation_source",
        _int("id"),
        *(_text(name) for name in ("kind", "name")),
        _text("digest", nullable=True),
        _text("created_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_annotation_source_digest", "annotation_source", ["digest"])
    op.create_table(
        "annotation",
        _int("id"),
        *(_int(f"{name}_id") for name in ("failure", "annotator", "annotation_source")),
        *(_text(name, nullable=True) for name in ("category", "subtype")),
        *(_text(name) for name in ("raw_category", "raw_subtype", "rules", "note")),
        _int("line"),
        _text("created_at"),
        sa.PrimaryKeyConstraint("id"),
        *(_points_at(name) for name in ("failure", "annotator", "annotation_source")),
    )
    op.create_index("ix_annotation_failure_id", "annotation", ["failure_id"])
    op.create_index("ix_annotation_annotator_id_failure_id", "annotation", ["annotator_id", "failure_id"])
    op.create_index("ix_annotation_annotation_source_id", "annotation", ["annotation_source_id"])
