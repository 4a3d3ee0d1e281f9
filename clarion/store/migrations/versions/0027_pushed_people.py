"""A schedule is pushed to a system that says it: since when each person is followed there.

Revision ID: 0027
"""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE pushed_person (
  workspace_id uuid NOT NULL REFERENCES workspace,
  campaign_id uuid NOT NULL,
  contact_id uuid NOT NULL,
  generation int NOT NULL,                     -- one time round the schedule
  began_at timestamptz NOT NULL,               -- since when its moments are looked for
  basis text NOT NULL,                         -- what day 0 is counted from
  place int NOT NULL,                          -- in the audience, for what is spread
  PRIMARY KEY (campaign_id, contact_id)
);
CREATE INDEX pushed_person_contact ON pushed_person (contact_id);
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute("ALTER TABLE pushed_person ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE pushed_person FORCE ROW LEVEL SECURITY")
    op.execute(
        """CREATE POLICY tenant ON pushed_person USING (workspace_id = (SELECT clarion_workspace()))
           WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON pushed_person TO clarion_app")


def downgrade() -> None:
    op.execute("DROP TABLE pushed_person")
