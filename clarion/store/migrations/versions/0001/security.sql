-- Forced row-level security on every tenant's table, partitions included through their parents.
-- The sub-select makes the workspace one value per statement rather than one call per row.
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY[
    'member', 'api_key', 'idempotency', 'notice', 'contact', 'identity', 'address', 'invalid_address',
    'consent_event', 'consent', 'contact_field', 'contact_group', 'group_member', 'import_file',
    'import_problem', 'channel', 'campaign', 'content_version', 'run', 'run_part', 'frozen_audience', 'enrollment',
    'lane', 'channel_owner', 'message', 'queue', 'attempt', 'tally', 'inbox', 'receipt', 'inbound']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (workspace_id = (SELECT clarion_workspace()))
                    WITH CHECK (workspace_id = (SELECT clarion_workspace()))', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO clarion_app', t);
  END LOOP;
END
$$;
ALTER TABLE workspace ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspace FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON workspace USING (id = (SELECT clarion_workspace()))
  WITH CHECK (id = (SELECT clarion_workspace()));
GRANT SELECT, INSERT, UPDATE ON workspace TO clarion_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON worker TO clarion_app;
GRANT SELECT ON alembic_version TO clarion_app;  -- /readyz compares it with what the code needs
