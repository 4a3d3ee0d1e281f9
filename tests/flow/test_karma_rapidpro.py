"""The Karma schedule over RapidPro: as flow starts of ours, sixteen for everybody, and as a campaign there
that says it by itself. Both say it at the same moments (examples/karma.json)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from clarion.domain.field import Field, FieldType
from clarion.domain.message import Outcome, reference
from clarion.domain.sequence import Sequence
from clarion.flow import configure, fire, sequence
from clarion.flow.bring.push import Wish
from clarion.flow.bring.slots import Filled, Slotted, filling
from clarion.flow.compose import Composer
from clarion.flow.dispatch import account
from clarion.flow.enroll import due
from clarion.kit.clock import FakeClock
from clarion.kit.db import rows
from clarion.kit.http import Http
from clarion.providers.contract import Answered, Parcel
from clarion.sandbox.twins.rapidpro import BOTS
from clarion.store import field
from tests.flow.announcing import Dispatch
from tests.flow.bringing import Clinic
from tests.sandbox.rapidpro import TOKEN
from tests.store.people import person, store

KARMA = json.loads((Path(__file__).parents[2] / "examples" / "karma.json").read_text(encoding="utf-8"))
ZONES = ("Africa/Nairobi", "Asia/Kolkata", "America/Sao_Paulo")
DAYS = [12 * turn + 3 * nth for turn in range(4) for nth in range(4)]
SAID = ["Bot 1", "Bot 1", "Bot 1", "Bot 2"] * 4
HOURS = Counter([*range(9, 22), 12, 18, 20])
"""Each full hour of the window once, and the valued ones once more."""
Heard = Mapping[str, list[tuple[datetime, str]]]
"""By number: the moment of each flow that was begun, and which, in their order."""


def zone_of(number: str) -> ZoneInfo:
    return ZoneInfo(ZONES[int(number[-4:]) % 3])


def begins(clinic: Clinic, number: str) -> datetime:
    """The day on which they registered: one of ten to come."""
    day = clinic.services.clock.now() + timedelta(days=2 + int(number[-4:]) % 10)
    return day.replace(hour=0, minute=0, second=0, microsecond=0)


async def registered(clinic: Clinic, many: int) -> list[str]:
    """So many people, here and in RapidPro; their numbers."""
    numbers = [f"+2547{10_000_000 + n}" for n in range(many)]
    everybody = [
        replace(
            person(f"P{number[-4:]}", number, external_id=number, timezone=zone_of(number).key),
            fields={"registration_date": f"{begins(clinic, number):%Y-%m-%d}"},
        )
        for number in numbers
    ]
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        await field.declare(connection, Field("registration_date", "Registration date", FieldType.DATE))
        await store(connection, everybody, clinic.services.clock.now())
    for number in numbers:
        clinic.there.made("contacts", name=f"P{number[-4:]}", urns=[f"tel:{number}"])
    return numbers


def contents() -> dict[str, Any]:
    """What each step says: the flow of its bot."""
    return {
        name: {"variants": [{"content": {"kind": "flow_start", "flow": name}}]} for name in ("bot 1", "bot 2")
    }


async def written(clinic: Clinic) -> UUID:
    """The schedule as a sequence of flow starts, over a channel that has names for them."""
    options = {"flows": {"bot 1": BOTS[0], "bot 2": BOTS[1]}}
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        channel = await configure.create_channel(
            connection, clinic.services, clinic.workspace, name="karma", provider="rapidpro",
            config={"base_url": clinic.there.sandbox.url, "options": options}, credentials={"token": TOKEN},
        )  # fmt: skip
        clinic.channel = channel
        definition = Sequence.model_validate(
            {"audience": {"include": {"everyone": True}}, "schedule": KARMA, "contents": contents()}
        )
        return await sequence.create(
            connection, clinic.services, name="Karma", channel_id=channel, definition=definition
        )


async def pushed(clinic: Clinic, campaign_id: UUID) -> Filled:
    wish = Wish(campaign_id, "Karma", settle=0.01)
    async with filling(clinic.services, clinic.workspace, clinic.channel, wish, Slotted(join=True)) as ready:
        return await ready.push()


def fired_there(clinic: Clinic) -> Heard:
    """What RapidPro's own campaign begins for whom, by the fields that it holds."""
    found: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for one in clinic.there.ask("GET", f"{clinic.there.sandbox.url}/rapidpro/fires").body:
        (urn,) = one["urns"]
        name = f"Bot {BOTS.index(one['flow']) + 1}"
        found[urn.removeprefix("tel:")].append((datetime.fromisoformat(one["at"]), name))
    return found


