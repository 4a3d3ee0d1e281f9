"""Taking people in, thousands at a time: who they are is resolved, then everything is written in sets.

Writers of one workspace's people take turns (an advisory lock until the transaction ends): two imports
that meet the same new person must agree on one contact. Readers and the dispatch never wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from clarion.domain.contact import fold_name
from clarion.domain.identity import Claim, Found, Known, Marks, consent_hash, marks, resolve
from clarion.domain.person import Person, combine
from clarion.kit.db import Connection, array
from clarion.kit.ids import ascending7
from clarion.store import consent, group
from clarion.store.staging import stage


class Outcome(StrEnum):
    """What became of one row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Taken(NamedTuple):
    """One row's result. `twin`: another contact has the same address and name under another external id."""

    outcome: Outcome
    contact_id: UUID
    twin: UUID | None = None


async def take_turn(connection: Connection) -> None:
    """Wait until nobody else writes this workspace's people; held until the transaction ends.

    Until then the planner finds each row by its key and in no other way: without statistics, as in the
    first import of all, it would read every row of the workspace for each person.
    """
    await connection.execute(
        """SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
             set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
             pg_advisory_xact_lock(hashtextextended('clarion people ' || clarion_workspace(), 0))""",
        prepare=True,
    )


async def upsert(
    connection: Connection,
    pepper: bytes,
    people: Sequence[Person],
    now: datetime,
    *,
    how: str = "import",
    by: str = "",
) -> list[Taken]:
    """Store people given in order; one result each, in the same order.

    The same as storing them one after the other: who is met twice is combined, the later row wins where
    it says something. Addresses replace the person's others of the same schemes (those become `retired`,
    their history stays); groups are added, and made when they are new; an opt-out is recorded and takes
    the person's waiting messages out. An erased person who comes back is the same contact again.
    `how` and `by` go into the consent ledger.
    """
    if not people:
        return []
    await take_turn(connection)
    rows = [marks(pepper, person) for person in people]
    found, claims = resolve(rows, await _known(connection, rows), ascending7(now).__next__)
    fresh = {who.contact_id for who in found if who.fresh}
    merged, again = _combined(people, found)
    changed, revived = await _write(connection, pepper, merged, fresh, claims, now)
    wishes = [
        (name, who.contact_id) for person, who in zip(people, found, strict=True) for name in person.groups
    ]
    changed |= await group.join_by_name(connection, wishes, now, telling=len(fresh) < len(merged))
    out = [consent_hash(pepper, a) for p in people if p.opted_out for a in p.addresses]
    if out:
        await consent.opt_out(connection, out, now, how=how, by=by)
    return _outcomes(found, again, fresh, changed, revived)


def _combined(people: Sequence[Person], found: Sequence[Found]) -> tuple[dict[UUID, Person], list[bool]]:
    """Each contact as all its rows say; and of each row, whether it changed what an earlier one said."""
    merged: dict[UUID, Person] = {}
    differs = []
    for person, who in zip(people, found, strict=True):
        before = merged.get(who.contact_id)
        after = person if before is None else combine(before, person)
        merged[who.contact_id] = after
        differs.append(before is not None and after != before)
    return merged, differs


def _outcomes(
    found: Sequence[Found],
    again: Sequence[bool],
    fresh: set[UUID],
    changed: set[UUID],
    revived: set[UUID],
) -> list[Taken]:
    seen: set[UUID] = set()
    results = []
    for who, differs in zip(found, again, strict=True):
        new = who.contact_id in fresh or who.contact_id in revived
        if new and who.contact_id not in seen:
            outcome = Outcome.CREATED
        elif who.contact_id in seen and not differs:
            outcome = Outcome.UNCHANGED
        else:
            outcome = Outcome.UPDATED if new or who.contact_id in changed else Outcome.UNCHANGED
        seen.add(who.contact_id)
        results.append(Taken(outcome, who.contact_id, who.twin))
    return results


async def _known(connection: Connection, rows: Iterable[Marks]) -> dict[bytes, Known]:
    """Whose each of the rows' keys is, where it is anybody's."""
    keys = {key for row in rows for key in ((row.id, *row.places) if row.id else row.places)}
    cursor = await connection.execute(
        """SELECT i.key, i.contact_id, d.contact_id IS NOT NULL
           FROM unnest(%s::bytea[]) AS wanted(key)
           CROSS JOIN LATERAL (SELECT key, contact_id FROM identity
             WHERE workspace_id = clarion_workspace() AND key = wanted.key LIMIT 1) i
           LEFT JOIN LATERAL (SELECT contact_id FROM identity
             WHERE contact_id = i.contact_id AND kind = 'id' LIMIT 1) d ON true""",
        (_hashes(keys),),
        prepare=True,
    )
    return {key: Known(contact, has_id) for key, contact, has_id in await cursor.fetchall()}


