-- The server's set-up makes the roles (kit/postgres); here is only what depends on the schema.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
GRANT USAGE ON SCHEMA public TO clarion_app;
GRANT USAGE, CREATE ON SCHEMA public TO clarion_definer;  -- CREATE is taken back in functions.sql

-- A time-ordered identifier (RFC 9562, version 7). The moment is a parameter: no clock but kit.clock.
CREATE FUNCTION clarion_uuid7(moment timestamptz) RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch FROM moment) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
    52, 1), 53, 1), 'hex')::uuid
$$;

-- The n-th of many identifiers of one moment, in order, so that bulk inserts fill index pages from the
-- right. `noise` is one random uuid a statement; n goes up to 2^24.
CREATE FUNCTION clarion_uuid7_nth(moment timestamptz, n bigint, noise uuid) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0')
    || to_hex(x'7000'::bigint | (n >> 12)) || to_hex(x'8000'::bigint | ((n & 4095) << 2))
    || right(noise::text, 12))::uuid
$$;

-- The workspace of this transaction, or null: then row-level security shows nothing.
CREATE FUNCTION clarion_workspace() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('clarion.workspace', true), '')::uuid $$;
