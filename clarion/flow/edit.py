"""Edit: somebody mends what is known of one person."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clarion.domain.person import Customs, Given, Person, read_person
from clarion.errors import Invalid, Problem
from clarion.flow.ingest import customs_of
from clarion.kit.clock import Clock
from clarion.kit.db import Database, Row
from clarion.store import contact, intake, workspace


async def edit_contact(
    db: Database, clock: Clock, workspace_id: UUID, contact_id: UUID, given: Given, *, whole: bool
) -> Row:
    """Change what `given` says and leave the rest; the contact as `store.contact.get` shows it.

    `whole`: its addresses are all that the person has from now on, the others are retired. Unlike an
    import this takes all or nothing. Raises Invalid (each thing that cannot be read, with its place),
    NotFound, and Conflict (merged or erased, or another person has the external id).
    """
    async with db.tenant(workspace_id) as connection:
        known = await contact.get(connection, contact_id)
        home = await workspace.get(connection)
        customs = await customs_of(connection, home, None)
        country = known["country"] or customs.country
        person = _read(given, contact_id, replace(customs, country=country))
        await intake.edit(connection, bytes(home["pepper"]), contact_id, person, clock.now(), whole=whole)
        return await contact.get(connection, contact_id)


def _read(given: Given, contact_id: UUID, customs: Customs) -> Person:
    # A person who is given must say who they are; this one is known already, so anything will do for it.
    known_by = given.external_id or str(contact_id)
    person, found = read_person(replace(given, external_id=known_by), customs)
    if person is None or found:
        problems = tuple(Problem(f"body.{one.field}", one.reason) for one in found)
        raise Invalid("this cannot be read, so nothing was changed", problems=problems)
    return person if given.external_id else replace(person, external_id=None)
