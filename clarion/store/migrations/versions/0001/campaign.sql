CREATE TABLE channel (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  name text NOT NULL,
  provider text NOT NULL,
  config jsonb NOT NULL DEFAULT '{}',          -- address, sender, time-outs, attempts, back-off: domain/channel
  credentials bytea,                           -- encrypted with a key outside the database; write-only
  rate numeric NOT NULL DEFAULT 80 CHECK (rate > 0),  -- messages a second
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
  reason text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  modified_at timestamptz NOT NULL,
  UNIQUE (workspace_id, name)
);

CREATE TABLE campaign (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  kind text NOT NULL CHECK (kind IN ('announcement', 'sequence', 'alert', 'survey')),
  name text NOT NULL,
  state text NOT NULL CHECK (state IN ('draft', 'scheduled', 'running', 'paused', 'completed', 'cancelled')),
  reason text NOT NULL DEFAULT '',
  definition jsonb NOT NULL,                   -- audience, policy, schedule: domain/campaign
  channel_id uuid NOT NULL,
  send_at timestamptz,                         -- null while a draft: launching sets it
  similarity_text text NOT NULL DEFAULT '',
  created_by text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  modified_at timestamptz NOT NULL,
  launched_at timestamptz,
  finished_at timestamptz
);
CREATE INDEX campaign_page ON campaign (workspace_id, kind, id);
CREATE INDEX campaign_moment ON campaign (workspace_id, send_at) WHERE send_at IS NOT NULL;

-- What is said. A version is never changed: an edit adds one, and a retry says what the first try said.
CREATE TABLE content_version (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  campaign_id uuid NOT NULL,
  step_id int NOT NULL,
  version int NOT NULL,
  body jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  UNIQUE (campaign_id, step_id, version)
);

-- One time that a campaign's door opens: an announcement has one, a recurring one has many.
CREATE TABLE run (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  campaign_id uuid NOT NULL,
  iteration int NOT NULL,
  cohort date NOT NULL,                        -- the month whose partition holds its messages
  content_version_id uuid NOT NULL,
  lane_id uuid NOT NULL,
  due_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  state text NOT NULL CHECK (state IN ('planned', 'expanding', 'expanded', 'cancelled')),
  error text NOT NULL DEFAULT '',
  started_at timestamptz,
  expanded_at timestamptz,
  finished_at timestamptz,
  UNIQUE (campaign_id, iteration)
);
CREATE INDEX run_open ON run (due_at) WHERE state IN ('planned', 'expanding');
CREATE INDEX run_unfinished ON run (workspace_id, id) WHERE finished_at IS NULL;

-- A stretch of a run's people, in the order of their ids, so that several workers expand it at once.
CREATE TABLE run_part (
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  run_id uuid NOT NULL,
  part int NOT NULL,
  cursor uuid NOT NULL,                        -- the last contact that was written
  until uuid NOT NULL,                         -- the last contact of this part
  done boolean NOT NULL DEFAULT false,
  PRIMARY KEY (run_id, part)
);

-- A frozen audience: who it was when the author froze it.
CREATE TABLE frozen_audience (
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  campaign_id uuid NOT NULL,
  contact_id uuid NOT NULL,
  PRIMARY KEY (campaign_id, contact_id)
);

CREATE TABLE enrollment (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  campaign_id uuid NOT NULL,
  subject_id uuid NOT NULL,                    -- the contact or the case
  generation int NOT NULL DEFAULT 1,
  iteration int NOT NULL DEFAULT 1,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'finished', 'stopped', 'lapsed')),
  reason text NOT NULL DEFAULT '',
  cohort date NOT NULL,
  next_due timestamptz,
  created_at timestamptz NOT NULL,
  UNIQUE (campaign_id, subject_id)
) WITH (fillfactor = 90);
CREATE INDEX enrollment_subject ON enrollment (subject_id);
