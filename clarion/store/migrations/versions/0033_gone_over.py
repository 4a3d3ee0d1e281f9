"""How far a run is: how many there were when it was cut into parts, and how many of each part it looked at.

Revision ID: 0033
"""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE run ADD COLUMN IF NOT EXISTS size int")
    op.execute("ALTER TABLE run_part ADD COLUMN IF NOT EXISTS looked int NOT NULL DEFAULT 0")


def downgrade() -> None:
    op.execute("ALTER TABLE run_part DROP COLUMN IF EXISTS looked")
    op.execute("ALTER TABLE run DROP COLUMN IF EXISTS size")
