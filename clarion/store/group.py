"""Groups of people. They nest: who is in a group is in every group above it. By its external id, where it has
one, a group may own cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from clarion.domain.contact import LONGEST_EXTERNAL_ID, clean_external_id
from clarion.domain.person import clean_group
from clarion.errors import Conflict, Invalid, NotFound
from clarion.kit.db import Connection, Row, array, row, rows
from clarion.kit.ids import uuid7

# The groups in %(groups)s with all that lie below them, as one array: evaluated once a statement.
BELOW: LiteralString = """ARRAY(
  WITH RECURSIVE below AS (
    SELECT unnest(%(groups)s::uuid[]) AS id
    UNION SELECT g.id FROM contact_group g JOIN below ON g.parent_id = below.id)
  SELECT id FROM below)"""


_SHOWN: LiteralString = """SELECT g.id, g.name, g.external_id, g.parent_id, g.created_at,
  (SELECT count(*) FROM group_member m WHERE m.group_id = g.id) AS members
FROM contact_group g"""


async def create(
    connection: Connection, name: str, now: datetime, parent_id: UUID | None = None, *,
    external_id: str | None = None,
) -> UUID:  # fmt: skip
    """Add a group. Raises Invalid (no name, no external id), Conflict (one of both is taken), NotFound (no
    such parent)."""
    shown, known_as = _name(name), _external_id(external_id)
    await _take_turn(connection)
    await _refuse_taken(connection, shown, None)
    await _refuse_known(connection, known_as, None)
    if parent_id is not None:
        await get(connection, parent_id)
    identifier = uuid7(now)
    await connection.execute(
        """INSERT INTO contact_group (id, workspace_id, name, parent_id, created_at, external_id)
           VALUES (%s, clarion_workspace(), %s, %s, %s, %s)""",
        (identifier, shown, parent_id, now, known_as),
    )
    return identifier


async def get(connection: Connection, group_id: UUID) -> Row:
    """One group: {id, name, external_id, parent_id, created_at, members (direct ones)}. Raises NotFound."""
    found = await row(connection, f"{_SHOWN} WHERE g.id = %s", (group_id,))
    if found is None:
        raise NotFound("there is no such group", where="group")
    return found


async def page(
    connection: Connection, after: UUID | None = None, limit: int = 100, *, external_id: str | None = None
) -> list[Row]:
    """Groups by id after a cursor, as `get` shows them; of an external id only the one that has it."""
    return await rows(
        connection,
        f"""{_SHOWN} WHERE (%(after)s::uuid IS NULL OR g.id > %(after)s)
             AND (%(external_id)s::text IS NULL OR g.external_id = %(external_id)s)
           ORDER BY g.id LIMIT %(limit)s""",
        {"after": after, "limit": limit, "external_id": external_id},
    )


async def know_as(connection: Connection, group_id: UUID, external_id: str | None) -> None:
    """Give a group another external id, or none. Raises Invalid, Conflict, NotFound."""
    known_as = _external_id(external_id)
    await _take_turn(connection)
    await get(connection, group_id)
    await _refuse_known(connection, known_as, group_id)
    await connection.execute("UPDATE contact_group SET external_id = %s WHERE id = %s", (known_as, group_id))


async def rename(connection: Connection, group_id: UUID, name: str) -> None:
    """Give a group another name. Raises Invalid, Conflict, NotFound."""
    shown = _name(name)
    await _take_turn(connection)
    await get(connection, group_id)
    await _refuse_taken(connection, shown, group_id)
    await connection.execute("UPDATE contact_group SET name = %s WHERE id = %s", (shown, group_id))


async def move(connection: Connection, group_id: UUID, parent_id: UUID | None) -> None:
    """Put a group below another, or at the top. Raises NotFound, Conflict (it would be below itself)."""
    await _take_turn(connection)
    await get(connection, group_id)
    if parent_id is not None:
        await get(connection, parent_id)
        if parent_id in await below(connection, [group_id]):
            raise Conflict(
                "a group cannot be below itself",
                where="parent_id",
                hint="move the group between them out first",
            )
    await connection.execute("UPDATE contact_group SET parent_id = %s WHERE id = %s", (parent_id, group_id))


async def remove(connection: Connection, group_id: UUID) -> None:
    """Take a group away; its people stay contacts, the groups below it move up. Raises NotFound."""
    await _take_turn(connection)
    found = await get(connection, group_id)
    await connection.execute(
        "UPDATE contact_group SET parent_id = %s WHERE parent_id = %s", (found["parent_id"], group_id)
    )
    await connection.execute("DELETE FROM group_member WHERE group_id = %s", (group_id,))
    await connection.execute("DELETE FROM contact_group WHERE id = %s", (group_id,))


async def below(connection: Connection, group_ids: Sequence[UUID]) -> set[UUID]:
    """These groups and all that lie below them."""
    cursor = await connection.execute(
        "SELECT unnest(" + BELOW + ")", {"groups": list(group_ids)}, prepare=True
    )
    return {found[0] for found in await cursor.fetchall()}


async def add_members(connection: Connection, group_id: UUID, contact_ids: Sequence[UUID]) -> int:
    """Put contacts into a group; how many were not in it. Those who are not (or no longer) contacts are
    left out. Raises NotFound for the group."""
    await get(connection, group_id)
    cursor = await connection.execute(
        """INSERT INTO group_member (workspace_id, group_id, contact_id)
           SELECT DISTINCT clarion_workspace(), %s::uuid, coalesce(c.merged_into, c.id)
           FROM contact c WHERE c.id = ANY (%s::uuid[]) AND c.status <> 'erased'
           ON CONFLICT DO NOTHING""",
        (group_id, list(contact_ids)),
    )
    return cursor.rowcount


async def remove_members(connection: Connection, group_id: UUID, contact_ids: Sequence[UUID]) -> int:
    """Take contacts out of a group; how many were in it. Raises NotFound for the group."""
    await get(connection, group_id)
    cursor = await connection.execute(
        "DELETE FROM group_member WHERE group_id = %s AND contact_id = ANY (%s::uuid[])",
        (group_id, list(contact_ids)),
    )
    return cursor.rowcount


async def members(
    connection: Connection, group_id: UUID, after: UUID | None = None, limit: int = 100, *, deep: bool = True
) -> list[UUID]:
    """Contacts of a group by id after a cursor; with those of the groups below it when `deep`."""
    await get(connection, group_id)
    cursor = await connection.execute(
        "SELECT DISTINCT m.contact_id FROM group_member m WHERE m.group_id = ANY ("
        + (BELOW if deep else "%(groups)s::uuid[]")
        + """) AND (%(after)s::uuid IS NULL OR m.contact_id > %(after)s)
          ORDER BY m.contact_id LIMIT %(limit)s""",
        {"groups": [group_id], "after": after, "limit": limit},
    )
    return [found[0] for found in await cursor.fetchall()]


async def join(
    connection: Connection,
    groups: Mapping[str, UUID],
    wishes: Sequence[tuple[str, UUID]],
    *,
    telling: bool = True,
) -> set[UUID]:
    """Put each contact into the group of that name, one of `by_name`; those not in it before, unless
    not `telling`."""
    if not wishes:
        return set()
    hexes = {name: groups[name.casefold()].hex for name in {name for name, _ in wishes}}
    cursor = await connection.execute(
        """INSERT INTO group_member (workspace_id, group_id, contact_id)
           SELECT clarion_workspace(), * FROM unnest(%s::uuid[], %s::uuid[])
           ON CONFLICT DO NOTHING"""
        + (" RETURNING contact_id" if telling else ""),
        (array(hexes[name] for name, _ in wishes), array(who.hex for _, who in wishes)),
        prepare=True,
    )
    return {found[0] for found in await cursor.fetchall()} if telling else set()


async def by_name(connection: Connection, names: Iterable[str], now: datetime) -> dict[str, UUID]:
    """The groups of these names and all others, by the casefolded name, or by the casefolded external id
    where no group is called so; made where they are new.

    Names are compared without regard to case; a new group is called as it was first written.
    """
    await _take_turn(connection)
    cursor = await connection.execute("SELECT name, external_id, id FROM contact_group ORDER BY id DESC")
    there = await cursor.fetchall()
    known = {external_id.casefold(): identifier for _, external_id, identifier in there if external_id}
    known |= {name.casefold(): identifier for name, _, identifier in there}
    new: dict[str, tuple[str, UUID]] = {}
    for name in names:
        if (key := name.casefold()) not in known and key not in new:
            new[key] = (name, uuid7(now))
    if new:
        await connection.execute(
            """INSERT INTO contact_group (id, workspace_id, name, created_at)
               SELECT id, clarion_workspace(), name, %s FROM unnest(%b::uuid[], %b::text[]) AS g(id, name)""",
            (now, [g[1] for g in new.values()], [g[0] for g in new.values()]),
        )
    return known | {key: made[1] for key, made in new.items()}


async def _take_turn(connection: Connection) -> None:
    """Who changes the names and the tree of one workspace's groups waits for the one before."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('clarion groups ' || clarion_workspace(), 0))"
    )


async def _refuse_taken(connection: Connection, name: str, by_another_than: UUID | None) -> None:
    cursor = await connection.execute("SELECT id, name FROM contact_group")
    for identifier, taken in await cursor.fetchall():
        if taken.casefold() == name.casefold() and identifier != by_another_than:
            raise Conflict("a group of this name exists", where="name", hint="use it, or choose another name")


async def _refuse_known(
    connection: Connection, external_id: str | None, by_another_than: UUID | None
) -> None:
    if external_id is None:
        return
    found = await page(connection, external_id=external_id)
    if found and found[0]["id"] != by_another_than:
        raise Conflict(
            f"the group {found[0]['name']} has this external id",
            where="external_id",
            hint="use that group, or choose another external id",
        )


def _external_id(raw: str | None) -> str | None:
    if raw is None:
        return None
    known_as = clean_external_id(raw)
    if not known_as or len(raw.strip()) > LONGEST_EXTERNAL_ID:
        hint = f"1 to {LONGEST_EXTERNAL_ID} characters; null for none"
        raise Invalid("this is no external id", where="external_id", hint=hint)
    return known_as


def _name(raw: str) -> str:
    shown = clean_group(raw)
    if not shown:
        raise Invalid("a group needs a name", where="name")
    return shown
