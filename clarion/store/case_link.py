"""Whom cases name: properties of the kinds address and contact, and roles of their own.

A role holds exactly those whom the last word about it names. An address finds the oldest active contact who
has it, and makes one where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from clarion.domain.address import Address
from clarion.domain.case_values import Case
from clarion.domain.person import Finding, Person
from clarion.kit.db import Connection, array
from clarion.store import intake
from clarion.store.case import as_uuid
from clarion.store.staging import line, stage

Places = Mapping[int, tuple[UUID, bool]]
_UNKNOWN = "there is no contact of this external id; linked when it is told again once there is one"


@dataclass
class _Wishes:
    """What the words of a batch say of people: role by role, the last word."""

    roles: dict[tuple[UUID, str], int] = field(default_factory=dict)  # which word said it
    addresses: dict[tuple[UUID, str], Address] = field(default_factory=dict)
    people: dict[tuple[UUID, str], tuple[str, ...]] = field(default_factory=dict)
    known: set[UUID] = field(default_factory=set)  # the cases that were here before

    def say(self, n: int, place: tuple[UUID, str], address: Address | None, people: tuple[str, ...]) -> None:
        self.roles[place] = n
        self.addresses.pop(place, None)
        self.people.pop(place, None)
        if address is not None:
            self.addresses[place] = address
        if people:
            self.people[place] = people


async def link(
    connection: Connection, pepper: bytes, cases: Sequence[Case], places: Places, now: datetime
) -> tuple[set[int], dict[int, list[Finding]]]:
    """Link the cases of these words (by number: the case, and whether it was known) to whom they name.

    Which words changed anything by that, and what could not be found.
    """
    wishes = _wishes(cases, places)
    if not wishes.roles:
        return set(), {}
    reached = await _reached(connection, pepper, wishes, now)
    people = await _people(connection, {one for some in wishes.people.values() for one in some})
    findings = _missing(wishes, people, cases)
    changed = await _write(connection, wishes, reached, people)
    return {wishes.roles[place] for place in changed if place[0] in wishes.known}, findings


def names_somebody(case: Case) -> bool:
    """Whether a word says anything of people, or may take some away."""
    return bool(case.addresses or case.people or case.contacts or case.replace)


def _wishes(cases: Sequence[Case], places: Places) -> _Wishes:
    wishes = _Wishes()
    for n, (case_id, known) in places.items():
        case = cases[n]
        if not names_somebody(case):
            continue
        if known:
            wishes.known.add(case_id)
        for key, address in case.addresses.items():
            wishes.say(n, (case_id, key), address, ())
        for key, person in case.people.items():
            wishes.say(n, (case_id, key), None, (person,) if person else ())
        for role, people in case.contacts.items():
            wishes.say(n, (case_id, role), None, people)
        if case.replace and known:
            for key in case.type.roles:
                if key not in case.properties:
                    wishes.say(n, (case_id, key), None, ())
    return wishes


async def _reached(
    connection: Connection, pepper: bytes, wishes: _Wishes, now: datetime
) -> dict[Address, UUID]:
    """The contact of each address; made where there is none."""
    wanted = list(dict.fromkeys(wishes.addresses.values()))
    found = await _owners(connection, wanted)
    if missing := [one for one in wanted if one not in found]:
        await intake.take_turn(connection)  # nobody else makes them meanwhile
        found |= await _owners(connection, missing)
        missing = [one for one in missing if one not in found]
        names = await _names(connection, wishes, set(missing))
        new = [Person(name=names.get(one), addresses=(one,)) for one in missing]
        taken = await intake.upsert(connection, pepper, new, now, how="case")
        found |= {one: result.contact_id for one, result in zip(missing, taken, strict=True)}
    return found


_OWNERS: LiteralString = """
SELECT w.n, k.contact_id FROM unnest(%b::text[], %b::text[]) WITH ORDINALITY AS w(scheme, value, n)
CROSS JOIN LATERAL (
  SELECT a.contact_id FROM address a CROSS JOIN LATERAL (
    SELECT status FROM contact WHERE contact.id = a.contact_id LIMIT 1) c
  WHERE a.workspace_id = (SELECT clarion_workspace()) AND a.value = w.value AND a.scheme = w.scheme
    AND a.status <> 'retired' AND c.status = 'active'
  ORDER BY a.contact_id LIMIT 1) k"""


async def _owners(connection: Connection, addresses: Sequence[Address]) -> dict[Address, UUID]:
    """The oldest active contact of each address that somebody has."""
    if not addresses:
        return {}
    cursor = await connection.execute(
        _OWNERS, ([one.scheme for one in addresses], [one.path for one in addresses]), prepare=True
    )
    return {addresses[n - 1]: contact_id for n, contact_id in await cursor.fetchall()}


async def _names(connection: Connection, wishes: _Wishes, of: set[Address]) -> dict[Address, str]:
    """What the cases are called that name these addresses: of several the first that has a name."""
    asked = [(case_id, address) for (case_id, _), address in wishes.addresses.items() if address in of]
    cursor = await connection.execute(
        """SELECT c.id, c.name FROM unnest(%s::uuid[]) AS w(id) CROSS JOIN LATERAL (
             SELECT id, name FROM "case" WHERE "case".id = w.id LIMIT 1) c WHERE c.name <> ''""",
        (array(case_id.hex for case_id, _ in asked),),
        prepare=True,
    )
    called: dict[UUID, str] = dict(await cursor.fetchall())
    names: dict[Address, str] = {}
    for case_id, address in asked:
        if case_id in called:
            names.setdefault(address, called[case_id])
    return names


_PEOPLE: LiteralString = """
SELECT w.id, k.id FROM unnest(%s::text[]) AS w(id) CROSS JOIN LATERAL (
  SELECT c.id FROM contact c WHERE c.workspace_id = (SELECT clarion_workspace()) AND c.external_id = w.id
    AND c.status = 'active' LIMIT 1) k
