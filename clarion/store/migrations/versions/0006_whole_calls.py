"""Of a provider's call the inbox keeps what it was asked by, beside its body: some report by GET.

Revision ID: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # constant defaults: nothing is rewritten, and the version before goes on storing bodies
    op.execute(
        """ALTER TABLE inbox
             ADD COLUMN method text NOT NULL DEFAULT 'POST',
             ADD COLUMN query text NOT NULL DEFAULT '',
             ADD COLUMN content_type text NOT NULL DEFAULT ''"""
    )


def downgrade() -> None:
    op.execute("ALTER TABLE inbox DROP COLUMN method, DROP COLUMN query, DROP COLUMN content_type")
