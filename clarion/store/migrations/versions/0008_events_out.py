"""Events out: subscriptions, and what waits to be told to them.

Revision ID: 0008
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE subscription (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace,
  name text NOT NULL,
  url text NOT NULL,
  types text[] NOT NULL,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'removed')),
  reason text NOT NULL DEFAULT '',
  secret bytea,                                -- sealed, as the previous one, which signs too until then
  previous_secret bytea,
  previous_until timestamptz,
  failing_since timestamptz,                   -- no success since
  created_at timestamptz NOT NULL,
  modified_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX subscription_name ON subscription (workspace_id, name) WHERE state <> 'removed';

-- One row for each subscription that an event is for. It names what happened and holds no person's data:
-- the words are put together when it is told. No foreign keys: it is written beside the ledger.
CREATE TABLE event (
  subscription_id uuid NOT NULL,
  id uuid NOT NULL,                            -- the same for all subscriptions, and for every try
  workspace_id uuid NOT NULL,
  type text NOT NULL,
  subject_id uuid NOT NULL,                    -- the message, message in, consent event, campaign, channel
  cohort date,                                 -- of a message
  at timestamptz NOT NULL,
  reason text,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'told', 'given_up')),
  due_at timestamptz NOT NULL,                 -- next try; while one is under way, when another may take it
  tries smallint NOT NULL DEFAULT 0,
  answer text,
  ended_at timestamptz,
  PRIMARY KEY (subscription_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX event_due ON event (subscription_id, due_at, id) WHERE state = 'waiting';
CREATE INDEX event_told ON event (subscription_id, ended_at) WHERE state = 'told';
CREATE INDEX event_given_up ON event (subscription_id, ended_at) WHERE state = 'given_up';
"""

# Across workspaces: which subscriptions there are, what they ask for, and whether something is due for
# them; and for the metrics how much waits. Identifiers, words and numbers, no person's data. Settings
# leave the planner no scan of a whole table when it knows nothing of it yet.
_DOORS = """
CREATE FUNCTION clarion_subscriptions(moment timestamptz)
RETURNS TABLE (workspace_id uuid, subscription_id uuid, state text, types text[], due boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
  SELECT s.workspace_id, s.id, s.state, s.types, coalesce(d.due, false) FROM subscription s
  LEFT JOIN LATERAL (
    SELECT true AS due FROM event e
    WHERE e.subscription_id = s.id AND e.state = 'waiting' AND e.due_at <= moment LIMIT 1) d
    ON s.state = 'active'
$$;
CREATE FUNCTION clarion_event_measures(most int)
RETURNS TABLE (subscription_id uuid, paused boolean, waiting bigint, given_up bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
  SELECT s.id, s.state = 'paused', w.n, g.n FROM subscription s
  CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
    SELECT FROM event e WHERE e.subscription_id = s.id AND e.state = 'waiting' LIMIT most) x) w
  CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
    SELECT FROM event e WHERE e.subscription_id = s.id AND e.state = 'given_up' LIMIT most) x) g
  WHERE s.state <> 'removed'
$$;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("subscription", "event"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"""CREATE POLICY tenant ON {table} USING (workspace_id = (SELECT clarion_workspace()))
                WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO clarion_app")
        op.execute(f"GRANT SELECT ON {table} TO clarion_definer")
    op.execute(_DOORS)
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    for door in ("clarion_subscriptions(timestamptz)", "clarion_event_measures(int)"):
        # rights first: the schema's owner does not inherit what the definer may do
        op.execute(f"REVOKE ALL ON FUNCTION {door} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {door} TO clarion_app")
        op.execute(f"ALTER FUNCTION {door} OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def downgrade() -> None:
    op.execute("DROP FUNCTION clarion_subscriptions(timestamptz)")
    op.execute("DROP FUNCTION clarion_event_measures(int)")
    op.execute("DROP TABLE event")
    op.execute("DROP TABLE subscription")
