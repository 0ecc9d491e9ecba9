"""Alembic's entry: runs the revisions on the connection that `migrate` hands over."""

from alembic import context

from router.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
