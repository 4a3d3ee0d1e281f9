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
    "modified_at": "timestamptz", "replaces": "boolean", "properties": "jsonb", "gone": "text[]",
    "numbers": "jsonb", "dates": "jsonb",
}  # fmt: skip
"""One word a row: `id` is of the case where it is new, else of what it changes; a text of '' takes away, NULL
is not said; `gone` are the properties taken away."""

MET = {
    "n": "int4", "id": "uuid", "flags": "int4", "change_id": "uuid", "word_by": "text", "name": "text",
    "state": "text", "owner": "text", "modified_by": "text", "parent": "text", "host": "text",
    "opened_at": "timestamptz", "modified_at": "timestamptz", "properties": "jsonb", "numbers": "jsonb",
    "dates": "jsonb", "changes": "jsonb", "stamps": "jsonb",
}  # fmt: skip
"""Words about cases that are known: what the case is with the word, and what is different by it. Of a word
that says what is known already nothing is kept but which case it is about."""

# What `flags` of a word that was met tell.
OTHER_TYPE, STALE, LARGE, DIFFERS, OTHER_PARENT, OTHER_HOST = (1 << n for n in range(6))
LEFT = OTHER_TYPE | STALE | LARGE

# The settings and the lock of `intake.take_turn`, of cases.
TURN: LiteralString = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
  set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
  pg_advisory_xact_lock(hashtextextended('clarion cases ' || clarion_workspace(), 0))"""

# Each row's workspace is looked up (a foreign key) by a statement that PostgreSQL otherwise plans anew for
# every row, by the custom of our sessions (`kit.db`): that took a quarter of an insert. Set for this alone.
ONE_PLAN: LiteralString = "SELECT set_config('plan_cache_mode', 'force_generic_plan', true)"
PLANS_AS_EVER: LiteralString = "SET LOCAL plan_cache_mode TO DEFAULT"
FEW = 50  # rows for which two more round trips cost more

# What is merged may be larger than each of its parts; text as the database writes it has two spaces a key.
_MOST: LiteralString = "%(most_bytes)s + 2 * %(most_properties)s"
LIMITS = {"most_bytes": MOST_BYTES, "most_properties": MOST_PROPERTIES}

# Neither so many keys (8 bytes each, and its letters) nor so long a text (its longest form, a very small
# number, is written with 30 times its bytes) fits into so few bytes: nearly no case is written out for this.
_LARGE: LiteralString = f"""CASE WHEN pg_column_size(p.properties) > 8 * %(most_properties)s
    THEN octet_length(p.properties::text) > {_MOST}
      OR (SELECT count(*) FROM jsonb_object_keys(p.properties)) > %(most_properties)s
    ELSE false END"""

_STORED: LiteralString = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_AT: LiteralString = _STORED.format("w.modified_at")
_OPENED: LiteralString = f"to_jsonb({_STORED.format('k.opened_at')})"
_NEW_OPENED: LiteralString = f"to_jsonb({_STORED.format('w.opened_at')})"


def _attribute(name: LiteralString, before: LiteralString = "", after: LiteralString = "") -> LiteralString:
    before, after = before or f"to_jsonb(k.{name})", after or f"to_jsonb(w.{name})"
    return f"""CASE WHEN k.{name} IS DISTINCT FROM w.{name}
      THEN jsonb_build_object('{name}', jsonb_build_array({before}, {after})) ELSE '{{}}' END"""


_ATTRIBUTES: LiteralString = " || ".join(
    [
        _attribute("name"), _attribute("state"), _attribute("owner"), _attribute("parent"),
        _attribute("host"), _attribute("opened_at", _OPENED, _NEW_OPENED),
    ]
)  # fmt: skip


def _read_as(which: LiteralString) -> LiteralString:
    """`numbers` or `dates` with the word: of what it names only what it reads as such."""
    return f"""CASE WHEN s.replaces OR (k.{which} || s.{which}) = s.{which} THEN s.{which}
      ELSE (k.{which} - ARRAY(SELECT jsonb_object_keys(s.properties)) - s.gone) || s.{which} END"""


# What the word makes of the attributes; whether it is left, and whether it says what is known already.
_WORD: LiteralString = """
  SELECT w.*, s.type_id <> k.type_id AS other_type, coalesce(s.modified_at < k.modified_at, false) AS stale,
    (w.name, w.state, w.owner, w.parent, w.host, w.opened_at)
      IS DISTINCT FROM (k.name, k.state, k.owner, k.parent, k.host, k.opened_at) AS attributes,
    w.modified_by IS DISTINCT FROM k.modified_by OR coalesce(s.modified_at > k.modified_at, false) AS looked,
    s.numbers = k.numbers AND s.dates = k.dates AND s.gone = '{}'
      AND CASE WHEN s.replaces THEN s.properties = k.properties ELSE k.properties @> s.properties END AS same
  FROM (SELECT coalesce(s.name, k.name) AS name,
    coalesce(s.state, CASE k.state WHEN 'deleted' THEN 'open' ELSE k.state END) AS state,
    nullif(coalesce(s.owner, k.owner), '') AS owner,
    nullif(coalesce(s.modified_by, k.modified_by), '') AS modified_by,
    nullif(coalesce(s.parent, k.parent), '') AS parent, nullif(coalesce(s.host, k.host), '') AS host,
    coalesce(s.opened_at, k.opened_at) AS opened_at,
    coalesce(s.modified_at, greatest(k.modified_at, %(now)s)) AS modified_at OFFSET 0) w OFFSET 0"""

# What changed of the properties: nearly always one, which needs no aggregate.
_CHANGED: LiteralString = """CASE cardinality(d.keys) WHEN 0 THEN '{}'
    WHEN 1 THEN jsonb_build_object(d.keys[1],
      jsonb_build_array(k.properties -> d.keys[1], p.properties -> d.keys[1]))
    ELSE (SELECT jsonb_object_agg(key, jsonb_build_array(k.properties -> key, p.properties -> key))
      FROM unnest(d.keys) AS key) END"""

# The properties with the word, and what is different by it; nothing of a word that says what is known.
_MERGED: LiteralString = f"""
  SELECT p.properties, {_LARGE} AS large, c.*,
    c.changes <> '{{}}' OR w.looked OR c.numbers <> k.numbers OR c.dates <> k.dates AS differs,
    jsonb_object(d.keys, array_fill({_AT}, ARRAY[cardinality(d.keys)])) AS stamps
  FROM (SELECT (CASE WHEN s.replaces THEN '{{}}' ELSE k.properties END || s.properties) - s.gone AS properties
    OFFSET 0) p
  CROSS JOIN LATERAL (SELECT ARRAY(
    SELECT key FROM (SELECT jsonb_object_keys(CASE WHEN w.same THEN '{{}}' WHEN s.replaces OR s.gone <> '{{}}'
      THEN k.properties || s.properties ELSE s.properties END) AS key OFFSET 0) o
    WHERE (k.properties -> key) IS DISTINCT FROM (p.properties -> key)) AS keys OFFSET 0) d
  CROSS JOIN LATERAL (SELECT {_read_as("numbers")} AS numbers, {_read_as("dates")} AS dates,
    {_CHANGED} || CASE WHEN w.attributes THEN {_ATTRIBUTES} ELSE '{{}}' END AS changes OFFSET 0) c
  WHERE NOT (w.other_type OR w.stale OR (w.same AND NOT w.looked AND NOT w.attributes)) OFFSET 0"""

# Locked as they were staged, which is in the order of their external ids: whoever else locks several cases
# in that order waits, and never dead-locks.
# A source that says of a later moment that all is the same has looked at the case: that is kept, and is no
# history. Our own clock alone says nothing, so without a moment of its own the same again changes nothing.
MEET: LiteralString = f"""
INSERT INTO met_case (n, id, flags, change_id, word_by, name, state, owner, modified_by, parent, host,
  opened_at, modified_at, properties, numbers, dates, changes, stamps)
