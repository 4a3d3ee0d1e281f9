"""Alembic's entry: it is given a connection by store.migrate, never a URL in a file."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from clarion.store.tables import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)

# A migration that cannot have its lock at once gives way to the living system and is tried again.
connection.execute(text("SET lock_timeout = '3s'"))
connection.execute(text("SET timezone = 'UTC'"))
connection.commit()
with context.begin_transaction():
    context.run_migrations()
