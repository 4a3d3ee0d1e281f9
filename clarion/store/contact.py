"""Contacts as they are read: one, a page of them, a search; and as criteria and templates see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

from clarion.domain.address import Address, parse_address
from clarion.domain.contact import Contact, clean_external_id, fold_name
from clarion.domain.field import FieldType, restored
from clarion.errors import NotFound
from clarion.kit.db import Connection, Row, row, rows

# Everything that is shown of a contact. Lists are JSON arrays.
_SHOWN: LiteralString = """
SELECT c.id, c.external_id, c.name, c.language, c.country, c.timezone, c.fields, c.status, c.merged_into,
  c.channel_id, c.created_at, c.modified_at,
  coalesce((SELECT jsonb_agg(jsonb_build_object(
      'urn', a.scheme || ':' || a.value, 'status', a.status, 'last_inbound_at', a.last_inbound_at,
      'last_channel_id', a.last_channel_id,
      'reason', a.status_reason, 'status_at', a.status_at,
      'opted_out', EXISTS (SELECT FROM consent o WHERE o.workspace_id = a.workspace_id
                           AND o.consent_key = a.consent_key AND o.state = 'out'))
      ORDER BY a.status, a.position, a.scheme, a.id)
    FROM address a WHERE a.contact_id = c.id), '[]') AS addresses,
  coalesce((SELECT jsonb_agg(jsonb_build_object('raw', i.raw, 'reason', i.reason) ORDER BY i.raw)
    FROM invalid_address i WHERE i.contact_id = c.id), '[]') AS unreadable,
  coalesce((SELECT jsonb_agg(jsonb_build_object('id', g.id, 'name', g.name) ORDER BY g.name)
    FROM group_member m JOIN contact_group g ON g.id = m.group_id WHERE m.contact_id = c.id), '[]') AS groups
