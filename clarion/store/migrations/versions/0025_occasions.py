"""Recurring announcements: each time that one speaks is a run, found by which occasion it is.

Revision ID: 0025
"""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE run ADD COLUMN IF NOT EXISTS occasion text")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS run_occasion")  # half made by one that was broken off
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY run_occasion ON run (campaign_id, occasion)")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS run_occasion")
    op.execute("ALTER TABLE run DROP COLUMN IF EXISTS occasion")
