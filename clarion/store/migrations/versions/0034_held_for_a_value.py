"""What waits for a value says until when.

Revision ID: 0034
"""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # no rewrite; whoever waits is found by `queue_awaits`, as who waits for words is
    op.execute("ALTER TABLE queue ADD COLUMN IF NOT EXISTS held_until timestamptz")


def downgrade() -> None:
    op.execute("ALTER TABLE queue DROP COLUMN held_until")
