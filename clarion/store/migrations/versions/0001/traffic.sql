-- What came in, before anything is made of it: stored, committed, then answered with 200.
CREATE TABLE inbox (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  received_at timestamptz NOT NULL,
  body bytea NOT NULL,
  problem text,                                -- why it could not be read; a person may look at it
  done_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX inbox_waiting ON inbox (channel_id, id) WHERE done_at IS NULL;
CREATE INDEX inbox_age ON inbox (id) WHERE done_at IS NOT NULL;

CREATE TABLE receipt (
  attempt_id uuid NOT NULL,
  cohort date NOT NULL,
  status text NOT NULL,                        -- accepted, delivered, read, failed: the closed set of receive
  workspace_id uuid NOT NULL,
  message_id uuid NOT NULL,
  at timestamptz NOT NULL,                     -- as the provider says
  received_at timestamptz NOT NULL,
  code text,
  PRIMARY KEY (attempt_id, status, cohort)
) PARTITION BY RANGE (cohort);

CREATE TABLE inbound (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  contact_id uuid,
  address text NOT NULL,                       -- as URN
  provider_id text NOT NULL,
  text text NOT NULL,
  at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  meaning text NOT NULL DEFAULT '',            -- stop, start
  UNIQUE (channel_id, provider_id)
);
CREATE INDEX inbound_contact ON inbound (contact_id, id);
CREATE INDEX inbound_page ON inbound (workspace_id, id);
