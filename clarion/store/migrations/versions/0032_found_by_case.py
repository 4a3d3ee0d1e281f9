"""Enrollments of an alert, found by their case and by their contact.

Revision ID: 0032
"""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_INDEXES = (
    ("enrollment_case", "case_id, campaign_id", "case_id"),
    ("enrollment_contact", "contact_id", "contact_id"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, columns, column in _INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # half made by one that was broken off
            op.execute(
                f"""CREATE INDEX CONCURRENTLY {name} ON enrollment ({columns})
                    WHERE {column} IS NOT NULL"""
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, _, _ in _INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
