"""Catalogues: the templates that a channel's provider keeps; and what a tapped reply brings back.

Revision ID: 0018
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE catalogue (
  channel_id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace,
  source text NOT NULL,                        -- whose templates: the provider's name of the account
  read_at timestamptz,                         -- null: never yet
  tried_at timestamptz NOT NULL,
  problem text NOT NULL DEFAULT ''             -- why the last try brought nothing; empty: it brought them
);
CREATE TABLE template (
  workspace_id uuid NOT NULL REFERENCES workspace,
  channel_id uuid NOT NULL,
  name text NOT NULL,
  language text NOT NULL,
  category text NOT NULL,
  status text NOT NULL,
  shape jsonb NOT NULL,                        -- what it takes (domain.catalogue.Shape)
  PRIMARY KEY (channel_id, name, language)
);
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("catalogue", "template"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"""CREATE POLICY tenant ON {table} USING (workspace_id = (SELECT clarion_workspace()))
                WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO clarion_app")
    # no rewrite, nothing is read
    op.execute("ALTER TABLE inbound ADD COLUMN payload text NOT NULL DEFAULT ''")


def downgrade() -> None:
    op.execute("ALTER TABLE inbound DROP COLUMN payload")
    op.execute("DROP TABLE template")
    op.execute("DROP TABLE catalogue")
