"""How much one person hears at most, and at which hours of their own: what they heard of late, and what a
workspace says of both, beside its hours.

Revision ID: 0028
"""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE spoken (
  contact_id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  message_ids uuid[] NOT NULL DEFAULT '{}',    -- what they were meant to hear, in order
  cohorts date[] NOT NULL DEFAULT '{}',        -- each one's partition
  at timestamptz[] NOT NULL DEFAULT '{}'       -- when its intent was committed
) WITH (fillfactor = 50)
"""

_NAMES = "next_after integer, hours text, outside_window text, home_hours text"
_VALUES = """l.outside_window,
    -- a workspace's hours hold for what campaigns say, and neither for answers nor for tests
    CASE WHEN l.priority > 10 THEN nullif(w.settings->>'hours', '{}') END"""
_MORE = """,
    -- and so do each person's own, and how much they hear
    CASE WHEN l.priority > 10 THEN w.settings->'hours_field'->>'key' END,
    CASE WHEN l.priority > 10 THEN nullif(w.settings->>'caps', '{}') END"""


def _door(names: str, values: str) -> None:
    op.execute("DROP FUNCTION clarion_lanes(uuid[])")
    op.execute(
        f"""CREATE FUNCTION clarion_lanes(channels uuid[])
        RETURNS TABLE (channel_id uuid, id uuid, campaign_id uuid, priority smallint, epoch integer,
          weight smallint, {names})
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
        AS $$
          SELECT l.channel_id, l.id, l.campaign_id, l.priority, l.epoch, l.weight, l.next_after, l.hours,
            {values}
          FROM unnest(channels) AS c(id) CROSS JOIN LATERAL (
            SELECT t.* FROM lane t WHERE t.channel_id = c.id AND t.state = 'open' OFFSET 0) l
          JOIN workspace w ON w.id = l.workspace_id
          ORDER BY l.channel_id, l.priority, l.id;
        $$"""
    )
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_lanes(uuid[]) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_lanes(uuid[]) TO clarion_app")
    op.execute("ALTER FUNCTION clarion_lanes(uuid[]) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute("ALTER TABLE spoken ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE spoken FORCE ROW LEVEL SECURITY")
    op.execute(
        """CREATE POLICY tenant ON spoken USING (workspace_id = (SELECT clarion_workspace()))
           WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON spoken TO clarion_app")
    _door(_NAMES + ", hours_field text, caps text", _VALUES + _MORE)


def downgrade() -> None:
    _door(_NAMES, _VALUES)
    op.execute("DROP TABLE spoken")
