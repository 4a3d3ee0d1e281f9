"""Whom an alert's recipients are of one case, over which address each hears, and why somebody or everybody is
missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clarion.domain.alert import Alert, Linked, OfGroup, Own, Recipient
from clarion.domain.case_view import TypeView
from clarion.errors import NotFound
from clarion.kit.db import Connection, Row
from clarion.store import case as cases
from clarion.store import recipient
from clarion.store.case_criteria import CaseFrame
from clarion.store.recipient import Named

MOST = 200  # people that are shown
FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the case names: the URN over which they hear, and why they do not, as a reason of
    messages, or `filtered` by `only` (`unmet`: its fields that say something else)."""

    contact_id: UUID
    external_id: str | None
    name: str
    address: str | None
    reason: str
    unmet: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """One of the alert's recipients, whom it names, and why nobody where it names nobody."""

    recipient: dict[str, Any]
    people: list[Person]
    nobody: str = ""


async def told(
    connection: Connection, definition: Alert, case: Row, read_in: CaseFrame, schemes: Sequence[str]
) -> list[Told]:
    """Each of the recipients of a case (`store.case.get`), in their order, reached by `schemes`."""
    found = await recipient.named(
        connection, case["id"], definition.recipients, definition.only, read_in.people, schemes, MOST
    )
    some = []
    for place, one in enumerate(definition.recipients):
        people = [person(each) for each in found if each.place == place]
        why = "" if people else await _nobody(connection, one, case, read_in)
        some.append(Told(one.model_dump(mode="json"), people, why))
    return some


def person(one: Named) -> Person:
    """As who hears it, or why not."""
    return Person(one.contact_id, one.external_id, one.name, one.address, _reason(one), one.unmet)


def _reason(one: Named) -> str:
    if one.status != "active":
        return "erased"
    if one.unmet:
        return FILTERED
    if one.address is None:
        return "invalid_number" if one.unreadable else "no_address"
    return "opted_out" if one.opted_out else ""


async def _nobody(connection: Connection, one: Recipient, case: Row, read_in: CaseFrame) -> str:
    """Why a recipient names nobody."""
    match one:
        case Linked():
            said = case["properties"].get(one.role)
            if said is not None:
                return f"{one.role} says {said!r}, and that names nobody"
            return f"nobody is in the role {one.role} of the case"
        case Own():
            return await _not_related(connection, one.to, case, read_in)
        case OfGroup():
            return "nobody is in the group"
        case _:
            named = case[one.to]
            if named is None:
                owner = one.to == "owner"
                return "the case has no owner" if owner else "nothing says who wrote the case last"
            return f"no contact has the external id {named!r}"


async def _not_related(connection: Connection, to: str, case: Row, read_in: CaseFrame) -> str:
    if to == "case":
        return _names_nobody("the case", case, read_in)
    if to == "children":
        return "no open child of the case names anybody"
    if case[to] is None:
        return f"the case has no {to}"
    try:
        other = await cases.get(connection, case[to])
    except NotFound:
        return f"its {to} {case[to]!r} is not known"
    if other["state"] == "deleted":
        return f"its {to} {case[to]!r} was deleted"
    return _names_nobody(f"its {to} {case[to]!r}", other, read_in)


def _names_nobody(what: str, case: Row, read_in: CaseFrame) -> str:
    """None of its address properties is the address of anybody."""
    of = next((one for one in read_in.types.values() if one.name == case["type"]), TypeView(case["type"]))
    if not of.addresses:
        return f"{what} is a {of.name}, which declares no address"
    return f"{what} has no address in {' or '.join(of.addresses)}"
