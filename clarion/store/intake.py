"""Taking people in, thousands at a time: who they are is resolved, then everything is written in sets.

Writers of one workspace's people take turns (an advisory lock until the transaction ends): two imports
that meet the same new person must agree on one contact. Readers and the dispatch never wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import LiteralString, NamedTuple
from uuid import UUID

from clarion.domain.address import Address
from clarion.domain.identity import ID, PLACE, Claim, Found, Known, Marks, marks, resolve
from clarion.domain.person import Person, combine
from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, row
from clarion.kit.ids import ascending7
from clarion.store import consent, group
from clarion.store.writing import Said, hashes, said, stage_people, write


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
    rows: Sequence[Said] | None = None,
    how: str = "import",
    by: str = "",
) -> list[Taken]:
    """Store people given in order; one result each, in the same order.

    The same as storing them one after the other: who is met twice is combined, the later row wins where
    it says something. Addresses replace the person's others of the same schemes (those become `retired`,
    their history stays); groups are added, and made when they are new; an opt-out is recorded and takes
    the person's waiting messages out. An erased person who comes back is the same contact again.
    `rows` are what is said of the people where somebody has made it ready; `how` and `by` go into the
    consent ledger.
    """
    if not people:
        return []
    if rows is None:
        rows = [said(pepper, person) for person in people]
    await take_turn(connection)
    known = await whose(connection, [row.marks for row in rows])
    found, claims = resolve((row.marks for row in rows), known, ascending7(now).__next__)
    fresh = {who.contact_id for who in found if who.fresh}
    merged, again = _combined(pepper, people, rows, found)
    names = dict.fromkeys(name for person in people for name in person.groups)
    groups = await group.by_name(connection, names, now) if names else {}
    await stage_people(connection, merged, fresh, now)
    async with connection.pipeline():  # PostgreSQL writes one part while the next is made
        changed, revived = await write(connection, merged, fresh, claims, now)
        wishes = [
            (name, who.contact_id)
            for person, who in zip(people, found, strict=True)
            for name in person.groups
        ]
        changed |= await group.join(connection, groups, wishes, telling=len(fresh) < len(merged))
    out = [
        row.marks.consents[a]
        for person, row in zip(people, rows, strict=True)
        if person.opted_out
        for a in person.addresses
    ]
    if out:
        await consent.opt_out(connection, out, now, how=how, by=by)
    return _outcomes(found, again, fresh, changed, revived)


async def edit(
    connection: Connection, pepper: bytes, contact_id: UUID, person: Person, now: datetime, *, whole: bool
) -> None:
    """Change what `person` says of a contact, who is also known by it from now on; the rest stays.

    Unlike `upsert`, an external id replaces the one before (which stays a key), and with `whole` all
    other addresses are retired. Raises NotFound, and Conflict: no active contact, or another one has the
    external id.
    """
    await take_turn(connection)
    kept = await row(connection, _KEPT, (contact_id,))
    if kept is None:
        raise NotFound("there is no such contact", where="contact")
    if kept["status"] != "active":
        raise Conflict(f"this contact is {kept['status']}", where="contact")
    there = () if whole else tuple(Address(scheme, path) for scheme, path in kept["addresses"])
    after = replace(
        person,
        name=kept["name"] if person.name is None else person.name,
        addresses=tuple(dict.fromkeys((*person.addresses, *there))),
        unreadable=(),
    )
    mark = marks(pepper, after)
    known = await whose(connection, [mark])
    if mark.id is not None and mark.id in known and known[mark.id].contact_id != contact_id:
        raise Conflict("another person has this external id", where="external_id", hint="merge the two?")
    claims = [Claim(key, PLACE, contact_id) for key in dict.fromkeys(mark.places) if key not in known]
    if mark.id is not None and mark.id not in known:
        claims.append(Claim(mark.id, ID, contact_id))
    if whole:
        await connection.execute(
            "UPDATE address SET status = 'retired' WHERE contact_id = %s AND status = 'active'", (contact_id,)
        )
    written = {contact_id: (person, said(pepper, person))}
    await stage_people(connection, written, set(), now)
    await write(connection, written, set(), claims, now)
    if person.external_id is not None:
        await connection.execute(
            "UPDATE contact SET external_id = %s WHERE id = %s", (person.external_id, contact_id)
        )


_KEPT: LiteralString = """
SELECT c.status, c.name, ARRAY(
  SELECT ARRAY[a.scheme, a.value] FROM address a
  WHERE a.contact_id = c.id AND a.status = 'active') AS addresses
FROM contact c WHERE c.id = %s"""


def _combined(
    pepper: bytes, people: Sequence[Person], rows: Sequence[Said], found: Sequence[Found]
) -> tuple[dict[UUID, tuple[Person, Said]], list[bool]]:
    """Each contact as all its rows say; and of each row, whether it changed what an earlier one said."""
    merged: dict[UUID, tuple[Person, Said]] = {}
    differs = []
    for person, its, who in zip(people, rows, found, strict=True):
        before = merged.get(who.contact_id)
        if before is None:
            merged[who.contact_id] = person, its
            differs.append(False)
        else:
            after = combine(before[0], person)
            merged[who.contact_id] = after, said(pepper, after)
            differs.append(after != before[0])
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


async def whose(connection: Connection, rows: Iterable[Marks]) -> dict[bytes, Known]:
    """Whose each of the rows' keys is, where it is anybody's."""
    keys = {key for row in rows for key in ((row.id, *row.places) if row.id else row.places)}
    cursor = await connection.execute(
        """SELECT i.key, i.contact_id, d.contact_id IS NOT NULL
           FROM unnest(%s::bytea[]) AS wanted(key)
           CROSS JOIN LATERAL (SELECT key, contact_id FROM identity
             WHERE workspace_id = clarion_workspace() AND key = wanted.key LIMIT 1) i
           LEFT JOIN LATERAL (SELECT contact_id FROM identity
             WHERE contact_id = i.contact_id AND kind = 'id' LIMIT 1) d ON true""",
        (hashes(keys),),
        prepare=True,
    )
    return {key: Known(contact, has_id) for key, contact, has_id in await cursor.fetchall()}
