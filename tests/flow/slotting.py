"""What tests of pushes by slots need: people here and there, a sequence, and what stands in the slots."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from clarion.connectors.rapidpro.people import SLOT
from clarion.domain.field import Field, FieldType
from clarion.domain.sequence import Sequence
from clarion.flow import sequence
from clarion.flow.bring.push import Wish
from clarion.flow.bring.slots import Filled, Foreseen, Slotted, filling
from clarion.sandbox.twins.rapidpro import WELCOME
from clarion.store import field as fields
from tests.flow.bringing import ABEBE, AMINA, ROSA, Clinic

GROUP = "Nurses"
JOIN = Slotted(join=True)
ZONES = {"Amina": "Africa/Nairobi", "Abebe": "Asia/Kolkata"}
CONTENTS: dict[str, Any] = {
    "hello": {"variants": [{"content": {"kind": "text", "text": "Hello {{ contact.name }}"}}]},
    "survey": {"variants": [{"content": {"kind": "flow_start", "flow": WELCOME}}]},
}
SCHEDULE: dict[str, Any] = {
    "start": {"from": "field", "key": "joined_on"},
    "time": {"from": "09:00", "to": "21:00"},
    "steps": [{"number": 1, "content": "hello"}, {"number": 2, "days": 2, "content": "survey"}],
    "repeat": {"every": 1, "unit": "week", "count": 2},
}


def day(clinic: Clinic, after: int = 2) -> str:
    """A day to come."""
    return f"{clinic.services.clock.now() + timedelta(days=after):%Y-%m-%d}"


async def written(clinic: Clinic, **more: Any) -> UUID:
    """Four moments of everybody: two texts and two flows."""
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await fields.declare(connection, Field("joined_on", "Joined on", FieldType.DATE))
        return await sequence.create(
            connection, clinic.services, name="Welcome", channel_id=clinic.channel, definition=made(**more)
        )


def made(contents: Any = None, **schedule: Any) -> Sequence:
    return Sequence.model_validate(
        {
            "audience": {"include": {"everyone": True}},
            "schedule": {**SCHEDULE, **schedule},
            "contents": contents or CONTENTS,
        }
    )


async def cast(clinic: Clinic) -> dict[str, str]:
    """Amina came from there; Abebe is known there by his number alone, Rosa is not. Their UUIDs there."""
    amina = clinic.there.made("contacts", name="Amina", urns=[AMINA])["uuid"]
    await clinic.bring()
    abebe = clinic.there.made("contacts", name="A. Bikila", urns=[ABEBE])["uuid"]
    await clinic.own("Abebe", external_id="E-2", addresses=[("", "tel", ABEBE.removeprefix("tel:"))])
    await clinic.own("Rosa", external_id="E-3", addresses=[("", "tel", ROSA.removeprefix("tel:"))])
    return {"Amina": amina, "Abebe": abebe}


async def dated(clinic: Clinic, day: str, *names: str) -> None:
    """They join on this day."""
    ids = {"Abebe": "E-2", "Rosa": "E-3"}
    people = await clinic.people()
    for name in names:
        known = ids.get(name) or people[name]["external_id"]
        await clinic.own(name, external_id=known, fields={"joined_on": day}, timezone=ZONES.get(name))


async def foreseen(clinic: Clinic, campaign_id: UUID, more: Slotted = JOIN) -> Foreseen:
    wish = Wish(campaign_id, GROUP)
    async with filling(clinic.services, clinic.workspace, clinic.channel, wish, more) as ready:
        return await ready.foresee()


async def pushed(
    clinic: Clinic, campaign_id: UUID, done: Callable[[str], None] = lambda what: None, more: Slotted = JOIN
) -> Filled:
    wish = Wish(campaign_id, GROUP, done, settle=0.01)
    async with filling(clinic.services, clinic.workspace, clinic.channel, wish, more) as ready:
        return await ready.push()


def moments(clinic: Clinic) -> dict[str, list[datetime]]:
    """By UUID, when each person there hears something."""
    found: dict[str, list[datetime]] = {}
    url = f"{clinic.there.sandbox.url}/rapidpro/fires"
    for one in clinic.there.ask("GET", url).body:
        found.setdefault(one["contact"], []).append(datetime.fromisoformat(one["at"]))
    return found


def slots(clinic: Clinic) -> dict[str, dict[str, str]]:
    """By name, what stands in the slots of each person there."""
    return {
        row["name"]: {key: at for key, at in row["fields"].items() if at and SLOT.fullmatch(key)}
        for row in clinic.there.listed("contacts")
    }


async def amina(clinic: Clinic) -> UUID:
    found: UUID = (await clinic.people())["Amina"]["id"]
    return found
