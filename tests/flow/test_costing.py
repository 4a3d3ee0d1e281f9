"""What an announcement would take and cost, told before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from clarion.domain.content import Content
from clarion.domain.pool import PoolMember
from clarion.errors import Invalid
from clarion.flow import configure, draft, pooling, preview
from clarion.flow.costing import Cost, Segments
from clarion.flow.preview import Preview
from clarion.flow.services import Services
from tests.flow.announcing import announcement, channel, people, written
from tests.store.people import ABEBE, AMINA, ROSA, person

SMS = {"base_url": "https://sms.example.org"}
LONG = "Ä" * 80 + "{{ contact.name }} ☂"  # UCS-2, so two segments


async def seen(services: Services, workspace: UUID, campaign_id: UUID) -> Preview:
    async with services.db.tenant(workspace) as connection:
        return await preview.preview(connection, services, campaign_id)


async def told(services: Services, workspace: UUID, prices: object, text: str = "Hello") -> Preview:
    """Amina in Kenya, Abebe in Ethiopia and Rosa in Ireland are to be told by SMS."""
    await people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE), person("Rosa", ROSA)])
    sms = await channel(services, workspace, "SMS", "kannel", **SMS, prices=prices)
    content = Content.of_text(text)
    return await seen(services, workspace, await written(services, workspace, sms, content=content))


async def test_each_number_costs_what_its_longest_prefix_says(services: Services, workspace: UUID) -> None:
    prices = {"currency": "KES", "by_prefix": {"+2547": "0.80", "+254": "9", "+251": "2.05"}, "otherwise": 11}
    made = await told(services, workspace, prices)
    assert made.costs == [Cost("KES", Decimal("13.85"), 0)]
    assert made.segments == Segments(each=1.0, most=1, total=3)


async def test_a_text_of_two_segments_costs_twice_as_much(services: Services, workspace: UUID) -> None:
    made = await told(services, workspace, {"currency": "KES", "otherwise": "0.8"}, LONG)
    assert made.segments == Segments(each=2.0, most=2, total=6)
    assert made.costs == [Cost("KES", Decimal("4.80"), 0)]


async def test_what_has_no_price_is_counted_apart(services: Services, workspace: UUID) -> None:
    made = await told(services, workspace, {"currency": "KES", "by_prefix": {"+254": "0.8"}})
    assert made.costs == [Cost("KES", Decimal("0.80"), 2)]


async def test_without_a_price_table_nothing_is_said_of_money(services: Services, workspace: UUID) -> None:
    made = await told(services, workspace, None)
    assert (made.costs, made.segments) == ([], Segments(each=1.0, most=1, total=3))


async def test_two_who_share_a_phone_and_get_one_message_cost_one(
    services: Services, workspace: UUID
) -> None:
    sharing = [person("Amina", AMINA, external_id="E-1"), person("John", AMINA, external_id="E-2")]
    await people(services, workspace, sharing)
    prices = {"currency": "KES", "otherwise": 1}
    sms = await channel(services, workspace, "SMS", "kannel", **SMS, prices=prices)
    for one_per, amount in (("person", 2), ("address", 1)):
        campaign = await written(services, workspace, sms, content=Content.of_text("Hello"), one_per=one_per)
        assert (await seen(services, workspace, campaign)).costs == [Cost("KES", Decimal(amount), 0)]


async def test_a_message_that_is_no_sms_costs_as_one(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE)])
    prices = {"currency": "USD", "by_prefix": {"+254": "0.0225"}, "otherwise": "0.01"}
    whatsapp = await channel(services, workspace, prices=prices)
    made = await seen(services, workspace, await written(services, workspace, whatsapp))
    assert (made.costs, made.segments) == ([Cost("USD", Decimal("0.03"), 0)], None)


async def test_over_a_pool_each_channel_has_its_own_prices(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE), person("Rosa", ROSA)])
    members = []
    for name, prefix, currency in (("nairobi", "+254", "KES"), ("addis", "+251", "ETB")):
        prices = {"currency": currency, "by_prefix": {prefix: 2}}
        sms = await channel(services, workspace, name, "kannel", **SMS, prices=prices)
        members.append(PoolMember(channel_id=sms, prefixes=(prefix,)))
    async with services.db.tenant(workspace) as connection:
        pool_id = await pooling.create(connection, services, name="SMS", members=members, skip_paused=False)
        campaign_id = await draft.create(
            connection, services, name="Closed on Monday", channel_id=None,
            definition=announcement(content=Content.of_text(LONG), pool_id=pool_id),
        )  # fmt: skip
    made = await seen(services, workspace, campaign_id)
    assert {(cost.currency, cost.amount, cost.unpriced) for cost in made.costs} == {
        ("KES", Decimal(4), 0), ("ETB", Decimal(4), 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("prices", "where"),
    [
        ({"currency": "shillings"}, "config.prices.currency"),
        ({"currency": "KES", "by_prefix": {"254": 1}}, "config.prices.by_prefix"),
        ({"currency": "KES", "otherwise": -1}, "config.prices.otherwise"),
        ({"currency": "KES", "otherwise": "NaN"}, "config.prices.otherwise"),
        ({"otherwise": 1}, "config.prices.currency"),
    ],
)
async def test_a_price_table_that_makes_no_sense_is_refused_with_its_place(
    services: Services, workspace: UUID, prices: object, where: str
) -> None:
    with pytest.raises(Invalid) as wrong:
        configure.check_config(services, "kannel", {**SMS, "prices": prices})
    assert wrong.value.problems[0].where.startswith(where)
