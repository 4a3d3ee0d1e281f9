"""What is due next of a campaign that follows people, found by its moment.

Revision ID: 0023
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS enrollment_due")  # half made by one that was broken off
        op.execute(
            """CREATE INDEX CONCURRENTLY enrollment_due ON enrollment (campaign_id, next_due, id)
               WHERE state = 'active'"""
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS enrollment_due")
