"""Episodes are found by their campaign first, always: nobody looks for one by its case alone. While there was
an index that could, the planner took it at times, and read the case's episodes of all alerts.

Revision ID: 0037
"""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS episode_case")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS episode_case")  # half made by one that was broken off
        op.execute("CREATE INDEX CONCURRENTLY episode_case ON episode (case_id)")