class Started:
    """Stands where a desk stands: says what is due over RapidPro's own provider, and remembers when."""

    def __init__(self, clinic: Clinic, campaign_id: UUID, http: Http) -> None:
        self.clinic, self.http = clinic, http
        self.dispatch = Dispatch(clinic.services, clinic.workspace, campaign_id, clinic.channel)
        self.composer = Composer(clinic.services)
        self.at: dict[str, datetime] = {}  # by reference

    async def say(self) -> None:
        """Everything that is due now."""
        services, now = self.clinic.services, self.clinic.services.clock.now()
        channel = await account.load(services, self.clinic.workspace, self.clinic.channel)
        sender = channel.provider.sender(channel.account, self.http)
        while begun := await self.dispatch.begin(500):
            async with services.db.tenant(self.clinic.workspace) as connection:
                await self.composer.prepare(connection, {one.content_version_id for one, _ in begun})
            for waiting, attempt_id in begun:
                content, _ = self.composer.compose(channel, waiting, now)
                name = reference(waiting.cohort, attempt_id)
                told = await sender.send(Parcel(name, waiting.scheme, waiting.address, content))
                assert told.answered is Answered.ACCEPTED, told
                self.at[name] = now
            await self.dispatch.end(begun, Outcome.ACCEPTED)

    def heard(self) -> Heard:
        """What reached RapidPro, by its own record."""
        found: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for one in self.clinic.there.sandbox.accepted():
            found[f"+{one['to'].lstrip('+')}"].append((self.at[one["reference"]], one["text"]))
        return found


async def next_due(clinic: Clinic, campaign_id: UUID) -> datetime | None:
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        (found,) = await rows(
            connection, "SELECT min(next_due) AS at FROM enrollment WHERE campaign_id = %s", (campaign_id,)
        )
    soonest: datetime | None = found["at"]
    return soonest


async def lived(clinic: Clinic, campaign_id: UUID) -> Heard:
    """The sequence is launched, and its days go by from one due moment to the next."""
    clock = clinic.services.clock
    assert isinstance(clock, FakeClock)
    async with clinic.services.db.tenant(clinic.workspace) as connection:
        run_id = await sequence.launch(connection, clinic.services, campaign_id)
    await fire.fire(clinic.services, clinic.workspace, run_id)
    async with Http() as http:
        started = Started(clinic, campaign_id, http)
        while (soon := await next_due(clinic, campaign_id)) is not None:
            clock.advance(max(0.0, (soon - clock.now()).total_seconds()))
            while await due.fire(clinic.services, clinic.workspace, campaign_id):
                pass
            await started.say()
        return started.heard()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "many", [15, pytest.param(60, marks=pytest.mark.nightly), pytest.param(500, marks=pytest.mark.nightly)]
)
async def test_every_flow_begins_once_at_the_hours_that_cover_demands_from_here_and_from_there(
    clinic: Clinic, many: int
) -> None:
    clinic.there.sandbox.configure(rapidpro={"requests": 1_000_000})
    numbers = await registered(clinic, many)
    first = {number: begins(clinic, number) for number in numbers}
    campaign_id = await written(clinic)
    done = await pushed(clinic, campaign_id)
    assert (done.around.created, done.written, done.joined) == (16, many, many)
    assert await pushed(clinic, campaign_id) == Filled()
    there = fired_there(clinic)
    here = await lived(clinic, campaign_id)
    assert set(here) == set(there) == set(numbers)
    for number in numbers:
        zone = zone_of(number)
        local = [at.astimezone(zone) for at, _ in here[number]]
        assert Counter(at.hour for at in local) == HOURS
        assert {(at.minute, at.second, at.microsecond) for at in local} == {(0, 0, 0)}
        assert [(at.date() - first[number].date()).days for at in local] == DAYS
        assert [said for _, said in here[number]] == SAID
        assert here[number] == there[number]
    assert len({at.astimezone(zone_of(number)).hour for number, ((at, _), *_) in here.items()}) > 6
    assert clinic.there.sandbox.summary()["accepted"] == 16 * many
