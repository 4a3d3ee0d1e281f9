CREATE TABLE contact (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  external_id text,
  name text NOT NULL DEFAULT '',
  folded_name text NOT NULL DEFAULT '',
  language text,
  country text,
  timezone text,
  fields jsonb NOT NULL DEFAULT '{}',
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'merged', 'erased')),
  merged_into uuid,
  created_at timestamptz NOT NULL,
  modified_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX contact_external ON contact (workspace_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX contact_page ON contact (workspace_id, id);
CREATE INDEX contact_name ON contact USING gin (folded_name gin_trgm_ops);

-- What hangs on a contact has no foreign key of its own to the workspace: the contact has one, row-level
-- security checks every row, and five checks a person would be a quarter of the cost of an import.

-- The keyed hashes by which a person is known (external id; address with name). They outlive erasure,
-- so that importing the same person again finds the same contact and sends nothing twice.
CREATE TABLE identity (
  workspace_id uuid NOT NULL,
  key bytea NOT NULL,
  kind text NOT NULL CHECK (kind IN ('id', 'place')),  -- an external id decides, a place with a name finds
  contact_id uuid NOT NULL,
  PRIMARY KEY (workspace_id, key)
);
CREATE INDEX identity_contact ON identity (contact_id, kind);

CREATE TABLE address (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  contact_id uuid NOT NULL,
  scheme text NOT NULL,                        -- tel, whatsapp, mailto …
  value text NOT NULL,                         -- E.164 with its plus, or the address
  consent_key bytea NOT NULL,                  -- keyed hash of the number whatever the scheme
  position smallint NOT NULL DEFAULT 0,        -- the person's preference, least first
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'invalid', 'retired')),
  last_inbound_at timestamptz,                 -- opens the provider's service window
  created_at timestamptz NOT NULL,
  UNIQUE (contact_id, scheme, value)
);
CREATE INDEX address_value ON address (workspace_id, value);
CREATE INDEX address_consent ON address (workspace_id, consent_key);

-- Addresses that were given and could not be read: the person is skipped as invalid, not silently dropped.
CREATE TABLE invalid_address (
  workspace_id uuid NOT NULL,
  contact_id uuid NOT NULL,
  raw text NOT NULL,
  reason text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (contact_id, raw)
);

-- The consent ledger: events are only added; the state is what the last one says.
CREATE TABLE consent_event (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  consent_key bytea NOT NULL,
  state text NOT NULL CHECK (state IN ('in', 'out')),
  at timestamptz NOT NULL,
  how text NOT NULL,                           -- reply, import, api, provider, command
  by text NOT NULL DEFAULT '',
  note text NOT NULL DEFAULT ''
);
CREATE INDEX consent_event_key ON consent_event (workspace_id, consent_key, id);
CREATE TABLE consent (
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  consent_key bytea NOT NULL,
  state text NOT NULL CHECK (state IN ('in', 'out')),
  at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, consent_key)
);

CREATE TABLE contact_field (
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  key text NOT NULL,
  type text NOT NULL CHECK (type IN ('text', 'number', 'date', 'datetime', 'boolean')),
  label text NOT NULL DEFAULT '',
  PRIMARY KEY (workspace_id, key)
);

CREATE TABLE contact_group (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  name text NOT NULL,
  parent_id uuid,
  created_at timestamptz NOT NULL,
  UNIQUE (workspace_id, name)
);
CREATE INDEX contact_group_parent ON contact_group (parent_id);
CREATE TABLE group_member (
  workspace_id uuid NOT NULL,
  group_id uuid NOT NULL,
  contact_id uuid NOT NULL,
  PRIMARY KEY (group_id, contact_id)
);
CREATE INDEX group_member_contact ON group_member (contact_id);

CREATE TABLE import_file (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  name text NOT NULL,
  kind text NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
  options jsonb NOT NULL DEFAULT '{}',
  path text NOT NULL,                          -- where the bytes wait, on the machine that took them
  size_bytes bigint NOT NULL DEFAULT 0,
  done_bytes bigint NOT NULL DEFAULT 0,
  done_rows bigint NOT NULL DEFAULT 0,
  created int NOT NULL DEFAULT 0,
  updated int NOT NULL DEFAULT 0,
  unchanged int NOT NULL DEFAULT 0,
  refused int NOT NULL DEFAULT 0,
  error text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  started_at timestamptz,
  finished_at timestamptz
);
CREATE INDEX import_file_page ON import_file (workspace_id, id);
CREATE TABLE import_problem (
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  import_id uuid NOT NULL,
  line bigint NOT NULL,
  field text NOT NULL DEFAULT '',
  reason text NOT NULL,
  severity text NOT NULL DEFAULT 'refused' CHECK (severity IN ('refused', 'warning')),
  PRIMARY KEY (import_id, line, field, reason)
);
