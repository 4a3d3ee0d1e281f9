"""Pools: an announcement goes over several channels, and each person hears it over one of them.

Revision ID: 0015
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE pool (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace,
  name text NOT NULL,
  skip_paused boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  modified_at timestamptz NOT NULL,
  UNIQUE (workspace_id, name)
);
CREATE TABLE pool_channel (
  workspace_id uuid NOT NULL REFERENCES workspace,
  pool_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  place smallint NOT NULL,                     -- in the order in which they were named; the first leads
  prefixes text[] NOT NULL DEFAULT '{}',       -- of E.164 numbers, as +254; none: any address
  weight smallint NOT NULL DEFAULT 1,
  PRIMARY KEY (pool_id, channel_id)
);
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("pool", "pool_channel"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"""CREATE POLICY tenant ON {table} USING (workspace_id = (SELECT clarion_workspace()))
                WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO clarion_app")
    # a contact's own channel, and the one that an address last wrote to: no rewrite, nothing is read
    op.execute("ALTER TABLE contact ADD COLUMN channel_id uuid")
    op.execute("ALTER TABLE address ADD COLUMN last_channel_id uuid")


def downgrade() -> None:
    op.execute("ALTER TABLE address DROP COLUMN last_channel_id")
    op.execute("ALTER TABLE contact DROP COLUMN channel_id")
    op.execute("DROP TABLE pool_channel")
    op.execute("DROP TABLE pool")
