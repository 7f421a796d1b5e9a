"""Columns of a dataset's table that are neither image nor caption. Only adds a table.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dataset_columns",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("dataset_id", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("names", "cells", "created_at")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key", name="uq_dataset_columns_key"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
    )
    op.create_index("ix_dataset_columns_dataset_id", "dataset_columns", ["dataset_id"])