UNION ALL
SELECT w.id::text, coalesce(k.merged_into, k.id) FROM unnest(%s::uuid[]) AS w(id) CROSS JOIN LATERAL (
  SELECT c.id, c.merged_into FROM contact c WHERE c.id = w.id AND c.status <> 'erased' LIMIT 1) k"""


async def _people(connection: Connection, named: Iterable[str]) -> dict[str, UUID]:
    """Contacts by their external ids, or by their ids."""
    texts = list(named)
    if not texts:
        return {}
    by_id = {str(one): text for text in texts if (one := as_uuid(text)) is not None}
    cursor = await connection.execute(_PEOPLE, (texts, [UUID(one) for one in by_id]), prepare=True)
    found: dict[str, UUID] = {}
    for text, contact_id in await cursor.fetchall():
        found.setdefault(text, contact_id)
        if text in by_id:
            found.setdefault(by_id[text], contact_id)
    return found


def _missing(wishes: _Wishes, people: Mapping[str, UUID], cases: Sequence[Case]) -> dict[int, list[Finding]]:
    findings: dict[int, list[Finding]] = {}
    for (case_id, role), named in wishes.people.items():
        n = wishes.roles[case_id, role]
        where = f"contacts.{role}" if role in cases[n].contacts else f"properties.{role}"
        for one in named:
            if one not in people:
                findings.setdefault(n, []).append(Finding(where, f"{one}: {_UNKNOWN}"))
    return findings


_LINKED = {"case_id": "uuid", "role": "text", "contact_id": "uuid"}

_TAKE_AWAY: LiteralString = """
DELETE FROM case_contact WHERE ctid = ANY (ARRAY(
  SELECT k.place FROM (SELECT case_id, role, array_remove(array_agg(contact_id), NULL) AS kept
    FROM linked GROUP BY case_id, role) s
  CROSS JOIN LATERAL (SELECT c.ctid AS place FROM case_contact c WHERE c.case_id = s.case_id
    AND c.role = s.role AND c.contact_id <> ALL (s.kept) OFFSET 0) k))
RETURNING case_id, role"""

_ADD: LiteralString = """
INSERT INTO case_contact (workspace_id, case_id, role, contact_id)
SELECT DISTINCT clarion_workspace(), case_id, role, contact_id FROM linked WHERE contact_id IS NOT NULL
ON CONFLICT DO NOTHING"""


async def _write(
    connection: Connection, wishes: _Wishes, reached: Mapping[Address, UUID], people: Mapping[str, UUID]
) -> set[tuple[UUID, str]]:
    """Each role as it is said; which roles were different before."""
    await stage(connection, "linked", _LINKED, _lines(wishes, reached, people))
    if not wishes.known:  # nobody asks what became of cases that are new
        await connection.execute(_ADD, prepare=True)
        return set()
    cursor = await connection.execute(_TAKE_AWAY, prepare=True)
    changed = set(await cursor.fetchall())
    cursor = await connection.execute(_ADD + " RETURNING case_id, role", prepare=True)
    return changed | set(await cursor.fetchall())


def _lines(wishes: _Wishes, reached: Mapping[Address, UUID], people: Mapping[str, UUID]) -> Iterable[str]:
    for place in wishes.roles:
        case_id, role = place
        whom: list[UUID | None] = []
        if place in wishes.addresses:
            whom.append(reached[wishes.addresses[place]])
        whom += [people[one] for one in wishes.people.get(place, ()) if one in people]
        for contact in whom or [None]:
            yield line(case_id.hex, role, None if contact is None else contact.hex)
