"""Alembic's entry: migrations run on the connection, and in the transaction, that `ledger.migration` hands over."""

from alembic import context

from ledger.schema import schema

context.configure(connection=context.config.attributes["connection"], target_metadata=schema)
context.run_migrations()
