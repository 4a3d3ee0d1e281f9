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
    # no rewrite: both are empty at first
    op.execute("ALTER TABLE address ADD COLUMN window_at timestamptz, ADD COLUMN window_channel_id uuid")
    # one reading of the table, few rows written: who wrote within a day has a window open now
    op.execute(
        """UPDATE address SET window_at = last_inbound_at, window_channel_id = last_channel_id
           WHERE last_inbound_at > clock_timestamp() - interval '1 day'"""
    )


def downgrade() -> None:
    op.execute("ALTER TABLE address DROP COLUMN window_channel_id, DROP COLUMN window_at")
