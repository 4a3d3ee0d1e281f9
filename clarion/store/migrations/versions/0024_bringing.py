"""People are brought from systems that keep them: how far each list was read, and what came from there.

Revision ID: 0024
"""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE reading (
  channel_id uuid NOT NULL,
  list text NOT NULL,
  workspace_id uuid NOT NULL REFERENCES workspace,
  mark timestamptz,                            -- whatever changed before was read; null: never to the end
  under_way boolean NOT NULL DEFAULT false,
  since timestamptz,                           -- of the pass under way: the changes from then on
  cursor text NOT NULL DEFAULT '',             -- of the pass under way: the page that comes next
  newest timestamptz,                          -- of the pass under way: the latest change that was read
  PRIMARY KEY (channel_id, list)
);
CREATE TABLE brought_group (
  workspace_id uuid NOT NULL REFERENCES workspace,
  source text NOT NULL,                        -- the system, and the group's identifier there
  group_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  name text NOT NULL,                          -- as it was last called there
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, source)
);
CREATE TABLE brought_contact (
  workspace_id uuid NOT NULL REFERENCES workspace,
  key bytea NOT NULL,                          -- of the identity, so that it says nothing about anybody
  status text NOT NULL,
  schemes text NOT NULL DEFAULT '',            -- of the addresses that were told last, with spaces between
  PRIMARY KEY (workspace_id, key)
);
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("reading", "brought_group", "brought_contact"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"""CREATE POLICY tenant ON {table} USING (workspace_id = (SELECT clarion_workspace()))
                WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO clarion_app")


def downgrade() -> None:
    op.execute("DROP TABLE brought_contact")
    op.execute("DROP TABLE brought_group")
    op.execute("DROP TABLE reading")
