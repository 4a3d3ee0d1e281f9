"""An announcement over a pool: each person hears it once, from the number that is theirs."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.message import Outcome
from clarion.domain.person import Given, Person
from clarion.domain.pool import PoolMember
from clarion.errors import Conflict, Invalid, NotFound
from clarion.flow import (
    announce,
    configure,
    draft,
    edit,
    fall_back,
    fire,
    pooling,
    preview,
    results,
    retry,
    trial,
)
from clarion.flow.progress import progress
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.store import inbound, merging
from clarion.store.inbound import Said
from tests.flow.announcing import (
    HOUR,
    Dispatch,
    announcement,
    at,
    channel,
    counted,
    launched,
    people,
    state_of,
    written,
)
from tests.store.people import ABEBE, AMINA, JOHN, ROSA, person

URL = {"base_url": "https://sms.example.org"}
GREETING = {"variants": [{"content": {"kind": "text", "text": "Hello {{ contact.name | default: 'you' }}"}}]}
KENYA, ETHIOPIA = "+254", "+251"


class Pool:
    """Three SMS numbers: one for Kenya, one for Ethiopia, one for all others; and what goes over them."""

    def __init__(self, services: Services, workspace: UUID) -> None:
        self.services, self.workspace = services, workspace
        self.channels: dict[str, UUID] = {}

    async def make(self, *names: str, skip_paused: bool = False, **prefixes: str) -> Pool:
        """Of these channels in this order, those with a prefix by keyword."""
        for name in (*prefixes, *names):
            self.channels[name] = await self.number(name)
        members = [self.member(name, prefix) for name, prefix in prefixes.items()]
        members += [self.member(name) for name in names]
        async with self.services.db.tenant(self.workspace) as connection:
            self.id = await pooling.create(
                connection, self.services, name="SMS", members=members, skip_paused=skip_paused
            )
        return self

    async def number(self, name: str) -> UUID:
        return await channel(self.services, self.workspace, name, "kannel", **URL)

    def member(self, name: str, *prefixes: str) -> PoolMember:
        return PoolMember(channel_id=self.channels[name], prefixes=prefixes)

    async def change(self, *members: PoolMember, **more: Any) -> None:
        async with self.services.db.tenant(self.workspace) as connection:
            await pooling.change(connection, self.services, self.id, members=members or None, **more)

    async def write(self, **more: Any) -> UUID:
        """A draft to everyone over the pool."""
        async with self.services.db.tenant(self.workspace) as connection:
            return await draft.create(
                connection, self.services, name="Closed on Monday", channel_id=None,
                definition=announcement(**{"content": GREETING, "pool_id": self.id, **more}),
            )  # fmt: skip

    async def send(self, cast: Sequence[Person] = (), **more: Any) -> Pool:
        """It is written, launched and fired."""
        self.people = await people(self.services, self.workspace, cast)
        self.campaign = await self.write(**more)
        self.run = await launched(self.services, self.workspace, self.campaign, confirm_similar=True)
        await fire.fire(self.services, self.workspace, self.run)
        return self

    async def over(self, run_id: UUID | None = None) -> dict[str, str]:
        """Over which channel each person's message waits, or why none does; each has one message."""
        async with self.services.db.tenant(self.workspace) as connection:
            found = await rows(
                connection,
                """SELECT t.name, m.reason, c.name AS over, q.lane_id AS queued, m.lane_id FROM message m
                   JOIN enrollment e ON e.id = m.enrollment_id JOIN contact t ON t.id = e.subject_id
                   JOIN lane l ON l.id = m.lane_id JOIN channel c ON c.id = l.channel_id
                   LEFT JOIN queue q ON q.message_id = m.id
                   WHERE m.run_id = %s""",
                (run_id or self.run,),
            )
        assert len({one["name"] for one in found}) == len(found), "nobody is in two lanes"
        assert all(one["queued"] in (None, one["lane_id"]) for one in found)
        return {one["name"]: one["reason"] or one["over"] for one in found}

    def dispatch(self, name: str) -> Dispatch:
        return Dispatch(self.services, self.workspace, self.campaign, self.channels[name])

    async def preview(self, campaign_id: UUID) -> preview.Preview:
        async with self.services.db.tenant(self.workspace) as connection:
            return await preview.preview(connection, self.services, campaign_id)

    async def own(self, contact_id: UUID, name: str) -> None:
        given = Given(channel=name)
        services = self.services
        await edit.edit_contact(services.db, services.clock, self.workspace, contact_id, given, whole=False)

    async def writes(self, number: str, name: str, word: str = "hello", ago: int = 0) -> None:
        """Somebody writes to one of our numbers."""
        now = at(self.services).now() - ago * HOUR
        said = Said(f"{number} {name} {word} {ago}", f"tel:{number}", number, word, now, "")
        async with self.services.db.tenant(self.workspace) as connection:
            await inbound.hear(connection, self.channels[name], ("tel",), [said], now)


