"""Writing people who were resolved: staged, then every table in one statement.

Rows are found by their keys in a lateral look-up or a conflict, and never by a join that the planner may
turn round: of a table without statistics it believes that a workspace has a handful of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import orjson

from clarion.domain.contact import fold_name
from clarion.domain.identity import Claim, Marks, marks
from clarion.domain.person import Person
from clarion.kit.db import Connection, array
from clarion.kit.ids import ascending7
from clarion.store.staging import line, stage


def hashes(keys: Iterable[bytes]) -> str:
    """Keyed hashes as one parameter for `%s::bytea[]`."""
    return array('"\\\\x' + key.hex() + '"' for key in keys)


class Said(NamedTuple):
    """What is said of one person, made for writing as far as it can be before anybody knows who it is."""

    marks: Marks
    contact: str  # the rest of a line of `staged_contact`
    addresses: tuple[str, ...]  # the rests of lines of `staged_address`


def said(pepper: bytes, person: Person) -> Said:
    """All that needs no database."""
    mark = marks(pepper, person)
    contact = line(
        person.external_id,
        person.name,
        None if person.name is None else fold_name(person.name),
        person.language,
        person.country,
        person.timezone,
        orjson.dumps(person.fields).decode() if person.fields else "{}",
        person.channel,
    )
    places = [(address, "active") for address in person.addresses]
    places += [(address, "retired") for address in person.former]
    return Said(
        mark,
        contact,
        tuple(
            line(a.scheme, a.path, "\\x" + mark.consents[a].hex(), str(place), status)
            for place, (a, status) in enumerate(places)
        ),
    )


People = Mapping[UUID, tuple[Person, Said]]


async def stage_people(connection: Connection, people: People, fresh: set[UUID], now: datetime) -> None:
    """What `write` will write."""
    await stage(connection, "staged_contact", _CONTACT, _contact_lines(people, fresh))
    await stage(connection, "staged_address", _ADDRESS, _address_lines(people, fresh, now))


async def write(
    connection: Connection, people: People, fresh: set[UUID], claims: Sequence[Claim], now: datetime
) -> tuple[set[UUID], set[UUID]]:
    """Write everything that was staged; the contacts that changed, and those who had been erased."""
    changed: set[UUID] = set()
    revived: set[UUID] = set()
    some_known = len(fresh) < len(people)
    await connection.execute(_INSERT_CONTACTS, {"now": now}, prepare=True)
    if some_known:
        revived = await _contacts(connection, _REVIVED)
        changed |= await _contacts(connection, _UPDATE_CONTACTS, {"now": now})
        changed |= await _retire(connection)
    await _claim(connection, claims)
    # whose rows they are is asked only where somebody was known: it is as dear as writing them
    telling: LiteralString = " RETURNING contact_id" if some_known else ""
    changed |= await _contacts(connection, _ADDRESSES + telling, {"now": now}, telling=some_known)
    changed |= await _unreadable(connection, people, some_known, now)
    return changed, revived


async def _contacts(
    connection: Connection,
    statement: LiteralString,
    params: dict[str, Any] | None = None,
    *,
    telling: bool = True,
) -> set[UUID]:
    cursor = await connection.execute(statement, params or {}, prepare=True)
    return {found[0] for found in await cursor.fetchall()} if telling else set()


async def _retire(connection: Connection) -> set[UUID]:
    """Addresses that others of their schemes replace; whose they were."""
    cursor = await connection.execute(_REPLACED, prepare=True)
    found = await cursor.fetchall()
    if found:
        await connection.execute(
            "UPDATE address SET status = 'retired' WHERE id = ANY (%s::uuid[])",
            (array(identifier.hex for identifier, _ in found),),
        )
    return {who for _, who in found}


async def _claim(connection: Connection, claims: Sequence[Claim]) -> None:
    await connection.execute(
        """INSERT INTO identity (workspace_id, key, kind, contact_id)
           SELECT clarion_workspace(), * FROM unnest(%s::bytea[], %s::text[], %s::uuid[])""",
        (
            hashes(claim.key for claim in claims),
            array(claim.kind for claim in claims),
            array(claim.contact_id.hex for claim in claims),
        ),
        prepare=True,
    )


async def _unreadable(connection: Connection, people: People, some_known: bool, now: datetime) -> set[UUID]:
    """What could not be read is kept as it was written, until a row says something else."""
    wrong = {(who, bad.raw): bad.reason for who, (person, _) in people.items() for bad in person.unreadable}
    kept: set[tuple[UUID, str]] = set()
    if some_known:
        spoke = [who for who, (person, _) in people.items() if person.addresses or person.unreadable]
        cursor = await connection.execute(
            """SELECT i.contact_id, i.raw FROM unnest(%s::uuid[]) AS spoke(id) CROSS JOIN LATERAL (
                 SELECT contact_id, raw FROM invalid_address WHERE contact_id = spoke.id OFFSET 0) i""",
            (array(who.hex for who in spoke),),
            prepare=True,
        )
        kept = set(await cursor.fetchall())
    gone, new = sorted(kept - wrong.keys()), sorted(wrong.keys() - kept)
    if gone:
        await connection.execute(
            """DELETE FROM invalid_address WHERE ctid = ANY (ARRAY(
                 SELECT i.place FROM unnest(%b::uuid[], %b::text[]) AS g(id, raw) CROSS JOIN LATERAL (
                   SELECT ctid AS place FROM invalid_address
                   WHERE contact_id = g.id AND raw = g.raw LIMIT 1) i))""",
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
    "channel": "text",
}  # fmt: skip


def _contact_lines(people: People, fresh: set[UUID]) -> Iterable[str]:
    for who, (_, one) in people.items():
        yield f"{who.hex}\t{who in fresh}\t{one.contact}"


_ADDRESS = {
    "contact_id": "uuid", "fresh": "boolean", "id": "uuid", "scheme": "text", "value": "text",
    "consent_key": "bytea", "position": "int2", "status": "text",
}  # fmt: skip


def _address_lines(people: People, fresh: set[UUID], now: datetime) -> Iterable[str]:
    ids = ascending7(now)
    for who, (_, one) in people.items():
        if one.addresses:
            whose = f"{who.hex}\t{who in fresh}"
            for address in one.addresses:
                yield f"{whose}\t{next(ids).hex}\t{address}"


_INSERT_CONTACTS: LiteralString = """
INSERT INTO contact (id, workspace_id, external_id, name, folded_name, language, country, timezone, fields,
  channel_id, created_at, modified_at)
