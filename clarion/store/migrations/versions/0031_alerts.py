"""Alerts: where each case stands in each, which cases have changed, and an enrollment for each case.

Revision ID: 0031
"""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_TABLES = """
ALTER TABLE campaign ADD COLUMN switched int NOT NULL DEFAULT 0;  -- revision: it counts from another property
ALTER TABLE enrollment
  ADD COLUMN case_id uuid,                          -- of an alert: about which case its person hears
  ADD COLUMN contact_id uuid;                       -- and who that is; the subject is both together
CREATE TABLE episode (
  workspace_id uuid NOT NULL,
  campaign_id uuid NOT NULL,
  case_id uuid NOT NULL,
  phase text NOT NULL CHECK (phase IN ('on', 'out', 'off')),
  reason text NOT NULL DEFAULT '',
  times int NOT NULL DEFAULT 0,                     -- how often it has begun
  since timestamptz NOT NULL,                       -- this phase
  began_at timestamptz,                             -- the last time that it began
  restart text NOT NULL DEFAULT '',                 -- what the property that begins it anew said then
  next_turn date,                                   -- by the calendar alone nothing changes before this day
  seen bigint NOT NULL,                             -- all that it was settled by, hashed
  revision int NOT NULL,                            -- of the campaign
  PRIMARY KEY (campaign_id, case_id)
) WITH (fillfactor = 85);
CREATE INDEX episode_turn ON episode (campaign_id, next_turn, case_id) WHERE next_turn IS NOT NULL;
CREATE INDEX episode_case ON episode (case_id);
CREATE TABLE touched_case (
  workspace_id uuid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  case_id uuid NOT NULL,
  PRIMARY KEY (workspace_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX campaign_alerts ON campaign (workspace_id) WHERE follows AND kind = 'alert';
"""

# Everything that may change what becomes of a case in an alert: noted in the transaction that changes it.
_TOUCHED = """
CREATE FUNCTION clarion_touch_case() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM campaign c
                 WHERE c.workspace_id = clarion_workspace() AND c.follows AND c.kind = 'alert') THEN
    RETURN NULL;
  END IF;
  IF TG_TABLE_NAME = 'case' THEN
    INSERT INTO touched_case (workspace_id, case_id) SELECT workspace_id, id FROM changed;
  ELSE
    INSERT INTO touched_case (workspace_id, case_id) SELECT DISTINCT workspace_id, case_id FROM changed;
  END IF;
  RETURN NULL;
END
$$;
"""

_TRIGGERS = (
    ('"case"', "INSERT", "NEW"),
    ('"case"', "UPDATE", "NEW"),
    ("case_contact", "INSERT", "NEW"),
    ("case_contact", "DELETE", "OLD"),
)

# Over all workspaces, identifiers alone: where a case was touched, and alerts in which the calendar turns
# something on the workspace's present day.
_DOOR = """
CREATE FUNCTION clarion_following_cases(moment timestamptz)
RETURNS TABLE (workspace_id uuid, campaign_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
  SELECT c.workspace_id, c.id FROM campaign c JOIN workspace w ON w.id = c.workspace_id
  CROSS JOIN LATERAL (
    SELECT FROM episode e
    WHERE e.campaign_id = c.id AND e.next_turn <= (moment AT TIME ZONE w.timezone)::date LIMIT 1) turns
  WHERE c.follows AND c.kind = 'alert'
  UNION ALL
  SELECT w.id, NULL
  FROM (SELECT DISTINCT c.workspace_id AS id FROM campaign c WHERE c.follows AND c.kind = 'alert') w
  CROSS JOIN LATERAL (SELECT FROM touched_case t WHERE t.workspace_id = w.id LIMIT 1) touches
$$;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for name in ("episode", "touched_case"):
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"""CREATE POLICY tenant ON {name} USING (workspace_id = (SELECT clarion_workspace()))
                WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO clarion_app")
    op.execute(_TOUCHED)
    for table, event, rows in _TRIGGERS:
        op.execute(
            f"""CREATE TRIGGER touched_by_{event.lower()} AFTER {event} ON {table}
                REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT
                EXECUTE FUNCTION clarion_touch_case()"""
        )
    op.execute("GRANT SELECT ON episode, touched_case TO clarion_definer")
    op.execute(_DOOR)
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_following_cases(timestamptz) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_following_cases(timestamptz) TO clarion_app")
    op.execute("ALTER FUNCTION clarion_following_cases(timestamptz) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def downgrade() -> None:
    op.execute("DROP FUNCTION clarion_following_cases(timestamptz)")
    for table, event, _ in _TRIGGERS:
        op.execute(f"DROP TRIGGER touched_by_{event.lower()} ON {table}")
    op.execute("DROP FUNCTION clarion_touch_case()")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY campaign_alerts")
    op.execute("DROP TABLE touched_case")
    op.execute("DROP TABLE episode")
    op.execute("ALTER TABLE enrollment DROP COLUMN case_id, DROP COLUMN contact_id")
    op.execute("ALTER TABLE campaign DROP COLUMN switched")
