"""The order of an embedding set in blocks: one value of SQLite holds 1e9 bytes, 62 million items.

What is there becomes the first block of its set, whole. Keys and checksums are of the items, so none changes.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite gives a table no other primary key: its rows move to a new table of the same name.
    op.rename_table("embedding_order", "embedding_order_before")
    op.create_table(
        "embedding_order",
        sa.Column("embedding_set_id", sa.Integer, nullable=False),
        sa.Column("block", sa.Integer, nullable=False),
        sa.Column("items", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("embedding_set_id", "block"),
        sa.ForeignKeyConstraint(
            ["embedding_set_id"],
            ["embedding_set.id"],
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
    )
    op.execute(
        "INSERT INTO embedding_order (embedding_set_id, block, items) "
        "SELECT embedding_set_id, 0, items FROM embedding_order_before"
    )
    op.drop_table("embedding_order_before")
