"""Cases: what is tracked, with its properties, its links and its history.

Revision ID: 0030
"""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE case_type (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace,
  name text NOT NULL,
  label text NOT NULL DEFAULT '',
  declared_only boolean NOT NULL DEFAULT false,   -- other properties are refused
  created_at timestamptz NOT NULL,
  modified_at timestamptz NOT NULL,
  UNIQUE (workspace_id, name)
);
CREATE TABLE case_property (
  workspace_id uuid NOT NULL REFERENCES workspace,
  type_id uuid NOT NULL,
  key text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('text', 'number', 'date', 'datetime', 'boolean', 'address', 'contact')),
  scheme text,                                    -- of an address
  label text NOT NULL DEFAULT '',
  PRIMARY KEY (type_id, key)
);
-- Links go by external id, so that a child may come before its parent and an owner before they are known.
CREATE TABLE "case" (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace,
  type_id uuid NOT NULL,
  external_id text NOT NULL,                      -- its id, where nobody gave another
  name text NOT NULL DEFAULT '',
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed', 'deleted')),
  properties jsonb NOT NULL DEFAULT '{}',         -- as they were given
  dates jsonb NOT NULL DEFAULT '{}',              -- of those that read as a date or a moment: in one form
  numbers jsonb NOT NULL DEFAULT '{}',            -- of those that read as a number
  changed jsonb NOT NULL DEFAULT '{}',            -- since it was opened: when each became something else
  owner text,                                     -- external ids: of a contact or a group
  modified_by text,                               -- of a contact
  parent text,                                    -- of a case
  host text,
  opened_at timestamptz NOT NULL,
  closed_at timestamptz,
  modified_at timestamptz NOT NULL,               -- where it was written; an older word than this is late
  stored_at timestamptz NOT NULL,                 -- here
  UNIQUE (workspace_id, external_id)
) WITH (fillfactor = 80);
CREATE INDEX case_page ON "case" (type_id, id);
CREATE INDEX case_parent ON "case" (workspace_id, parent) WHERE parent IS NOT NULL;
CREATE INDEX case_host ON "case" (workspace_id, host) WHERE host IS NOT NULL;
CREATE INDEX case_owner ON "case" (workspace_id, owner) WHERE owner IS NOT NULL;
CREATE INDEX case_modifier ON "case" (workspace_id, modified_by) WHERE modified_by IS NOT NULL;
CREATE TABLE case_contact (
  workspace_id uuid NOT NULL,
  case_id uuid NOT NULL,
  role text NOT NULL,                             -- the key of a property that names them, or of its own
  contact_id uuid NOT NULL,
  PRIMARY KEY (case_id, role, contact_id)
);
CREATE INDEX case_contact_contact ON case_contact (contact_id);
CREATE TABLE case_change (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  case_id uuid NOT NULL,
  at timestamptz NOT NULL,                        -- where it was written
  stored_at timestamptz NOT NULL,                 -- here
  by text NOT NULL DEFAULT '',
  how text NOT NULL,
  changes jsonb NOT NULL DEFAULT '{}'             -- key: [before, after]
);
CREATE INDEX case_change_case ON case_change (case_id, id);
"""

_NAMES = ("case_type", "case_property", '"case"', "case_contact", "case_change")


def upgrade() -> None:
    op.execute(_TABLES)
    for name in _NAMES:
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"""CREATE POLICY tenant ON {name} USING (workspace_id = (SELECT clarion_workspace()))
                WITH CHECK (workspace_id = (SELECT clarion_workspace()))"""
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO clarion_app")


def downgrade() -> None:
    for name in reversed(_NAMES):
        op.execute(f"DROP TABLE {name}")
