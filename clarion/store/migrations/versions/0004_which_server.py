"""Which server the ledger lives on, so that one that took over, or was wound back, is noticed.

Revision ID: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """CREATE TABLE server (                     -- one row, no tenant's data
          one boolean PRIMARY KEY DEFAULT true CHECK (one),
          identity text NOT NULL,                    -- the cluster and its timeline
          since timestamptz NOT NULL                 -- when we first saw it so
        )"""
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON server TO clarion_app")


def downgrade() -> None:
    op.execute("DROP TABLE server")
