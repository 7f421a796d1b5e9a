"""Indexes of stored vectors. Only adds a table.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vector_index",
        sa.Column("id", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("key", "name")),
        sa.Column("embedding_set_id", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("type", "build", "library")),
        sa.Column("block", sa.Integer, nullable=False),
        sa.Column("vectors", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("items", sa.Text, nullable=False),
        sa.Column("checksum", sa.Text),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("place", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        *(sa.UniqueConstraint(name, name=f"uq_vector_index_{name}") for name in ("key", "name")),
        sa.ForeignKeyConstraint(["embedding_set_id"], ["embedding_set.id"]),
    )
    op.create_index("ix_vector_index_embedding_set_id", "vector_index", ["embedding_set_id"])
