"""A rehearsal says beforehand what the ledger has afterwards: the same moments, the same reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.campaign import State
from clarion.domain.caps import Caps
from clarion.domain.enrollment import Verb
from clarion.domain.field import Field, FieldType
from clarion.domain.sequence import Sequence
from clarion.errors import Conflict, Invalid, TooLarge
from clarion.flow import announce, fire, sequence
from clarion.flow.caps import set_caps
from clarion.flow.consent import person_out
from clarion.flow.enroll import due, steer
from clarion.flow.enroll.steer import Ask
from clarion.flow.rehearse.rehearse import Rehearsal, Wish, rehearse
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import rows
from clarion.kit.ids import uuid7
from clarion.store import field
from tests.flow import announcing
from tests.flow.following import DAILY, definition, people
from tests.flow.test_home_hours import own_hours
from tests.store.people import AMINA, person, store

ZONES = ("Africa/Nairobi", "Asia/Kolkata", "America/Sao_Paulo")
BEGIN = datetime(2026, 2, 28, 6, 0, tzinfo=UTC)
FAR = BEGIN + timedelta(days=1_000)
HALF = 43_200.0  # of a day, in seconds
WINDOW = {"from": "09:00", "to": "21:00"}
COVER = {**WINDOW, "strategy": "cover", "valued": {"12:00": 1}}
FOUR = [{"number": n + 1, "days": 3 * n} for n in range(4)]
REGISTERED = {"from": "field", "key": "registration_date"}
SCHEDULES: dict[str, dict[str, Any]] = {
    "cover": {"start": REGISTERED, "time": COVER, "steps": FOUR, "repeat": {"every": 12, "count": 2}},
    "uniform": {"start": REGISTERED, "time": WINDOW, "steps": FOUR, "repeat": {"every": 12, "count": 2}},
    "spread": {"start": REGISTERED, "time": {**WINDOW, "strategy": "spread"}, "steps": FOUR},
    "the same for all": {
        "start": REGISTERED, "time": "10:30", "steps": FOUR, "repeat": {"every": 12, "count": 2},
        "holidays": {"country": "KE", "policy": "skip"},
        "hours": {"allowed": [{"from": "08:00", "to": "20:00", "weekdays": ["mon", "tue", "wed", "fri"]}]},
    },
    "random days, dropped at night": {
        "start": REGISTERED, "time": {"from": "07:00", "to": "22:00"}, "repeat": {"every": 12, "count": 2},
        "random_days": {"days": 12, "gap": 2, "tracks": [{"numbers": [1, 2, 3]}, {"numbers": [4]}]},
        "hours": {"allowed": [{"from": "08:00", "to": "20:00"}], "outside": "drop"},
    },
}  # fmt: skip


async def forty(services: Services, workspace: UUID) -> None:
    """Forty people in three zones and one without, who registered on ten days, one not yet; some without a
    number, one who opted out."""
    async with services.db.tenant(workspace) as connection:
        await field.declare(connection, Field("registration_date", "Registration date", FieldType.DATE))
        everybody = []
        for n in range(40):
            numbers = () if n in (5, 15) else ("12345",) if n == 25 else (f"+2547{10_000_000 + n}",)
            date = f"{BEGIN + timedelta(days=n % 10 - 3):%Y-%m-%d}"
            somebody = person(f"P{n:02}", *numbers, external_id=f"P{n}", timezone=(*ZONES, None)[n % 4])
            everybody.append(replace(somebody, fields={} if n == 33 else {"registration_date": date}))
        await store(connection, everybody, services.clock.now())
        (first,) = await rows(connection, "SELECT id FROM contact ORDER BY id LIMIT 1")
    await person_out(services.db, services.clock, workspace, first["id"])


async def draft_of(services: Services, workspace: UUID, wanted: Sequence) -> UUID:
    channel_id = await announcing.channel(services, workspace, f"WhatsApp {uuid7(services.clock.now())}")
    async with services.db.tenant(workspace) as connection:
        return await sequence.create(
            connection, services, name="Welcome", channel_id=channel_id, definition=wanted
        )


async def launched(services: Services, workspace: UUID, campaign_id: UUID) -> None:
    async with services.db.tenant(workspace) as connection:
        run_id = await sequence.launch(connection, services, campaign_id)
    await fire.fire(services, workspace, run_id)


async def to_the_end(
    services: Services, workspace: UUID, campaign_id: UUID, end: datetime | None = None, late: float = HALF
) -> None:
    """Let time pass until so many seconds after the next moment at which something is due, again and again,
    with the worker at work: late enough for few moments, and too soon for the next of the same person."""
    while True:
        async with services.db.tenant(workspace) as connection:
            (found,) = await rows(
                connection,
                """SELECT min(next_due) AS at FROM enrollment
                   WHERE campaign_id = %s AND state = 'active' AND cardinality(ahead) > 0""",
                (campaign_id,),
            )
        if found["at"] is None or (end is not None and found["at"] >= end):
            return
        clock = announcing.at(services)
        clock.advance(max(0.0, (found["at"] - clock.now()).total_seconds() + late))
        while await due.fire(services, workspace, campaign_id):
            pass


async def ledger(
    services: Services, workspace: UUID, campaign_id: UUID, before: datetime = FAR
) -> tuple[Counter[int], Counter[str]]:
    """What was written in each minute, and what was skipped, by reason."""
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection,
            """SELECT m.due_at, m.reason FROM enrollment e JOIN message m ON m.enrollment_id = e.id
               WHERE e.campaign_id = %s AND m.due_at < %s""",
            (campaign_id, before),
        )
    said = Counter(int(one["due_at"].timestamp()) // 60 * 60 for one in found if one["reason"] is None)
    return said, Counter(one["reason"] for one in found if one["reason"] is not None)


def agrees(told: Rehearsal, said: Mapping[int, int], skipped: Mapping[str, int]) -> None:
    assert told.reckoning.by_minute() == said
    assert dict(told.skipped) == dict(skipped)
    assert told.messages == sum(said.values())


def at_dawn(services: Services) -> Services:
    return replace(services, clock=FakeClock(BEGIN))


@pytest.mark.parametrize("name", SCHEDULES)
async def test_what_is_rehearsed_is_what_happens(services: Services, workspace: UUID, name: str) -> None:
    services = at_dawn(services)
    await forty(services, workspace)
    campaign_id = await draft_of(services, workspace, definition(SCHEDULES[name]))
    told = await rehearse(services, workspace, campaign_id)
    await launched(services, workspace, campaign_id)
    held = name == "the same for all"  # by its hours: then somebody may have two at one moment
    await to_the_end(services, workspace, campaign_id, late=0.0 if held else HALF)
    said, skipped = await ledger(services, workspace, campaign_id)
    assert skipped["no_address"] > 0
    assert skipped["invalid_number"] > 0
    agrees(told, said, skipped)
    assert (told.people, told.apart["opted_out"], told.apart["no_start"]) == (40, 1, 1)


async def test_in_the_midst_of_it_a_rehearsal_says_what_is_still_to_come(
    services: Services, workspace: UUID
) -> None:
    services = at_dawn(services)
    await forty(services, workspace)
    campaign_id = await draft_of(services, workspace, definition(SCHEDULES["cover"]))
    await launched(services, workspace, campaign_id)
    await to_the_end(services, workspace, campaign_id, BEGIN + timedelta(days=12))
    async with services.db.tenant(workspace) as connection:
        ids = [one["id"] for one in await rows(connection, "SELECT id FROM contact ORDER BY id LIMIT 8")]
        for contact_id, verb in ((ids[1], Verb.SKIP), (ids[2], Verb.PAUSE), (ids[3], Verb.TAKE_OUT)):
            await steer.one(connection, services, campaign_id, contact_id, Ask(verb))
        later = services.clock.now() + timedelta(days=2, hours=1)
        await steer.one(connection, services, campaign_id, ids[4], Ask(Verb.MOVE, later))
        await steer.one(connection, services, campaign_id, ids[6], Ask(Verb.RESTART))
    before = await ledger(services, workspace, campaign_id)
    told = await rehearse(services, workspace, campaign_id)
    await to_the_end(services, workspace, campaign_id)
    after = await ledger(services, workspace, campaign_id)
    agrees(told, after[0] - before[0], after[1] - before[1])
    assert (told.apart["paused"], told.apart["taken_out"]) == (1, 1)


async def test_what_was_due_while_nobody_worked_is_missed(services: Services, workspace: UUID) -> None:
    services = at_dawn(services)
    await forty(services, workspace)
    campaign_id = await draft_of(services, workspace, definition(SCHEDULES["the same for all"]))
    await launched(services, workspace, campaign_id)
    announcing.at(services).advance(10 * 86_400)
    told = await rehearse(services, workspace, campaign_id)
    await to_the_end(services, workspace, campaign_id, late=0.0)
    said, skipped = await ledger(services, workspace, campaign_id)
    assert skipped["missed"] > 0
    agrees(told, said, skipped)


async def test_what_fell_due_while_it_was_paused_is_left_out_when_it_goes_on(
    services: Services, workspace: UUID
) -> None:
    services = at_dawn(services)
    await forty(services, workspace)
    campaign_id = await draft_of(services, workspace, definition(SCHEDULES["cover"]))
    await launched(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await sequence.pause(connection, services, campaign_id)
    announcing.at(services).advance(8 * 86_400)
    told = await rehearse(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await sequence.resume(connection, services, campaign_id)
    await to_the_end(services, workspace, campaign_id)
    said, skipped = await ledger(services, workspace, campaign_id)
    assert skipped["paused"] > 0
    agrees(told, said, skipped)


async def test_it_may_begin_later_and_end_sooner(services: Services, workspace: UUID) -> None:
    services = at_dawn(services)
    await forty(services, workspace)
    campaign_id = await draft_of(services, workspace, definition(SCHEDULES["uniform"]))
    begins = BEGIN + timedelta(days=2)
    told = await rehearse(services, workspace, campaign_id, Wish(at=begins, days=7))
    announcing.at(services).advance(2 * 86_400)
    await launched(services, workspace, campaign_id)
    await to_the_end(services, workspace, campaign_id, begins + timedelta(days=7))
    said, skipped = await ledger(services, workspace, campaign_id, before=told.until)
    agrees(told, said, skipped)
    assert (told.begins, told.until, told.beyond) == (begins, begins + timedelta(days=7), True)


async def test_nothing_is_written(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, "2026-03-05"))
    campaign_id = await draft_of(services, workspace, definition())
    told = await rehearse(services, workspace, campaign_id)
    assert (told.messages, told.state) == (4, State.DRAFT)
    async with services.db.tenant(workspace) as connection:
        for table in ("enrollment", "message", "run", "lane"):
            assert await rows(connection, f"SELECT FROM {table}") == []


async def test_what_the_caps_hold_comes_on_a_day_that_has_room(services: Services, workspace: UUID) -> None:
    services = at_dawn(services)
    await people(services, workspace, ("Amina", AMINA, "2026-03-05"))
    twice = {"start": REGISTERED, "time": "09:00", "steps": [{"number": 1}, {"number": 2, "hours": 3}]}
    campaign_id = await draft_of(services, workspace, definition(twice, expires_after=2 * 86_400))
    free = await rehearse(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await set_caps(connection, Caps(day=1))
    told = await rehearse(services, workspace, campaign_id)
    first, second = sorted(free.reckoning.by_minute())
    assert sorted(told.reckoning.by_minute()) == [first, second + 86_400]
    assert (told.moved, told.skipped) == ({"enough_today": 1}, {})
    assert any("1 a day" in warning for warning in told.warnings)


# --- announcements


@pytest.mark.parametrize("one_per", ["person", "address"])
async def test_an_announcement_is_what_was_rehearsed(
    services: Services, workspace: UUID, one_per: str
) -> None:
    services = at_dawn(services)
    await forty(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await store(connection, [person("Twin", "+254710000007", external_id="twin")], services.clock.now())
    channel_id = await announcing.channel(services, workspace)
    moment = BEGIN + timedelta(hours=4)
    campaign_id = await announcing.written(services, workspace, channel_id, one_per=one_per, send_at=moment)
    told = await rehearse(services, workspace, campaign_id)
    run_id = await announcing.launched(services, workspace, campaign_id)
    announcing.at(services).advance(4 * 3600)
    await fire.fire(services, workspace, run_id)
    said, skipped = await ledger(services, workspace, campaign_id)
    assert skipped["duplicate_address"] == (one_per == "address")
    agrees(told, said, skipped)
    (channel,) = told.outcome.channels
    assert (told.begins, channel.last, channel.due) == (moment, moment, told.messages)


async def test_who_has_hours_of_their_own_is_told_an_announcement_then(
    services: Services, workspace: UUID
) -> None:
    services = at_dawn(services)
    await forty(services, workspace)
    await own_hours(services, workspace, "+254710000004", "15:00-17:00")  # in Nairobi it is nine
    await own_hours(services, workspace, "+254710000008", "whenever I like")
    channel_id = await announcing.channel(services, workspace)
    campaign_id = await announcing.written(services, workspace, channel_id, expires_after=9 * 3600)
    told = await rehearse(services, workspace, campaign_id)
    at_once, later = sorted(told.reckoning.by_minute().items())
    assert (later[0] - at_once[0], later[1], told.held) == (6 * 3600, 1, 1)
    assert told.hear == at_once[1] + 1
    await own_hours(services, workspace, "+254710000008", "19:00-21:00")
    told = await rehearse(services, workspace, campaign_id)
    assert (told.skipped["expired"], told.hear) == (1, at_once[1])


async def test_what_has_begun_is_not_rehearsed(services: Services, workspace: UUID) -> None:
    await announcing.people(services, workspace)
    campaign_id, _ = await announcing.sent_out(services, workspace)
    with pytest.raises(Conflict, match="begun"):
        await rehearse(services, workspace, campaign_id)


async def test_a_scheduled_one_can_be_rehearsed_for_another_moment(
    services: Services, workspace: UUID
) -> None:
    await announcing.people(services, workspace)
    channel_id = await announcing.channel(services, workspace)
    now = services.clock.now()
    campaign_id = await announcing.written(services, workspace, channel_id, send_at=now + timedelta(days=1))
    async with services.db.tenant(workspace) as connection:
        await announce.launch(connection, services, campaign_id)
    later = now + timedelta(days=2)
    assert (await rehearse(services, workspace, campaign_id)).begins == now + timedelta(days=1)
    assert (await rehearse(services, workspace, campaign_id, Wish(at=later))).begins == later


# --- what is refused


async def test_what_is_asked_wrongly_is_told(services: Services, workspace: UUID) -> None:
    await people(services, workspace, ("Amina", AMINA, "2026-03-05"))
    campaign_id = await draft_of(services, workspace, definition(DAILY))
    past = services.clock.now() - timedelta(hours=1)
    with pytest.raises(Invalid, match="past"):
        await rehearse(services, workspace, campaign_id, Wish(at=past))
    with pytest.raises(Invalid, match="days"):
        await rehearse(services, workspace, campaign_id, Wish(days=0))
    with pytest.raises(TooLarge, match="3 messages"):
        await rehearse(services, workspace, campaign_id, Wish(most_messages=3))


WEEKLY = {"time": "10:00", "steps": [{"number": 1}], "repeat": {"rrule": "FREQ=WEEKLY;BYDAY=MO", "count": 6}}


@pytest.mark.parametrize("begun", [False, True], ids=["a draft", "after two of its occasions"])
async def test_an_announcement_that_recurs_is_rehearsed_as_it_happens(
    services: Services, workspace: UUID, begun: bool
) -> None:
    services = at_dawn(services)
    await forty(services, workspace)
    channel_id = await announcing.channel(services, workspace)
    campaign_id = await announcing.written(services, workspace, channel_id, schedule=WEEKLY)

    async def launch() -> None:
        run_id = await announcing.launched(services, workspace, campaign_id)
        await fire.fire(services, workspace, run_id)

    before: tuple[Counter[int], Counter[str]] = Counter(), Counter()
    if begun:
        await launch()
        await to_the_end(services, workspace, campaign_id, BEGIN + timedelta(days=14))
        before = await ledger(services, workspace, campaign_id)
    told = await rehearse(services, workspace, campaign_id)
    if not begun:
        await launch()
    await to_the_end(services, workspace, campaign_id)
    after = await ledger(services, workspace, campaign_id)
    agrees(told, after[0] - before[0], after[1] - before[1])
    assert told.messages > 100
