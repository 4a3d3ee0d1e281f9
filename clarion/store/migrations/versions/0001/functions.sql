-- The only doors across workspaces, each as narrow as its name. Their owner bypasses row-level
-- security and cannot log in; they answer identifiers and moments, never a person's data.
GRANT SELECT ON workspace, channel, campaign, lane, queue, run, channel_owner, inbox TO clarion_definer;

-- What a worker must know to share the channels out: who owns which, and which have something due.
CREATE FUNCTION clarion_board(moment timestamptz)
RETURNS TABLE (workspace_id uuid, channel_id uuid, worker_id uuid, epoch bigint, beat bigint, due boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT c.workspace_id, c.id, o.worker_id, coalesce(o.epoch, 0), coalesce(o.beat, 0),
    o.worker_id IS NULL AND EXISTS (
      SELECT FROM lane l CROSS JOIN LATERAL (
        SELECT FROM queue q WHERE q.lane_id = l.id AND q.due_at <= moment LIMIT 1) waiting
      WHERE l.channel_id = c.id AND l.state = 'open')
  FROM channel c LEFT JOIN channel_owner o ON o.channel_id = c.id
  WHERE c.state = 'active' OR o.worker_id IS NOT NULL
$$;

-- Runs whose moment has come and that are not yet expanded; a paused campaign does not begin.
CREATE FUNCTION clarion_due_runs(moment timestamptz)
RETURNS TABLE (workspace_id uuid, run_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT r.workspace_id, r.id FROM run r JOIN campaign c ON c.id = r.campaign_id
  WHERE r.state IN ('planned', 'expanding') AND r.due_at <= moment
    AND (r.state = 'expanding' OR c.state <> 'paused') ORDER BY r.due_at LIMIT 1000
$$;

-- Channels with something in the inbox.
CREATE FUNCTION clarion_waiting_inboxes()
RETURNS TABLE (workspace_id uuid, channel_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
  SELECT c.workspace_id, c.id FROM channel c CROSS JOIN LATERAL (
    SELECT FROM inbox i WHERE i.channel_id = c.id AND i.done_at IS NULL LIMIT 1) waiting
$$;

-- Whose channel a provider's call to /hooks/{channel} is for.
CREATE FUNCTION clarion_channel_workspace(channel uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$ SELECT c.workspace_id FROM channel c WHERE c.id = channel $$;

-- For housekeeping that visits every workspace, one at a time, and for the command line.
CREATE FUNCTION clarion_workspaces() RETURNS TABLE (workspace_id uuid, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$ SELECT w.id, w.name FROM workspace w ORDER BY w.id $$;

GRANT SELECT (id, workspace_id, status, folded_name) ON contact TO clarion_definer;
-- The transaction's own contacts whose folded names hold every word, at most a thousand, in no order.
-- Under row-level security LIKE is not leakproof, so the index on names could never be used. `word` is
-- the longest of `words`, three letters or more: what the index looks for. IS TRUE and the settings
-- leave the planner no other index to take when it knows nothing of the table yet.
CREATE FUNCTION clarion_contacts_named(word text, words text[]) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_bitmapscan = on SET enable_indexscan = off SET enable_seqscan = off
AS $$
BEGIN
  RETURN QUERY EXECUTE 'SELECT c.id FROM contact c
    WHERE c.folded_name LIKE $2 AND c.folded_name LIKE ALL ($3) AND c.status = ''active''
      AND (c.workspace_id = $1) IS TRUE LIMIT 1000'
  USING clarion_workspace(), word, words;
END
$$;

DO $$
DECLARE
  f text;
BEGIN
  FOREACH f IN ARRAY ARRAY[
    'clarion_board(timestamptz)', 'clarion_due_runs(timestamptz)', 'clarion_waiting_inboxes()',
    'clarion_channel_workspace(uuid)', 'clarion_workspaces()', 'clarion_contacts_named(text, text[])']
  LOOP
    -- rights first: the schema's owner does not inherit what the definer may do, so that afterwards
    -- both statements would change nothing, with a warning that nobody reads
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM public', f);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO clarion_app', f);
    EXECUTE format('ALTER FUNCTION %s OWNER TO clarion_definer', f);
  END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA public FROM clarion_definer;

-- A month's partitions, made before the first message of that month. Owned by the schema's owner.
CREATE FUNCTION clarion_ensure_cohort(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  t text;
  storage text;
  first date := date_trunc('month', month)::date;
  suffix text := to_char(date_trunc('month', month), 'YYYYMM');
BEGIN
  IF to_regclass('public.message_' || suffix) IS NOT NULL
     AND to_regclass('public.attempt_' || suffix) IS NOT NULL
     AND to_regclass('public.receipt_' || suffix) IS NOT NULL THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('clarion_ensure_cohort'));
  FOREACH t IN ARRAY ARRAY['message', 'attempt', 'receipt'] LOOP
    CONTINUE WHEN to_regclass('public.' || t || '_' || suffix) IS NOT NULL;
    storage := CASE t WHEN 'receipt' THEN '' ELSE 'WITH (fillfactor = 50)' END;
    EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L) %s',
      t || '_' || suffix, t, first, (first + interval '1 month')::date, storage);
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', t || '_' || suffix);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', t || '_' || suffix);
    -- Hot statements name the partition itself (store/cohort), so it has the same policy as its parent.
    EXECUTE format('CREATE POLICY tenant ON public.%I USING (workspace_id = (SELECT public.clarion_workspace()))
      WITH CHECK (workspace_id = (SELECT public.clarion_workspace()))', t || '_' || suffix);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO clarion_app', t || '_' || suffix);
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION clarion_ensure_cohort(date) FROM public;
GRANT EXECUTE ON FUNCTION clarion_ensure_cohort(date) TO clarion_app;
