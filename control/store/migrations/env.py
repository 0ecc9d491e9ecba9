"""Alembic's entry: it runs this file whenever it migrates."""

from alembic import context

from control.store.database import engine
from control.store.schema import metadata

_engine = engine(context.config.attributes["path"], writable=True)
with _engine.connect() as _connection:
    _connection = _connection.execution_options(isolation_level="SERIALIZABLE")
    context.configure(
        connection=_connection, target_metadata=metadata, render_as_batch=True, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()
_engine.dispose()
