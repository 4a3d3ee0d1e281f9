"""What waits on every channel, over all workspaces: for the metrics.

Revision ID: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT ON tally TO clarion_definer")
    # Numbers by channel and nothing else. Rows are counted one by one up to `most` a channel; what is
    # more than that is read off the runs' tallies. Settings leave the planner no scan of a whole table
    # when it knows nothing of it yet.
    op.execute(
        """CREATE FUNCTION clarion_measures(moment timestamptz, most int)
        RETURNS TABLE (channel_id uuid, paused boolean, rate double precision, due bigint, queued bigint,
          unknown bigint, unknown_since timestamptz, inbox bigint)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
        SET enable_seqscan = off SET jit = off
        AS $$
          WITH told AS MATERIALIZED (
            SELECT l.channel_id, sum(t.n)::bigint AS queued,
              (sum(t.n) FILTER (WHERE l.state = 'open' AND r.due_at <= moment))::bigint AS due
            FROM run r
            CROSS JOIN LATERAL (SELECT lane.channel_id, lane.state FROM lane
              WHERE lane.id = r.lane_id AND lane.state IN ('open', 'paused') LIMIT 1) l
            CROSS JOIN LATERAL (SELECT coalesce(sum(tally.n), 0) AS n FROM tally
              WHERE tally.run_id = r.id AND tally.state = 'ready') t
            WHERE r.finished_at IS NULL GROUP BY l.channel_id
          ), lost AS MATERIALIZED (
            SELECT a.channel_id, count(*) AS n, min(a.unknown_since) AS since FROM attempt a
            WHERE a.unknown_since IS NOT NULL GROUP BY a.channel_id
          )
          SELECT c.id, c.state = 'paused', c.rate::double precision,
            CASE WHEN d.n < most THEN d.n ELSE greatest(d.n, t.due) END,
            CASE WHEN q.n < most THEN q.n ELSE greatest(q.n, t.queued) END,
            coalesce(u.n, 0), u.since, i.n
          FROM channel c
          LEFT JOIN told t ON t.channel_id = c.id
          LEFT JOIN lost u ON u.channel_id = c.id
          CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
            SELECT FROM lane l CROSS JOIN LATERAL (SELECT FROM queue
              WHERE queue.lane_id = l.id AND queue.due_at <= moment LIMIT most) w
            WHERE l.channel_id = c.id AND l.state = 'open' LIMIT most) x) d
          CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
            SELECT FROM lane l CROSS JOIN LATERAL (SELECT FROM queue
              WHERE queue.lane_id = l.id LIMIT most) w
            WHERE l.channel_id = c.id AND l.state IN ('open', 'paused') LIMIT most) x) q
          CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
            SELECT FROM inbox WHERE inbox.channel_id = c.id AND inbox.done_at IS NULL LIMIT most) x) i
        $$"""
    )
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_measures(timestamptz, int) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_measures(timestamptz, int) TO clarion_app")
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    op.execute("ALTER FUNCTION clarion_measures(timestamptz, int) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def downgrade() -> None:
    op.execute("DROP FUNCTION clarion_measures(timestamptz, int)")
    op.execute("REVOKE SELECT ON tally FROM clarion_definer")
