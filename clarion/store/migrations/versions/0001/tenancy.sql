CREATE TABLE workspace (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  country text NOT NULL DEFAULT 'US',          -- ISO 3166-1 alpha-2: how national numbers are read
  language text NOT NULL DEFAULT 'en',         -- BCP 47
  timezone text NOT NULL DEFAULT 'UTC',        -- IANA
  operator_address text,                       -- who is told when something needs a person (mailto:, https:)
  settings jsonb NOT NULL DEFAULT '{}',
  pepper bytea NOT NULL,                       -- keys the hashes of people's identities and addresses
  created_at timestamptz NOT NULL
);

CREATE TABLE member (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  name text NOT NULL,
  email text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
  password_hash text,
  created_at timestamptz NOT NULL,
  UNIQUE (workspace_id, email)
);

CREATE TABLE api_key (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  name text NOT NULL,
  secret_hash bytea NOT NULL,                  -- SHA-256: the secret has 256 random bits, no word to guess
  scopes text[] NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);
CREATE INDEX api_key_workspace ON api_key (workspace_id);

CREATE TABLE idempotency (
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  key text NOT NULL,
  request_hash bytea NOT NULL,
  status int,                                  -- null while the first request is under way
  headers jsonb,
  body bytea,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- What a person was told, once per cause.
CREATE TABLE notice (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspace(id),
  cause text NOT NULL,                         -- e.g. channel:<id>:authentication
  level text NOT NULL CHECK (level IN ('info', 'warning', 'error')),
  text text NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  times int NOT NULL DEFAULT 1,
  told_at timestamptz,
  cleared_at timestamptz
);
CREATE UNIQUE INDEX notice_open ON notice (workspace_id, cause) WHERE cleared_at IS NULL;
