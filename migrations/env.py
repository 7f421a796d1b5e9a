"""Alembic's entry: runs the revisions on the connection that `clipbench.store.upgrade` hands over.

There is no database of its own to find here, so that nothing upgrades a store without a backup and a
lock. The metadata is there for a developer's `alembic check`; nothing is generated at run time.
"""

from alembic import context

from clipbench.store.all_tables import metadata


def run_revisions() -> None:
    """Run the revisions that were asked for on the connection that was handed over."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("a store is upgraded by opening it: clipbench.store.engine.open_store")
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


# Alembic runs this file; whoever only imports it (a doctest run, say) finds no configuration.
if hasattr(context, "config"):
    run_revisions()