@pytest.fixture
def pool(services: Services, workspace: UUID) -> Pool:
    return Pool(services, workspace)


# --- who hears it over which


async def test_each_hears_it_once_over_the_number_of_their_country(pool: Pool) -> None:
    await pool.make("rest", nairobi=KENYA, addis=ETHIOPIA)
    await pool.send()
    assert await pool.over() == {"Amina": "nairobi", "John": "nairobi", "Abebe": "addis", "Rosa": "rest"}
    for name, many in {"nairobi": 2, "addis": 1, "rest": 1}.items():
        assert await pool.dispatch(name).all() == many
    await fire.finish(pool.services, pool.workspace)
    assert await counted(pool.services, pool.workspace, pool.run) == {"accepted": 4}
    assert await state_of(pool.services, pool.workspace, pool.campaign) == "completed"


async def test_the_own_channel_and_the_one_that_they_wrote_to_go_before_the_prefix(pool: Pool) -> None:
    await pool.make("rest", nairobi=KENYA, addis=ETHIOPIA)
    amina, abebe, _, _ = await people(pool.services, pool.workspace)
    await pool.own(amina, "REST")
    await pool.writes(AMINA, "addis")
    await pool.writes(JOHN, "addis", ago=1)
    await pool.writes(JOHN, "rest", "told late", ago=2)
    await pool.own(abebe, "rest")
    await pool.own(abebe, "")
    await pool.send()
    assert await pool.over() == {"Amina": "rest", "John": "addis", "Abebe": "addis", "Rosa": "rest"}


async def test_who_writes_elsewhere_hears_from_there_next_time(pool: Pool) -> None:
    await pool.make("one", "two", "three")
    await pool.send()
    first = await pool.over()
    await pool.send()
    assert await pool.over() == first, "the same numbers as before"
    other = next(name for name in pool.channels if name != first["Rosa"])
    await pool.writes(ROSA, other)
    await pool.send()
    assert await pool.over() == {**first, "Rosa": other}


async def test_who_fits_no_number_is_skipped_and_says_so(pool: Pool) -> None:
    await pool.make(nairobi=KENYA, addis=ETHIOPIA)
    await pool.send()
    assert (await pool.over())["Rosa"] == "no_route"
    assert await counted(pool.services, pool.workspace, pool.run) == {"ready": 3, "no_route": 1}
    lines = results.as_csv(pool.services, pool.workspace, pool.campaign)
    told = [line async for line in lines]
    table = list(csv.DictReader(io.StringIO("".join(_text(one) for one in told).lstrip("\ufeff"))))
    by_name = {row["name"]: row for row in table}
    assert (by_name["Rosa"]["reason"], by_name["Rosa"]["channel"]) == ("no_route", "")
    assert "no channel of the pool" in by_name["Rosa"]["explanation"]
    assert by_name["Abebe"]["channel"] == "addis"


def _text(chunk: str | bytes) -> str:
    return chunk.decode() if isinstance(chunk, bytes) else chunk


