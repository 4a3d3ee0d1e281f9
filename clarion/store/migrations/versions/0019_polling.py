"""Channels whose provider calls nobody: when each is asked next, and where the last answer ended.

Revision ID: 0019
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Small: one row a channel of such a provider, written once each time that it is asked.
_TABLE = """
CREATE TABLE polling (
  channel_id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  cursor text NOT NULL DEFAULT '',
  watch bigint NOT NULL DEFAULT 0,             -- who has the latest may write, and nobody else
  due_at timestamptz NOT NULL,                 -- while somebody has the watch: when it is anybody's again
  failures integer NOT NULL DEFAULT 0,
  problem text NOT NULL DEFAULT ''
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX polling_due ON polling (due_at);
ALTER TABLE polling ENABLE ROW LEVEL SECURITY;
ALTER TABLE polling FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON polling USING (workspace_id = (SELECT clarion_workspace()))
  WITH CHECK (workspace_id = (SELECT clarion_workspace()));
GRANT SELECT, INSERT, UPDATE, DELETE ON polling TO clarion_app;
GRANT SELECT ON polling TO clarion_definer;
"""

# Which are due, over all workspaces: identifiers alone, as many as the index gives first.
_DOOR = """
CREATE FUNCTION clarion_due_polls(moment timestamptz, most integer)
RETURNS TABLE (workspace_id uuid, channel_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT p.workspace_id, p.channel_id FROM polling p WHERE p.due_at <= moment ORDER BY p.due_at LIMIT most
$$;
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(_DOOR)
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_due_polls(timestamptz, integer) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_due_polls(timestamptz, integer) TO clarion_app")
    op.execute("ALTER FUNCTION clarion_due_polls(timestamptz, integer) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def downgrade() -> None:
    op.execute("DROP FUNCTION clarion_due_polls(timestamptz, integer)")
    op.execute("DROP TABLE polling")
