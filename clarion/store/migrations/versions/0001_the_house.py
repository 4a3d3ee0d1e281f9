"""The house: workspaces, people, campaigns and the ledger, with row-level security from the start.

Revision ID: 0001
"""

from __future__ import annotations

from importlib import resources

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# In this order: later files use what earlier ones made.
FILES = ("roles", "tenancy", "people", "campaign", "ledger", "traffic", "security", "functions")


def upgrade() -> None:
    folder = resources.files(__package__ or "clarion.store.migrations.versions") / "0001"
    connection = op.get_bind()
    raw = connection.connection.driver_connection
    assert raw is not None
    for name in FILES:
        raw.execute((folder / f"{name}.sql").read_text(encoding="utf-8"))
    raw.execute(SchemaManager.get_schema().encode())
    raw.execute((folder / "jobs.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    raise RuntimeError("The first migration is not undone: drop the database instead.")
