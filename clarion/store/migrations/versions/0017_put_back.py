"""What was put back is found by itself, so that it need not wait behind everybody who was never tried.

Revision ID: 0017
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Its lane, and not a flag: no other index can then seem to serve, whatever the statistics say.
    op.execute("ALTER TABLE queue ADD COLUMN IF NOT EXISTS again uuid")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS queue_again")  # half made by one that was broken off
        op.execute(
            """CREATE INDEX CONCURRENTLY queue_again ON queue (again, due_at, message_id)
               WHERE again IS NOT NULL"""
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS queue_again")
    op.execute("ALTER TABLE queue DROP COLUMN again")
