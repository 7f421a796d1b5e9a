"""An index keeps a digest of its order instead of the order; an estimated run counts each query once.

The ids of an index's items are those of its embedding set, in one value that SQLite holds up to 1e9 bytes: a digest
tells as well whether they are. A run from samples counted a query again for every half sample of its ledger.

Revision ID: 0009
Revises: 0008
"""

import json
from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

QUERIES = """UPDATE run SET n_queries = (
    SELECT sum(queries / CASE
      WHEN json_extract(protocol, '$.gallery_sample.size') * json_extract(protocol, '$.gallery_sample.repeats')
        < gallery_size
      THEN 2 * json_extract(protocol, '$.gallery_sample.repeats')
        + (json_extract(protocol, '$.gallery_sample.head') IS NOT NULL)
      ELSE 1 END)
    FROM ledger WHERE run_id = run.id)
  WHERE json_extract(protocol, '$.gallery_sample.size') IS NOT NULL"""


def upgrade() -> None:
    op.execute(QUERIES)
    connection = op.get_bind()
    rows = connection.exec_driver_sql("SELECT id FROM vector_index").scalars().all()
    for row in rows:  # one at a time: an order may be large
        items = connection.exec_driver_sql("SELECT items FROM vector_index WHERE id = ?", (row,)).scalar_one()
        values = {"row": row, "order": _digest(json.loads(items))}
        connection.execute(sa.text('UPDATE vector_index SET "items" = :order WHERE id = :row'), values)


def _digest(ids: list[str]) -> str:
    """Return what the store's `order_digest` was at this revision: a migration does not change with the code."""
    hasher = sha256()
    for id_ in ids:
        data = id_.encode("utf-8", "surrogatepass")
        hasher.update(b"%d " % len(data) + data)
    return hasher.hexdigest()
