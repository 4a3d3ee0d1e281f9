"""A worker's death, once somebody has proven it, is there for all machines to read.

Revision ID: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE worker ADD COLUMN dead_at timestamptz")  # no default: nothing is rewritten


def downgrade() -> None:
    op.execute("ALTER TABLE worker DROP COLUMN dead_at")
