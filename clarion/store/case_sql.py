"""The statements that write words about cases: staged, met with what is known, and written in sets.

Rows are found by their keys in a lateral look-up, and never by a join that the planner may turn round. What
becomes of a case is reckoned here and not in Python: a batch has thousands of them.
"""

from __future__ import annotations

from typing import LiteralString

from clarion.domain.case import MOST_BYTES, MOST_PROPERTIES

STAGED = {
    "n": "int4", "id": "uuid", "external_id": "text", "type_id": "uuid", "name": "text", "state": "text",
    "owner": "text", "modified_by": "text", "parent": "text", "host": "text", "opened_at": "timestamptz",
    "modified_at": "timestamptz", "replaces": "boolean", "properties": "jsonb", "numbers": "jsonb",
    "dates": "jsonb",
}  # fmt: skip
"""One word a row: a text of '' takes away, NULL is not said; a property of null is taken away."""

_KEPT = {
    "type_id": "uuid", "name": "text", "state": "text", "owner": "text", "modified_by": "text",
    "parent": "text", "host": "text", "opened_at": "timestamptz", "modified_at": "timestamptz",
    "properties": "jsonb", "numbers": "jsonb", "dates": "jsonb",
}  # fmt: skip

MET = {
    "n": "int4", "id": "uuid", "told": "boolean", "stale": "boolean", "large": "boolean",
    "new_type_id": "uuid", "word_by": "text", **_KEPT,
    **{f"new_{name}": kind for name, kind in _KEPT.items() if name != "type_id"},
}  # fmt: skip
"""Words about cases that are known: what the case is, and what it is with the word."""

# The settings and the lock of `intake.take_turn`, of cases.
TURN: LiteralString = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
  set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
  pg_advisory_xact_lock(hashtextextended('clarion cases ' || clarion_workspace(), 0))"""

# What is merged may be larger than each of its parts; text as the database writes it has two spaces a key.
_MOST: LiteralString = "%(most_bytes)s + 2 * %(most_properties)s"
LIMITS = {"most_bytes": MOST_BYTES, "most_properties": MOST_PROPERTIES}

# Locked as they were staged, which is in the order of their external ids: whoever else locks several cases
# in that order waits, and never dead-locks.
MEET: LiteralString = f"""
INSERT INTO met_case (n, id, told, stale, large, new_type_id, word_by,
  type_id, name, state, owner, modified_by, parent, host, opened_at, modified_at, properties, numbers, dates,
  new_name, new_state, new_owner, new_modified_by, new_parent, new_host, new_opened_at, new_modified_at,
  new_properties, new_numbers, new_dates)
SELECT s.n, k.id, s.modified_at IS NOT NULL, coalesce(s.modified_at < k.modified_at, false),
  CASE WHEN a.length > 4 * %(most_properties)s THEN a.length > {_MOST}
    OR (SELECT count(*) FROM jsonb_object_keys(a.properties)) > %(most_properties)s ELSE false END,
  s.type_id, nullif(s.modified_by, ''),
  k.type_id, k.name, k.state, k.owner, k.modified_by, k.parent, k.host, k.opened_at, k.modified_at,
  k.properties, k.numbers, k.dates,
  coalesce(s.name, k.name), coalesce(s.state, CASE k.state WHEN 'deleted' THEN 'open' ELSE k.state END),
  nullif(coalesce(s.owner, k.owner), ''), nullif(coalesce(s.modified_by, k.modified_by), ''),
  nullif(coalesce(s.parent, k.parent), ''), nullif(coalesce(s.host, k.host), ''),
  coalesce(s.opened_at, k.opened_at), coalesce(s.modified_at, greatest(k.modified_at, %(now)s)),
  a.properties,
  CASE WHEN s.replaces THEN s.numbers ELSE (k.numbers - a.keys) || s.numbers END,
  CASE WHEN s.replaces THEN s.dates ELSE (k.dates - a.keys) || s.dates END
FROM staged_case s
CROSS JOIN LATERAL (
  SELECT * FROM "case" c
  WHERE c.workspace_id = (SELECT clarion_workspace()) AND c.external_id = s.external_id
  LIMIT 1 FOR NO KEY UPDATE) k
