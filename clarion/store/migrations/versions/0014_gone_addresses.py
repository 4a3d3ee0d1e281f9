"""Why an address is not used any more, and since when.

Revision ID: 0014
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A constant default, and none: no row is written.
    op.execute(
        "ALTER TABLE address ADD COLUMN status_reason text NOT NULL DEFAULT '', "
        "ADD COLUMN status_at timestamptz"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE address DROP COLUMN status_reason, DROP COLUMN status_at")
