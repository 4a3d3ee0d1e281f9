"""Announcements on one channel share it by their weights.

Revision ID: 0010
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE lane ADD COLUMN weight smallint NOT NULL DEFAULT 1")


def downgrade() -> None:
    op.execute("ALTER TABLE lane DROP COLUMN weight")
