"""A lane says what becomes of who is outside the service window; what waits for them to write is found by it.

Revision ID: 0026
"""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# `clarion_open_lanes` and what a lane declares; that one stays for workers of the version before.
_DOOR = """
CREATE FUNCTION clarion_lanes(channels uuid[])
RETURNS TABLE (channel_id uuid, id uuid, campaign_id uuid, priority smallint, epoch integer, weight smallint,
  next_after integer, hours text, outside_window text, home_hours text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT l.channel_id, l.id, l.campaign_id, l.priority, l.epoch, l.weight, l.next_after, l.hours,
    l.outside_window,
    -- a workspace's hours hold for what campaigns say, and neither for answers nor for tests
    CASE WHEN l.priority > 10 THEN nullif(w.settings->>'hours', '{}') END
  FROM unnest(channels) AS c(id) CROSS JOIN LATERAL (
    SELECT t.* FROM lane t WHERE t.channel_id = c.id AND t.state = 'open' OFFSET 0) l
  JOIN workspace w ON w.id = l.workspace_id
  ORDER BY l.channel_id, l.priority, l.id;
$$;
"""


def upgrade() -> None:
    # no rewrite; and all of it may be done again, should the index be broken off
    op.execute("ALTER TABLE lane ADD COLUMN IF NOT EXISTS outside_window text")
    op.execute("ALTER TABLE queue ADD COLUMN IF NOT EXISTS awaits uuid")
    op.execute("DROP FUNCTION IF EXISTS clarion_lanes(uuid[])")
    op.execute(_DOOR)
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_lanes(uuid[]) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_lanes(uuid[]) TO clarion_app")
    op.execute("ALTER FUNCTION clarion_lanes(uuid[]) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS queue_awaits")  # half made by one that was broken off
        op.execute("CREATE INDEX CONCURRENTLY queue_awaits ON queue (awaits) WHERE awaits IS NOT NULL")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS queue_awaits")
    op.execute("DROP FUNCTION clarion_lanes(uuid[])")
    op.execute("ALTER TABLE queue DROP COLUMN awaits")
    op.execute("ALTER TABLE lane DROP COLUMN outside_window")