async def test_a_paused_number_keeps_its_people_unless_the_pool_skips_it(pool: Pool) -> None:
    await pool.make("rest", nairobi=KENYA)
    async with pool.services.db.tenant(pool.workspace) as connection:
        await configure.pause_channel(connection, pool.channels["nairobi"], "moved", at(pool.services).now())
    await pool.send()
    assert (await pool.over())["Amina"] == "nairobi"
    await pool.change(skip_paused=True)
    await pool.send()
    assert set((await pool.over()).values()) == {"rest"}


async def test_people_who_share_a_phone_hear_it_once_over_whichever_number(pool: Pool) -> None:
    await pool.make(nairobi=KENYA, addis=ETHIOPIA)
    cast = [
        person("Rosa", ROSA, external_id="E-1"),
        person("Her son", ROSA, external_id="E-2"),
        person("Her daughter", ROSA, external_id="E-3"),
    ]
    _, son, daughter = await people(pool.services, pool.workspace, cast)
    await pool.own(son, "addis")
    await pool.own(daughter, "nairobi")
    await pool.send(cast, one_per="address")
    # nobody stands in the way of others who was not sent to
    expected = {"Rosa": "no_route", "Her son": "addis", "Her daughter": "duplicate_address"}
    assert await pool.over() == expected


# --- beside the rest


async def test_what_fails_on_any_number_goes_on_over_the_same_next_channel(pool: Pool) -> None:
    await pool.make(nairobi=KENYA, addis=ETHIOPIA)
    whatsapp = await channel(pool.services, pool.workspace)
    await pool.send(fallback=[{"channel_id": str(whatsapp)}], content=_both())
    for name in ("nairobi", "addis"):
        await pool.dispatch(name).all(Outcome.REFUSED)
    assert await fall_back.fall_back(pool.services, pool.workspace) == 4, "Rosa too, whom no number takes"
    assert set((await pool.over()).values()) == {"WhatsApp"}
    assert await Dispatch(pool.services, pool.workspace, pool.campaign, whatsapp).all() == 4
    await fire.finish(pool.services, pool.workspace)
    assert await state_of(pool.services, pool.workspace, pool.campaign) == "completed"


def _both() -> dict[str, Any]:
    """A text by SMS, a template by WhatsApp."""
    template = {"kind": "template", "name": "closed", "language": "en", "parameters": []}
    return {"variants": [{"inside": GREETING["variants"][0]["content"], "outside": template}]}


async def test_a_retry_chooses_again(pool: Pool) -> None:
    await pool.make("rest", nairobi=KENYA)
    await pool.send()
    await pool.dispatch("nairobi").all(Outcome.REFUSED)
    await pool.dispatch("rest").all()
    await fire.finish(pool.services, pool.workspace)
    pool.channels["mombasa"] = await pool.number("mombasa")
    await pool.change(pool.member("mombasa", KENYA), pool.member("rest"))
    async with pool.services.db.tenant(pool.workspace) as connection:
        done = await retry.retry(connection, pool.services, pool.campaign)
    assert done.ready == 2
    assert await pool.over() == {"Amina": "mombasa", "John": "mombasa", "Abebe": "rest", "Rosa": "rest"}
    assert await pool.dispatch("mombasa").all() == 2


async def test_who_had_no_number_is_judged_again_when_one_is_there(pool: Pool) -> None:
    await pool.make(nairobi=KENYA, addis=ETHIOPIA)
    await pool.send()
    async with pool.services.db.tenant(pool.workspace) as connection:
        again = await retry.retry(connection, pool.services, pool.campaign)
    assert (again.ready, again.judged) == (0, 0), "it is as before"
    await pool.change(pool.member("nairobi", KENYA), pool.member("addis"))
    async with pool.services.db.tenant(pool.workspace) as connection:
        assert (await retry.retry(connection, pool.services, pool.campaign)).ready == 1
    assert (await pool.over())["Rosa"] == "addis"


