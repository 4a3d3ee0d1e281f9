"""A worker looks once for all of its channels: which lanes are open, and when their people may be told.

Revision ID: 0021
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Over all workspaces: identifiers and shares alone, of channels that the caller knows by theirs.
_DOOR = """
CREATE FUNCTION clarion_open_lanes(channels uuid[])
RETURNS TABLE (channel_id uuid, id uuid, campaign_id uuid, priority smallint, epoch integer, weight smallint,
  next_after integer, hours text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT l.channel_id, l.id, l.campaign_id, l.priority, l.epoch, l.weight, l.next_after,
    l.hours
  FROM unnest(channels) AS c(id) CROSS JOIN LATERAL (
    SELECT t.* FROM lane t WHERE t.channel_id = c.id AND t.state = 'open' OFFSET 0) l
  ORDER BY l.channel_id, l.priority, l.id;
$$;
"""


def upgrade() -> None:
    op.execute("ALTER TABLE lane ADD COLUMN hours text")  # no rewrite
    op.execute(_DOOR)
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_open_lanes(uuid[]) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_open_lanes(uuid[]) TO clarion_app")
    op.execute("ALTER FUNCTION clarion_open_lanes(uuid[]) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def downgrade() -> None:
    op.execute("DROP FUNCTION clarion_open_lanes(uuid[])")
    op.execute("ALTER TABLE lane DROP COLUMN hours")
