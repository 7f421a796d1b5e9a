"""Adapters: heads trained on frozen vectors, with their weights, record and training log. Only adds a table.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "adapter",
        sa.Column("id", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("key", "request", "name")),
        sa.Column("encoder_id", sa.Integer, nullable=False),
        sa.Column("base_id", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("record", "log")),
        sa.Column("weights", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        *(sa.UniqueConstraint(name, name=f"uq_adapter_{name}") for name in ("key", "request", "name")),
        sa.ForeignKeyConstraint(["encoder_id"], ["encoder.id"]),
        sa.ForeignKeyConstraint(["base_id"], ["encoder.id"]),
    )
