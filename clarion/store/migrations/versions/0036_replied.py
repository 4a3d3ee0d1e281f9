"""Who replied to what an alert said of a case, and in which time round.

Revision ID: 0036
"""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE replied (
  workspace_id uuid NOT NULL,
  campaign_id uuid NOT NULL,
  case_id uuid NOT NULL,
  contact_id uuid NOT NULL,
  generation int NOT NULL,                          -- of their enrollment: what it ended
  at timestamptz NOT NULL,                          -- when they wrote
  PRIMARY KEY (campaign_id, case_id, contact_id)
);
CREATE INDEX replied_contact ON replied (contact_id);
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute("ALTER TABLE replied ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE replied FORCE ROW LEVEL SECURITY")
    op.execute(
        """CREATE POLICY tenant ON replied USING (workspace_id = (SELECT clarion_workspace()))
           WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON replied TO clarion_app")


def downgrade() -> None:
    op.execute("DROP TABLE replied")
