"""Campaigns that follow people: where each enrollment stands in its schedule, and who has changed.

Revision ID: 0022
"""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE campaign
  ADD COLUMN follows boolean NOT NULL DEFAULT false,  -- its door is open: who comes in is enrolled
  ADD COLUMN revision int NOT NULL DEFAULT 0,         -- of its schedule and audience
  ADD COLUMN resumed_at timestamptz;                  -- what fell due before, paused, is not sent
ALTER TABLE run ADD COLUMN enrolled int NOT NULL DEFAULT 0;  -- places given, of an audience that is spread
CREATE INDEX campaign_follows ON campaign (workspace_id) WHERE follows;
ALTER TABLE enrollment
  ADD COLUMN began_at timestamptz,                    -- this generation
  ADD COLUMN place int NOT NULL DEFAULT 0,            -- in an audience that is spread, from 0
  ADD COLUMN basis text,                              -- what day 0 was counted from, as the contact had it
  ADD COLUMN ahead bigint[],                          -- what comes next: domain/enrollment
  ADD COLUMN revision int NOT NULL DEFAULT 0,         -- the campaign's, when that was reckoned
  ADD COLUMN moves jsonb,                             -- occurrences that somebody moved
  ADD COLUMN resumed_at timestamptz;                  -- as the campaign's, for this person
"""

# Everything that may change whether somebody is meant, or when: noted in the transaction that changes it,
# so that nothing can go round it. Where no campaign follows anybody it costs one look.
_TOUCHED = """
CREATE TABLE touched (
  workspace_id uuid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  contact_id uuid NOT NULL,
  PRIMARY KEY (workspace_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE touched ENABLE ROW LEVEL SECURITY;
ALTER TABLE touched FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON touched USING (workspace_id = (SELECT clarion_workspace()))
  WITH CHECK (workspace_id = (SELECT clarion_workspace()));
GRANT SELECT, INSERT, UPDATE, DELETE ON touched TO clarion_app;

CREATE FUNCTION clarion_touch() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM campaign c WHERE c.workspace_id = clarion_workspace() AND c.follows) THEN
    RETURN NULL;
  END IF;
  IF TG_TABLE_NAME = 'contact' THEN
    INSERT INTO touched (workspace_id, contact_id) SELECT workspace_id, id FROM changed;
  ELSIF TG_TABLE_NAME = 'group_member' THEN
    INSERT INTO touched (workspace_id, contact_id) SELECT DISTINCT workspace_id, contact_id FROM changed;
  ELSIF TG_TABLE_NAME = 'contact_group' THEN  -- who is in a group is in those above it
    INSERT INTO touched (workspace_id, contact_id)
    WITH RECURSIVE below AS (
      SELECT id FROM changed UNION SELECT g.id FROM contact_group g JOIN below b ON g.parent_id = b.id)
    SELECT DISTINCT m.workspace_id, m.contact_id FROM below b JOIN group_member m ON m.group_id = b.id;
  ELSE
    INSERT INTO touched (workspace_id, contact_id)
    SELECT DISTINCT a.workspace_id, a.contact_id FROM changed c CROSS JOIN LATERAL (
      SELECT workspace_id, contact_id FROM address
      WHERE workspace_id = c.workspace_id AND consent_key = c.consent_key OFFSET 0) a;
  END IF;
  RETURN NULL;
END
$$;
"""

_TRIGGERS = (
    ("contact", "INSERT", "NEW"),
    ("contact", "UPDATE", "NEW"),
    ("group_member", "INSERT", "NEW"),
    ("group_member", "DELETE", "OLD"),
    ("contact_group", "UPDATE", "NEW"),
    ("consent", "INSERT", "NEW"),
    ("consent", "UPDATE", "NEW"),
)

# Over all workspaces, identifiers alone: what has something due, and where somebody was touched.
_DOOR = """
CREATE FUNCTION clarion_following(moment timestamptz)
RETURNS TABLE (workspace_id uuid, campaign_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
  SELECT c.workspace_id, c.id FROM campaign c CROSS JOIN LATERAL (
    SELECT FROM enrollment e
    WHERE e.campaign_id = c.id AND e.state = 'active' AND e.next_due <= moment LIMIT 1) due
  WHERE c.follows AND c.state = 'running'
  UNION ALL
  SELECT w.id, NULL FROM (SELECT DISTINCT c.workspace_id AS id FROM campaign c WHERE c.follows) w
  CROSS JOIN LATERAL (SELECT FROM touched t WHERE t.workspace_id = w.id LIMIT 1) touches
$$;
"""


def upgrade() -> None:
    op.execute(_COLUMNS)
    op.execute(_TOUCHED)
    for table, event, rows in _TRIGGERS:
        op.execute(
            f"""CREATE TRIGGER touched_by_{event.lower()} AFTER {event} ON {table}
                REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION clarion_touch()"""
        )
    op.execute("GRANT SELECT ON enrollment, touched TO clarion_definer")
    op.execute(_DOOR)
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_following(timestamptz) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_following(timestamptz) TO clarion_app")
    op.execute("ALTER FUNCTION clarion_following(timestamptz) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def downgrade() -> None:
    op.execute("DROP FUNCTION clarion_following(timestamptz)")
    for table, event, _ in _TRIGGERS:
        op.execute(f"DROP TRIGGER touched_by_{event.lower()} ON {table}")
    op.execute("DROP FUNCTION clarion_touch()")
    op.execute("DROP TABLE touched")
    op.execute("REVOKE SELECT ON enrollment FROM clarion_definer")
    op.execute(
        """ALTER TABLE enrollment DROP COLUMN began_at, DROP COLUMN place, DROP COLUMN basis,
           DROP COLUMN ahead, DROP COLUMN revision, DROP COLUMN moves, DROP COLUMN resumed_at"""
    )
    op.execute("ALTER TABLE campaign DROP COLUMN follows, DROP COLUMN revision, DROP COLUMN resumed_at")
    op.execute("ALTER TABLE run DROP COLUMN enrolled")
