"""An account is due, too, where something unknown may be asked again: nothing else may be waiting there.

Revision ID: 0016
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_BEFORE = """
  SELECT b.workspace_id, b.channel_id, b.worker_id, b.epoch, b.beat,
    b.due OR (b.worker_id IS NULL AND EXISTS (
      SELECT FROM channel c WHERE c.id = b.channel_id AND c.state = 'active' AND c.provider = ANY (heard)))
    OR (b.worker_id IS NULL AND EXISTS (
      SELECT FROM channel m
      WHERE m.account_id = b.channel_id AND m.state = 'active' AND m.provider = ANY (heard)))
  FROM clarion_board(moment) b
"""

_BOARD = (
    _BEFORE.replace("FROM clarion_board(moment) b", "")
    + """
    OR (b.worker_id IS NULL AND EXISTS (
      SELECT FROM channel c CROSS JOIN LATERAL (
        SELECT FROM attempt a WHERE a.workspace_id = c.workspace_id AND a.channel_id = c.id
          AND a.unknown_since > moment - make_interval(secs => 0.9 * c.replays_for) LIMIT 1) unknown
      WHERE c.id = b.channel_id AND c.state = 'active' AND c.replays_for > 0))
    OR (b.worker_id IS NULL AND EXISTS (
      SELECT FROM channel m CROSS JOIN LATERAL (
        SELECT FROM attempt a WHERE a.workspace_id = m.workspace_id AND a.channel_id = m.id
          AND a.unknown_since > moment - make_interval(secs => 0.9 * m.replays_for) LIMIT 1) unknown
      WHERE m.account_id = b.channel_id AND m.state = 'active' AND m.replays_for > 0))
  FROM clarion_board(moment) b
"""
)


def _replace(body: str) -> None:
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    op.execute("SET LOCAL ROLE clarion_definer")
    op.execute(
        """CREATE OR REPLACE FUNCTION clarion_board(moment timestamptz, heard text[])
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
    # No rewrite. It stands beside the options from which it is read, so that the board need not read those.
    op.execute("ALTER TABLE channel ADD COLUMN replays_for double precision NOT NULL DEFAULT 0")
    op.execute(
        """UPDATE channel SET replays_for = (config #>> '{options,request,replays_for}')::double precision
           WHERE provider = 'generic_http' AND config #>> '{options,request,replays_for}' IS NOT NULL"""
    )
    _replace(_BOARD)


def downgrade() -> None:
    _replace(_BEFORE)
    op.execute("ALTER TABLE channel DROP COLUMN replays_for")
