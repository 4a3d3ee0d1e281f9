"""Channels of one account have one owner, in the row of the channel that leads them; owners tell how they do.

Revision ID: 0009
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BEFORE = """
  SELECT c.workspace_id, c.id, o.worker_id, coalesce(o.epoch, 0), coalesce(o.beat, 0),
    o.worker_id IS NULL AND EXISTS (
      SELECT FROM lane l CROSS JOIN LATERAL (
        SELECT FROM queue q WHERE q.lane_id = l.id AND q.due_at <= moment LIMIT 1) waiting
      WHERE l.channel_id = c.id AND l.state = 'open')
  FROM channel c LEFT JOIN channel_owner o ON o.channel_id = c.id
  WHERE c.state = 'active' OR o.worker_id IS NOT NULL
"""

# An account by itself is a channel that has none; the others stand in the row of the one that leads them.
_BOARD = """
  SELECT c.workspace_id, c.id, o.worker_id, coalesce(o.epoch, 0), coalesce(o.beat, 0),
    o.worker_id IS NULL AND (
      (c.state = 'active' AND EXISTS (
        SELECT FROM lane l CROSS JOIN LATERAL (
          SELECT FROM queue q WHERE q.lane_id = l.id AND q.due_at <= moment LIMIT 1) waiting
        WHERE l.channel_id = c.id AND l.state = 'open'))
      OR EXISTS (
        SELECT FROM channel m JOIN lane l ON l.channel_id = m.id CROSS JOIN LATERAL (
          SELECT FROM queue q WHERE q.lane_id = l.id AND q.due_at <= moment LIMIT 1) waiting
        WHERE m.account_id = c.id AND m.state = 'active' AND l.state = 'open'))
  FROM channel c LEFT JOIN channel_owner o ON o.channel_id = c.id
  WHERE c.account_id IS NULL AND (o.worker_id IS NOT NULL OR c.state = 'active'
    OR EXISTS (SELECT FROM channel m WHERE m.account_id = c.id AND m.state = 'active'))
"""


def _replace(body: str) -> None:
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    op.execute("SET LOCAL ROLE clarion_definer")
    op.execute(
        """CREATE OR REPLACE FUNCTION clarion_board(moment timestamptz)
        RETURNS TABLE (workspace_id uuid, channel_id uuid, worker_id uuid, epoch bigint, beat bigint,
          due boolean)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
        AS $$"""
        + body
        + "$$"
    )
    op.execute("RESET ROLE")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def upgrade() -> None:
    op.execute("ALTER TABLE channel ADD COLUMN account_id uuid REFERENCES channel")
    op.execute("CREATE INDEX channel_account ON channel (account_id) WHERE account_id IS NOT NULL")
    op.execute("ALTER TABLE channel_owner ADD COLUMN sights jsonb NOT NULL DEFAULT '{}'")
    _replace(_BOARD)


def downgrade() -> None:
    _replace(_BEFORE)
    op.execute("ALTER TABLE channel_owner DROP COLUMN sights")
    op.execute("ALTER TABLE channel DROP COLUMN account_id")