"""


async def get(connection: Connection, contact_id: UUID) -> Row:
    """One contact, whatever became of them: {id, external_id, name, language, country, timezone, fields,
    status (active, merged, erased), merged_into, channel_id, created_at, modified_at, addresses: [{urn,
    status, reason, status_at, last_inbound_at, last_channel_id, opted_out}], unreadable: [{raw, reason}],
    groups: [{id, name}]}. Raises NotFound."""
    found = await row(connection, _SHOWN + "FROM contact c WHERE c.id = %s", (contact_id,))
    if found is None:
        raise NotFound("there is no such contact", where="contact")
    return found


async def page(
    connection: Connection, after: UUID | None = None, limit: int = 100, *, group_id: UUID | None = None
) -> list[Row]:
    """Active contacts by id after a cursor, as `get` shows them; of one group (not those below) if given."""
    member: LiteralString = (
        """ AND EXISTS (SELECT FROM group_member gm WHERE gm.contact_id = c.id AND gm.group_id = %(group)s)"""
        if group_id is not None
        else ""
    )
    return await rows(
        connection,
        _SHOWN
        + """FROM contact c WHERE c.status = 'active' AND (%(after)s::uuid IS NULL OR c.id > %(after)s)"""
        + member
        + " ORDER BY c.id LIMIT %(limit)s",
        {"after": after, "limit": limit, "group": group_id},
    )


async def several(connection: Connection, contact_ids: Sequence[UUID]) -> list[Row]:
    """These contacts in this order, as `get` shows them; those that there are not are left out."""
    found = await rows(connection, _SHOWN + "FROM contact c WHERE c.id = ANY (%s)", (list(contact_ids),))
    by_id = {one["id"]: one for one in found}
    return [by_id[identifier] for identifier in contact_ids if identifier in by_id]


async def missing(connection: Connection, contact_ids: Sequence[UUID]) -> list[UUID]:
    """Those of these that are nobody (any more): not there, or erased. In their order, each once."""
    cursor = await connection.execute(
        "SELECT id FROM contact WHERE id = ANY (%s::uuid[]) AND status <> 'erased'", (list(contact_ids),)
    )
    there = {found[0] for found in await cursor.fetchall()}
    return [one for one in dict.fromkeys(contact_ids) if one not in there]


async def by_external_id(connection: Connection, external_id: str) -> UUID | None:
    """The contact of an external id (`contact.clean_external_id`), or None."""
    return await _one(connection, "SELECT id FROM contact WHERE external_id = %s", external_id)


async def by_address(connection: Connection, value: str) -> list[UUID]:
    """Active contacts reached at this address (an E.164 number, a mail address …) by whatever scheme."""
    cursor = await connection.execute(
        """SELECT DISTINCT c.id FROM address a JOIN contact c ON c.id = a.contact_id
           WHERE a.value = %s AND a.status <> 'retired' AND c.status = 'active' ORDER BY c.id""",
        (value,),
    )
    return [found[0] for found in await cursor.fetchall()]


async def search(connection: Connection, text: str, *, country: str | None, limit: int = 20) -> list[Row]:
    """Active contacts whom somebody may mean by `text`, as `get` shows them, the surest first.

    An external id, an address (a national number is read as one of `country`), or words of the name in
    any order and spelling that folding makes equal. Not a page: whoever needs more says more.
    """
    found: dict[UUID, None] = {}
    external_id = clean_external_id(text)
    if external_id and (by_id := await by_external_id(connection, external_id)):
        found[by_id] = None
    address = parse_address(text, country=country)
    if isinstance(address, Address):
        found |= dict.fromkeys(await by_address(connection, address.path))
    found |= dict.fromkeys(await _by_name(connection, fold_name(text), limit))
    return await several(connection, list(found)[:limit])


_NAMED: LiteralString = """
SELECT c.id FROM contact c
WHERE c.id IN (SELECT clarion_contacts_named(%(longest)s, %(words)s)) AND c.status = 'active'"""
# A word of one or two letters is in no index of three letters: then the workspace's names are read.
_NAMED_SHORTLY: LiteralString = (
    "SELECT c.id FROM contact c WHERE c.folded_name LIKE ALL (%(words)s) AND c.status = 'active'"
)


async def _by_name(connection: Connection, name: str, limit: int) -> list[UUID]:
    words = name.split()
    if not words:
        return []
    longest = max(words, key=len)
    cursor = await connection.execute(
        (_NAMED if len(longest) >= 3 else _NAMED_SHORTLY)
        + """ ORDER BY c.folded_name <> %(name)s, NOT starts_with(c.folded_name, %(name)s), c.folded_name,
              c.id LIMIT %(limit)s""",
        {
            "longest": f"%{longest}%",
            "words": [f"%{word}%" for word in words],
            "name": name,
            "limit": limit,
        },
    )
    return [found[0] for found in await cursor.fetchall()]


async def as_seen(
    connection: Connection, contact_ids: Sequence[UUID], declared: Mapping[str, FieldType]
) -> dict[UUID, Contact]:
    """Contacts as criteria see them, with the ids of their groups and of those above them."""
    found = await rows(
        connection,
        """SELECT c.id, c.name, c.language, c.country, c.timezone, c.external_id, c.fields,
             ARRAY(WITH RECURSIVE above AS (
               SELECT m.group_id AS id FROM group_member m WHERE m.contact_id = c.id
               UNION SELECT g.parent_id FROM contact_group g JOIN above ON g.id = above.id
               WHERE g.parent_id IS NOT NULL) SELECT id::text FROM above) AS groups,
             ARRAY(SELECT m.group_id::text FROM group_member m WHERE m.contact_id = c.id) AS own_groups
           FROM contact c WHERE c.id = ANY (%s)""",
        (list(contact_ids),),
    )
    return {one["id"]: _seen(one, declared) for one in found}


def _seen(kept: Mapping[str, Any], declared: Mapping[str, FieldType]) -> Contact:
    values = {key: restored(kind, kept["fields"].get(key)) for key, kind in declared.items()}
    return Contact(
        name=kept["name"] or None,
        language=kept["language"],
        country=kept["country"],
        timezone=kept["timezone"],
        external_id=kept["external_id"],
        fields={key: value for key, value in values.items() if value is not None},
        groups=frozenset(kept["groups"]),
        own_groups=frozenset(kept["own_groups"]),
    )


async def _one(connection: Connection, query: LiteralString, value: object) -> UUID | None:
    cursor = await connection.execute(query, (value,))
    found = await cursor.fetchone()
    return found[0] if found else None