SELECT id, clarion_workspace(), external_id, coalesce(name, ''), coalesce(folded_name, ''),
  nullif(language, ''), nullif(country, ''), nullif(timezone, ''), jsonb_strip_nulls(fields),
  nullif(channel, '')::uuid, %(now)s, %(now)s
FROM staged_contact WHERE fresh"""

_REVIVED: LiteralString = """
SELECT c.id FROM staged_contact s
CROSS JOIN LATERAL (SELECT id, status FROM contact WHERE contact.id = s.id LIMIT 1) c
WHERE NOT s.fresh AND c.status = 'erased'"""

# An external id that a contact has is not replaced: another one of the same person stays a key.
_UPDATE_CONTACTS: LiteralString = """
INSERT INTO contact AS c (id, workspace_id, external_id, name, folded_name, language, country, timezone,
  fields, channel_id, created_at, modified_at)
SELECT s.id, clarion_workspace(), coalesce(k.external_id, s.external_id), coalesce(s.name, k.name),
  coalesce(s.folded_name, k.folded_name), nullif(coalesce(s.language, k.language), ''),
  nullif(coalesce(s.country, k.country), ''), nullif(coalesce(s.timezone, k.timezone), ''),
  jsonb_strip_nulls(k.fields || s.fields), nullif(coalesce(s.channel, k.channel_id::text), '')::uuid,
  k.created_at, %(now)s
FROM staged_contact s CROSS JOIN LATERAL (SELECT * FROM contact WHERE contact.id = s.id LIMIT 1) k
WHERE NOT s.fresh
ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id, name = excluded.name,
  folded_name = excluded.folded_name, language = excluded.language, country = excluded.country,
  timezone = excluded.timezone, fields = excluded.fields, status = 'active',
  channel_id = excluded.channel_id, modified_at = excluded.modified_at
WHERE (c.external_id, c.name, c.language, c.country, c.timezone, c.fields, c.status, c.channel_id)
  IS DISTINCT FROM (excluded.external_id, excluded.name, excluded.language, excluded.country,
    excluded.timezone, excluded.fields, 'active', excluded.channel_id)
RETURNING id"""

_REPLACED: LiteralString = """
SELECT a.id, said.contact_id
FROM (SELECT contact_id, scheme, array_agg(value) AS given FROM staged_address
      WHERE NOT fresh AND status = 'active' GROUP BY contact_id, scheme) said
CROSS JOIN LATERAL (
  SELECT id FROM address
  WHERE address.contact_id = said.contact_id AND address.scheme = said.scheme
    AND address.status = 'active' AND address.value <> ALL (said.given) OFFSET 0) a"""

# What evidence called invalid is not made good by being written down again.
_ADDRESSES: LiteralString = """
INSERT INTO address AS a (id, workspace_id, contact_id, scheme, value, consent_key, position, status,
  created_at)
SELECT id, clarion_workspace(), contact_id, scheme, value, consent_key, position, status, %(now)s
FROM staged_address
ON CONFLICT (contact_id, scheme, value) DO UPDATE SET position = excluded.position,
  status = CASE WHEN a.status = 'invalid' THEN a.status ELSE excluded.status END
WHERE (a.status <> 'invalid' AND a.status <> excluded.status) OR a.position <> excluded.position"""
