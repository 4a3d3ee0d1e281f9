"""A campaign may name further channels: what did not arrive over one goes on over the next.

Revision ID: 0011
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Written beside the ledger and taken away within moments: small and hot as the queue. No foreign keys.
_TABLE = """
CREATE TABLE fallback (
  message_id uuid NOT NULL,
  lane_id uuid NOT NULL,                       -- where it did not arrive
  cohort date NOT NULL,
  workspace_id uuid NOT NULL,
  due_at timestamptz NOT NULL,
  late boolean NOT NULL DEFAULT false,         -- by time alone: the campaign says that it may arrive twice
  PRIMARY KEY (message_id, lane_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX fallback_due ON fallback (workspace_id, due_at, message_id);
CREATE INDEX fallback_known ON fallback (lane_id) WHERE NOT late;  -- few, whatever is watched
"""

# Which workspaces have something to see to: identifiers alone, by the index alone.
_DOOR = """
CREATE FUNCTION clarion_fallbacks(moment timestamptz) RETURNS TABLE (workspace_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
  SELECT w.id FROM workspace w
  WHERE EXISTS (SELECT FROM fallback f WHERE f.workspace_id = w.id AND f.due_at <= moment)
$$;
"""


def upgrade() -> None:
    op.execute("ALTER TABLE lane ADD COLUMN next_lane_id uuid")
    op.execute("ALTER TABLE lane ADD COLUMN next_after integer")
    op.execute(_TABLE)
    op.execute("ALTER TABLE fallback ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE fallback FORCE ROW LEVEL SECURITY")
    op.execute(
        """CREATE POLICY tenant ON fallback USING (workspace_id = (SELECT clarion_workspace()))
           WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON fallback TO clarion_app")
    op.execute("GRANT SELECT ON fallback TO clarion_definer")
    op.execute(_DOOR)
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_fallbacks(timestamptz) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_fallbacks(timestamptz) TO clarion_app")
    op.execute("ALTER FUNCTION clarion_fallbacks(timestamptz) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def downgrade() -> None:
    op.execute("DROP FUNCTION clarion_fallbacks(timestamptz)")
    op.execute("DROP TABLE fallback")
    op.execute("ALTER TABLE lane DROP COLUMN next_after")
    op.execute("ALTER TABLE lane DROP COLUMN next_lane_id")
