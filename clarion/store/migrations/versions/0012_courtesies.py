"""Courtesies: what answers a word about consent, and the one message that may pass an opt-out.

Revision ID: 0012
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_FINISH = """EXISTS (
              SELECT FROM run r WHERE r.workspace_id = w.id AND r.finished_at IS NULL
                AND r.state IN ('expanded', 'cancelled'))"""

# A courtesy has no run; where nobody reads ahead (a paused channel) it is ended by whoever finishes runs.
_OR_COURTESY = """ OR EXISTS (
              SELECT FROM campaign g JOIN lane l ON l.campaign_id = g.id CROSS JOIN LATERAL (
                SELECT FROM queue q WHERE q.lane_id = l.id LIMIT 1) waiting
              WHERE g.workspace_id = w.id AND g.kind = 'courtesy')"""


def _errands(finish: str) -> None:
    op.execute("GRANT CREATE ON SCHEMA public TO clarion_definer")
    op.execute("SET LOCAL ROLE clarion_definer")
    op.execute(
        f"""CREATE OR REPLACE FUNCTION clarion_errands(errand text) RETURNS TABLE (workspace_id uuid)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
        AS $$
          SELECT w.id FROM workspace w WHERE CASE errand
            WHEN 'finish' THEN {finish}
            WHEN 'reconcile' THEN EXISTS (
              SELECT FROM attempt a WHERE a.workspace_id = w.id AND a.unknown_since IS NOT NULL)
            WHEN 'notify' THEN EXISTS (
              SELECT FROM notice n WHERE n.workspace_id = w.id AND n.cleared_at IS NULL AND n.told_at IS NULL)
            WHEN 'tidy' THEN true ELSE false END
        $$"""
    )
    op.execute("RESET ROLE")
    op.execute("REVOKE CREATE ON SCHEMA public FROM clarion_definer")


def _kinds(*kinds: str) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute("ALTER TABLE campaign DROP CONSTRAINT campaign_kind_check")
    op.execute(f"ALTER TABLE campaign ADD CONSTRAINT campaign_kind_check CHECK (kind IN ({listed}))")


def upgrade() -> None:
    _kinds("announcement", "sequence", "alert", "survey", "courtesy")
    # the message that confirms this opt-out: it alone may pass
    op.execute("ALTER TABLE consent ADD COLUMN farewell_id uuid")
    op.execute(
        """CREATE TABLE courtesy (
             workspace_id uuid NOT NULL REFERENCES workspace,
             consent_key bytea NOT NULL,
             meaning text NOT NULL CHECK (meaning IN ('stop', 'start', 'help')),
             at timestamptz NOT NULL,            -- when this address was last answered this
             PRIMARY KEY (workspace_id, consent_key, meaning)
           )"""
    )
    op.execute("ALTER TABLE courtesy ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE courtesy FORCE ROW LEVEL SECURITY")
    op.execute(
        """CREATE POLICY tenant ON courtesy USING (workspace_id = (SELECT clarion_workspace()))
           WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON courtesy TO clarion_app")
    _errands(_FINISH + _OR_COURTESY)


def downgrade() -> None:
    _errands(_FINISH)
    op.execute("DROP TABLE courtesy")
    op.execute("ALTER TABLE consent DROP COLUMN farewell_id")
    # what was said stays in the ledger, under a kind that the version before knows and shows nowhere
    op.execute("UPDATE campaign SET kind = 'alert' WHERE kind = 'courtesy'")
    _kinds("announcement", "sequence", "alert", "survey")