async def _write(
    connection: Connection,
    pepper: bytes,
    people: dict[UUID, Person],
    fresh: set[UUID],
    claims: Sequence[Claim],
    now: datetime,
) -> tuple[set[UUID], set[UUID]]:
    """Write everything that was resolved; the contacts that changed, and those who had been erased."""
    await stage(
        connection,
        "staged_contact",
        _CONTACT,
        (_contact_record(identifier, person, identifier in fresh) for identifier, person in people.items()),
    )
    await stage(connection, "staged_address", _ADDRESS, _address_records(pepper, people, fresh, now))
    await connection.execute(_INSERT_CONTACTS, {"now": now}, prepare=True)
    changed: set[UUID] = set()
    revived: set[UUID] = set()
    some_known = len(fresh) < len(people)
    if some_known:
        cursor = await connection.execute(_UPDATE_CONTACTS, {"now": now}, prepare=True)
        for identifier, was in await cursor.fetchall():
            changed.add(identifier)
            if was == "erased":
                revived.add(identifier)
        changed |= await _contacts(connection, _RETIRE)
    await _claim(connection, claims)
    # whose rows they are is asked only where somebody was known: it is as dear as writing them
    telling: LiteralString = " RETURNING contact_id" if some_known else ""
    changed |= await _contacts(connection, _ADDRESSES + telling, {"now": now})
    changed |= await _unreadable(connection, people, some_known, now)
    return changed, revived


async def _contacts(
    connection: Connection, statement: LiteralString, params: dict[str, Any] | None = None
) -> set[UUID]:
    cursor = await connection.execute(statement, params or {}, prepare=True)
    return {found[0] for found in await cursor.fetchall()} if cursor.description else set()


async def _claim(connection: Connection, claims: Sequence[Claim]) -> None:
    await connection.execute(
        """INSERT INTO identity (workspace_id, key, kind, contact_id)
           SELECT clarion_workspace(), * FROM unnest(%s::bytea[], %s::text[], %s::uuid[])""",
        (
            _hashes(claim.key for claim in claims),
            array(claim.kind for claim in claims),
            array(claim.contact_id.hex for claim in claims),
        ),
        prepare=True,
    )


def _hashes(keys: Iterable[bytes]) -> str:
    return array('"\\\\x' + key.hex() + '"' for key in keys)


async def _unreadable(
    connection: Connection, people: dict[UUID, Person], some_known: bool, now: datetime
) -> set[UUID]:
    """What could not be read is kept as it was written, until a row says something else."""
    wrong = {(who, bad.raw): bad.reason for who, person in people.items() for bad in person.unreadable}
    kept: set[tuple[UUID, str]] = set()
    if some_known:
        spoke = [who for who, person in people.items() if person.addresses or person.unreadable]
        cursor = await connection.execute(
            """SELECT i.contact_id, i.raw FROM unnest(%s::uuid[]) AS spoke(id) CROSS JOIN LATERAL (
                 SELECT contact_id, raw FROM invalid_address WHERE contact_id = spoke.id) i""",
            (array(who.hex for who in spoke),),
            prepare=True,
        )
        kept = set(await cursor.fetchall())
    gone, new = sorted(kept - wrong.keys()), sorted(wrong.keys() - kept)
    if gone:
        await connection.execute(
            """DELETE FROM invalid_address i USING unnest(%b::uuid[], %b::text[]) AS g(id, raw)
               WHERE i.contact_id = g.id AND i.raw = g.raw""",
            ([who for who, _ in gone], [raw for _, raw in gone]),
        )
    if new:
        await connection.execute(
            """INSERT INTO invalid_address (workspace_id, contact_id, raw, reason, created_at)
               SELECT clarion_workspace(), id, raw, reason, %s
               FROM unnest(%b::uuid[], %b::text[], %b::text[]) AS w(id, raw, reason)""",
            (now, [who for who, _ in new], [raw for _, raw in new], [wrong[one] for one in new]),
        )
    return {who for who, _ in (*gone, *new)}


