"""A run's method, ledgers of limited depth, shortlists, and the texts behind item keys. Only adds.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Every run there is ranked the plain product of its vectors, and knows its rankings whole.
    op.add_column("run", sa.Column("method", sa.Text, nullable=False, server_default=""))
    op.add_column("ledger", sa.Column("depth", sa.Integer, nullable=True))
    op.create_table(
        "shortlist",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("items", sa.LargeBinary, nullable=False),
        sa.Column("scores", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "direction"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], ondelete="CASCADE", deferrable=True, initially="DEFERRED"
        ),
    )
    op.create_table(
        "item_text",
        sa.Column("item", sa.LargeBinary, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("item"),
        sqlite_with_rowid=False,
    )