async def test_a_retry_begins_behind_the_pool_for_whom_no_number_takes(pool: Pool) -> None:
    await pool.make(nairobi=KENYA, addis=ETHIOPIA)
    whatsapp = await channel(pool.services, pool.workspace)
    await pool.send(fallback=[{"channel_id": str(whatsapp)}], content=_both())
    await pool.dispatch("addis").all(Outcome.REFUSED)
    async with pool.services.db.tenant(pool.workspace) as connection:
        assert (await retry.retry(connection, pool.services, pool.campaign)).ready == 2
    expected = {"Amina": "nairobi", "John": "nairobi", "Abebe": "addis", "Rosa": "WhatsApp"}
    assert await pool.over() == expected
    assert await fall_back.fall_back(pool.services, pool.workspace) == 0, "they are on their way again"


async def test_a_test_goes_over_the_number_that_its_reader_will_hear_from(pool: Pool) -> None:
    await pool.make(nairobi=KENYA, addis=ETHIOPIA)
    await people(pool.services, pool.workspace)
    campaign_id = await pool.write()
    async with pool.services.db.tenant(pool.workspace) as connection:
        made = await trial.send_test(connection, pool.services, campaign_id, [AMINA, ABEBE, ROSA])
        (run,) = await rows(connection, "SELECT id FROM run WHERE campaign_id = %s", (made.id,))
    assert [one.reason for one in made.messages] == [None, None, "no_route"]
    assert await pool.over(run["id"]) == {"Amina": "nairobi", "Abebe": "addis", "Rosa": "no_route"}


async def test_a_preview_counts_by_channel(pool: Pool) -> None:
    await pool.make(nairobi=KENYA, addis=ETHIOPIA)
    whatsapp = await channel(pool.services, pool.workspace)
    cast = [
        person("Amina", AMINA, external_id="E-1"),
        person("John", AMINA, external_id="E-2"),
        person("Abebe", ABEBE, external_id="E-3"),
        person("Rosa", ROSA, external_id="E-4"),
        person("By mail only", "mail@example.org", external_id="E-5"),
    ]
    await people(pool.services, pool.workspace, cast)
    made = await pool.preview(await pool.write())
    assert {one.name: one.people for one in made.channels} == {"nairobi": 2, "addis": 1}
    assert {"people": 5, "reachable": 3, "no_route": 1, "no_address": 1}.items() <= made.counts.items()
    assert Counter(one.text for one in made.examples) == {
        "Hello Amina": 1, "Hello John": 1, "Hello Abebe": 1,
    }  # fmt: skip
    once = await pool.preview(
        await pool.write(one_per="address", fallback=[{"channel_id": str(whatsapp)}], content=_both())
    )
    assert {one.name: one.people for one in once.channels} == {"nairobi": 1, "addis": 1}
    expected = {"reachable": 2, "duplicate_address": 1, "no_route": 1, "by_fallback": 1}
    assert expected.items() <= once.counts.items()


async def test_progress_says_which_of_its_numbers_it_waits_for(pool: Pool) -> None:
    await pool.make("rest", nairobi=KENYA)
    await pool.send()
    now = at(pool.services).now()

    async def waits() -> str:
        async with pool.services.db.tenant(pool.workspace) as connection:
            return (await progress(connection, pool.campaign, now)).waits

    async with pool.services.db.tenant(pool.workspace) as connection:
        await configure.pause_channel(connection, pool.channels["rest"], "moved", now)
    assert await waits() == "channel rest is paused: moved"
    async with pool.services.db.tenant(pool.workspace) as connection:
        await configure.resume_channel(connection, pool.channels["rest"], now)
    await pool.dispatch("rest").all()
    async with pool.services.db.tenant(pool.workspace) as connection:
        await configure.pause_channel(connection, pool.channels["rest"], "moved", now)
    assert await waits() == "", "nothing of it waits there any more"


