"""Where cases come from: sources and how far each was read. Groups with an external id, that may own cases.

Revision ID: 0035
"""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE case_source (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace,
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('commcare', 'inbound')),
  settings jsonb NOT NULL DEFAULT '{}',
  secret bytea NOT NULL,                          -- sealed
  created_at timestamptz NOT NULL,
  modified_at timestamptz NOT NULL,
  UNIQUE (workspace_id, name)
);
CREATE TABLE case_pull (
  source_id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'stopped', 'failed')),
  place jsonb NOT NULL DEFAULT '{}',              -- where the next page begins
  counts jsonb NOT NULL DEFAULT '{}',             -- of the last pull
  problems jsonb NOT NULL DEFAULT '[]',           -- the first of them
  error text NOT NULL DEFAULT '',
  waits_until timestamptz,                        -- the source has said: too many requests
  asked_at timestamptz,
  started_at timestamptz,
  stored_at timestamptz,                          -- the last page
  finished_at timestamptz
) WITH (fillfactor = 50);
ALTER TABLE contact_group ADD COLUMN external_id text;
-- Groups are few, and none has one yet: it is made at once, under the lock that the column needs anyway.
CREATE UNIQUE INDEX contact_group_external ON contact_group (workspace_id, external_id)
  WHERE external_id IS NOT NULL;
"""

# A group that owns cases: what changes of where it lies, or of how it is called, changes what holds of them.
# Who comes into it or leaves it is noted by `clarion_touch`, person by person.
_TOUCHED = """
CREATE FUNCTION clarion_touch_owned() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM campaign c
                 WHERE c.workspace_id = clarion_workspace() AND c.follows AND c.kind = 'alert') THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    INSERT INTO touched_case (workspace_id, case_id)
    WITH RECURSIVE changed AS (
        SELECT a.id, b.external_id AS was FROM after a JOIN before b ON b.id = a.id
        WHERE (a.parent_id, a.external_id) IS DISTINCT FROM (b.parent_id, b.external_id)),
      below AS (
        SELECT id FROM changed UNION SELECT g.id FROM contact_group g JOIN below l ON g.parent_id = l.id),
      named AS (
        SELECT g.external_id AS owner FROM below l JOIN contact_group g ON g.id = l.id
        UNION SELECT was FROM changed)
    SELECT clarion_workspace(), k.id FROM named n CROSS JOIN LATERAL (
      SELECT id FROM "case" WHERE workspace_id = clarion_workspace() AND owner = n.owner OFFSET 0) k;
  ELSE
    INSERT INTO touched_case (workspace_id, case_id)
    SELECT clarion_workspace(), k.id FROM changed g CROSS JOIN LATERAL (
      SELECT id FROM "case" WHERE workspace_id = clarion_workspace() AND owner = g.external_id OFFSET 0) k;
  END IF;
  RETURN NULL;
END
$$;
"""

_TRIGGERS = (
    ("INSERT", "NEW TABLE AS changed"),
    ("UPDATE", "OLD TABLE AS before NEW TABLE AS after"),
    ("DELETE", "OLD TABLE AS changed"),
)


def upgrade() -> None:
    op.execute(_TABLES)
    for name in ("case_source", "case_pull"):
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"""CREATE POLICY tenant ON {name} USING (workspace_id = (SELECT clarion_workspace()))
                WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO clarion_app")
    op.execute(_TOUCHED)
    for event, rows in _TRIGGERS:
        op.execute(
            f"""CREATE TRIGGER owned_by_{event.lower()} AFTER {event} ON contact_group
                REFERENCING {rows} FOR EACH STATEMENT EXECUTE FUNCTION clarion_touch_owned()"""
        )


def downgrade() -> None:
    for event, _ in _TRIGGERS:
        op.execute(f"DROP TRIGGER owned_by_{event.lower()} ON contact_group")
    op.execute("DROP FUNCTION clarion_touch_owned()")
    op.execute("ALTER TABLE contact_group DROP COLUMN external_id")  # and its index with it
    op.execute("DROP TABLE case_pull")
    op.execute("DROP TABLE case_source")
