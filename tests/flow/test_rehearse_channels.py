"""What a rehearsal says of channels: when the last one leaves, what does not fit, what it takes and costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from clarion.domain.campaign import Announcement
from clarion.domain.pool import PoolMember
from clarion.domain.sequence import Sequence
from clarion.flow import configure, draft, pooling, sequence
from clarion.flow.costing import Cost
from clarion.flow.rehearse.outcome import Busiest, Taken, Unfit
from clarion.flow.rehearse.rehearse import Rehearsal, Wish, rehearse
from clarion.flow.services import Services
from clarion.store import channel as channels
from tests.flow import announcing
from tests.store.people import ABEBE, AMINA, ROSA, person

EVENING = datetime(2026, 3, 2, 16, 58, tzinfo=UTC)  # in Nairobi two minutes to eight
SMS = {"base_url": "https://sms.example.org"}
PRICES = {"currency": "KES", "by_prefix": {"+2547": "0.80", "+254": "9", "+251": "2"}, "otherwise": 11}
QUIET = {"quiet": [{"from": "20:00", "to": "08:00"}]}


async def sms(services: Services, workspace: UUID, name: str = "SMS", rate: float = 1, **config: Any) -> UUID:
    async with services.db.tenant(workspace) as connection:
        return await configure.create_channel(
            connection, services, workspace, name=name, provider="kannel", config={**SMS, **config}, rate=rate
        )


async def many(services: Services, workspace: UUID, count: int, **more: Any) -> None:
    some = [person(f"P{n}", f"+2547{10_000_000 + n}", external_id=f"P{n}", **more) for n in range(count)]
    await announcing.people(services, workspace, some)


async def told(
    services: Services, workspace: UUID, text: str, wish: Wish | None = None, **more: Any
) -> Rehearsal:
    """An announcement of this text to everyone, over a channel of SMS at one a second."""
    channel_id = more.pop("channel_id", None) or await sms(services, workspace, **more.pop("config", {}))
    form = {"variants": [{"content": {"kind": "text", "text": text}}]}
    definition = Announcement.model_validate({"audience": announcing.EVERYONE, "content": form, **more})
    if definition.pool_id is not None:
        channel_id = None
    async with services.db.tenant(workspace) as connection:
        campaign_id = await draft.create(
            connection, services, name="Closed", channel_id=channel_id, definition=definition
        )
    return await rehearse(services, workspace, campaign_id, wish)


async def test_the_last_one_leaves_when_the_channel_has_carried_all(
    services: Services, workspace: UUID
) -> None:
    await many(services, workspace, 130)
    found = await told(services, workspace, "Hello", Wish(at=EVENING))
    (over,) = found.outcome.channels
    assert found.last == EVENING + timedelta(seconds=129)
    assert over.busiest == Busiest(EVENING, 130, 130, 60.0, round(130 / 60, 2))
    assert (over.longest_wait, found.leave, found.warnings) == (129.0, 130, [])


async def test_what_does_not_fit_before_quiet_hours_is_told_first(
    services: Services, workspace: UUID
) -> None:
    await many(services, workspace, 200)
    found = await told(services, workspace, "Hello", Wish(at=EVENING), hours=QUIET)
    (over,) = found.outcome.channels
    eight = EVENING + timedelta(minutes=2)
    assert over.unfit == [Unfit(eight, 80)]
    assert [(one.day.day, one.due, one.leave, one.put_off) for one in found.outcome.days] == [
        (2, 200, 120, 80), (3, 0, 80, 0),
    ]  # fmt: skip
    assert found.last == EVENING + timedelta(hours=12, minutes=2, seconds=79)
    assert found.warnings[0] == (
        "This does not fit before quiet hours: 80 messages over SMS are left when the hours end, "
        "Mon 2026-03-02 20:00."
    )


async def test_what_the_channel_cannot_carry_in_time_expires(services: Services, workspace: UUID) -> None:
    await many(services, workspace, 100)
    found = await told(services, workspace, "Hello", expires_after=60)
    assert (found.leave, found.expire) == (60, 40)
    assert "40 messages over SMS expire before their turn comes." in found.warnings


async def test_who_sleeps_is_held_until_their_morning(services: Services, workspace: UUID) -> None:
    await many(services, workspace, 10, timezone="America/New_York")
    noon = EVENING.replace(hour=12, minute=0)  # seven in New York
    found = await told(services, workspace, "Hello", Wish(at=noon), hours=QUIET)
    assert (found.held, found.messages) == (10, 10)
    assert found.last == noon + timedelta(hours=1, seconds=9)


async def test_a_text_without_variables_takes_exactly_what_it_takes(
    services: Services, workspace: UUID
) -> None:
    some = [person("Amina", AMINA), person("Abebe", ABEBE), person("Rosa", ROSA)]
    await announcing.people(services, workspace, some)
    found = await told(services, workspace, "Ä" * 80 + "☂", config={"prices": PRICES})
    assert found.outcome.segments == Taken(each=2.0, most=2, total=6, exact=True)
    assert found.outcome.costs == [Cost("KES", Decimal("27.60"), 0)]
    (over,) = found.outcome.channels
    assert (over.counts, over.busiest and over.busiest.units) == ("segment", 6)


async def test_a_text_with_variables_is_estimated_from_some_of_the_people(
    services: Services, workspace: UUID
) -> None:
    await announcing.people(services, workspace, [person("Amina", AMINA), person("☂" * 60, ABEBE)])
    found = await told(services, workspace, "Hello {{ contact.name }}, come to the clinic")
    assert found.outcome.segments == Taken(each=1.5, most=2, total=3, exact=False)


async def test_of_whom_nothing_can_be_said_it_is_told(services: Services, workspace: UUID) -> None:
    await announcing.people(services, workspace, [person("Amina", AMINA), person(None, ABEBE)])
    found = await told(services, workspace, "{{ contact.name }}")
    assert (found.outcome.unsayable, found.outcome.exact) == ({"empty_text": 1}, False)
    assert found.warnings == [
        "1 message (about) cannot be said: nothing is left of the text for this person."
    ]


async def test_a_paused_channel_is_told(services: Services, workspace: UUID) -> None:
    await announcing.people(services, workspace)
    channel_id = await sms(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await channels.pause(connection, channel_id, "no credit", services.clock.now())
    found = await told(services, workspace, "Hello", channel_id=channel_id)
    assert found.warnings == ["SMS is paused (no credit): nothing goes over it until it is resumed."]


async def test_over_a_pool_each_channel_carries_its_own_people(services: Services, workspace: UUID) -> None:
    some = [person("Amina", AMINA), person("Abebe", ABEBE), person("Rosa", ROSA)]
    await announcing.people(services, workspace, some)
    kenya, ethiopia = [await sms(services, workspace, name) for name in ("Kenya", "Ethiopia")]
    members = [
        PoolMember(channel_id=kenya, prefixes=("+254",)),
        PoolMember(channel_id=ethiopia, prefixes=("+251",)),
    ]
    async with services.db.tenant(workspace) as connection:
        pool_id = await pooling.create(connection, services, name="East", members=members)
    found = await told(services, workspace, "Hello", pool_id=pool_id, channel_id=kenya)
    assert {one.name: one.due for one in found.outcome.channels} == {"Kenya": 1, "Ethiopia": 1}
    assert (found.hear, dict(found.apart), dict(found.skipped)) == (2, {"no_route": 1}, {"no_route": 1})


async def test_each_step_of_a_sequence_takes_what_its_own_text_takes(
    services: Services, workspace: UUID
) -> None:
    await announcing.people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE)])
    channel_id = await sms(services, workspace, prices=PRICES)
    texts = {"short": "Hello", "long": "Ä" * 80 + "☂"}
    definition = Sequence.model_validate(
        {
            "audience": announcing.EVERYONE,
            "schedule": {
                "time": "09:00",
                "steps": [{"number": 1, "days": 1, "content": "short"},
                          {"number": 2, "days": 2, "content": "long"}],
            },
            "contents": {name: {"variants": [{"content": {"kind": "text", "text": text}}]}
                         for name, text in texts.items()},
        }
    )  # fmt: skip
    async with services.db.tenant(workspace) as connection:
        campaign_id = await sequence.create(
            connection, services, name="Welcome", channel_id=channel_id, definition=definition
        )
    found = await rehearse(services, workspace, campaign_id)
    assert found.outcome.segments == Taken(each=1.5, most=2, total=6, exact=True)
    assert found.outcome.costs == [Cost("KES", Decimal("8.40"), 0)]
    assert [one.leave for one in found.outcome.days] == [2, 2]