CROSS JOIN LATERAL (
  SELECT p.properties, octet_length(p.properties::text) AS length,
    ARRAY(SELECT jsonb_object_keys(s.properties)) AS keys
  FROM (SELECT jsonb_strip_nulls(CASE WHEN s.replaces THEN s.properties
          ELSE k.properties || s.properties END) AS properties OFFSET 0) p OFFSET 0) a"""

SEEN: LiteralString = "SELECT n, id, type_id <> new_type_id, type_id, stale, large FROM met_case"

LEAVE: LiteralString = "DELETE FROM met_case WHERE n = ANY (%s::int4[])"
LEAVE_STAGED: LiteralString = "DELETE FROM staged_case WHERE n = ANY (%s::int4[])"

INSERT: LiteralString = """
INSERT INTO "case" (id, workspace_id, type_id, external_id, name, state, properties, dates, numbers, owner,
  modified_by, parent, host, opened_at, closed_at, modified_at, stored_at)
SELECT id, (SELECT clarion_workspace()), type_id, external_id, coalesce(name, ''), coalesce(state, 'open'),
  jsonb_strip_nulls(properties), dates, numbers, nullif(owner, ''), nullif(modified_by, ''),
  nullif(parent, ''), nullif(host, ''), coalesce(opened_at, modified_at, %(now)s),
  CASE WHEN state <> 'open' THEN coalesce(modified_at, %(now)s) END, coalesce(modified_at, %(now)s),
  %(now)s
FROM staged_case"""

_STORED: LiteralString = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_AT: LiteralString = _STORED.format("m.new_modified_at")
_OPENED: LiteralString = f"to_jsonb({_STORED.format('m.opened_at')})"
_NEW_OPENED: LiteralString = f"to_jsonb({_STORED.format('m.new_opened_at')})"


def _attribute(name: LiteralString, before: LiteralString = "", after: LiteralString = "") -> LiteralString:
    before, after = before or f"to_jsonb(m.{name})", after or f"to_jsonb(m.new_{name})"
    return f"""CASE WHEN m.{name} IS DISTINCT FROM m.new_{name}
      THEN jsonb_build_object('{name}', jsonb_build_array({before}, {after})) ELSE '{{}}' END"""


_ATTRIBUTES: LiteralString = " || ".join(
    [
        _attribute("name"), _attribute("state"), _attribute("owner"), _attribute("parent"),
        _attribute("host"), _attribute("opened_at", _OPENED, _NEW_OPENED),
    ]
)  # fmt: skip

# A source that says of a later moment that all is the same has looked at the case: that is kept, and is no
# history. Our own clock alone says nothing, so without a moment of its own the same again changes nothing.
CHANGE: LiteralString = f"""
WITH differing AS MATERIALIZED (
  SELECT m.n, m.id, m.word_by, m.state, m.new_name, m.new_state, m.new_owner, m.new_modified_by,
    m.new_parent, m.new_host, m.new_opened_at, m.new_modified_at, m.new_properties, m.new_numbers,
    m.new_dates, p.stamps, p.changes || a.changes AS changes,
    m.modified_by IS DISTINCT FROM m.new_modified_by
      OR (m.told AND m.new_modified_at > m.modified_at)
      OR m.numbers <> m.new_numbers OR m.dates <> m.new_dates AS touched
  FROM met_case m
  CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(key, jsonb_build_array(m.properties -> key, m.new_properties -> key)),
        '{{}}') AS changes,
      coalesce(jsonb_object_agg(key, {_AT}), '{{}}') AS stamps
    FROM jsonb_object_keys(CASE WHEN m.properties = m.new_properties THEN '{{}}'::jsonb
      ELSE m.properties || m.new_properties END) AS key
    WHERE (m.properties -> key) IS DISTINCT FROM (m.new_properties -> key)) p
  CROSS JOIN LATERAL (SELECT {_ATTRIBUTES} AS changes) a
), written AS (
  UPDATE "case" c SET name = d.new_name, state = d.new_state, owner = d.new_owner,
    modified_by = d.new_modified_by, parent = d.new_parent, host = d.new_host, opened_at = d.new_opened_at,
    modified_at = d.new_modified_at, properties = d.new_properties, numbers = d.new_numbers,
    dates = d.new_dates, changed = c.changed || d.stamps, stored_at = %(now)s,
    closed_at = CASE WHEN d.new_state = 'open' THEN NULL WHEN d.state = 'open' THEN d.new_modified_at
      ELSE c.closed_at END
  FROM differing d WHERE c.id = d.id AND (d.touched OR d.changes <> '{{}}')
), told AS (
  INSERT INTO case_change (id, workspace_id, case_id, at, stored_at, by, how, changes)
  SELECT clarion_uuid7_nth(%(now)s, d.n, %(noise)s), clarion_workspace(), d.id, d.new_modified_at, %(now)s,
    coalesce(d.word_by, %(by)s), %(how)s, d.changes
  FROM differing d WHERE d.changes <> '{{}}'
)
SELECT n FROM differing WHERE touched OR changes <> '{{}}'"""
