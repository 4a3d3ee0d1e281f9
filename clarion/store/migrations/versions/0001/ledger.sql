-- The ledger (DESIGN, "why nobody gets it twice"). No foreign keys between these tables: they halve
-- the fan-out. `message` and `attempt` have no mutable column in an index, so every update is HOT.

-- In rising order of evidence: receipts move a message only upwards, whatever order they come in.
-- `ready` is shown as scheduled (not yet due), ready or sending (an attempt is in flight).
CREATE TYPE message_state AS ENUM (
  'ready', 'skipped', 'cancelled', 'expired', 'failed', 'unknown',
  'accepted', 'undelivered', 'delivered', 'read');

CREATE TYPE attempt_state AS ENUM ('in_flight', 'unsent', 'refused', 'unknown', 'accepted', 'settled_not_sent');

CREATE TABLE lane (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  campaign_id uuid NOT NULL,
  priority smallint NOT NULL,
  epoch int NOT NULL DEFAULT 1,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'paused', 'cancelled', 'closed')),
  reason text NOT NULL DEFAULT '',
  UNIQUE (channel_id, campaign_id, priority)
) WITH (fillfactor = 50);
CREATE INDEX lane_campaign ON lane (campaign_id);

CREATE TABLE channel_owner (
  channel_id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  worker_id uuid,
  epoch bigint NOT NULL DEFAULT 0,
  beat bigint NOT NULL DEFAULT 0,              -- grows while the owner lives; watched by monotonic time
  settled_through timestamptz                  -- every attempt begun before this is settled
) WITH (fillfactor = 20);

CREATE TABLE worker (                          -- machines of the house, no tenant's data
  id uuid PRIMARY KEY,
  host text NOT NULL,
  pid int NOT NULL,
  boot text NOT NULL,                          -- the machine's boot: another boot trusts no flight recorder
  born text NOT NULL,                          -- the process's start, so that a reused pid is not it
  flight text NOT NULL DEFAULT '',             -- its flight recorder's file
  version text NOT NULL,
  started_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  stopped_at timestamptz,
  state jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

CREATE TABLE message (
  id uuid NOT NULL,
  cohort date NOT NULL,
  workspace_id uuid NOT NULL,
  run_id uuid,
  enrollment_id uuid NOT NULL,
  generation int NOT NULL,
  iteration int NOT NULL,
  step_id int NOT NULL,
  recipient_key uuid NOT NULL,                 -- the contact, also after it was erased
  once_key bytea,                              -- the address's hash where the campaign is one-an-address
  address_id uuid,
  lane_id uuid NOT NULL,
  content_version_id uuid NOT NULL,
  state message_state NOT NULL,
  was message_state,                           -- state and reason before the last update, for the tally
  was_reason text,
  reason text,
  tries smallint NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  settled_at timestamptz,                      -- accepted, or ended
  delivered_at timestamptz,
  read_at timestamptz,
  PRIMARY KEY (id, cohort)
) PARTITION BY RANGE (cohort);
CREATE UNIQUE INDEX message_occurrence
  ON message (enrollment_id, generation, iteration, step_id, recipient_key, cohort);
CREATE UNIQUE INDEX message_once ON message (run_id, once_key, cohort) WHERE once_key IS NOT NULL;

CREATE TABLE queue (
  lane_id uuid NOT NULL,
  due_at timestamptz NOT NULL,
  message_id uuid NOT NULL,
  cohort date NOT NULL,
  workspace_id uuid NOT NULL,
  contact_id uuid NOT NULL,
  address_id uuid NOT NULL,
  consent_key bytea NOT NULL,
  content_version_id uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  tries smallint NOT NULL DEFAULT 0,
  variables jsonb,                             -- of the first try: a retry says the same
  PRIMARY KEY (lane_id, due_at, message_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE attempt (
  id uuid NOT NULL,
  cohort date NOT NULL,
  workspace_id uuid NOT NULL,
  message_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  lane_id uuid NOT NULL,
  worker_id uuid NOT NULL,
  epoch bigint NOT NULL,
  number smallint NOT NULL,
  state attempt_state NOT NULL,
  effective boolean NOT NULL,                  -- in flight, accepted or unknown: at most one a message
  unknown_since timestamptz,                   -- set only while nobody knows
  address_id uuid NOT NULL,
  variables jsonb,
  provider_id text,
  code text,
  detail text,
  settled_at timestamptz,
  PRIMARY KEY (id, cohort)
) PARTITION BY RANGE (cohort);
CREATE UNIQUE INDEX attempt_effective ON attempt (message_id, cohort) WHERE effective;
CREATE INDEX attempt_message ON attempt (message_id, number);
CREATE INDEX attempt_unknown ON attempt (workspace_id, unknown_since, id) WHERE unknown_since IS NOT NULL;

-- How many messages of a run are in each state: deltas are added in the transaction that moves the
-- messages and folded together later, so that progress costs nothing and nobody waits for a lock.
CREATE TABLE tally (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id uuid NOT NULL,
  run_id uuid NOT NULL,
  state message_state NOT NULL,
  reason text,
  n bigint NOT NULL
);
CREATE INDEX tally_run ON tally (run_id);