async def test_what_is_scheduled_may_change_to_a_pool_and_back(pool: Pool) -> None:
    await pool.make("rest", nairobi=KENYA)
    await people(pool.services, pool.workspace)
    campaign_id = await written(
        pool.services,
        pool.workspace,
        pool.channels["rest"],
        content=GREETING,
        send_at=at(pool.services).now() + HOUR,
    )
    run_id = await launched(pool.services, pool.workspace, campaign_id)
    async with pool.services.db.tenant(pool.workspace) as connection:
        with pytest.raises(Invalid, match="either a channel or a pool"):
            await draft.edit(
                connection, pool.services, campaign_id, channel_id=pool.channels["rest"],
                changes={"pool_id": pool.id},
            )  # fmt: skip
        await draft.edit(connection, pool.services, campaign_id, changes={"pool_id": pool.id})
        copy = await draft.duplicate(connection, pool.services, campaign_id)
        _, definition = await draft.read(connection, copy)
    assert definition.pool_id == pool.id
    at(pool.services).advance(3601)
    await fire.fire(pool.services, pool.workspace, run_id)
    assert Counter((await pool.over(run_id)).values()) == {"nairobi": 2, "rest": 2}
    async with pool.services.db.tenant(pool.workspace) as connection:
        await draft.edit(connection, pool.services, copy, channel_id=pool.channels["rest"])
        row, definition = await draft.read(connection, copy)
    assert (row["channel_id"], definition.pool_id) == (pool.channels["rest"], None)


async def test_a_number_that_comes_after_the_launch_takes_its_people(pool: Pool) -> None:
    await pool.make("rest")
    await people(pool.services, pool.workspace)
    campaign_id = await pool.write()
    run_id = await launched(pool.services, pool.workspace, campaign_id)
    pool.channels["nairobi"] = await pool.number("nairobi")
    await pool.change(pool.member("rest"), pool.member("nairobi", KENYA))
    await fire.fire(pool.services, pool.workspace, run_id)
    assert Counter((await pool.over(run_id)).values()) == {"nairobi": 2, "rest": 2}


async def test_a_lane_that_is_opened_while_the_campaign_is_paused_carries_nothing(pool: Pool) -> None:
    await pool.make("rest")
    await pool.send()
    await pool.dispatch("rest").all(Outcome.REFUSED)
    async with pool.services.db.tenant(pool.workspace) as connection:
        await announce.pause(connection, pool.services, pool.campaign)
    pool.channels["nairobi"] = await pool.number("nairobi")
    await pool.change(pool.member("nairobi"))
    async with pool.services.db.tenant(pool.workspace) as connection:
        await retry.retry(connection, pool.services, pool.campaign)
    assert await pool.dispatch("nairobi").begin() == []
    async with pool.services.db.tenant(pool.workspace) as connection:
        await announce.resume(connection, pool.services, pool.campaign)
    assert await pool.dispatch("nairobi").all() == 4


async def test_a_fallback_that_came_into_the_pool_stays_a_fallback(pool: Pool) -> None:
    await pool.make("rest")
    pool.channels["spare"] = await pool.number("spare")
    await people(pool.services, pool.workspace)
    campaign_id = await pool.write(fallback=[{"channel_id": str(pool.channels["spare"])}])
    run_id = await launched(pool.services, pool.workspace, campaign_id)
    await pool.change(pool.member("spare", KENYA), pool.member("rest"))
    await fire.fire(pool.services, pool.workspace, run_id)
    assert set((await pool.over(run_id)).values()) == {"rest"}
    pool.campaign = campaign_id
    await pool.dispatch("rest").all(Outcome.REFUSED)
    assert await fall_back.fall_back(pool.services, pool.workspace) == 4
    assert await pool.dispatch("spare").all(Outcome.REFUSED) == 4
    assert await fall_back.fall_back(pool.services, pool.workspace) == 0, "it ends there"


async def test_a_merged_person_keeps_the_channel_of_either(pool: Pool) -> None:
    await pool.make("rest", nairobi=KENYA)
    cast = [person("Rosa", ROSA, external_id="E-1"), person("Rosa M", ROSA, external_id="E-2")]
    one, other = await people(pool.services, pool.workspace, cast)
    await pool.own(other, "nairobi")
    async with pool.services.db.tenant(pool.workspace) as connection:
        await merging.merge(connection, one, other, at(pool.services).now())
    await pool.send(cast[:1])
    assert (await pool.over())["Rosa"] == "nairobi"


