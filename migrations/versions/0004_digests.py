"""Digests of rows, apart from them. Only adds; old rows get theirs when the triggers are made anew.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "content_digest",
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("row", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("entity", "row"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_content_digest_digest", "content_digest", ["digest"], sqlite_where=sa.text("digest = ''")
    )
