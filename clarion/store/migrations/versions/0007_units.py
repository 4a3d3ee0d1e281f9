"""How many units of a channel's limits a try takes: an SMS of three segments is three.

Revision ID: 0007
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A constant default: no row is written. Partitions follow; later ones are made like their parent.
    op.execute("ALTER TABLE attempt ADD COLUMN units smallint NOT NULL DEFAULT 1")


def downgrade() -> None:
    op.execute("ALTER TABLE attempt DROP COLUMN units")
