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

# The owner leaves behind until when it would have asked: the board reads no attempts.
_BOARD = _BEFORE.replace(
    "  FROM clarion_board(moment) b",
    """    OR (b.worker_id IS NULL AND EXISTS (
      SELECT FROM channel_owner o WHERE o.channel_id = b.channel_id AND o.asks_until > moment))
  FROM clarion_board(moment) b""",
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
    op.execute("ALTER TABLE channel_owner ADD COLUMN asks_until timestamptz")
    _replace(_BOARD)


def downgrade() -> None:
    _replace(_BEFORE)
    op.execute("ALTER TABLE channel_owner DROP COLUMN asks_until")
