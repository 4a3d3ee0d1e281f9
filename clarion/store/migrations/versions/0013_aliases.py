"""What providers call our tries, where receipts bring no reference of ours; accounts that are heard on.

Revision ID: 0013
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# A table beside the ledger, and no index of `attempt`: settling writes provider_id, and a write to an
# indexed column would make the settling of every channel slower, for the few that need this. One row also
# makes the receipt that comes before our own commit, and that commit, wait for each other.
_ALIAS = """
CREATE TABLE alias (
  channel_id uuid NOT NULL,
  provider_id text NOT NULL,
  workspace_id uuid NOT NULL,
  attempt_id uuid,                             -- null while only receipts have named it
  cohort date,
  bodies uuid[] NOT NULL DEFAULT '{}',         -- of the inbox, that wait to know whose name this is
  noted_at timestamptz NOT NULL,
  PRIMARY KEY (channel_id, provider_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX alias_age ON alias (noted_at);  -- for housekeeping; by the workspace it would tempt planners
ALTER TABLE alias ENABLE ROW LEVEL SECURITY;
ALTER TABLE alias FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON alias USING (workspace_id = (SELECT clarion_workspace()))
  WITH CHECK (workspace_id = (SELECT clarion_workspace()));
GRANT SELECT, INSERT, UPDATE, DELETE ON alias TO clarion_app;
"""

# As the board of 0009, which the version before goes on asking; and an account is also due where a channel
# of it is active whose provider is heard over its own connection (`heard`: those providers' names).
_BOARD = """
CREATE FUNCTION clarion_board(moment timestamptz, heard text[])
RETURNS TABLE (workspace_id uuid, channel_id uuid, worker_id uuid, epoch bigint, beat bigint, due boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT b.workspace_id, b.channel_id, b.worker_id, b.epoch, b.beat,
    b.due OR (b.worker_id IS NULL AND EXISTS (
      SELECT FROM channel c WHERE c.id = b.channel_id AND c.state = 'active' AND c.provider = ANY (heard)))
    OR (b.worker_id IS NULL AND EXISTS (
      SELECT FROM channel m
      WHERE m.account_id = b.channel_id AND m.state = 'active' AND m.provider = ANY (heard)))
  FROM clarion_board(moment) b
$$;
"""


def upgrade() -> None:
    op.execute(_ALIAS)
    op.execute(_BOARD)
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_board(timestamptz, text[]) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_board(timestamptz, text[]) TO clarion_app")
    op.execute("ALTER FUNCTION clarion_board(timestamptz, text[]) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def downgrade() -> None:
    op.execute("DROP FUNCTION clarion_board(timestamptz, text[])")
    op.execute("DROP TABLE alias")