SELECT s.n, k.id,
  w.other_type::int * {OTHER_TYPE} + w.stale::int * {STALE} + coalesce(m.large, false)::int * {LARGE}
    + coalesce(m.differs AND NOT m.large, false)::int * {DIFFERS}
    + (w.parent IS DISTINCT FROM k.parent)::int * {OTHER_PARENT}
    + (w.host IS DISTINCT FROM k.host)::int * {OTHER_HOST},
  s.id, nullif(s.modified_by, ''), w.name, w.state, w.owner, w.modified_by, w.parent, w.host, w.opened_at,
  w.modified_at, m.properties, m.numbers, m.dates, m.changes, m.stamps
FROM said_case s
CROSS JOIN LATERAL (
  SELECT * FROM "case" c
  WHERE c.workspace_id = (SELECT clarion_workspace()) AND c.external_id = s.external_id
  LIMIT 1 FOR NO KEY UPDATE) k
CROSS JOIN LATERAL ({_WORD}) w
LEFT JOIN LATERAL ({_MERGED}) m ON true
RETURNING n, id, flags"""

TYPES: LiteralString = f"""
SELECT m.n, c.type_id FROM met_case m
CROSS JOIN LATERAL (SELECT type_id FROM "case" WHERE "case".id = m.id LIMIT 1) c
WHERE m.flags & {OTHER_TYPE} <> 0"""

LEAVE: LiteralString = "DELETE FROM met_case WHERE n = ANY (%s::int4[])"
LEAVE_STAGED: LiteralString = "DELETE FROM said_case WHERE n = ANY (%s::int4[])"

INSERT: LiteralString = """
INSERT INTO "case" (id, workspace_id, type_id, external_id, name, state, properties, dates, numbers, owner,
  modified_by, parent, host, opened_at, closed_at, modified_at, stored_at)
SELECT id, (SELECT clarion_workspace()), type_id, external_id, coalesce(name, ''), coalesce(state, 'open'),
  properties, dates, numbers, nullif(owner, ''), nullif(modified_by, ''),
  nullif(parent, ''), nullif(host, ''), coalesce(opened_at, modified_at, %(now)s),
  CASE WHEN state <> 'open' THEN coalesce(modified_at, %(now)s) END, coalesce(modified_at, %(now)s),
  %(now)s
FROM said_case"""

CHANGE: LiteralString = f"""
WITH written AS (
  UPDATE "case" c SET name = m.name, state = m.state, owner = m.owner, modified_by = m.modified_by,
    parent = m.parent, host = m.host, opened_at = m.opened_at, modified_at = m.modified_at,
    properties = m.properties, numbers = m.numbers, dates = m.dates, changed = c.changed || m.stamps,
    stored_at = %(now)s,
    closed_at = CASE WHEN m.state = 'open' THEN NULL WHEN c.state = 'open' THEN m.modified_at
      ELSE c.closed_at END
  FROM met_case m WHERE c.id = m.id AND m.flags & {DIFFERS} <> 0
)
INSERT INTO case_change (id, workspace_id, case_id, at, stored_at, by, how, changes)
SELECT m.change_id, (SELECT clarion_workspace()), m.id, m.modified_at, %(now)s,
  coalesce(m.word_by, %(by)s), %(how)s, m.changes
FROM met_case m WHERE m.flags & {DIFFERS} <> 0 AND m.changes <> '{{}}' ORDER BY m.n"""
