"""Service windows by channel: over which number, and when, a person last wrote where such a window counts.

Revision ID: 0020
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # no rewrite: both are empty until somebody writes again
    op.execute("ALTER TABLE address ADD COLUMN window_at timestamptz, ADD COLUMN window_channel_id uuid")


def downgrade() -> None:
    op.execute("ALTER TABLE address DROP COLUMN window_channel_id, DROP COLUMN window_at")