_CONTACT = {
    "id": "uuid", "fresh": "boolean", "external_id": "text", "name": "text", "folded_name": "text",
    "language": "text", "country": "text", "timezone": "text", "fields": "jsonb",
}  # fmt: skip


def _contact_record(identifier: UUID, person: Person, fresh: bool) -> tuple[Any, ...]:
    return (
        identifier,
        fresh,
        person.external_id,
        person.name,
        None if person.name is None else fold_name(person.name),
        person.language,
        person.country,
        person.timezone,
        _NO_FIELDS if not person.fields else Jsonb(person.fields, dumps=orjson.dumps),
    )


_NO_FIELDS = Jsonb({})
_ADDRESS = {
    "contact_id": "uuid", "fresh": "boolean", "id": "uuid", "scheme": "text", "value": "text",
    "consent_key": "bytea", "position": "int2", "status": "text",
}  # fmt: skip


def _address_records(
    pepper: bytes, people: dict[UUID, Person], fresh: set[UUID], now: datetime
) -> Iterable[tuple[Any, ...]]:
    ids = ascending7(now)
    for who, person in people.items():
        new = who in fresh
        for place, a in enumerate(person.addresses):
            yield who, new, next(ids), a.scheme, a.path, consent_hash(pepper, a), place, "active"
        for place, a in enumerate(person.former, len(person.addresses)):
            yield who, new, next(ids), a.scheme, a.path, consent_hash(pepper, a), place, "retired"


_INSERT_CONTACTS: LiteralString = """
INSERT INTO contact (id, workspace_id, external_id, name, folded_name, language, country, timezone, fields,
  created_at, modified_at)
SELECT id, clarion_workspace(), external_id, coalesce(name, ''), coalesce(folded_name, ''),
  nullif(language, ''), nullif(country, ''), nullif(timezone, ''), jsonb_strip_nulls(fields),
  %(now)s, %(now)s
FROM staged_contact WHERE fresh"""

# An external id that a contact has is not replaced: another one of the same person stays a key.
_UPDATE_CONTACTS: LiteralString = """
WITH next AS MATERIALIZED (
  SELECT c.id, c.status AS was, coalesce(c.external_id, s.external_id) AS external_id,
    coalesce(s.name, c.name) AS name, coalesce(s.folded_name, c.folded_name) AS folded_name,
    nullif(coalesce(s.language, c.language), '') AS language,
    nullif(coalesce(s.country, c.country), '') AS country,
    nullif(coalesce(s.timezone, c.timezone), '') AS timezone,
    jsonb_strip_nulls(c.fields || s.fields) AS fields
  FROM staged_contact s CROSS JOIN LATERAL (SELECT * FROM contact WHERE contact.id = s.id LIMIT 1) c
  WHERE NOT s.fresh
)
UPDATE contact c SET external_id = n.external_id, name = n.name, folded_name = n.folded_name,
  language = n.language, country = n.country, timezone = n.timezone, fields = n.fields, status = 'active',
  modified_at = %(now)s
FROM next n
WHERE c.id = n.id AND (c.external_id, c.name, c.language, c.country, c.timezone, c.fields, c.status)
  IS DISTINCT FROM (n.external_id, n.name, n.language, n.country, n.timezone, n.fields, 'active')
RETURNING c.id, n.was"""

_RETIRE: LiteralString = """
UPDATE address a SET status = 'retired'
FROM (SELECT contact_id, scheme, array_agg(value) AS given FROM staged_address
      WHERE NOT fresh AND status = 'active' GROUP BY contact_id, scheme) said
WHERE a.contact_id = said.contact_id AND a.scheme = said.scheme AND a.status = 'active'
  AND a.value <> ALL (said.given)
RETURNING a.contact_id"""

# What evidence called invalid is not made good by being written down again.
_ADDRESSES: LiteralString = """
INSERT INTO address AS a (id, workspace_id, contact_id, scheme, value, consent_key, position, status,
  created_at)
SELECT id, clarion_workspace(), contact_id, scheme, value, consent_key, position, status, %(now)s
FROM staged_address
ON CONFLICT (contact_id, scheme, value) DO UPDATE SET position = excluded.position,
  status = CASE WHEN a.status = 'invalid' THEN a.status ELSE excluded.status END
WHERE (a.status <> 'invalid' AND a.status <> excluded.status) OR a.position <> excluded.position"""
