"""Which workspaces have something to look after: the ticks visit those, and no others.

Revision ID: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT ON attempt, notice TO clarion_definer")
    op.execute(
        """CREATE FUNCTION clarion_errands(errand text) RETURNS TABLE (workspace_id uuid)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
        AS $$
          SELECT w.id FROM workspace w WHERE CASE errand
            WHEN 'finish' THEN EXISTS (
              SELECT FROM run r WHERE r.workspace_id = w.id AND r.finished_at IS NULL
                AND r.state IN ('expanded', 'cancelled'))
            WHEN 'reconcile' THEN EXISTS (
              SELECT FROM attempt a WHERE a.workspace_id = w.id AND a.unknown_since IS NOT NULL)
            WHEN 'notify' THEN EXISTS (
              SELECT FROM notice n WHERE n.workspace_id = w.id AND n.cleared_at IS NULL AND n.told_at IS NULL)
            WHEN 'tidy' THEN true ELSE false END
        $$"""
    )
    # rights first: the schema's owner does not inherit what the definer may do
    op.execute("REVOKE ALL ON FUNCTION clarion_errands(text) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION clarion_errands(text) TO clarion_app")
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    op.execute("ALTER FUNCTION clarion_errands(text) OWNER TO clarion_definer")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def downgrade() -> None:
    op.execute("DROP FUNCTION clarion_errands(text)")
    op.execute("REVOKE SELECT ON attempt, notice FROM clarion_definer")