# --- what is judged


async def test_channels_that_cannot_stand_for_one_another_make_no_pool(pool: Pool) -> None:
    sms = PoolMember(channel_id=await pool.number("sms"))
    mail = PoolMember(
        channel_id=await channel(
            pool.services, pool.workspace, "mail", "smtp", sender="hr@selam.example",
            base_url="smtp://127.0.0.1:2525",
        ),
        prefixes=("+254",),
    )  # fmt: skip
    unknown = PoolMember(channel_id=pool.workspace)
    many = unknown.model_copy(update={"prefixes": tuple(f"+{n}" for n in range(1000, 2001))})
    wrong = {
        (sms, sms): "in it already",
        (sms, unknown): "no such channel",
        (sms, mail): "no kind of address is reached by all",
        (mail,): "prefixes are of numbers",
        (): "1 to 100",
        (sms, many): "at most 1,000 prefixes",
    }
    async with pool.services.db.tenant(pool.workspace) as connection:
        for members, why in wrong.items():
            with pytest.raises(Invalid) as caught:
                await pooling.create(connection, pool.services, name="SMS", members=members)
            assert why in str(caught.value)


async def test_a_pool_of_several_providers_is_judged_for_each(pool: Pool) -> None:
    sms, whatsapp = await pool.number("sms"), await channel(pool.services, pool.workspace)
    members = [PoolMember(channel_id=whatsapp), PoolMember(channel_id=sms)]
    only_whatsapp = {"variants": [{"channel_kind": "whatsapp", **GREETING["variants"][0]}]}
    async with pool.services.db.tenant(pool.workspace) as connection:
        pool.id = await pooling.create(connection, pool.services, name="Both", members=members)
        with pytest.raises(Invalid) as caught:
            await draft.create(
                connection, pool.services, name="Closed", channel_id=None,
                definition=announcement(content=only_whatsapp, pool_id=pool.id),
            )  # fmt: skip
    assert "over kannel" in str(caught.value)


async def test_a_pool_that_is_needed_is_not_removed(pool: Pool) -> None:
    await pool.make("rest")
    await pool.send()
    services, workspace = pool.services, pool.workspace
    async with services.db.tenant(workspace) as connection:
        with pytest.raises(Conflict, match="Closed on Monday"):
            await pooling.remove(connection, pool.id)
    await pool.dispatch("rest").all()
    await fire.finish(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await pooling.set_default(connection, pool_id=pool.id)
        with pytest.raises(Conflict, match="by default"):
            await pooling.remove(connection, pool.id)
        await pooling.set_default(connection)
        await pooling.remove(connection, pool.id)
        with pytest.raises(NotFound):
            await retry.retry(connection, services, pool.campaign)
        assert (await progress(connection, pool.campaign, at(services).now())).done == 4


async def test_an_announcement_that_names_nothing_goes_over_the_default(pool: Pool) -> None:
    await pool.make("rest", nairobi=KENYA)
    services, workspace = pool.services, pool.workspace
    definition = announcement(content=GREETING)

    async def named() -> tuple[UUID, UUID | None]:
        async with services.db.tenant(workspace) as connection:
            made = await draft.create(
                connection, services, name="Closed", channel_id=None, definition=definition
            )
            row, kept = await draft.read(connection, made)
            return row["channel_id"], kept.pool_id

    with pytest.raises(Invalid, match="nothing says over which channel"):
        await named()
    async with services.db.tenant(workspace) as connection:
        await pooling.set_default(connection, channel_id=pool.channels["rest"])
    assert await named() == (pool.channels["rest"], None)
    async with services.db.tenant(workspace) as connection:
        await pooling.set_default(connection, pool_id=pool.id)
    assert await named() == (pool.channels["nairobi"], pool.id)
