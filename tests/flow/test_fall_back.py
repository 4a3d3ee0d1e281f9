"""What did not arrive over WhatsApp goes on by SMS: on evidence, once, in the same row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.address import Address
from clarion.domain.campaign import Fallback as Further
from clarion.domain.identity import consent_hash
from clarion.domain.message import Outcome
from clarion.errors import Invalid
from clarion.flow import announce, draft, fall_back, fire, retry
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.store import consent, fallback, moving, queue, receipt
from clarion.store.receipt import Said
from tests.flow.announcing import (
    HOUR,
    NOTICE,
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
from tests.store.people import ABEBE, AMINA, JOHN, pepper_of, person, tel

SMS = {"base_url": "https://sms.example.org"}


class Fallback:
    """An announcement over WhatsApp, then by SMS, to the cast; launched and written down."""

    def __init__(self, services: Services, workspace: UUID) -> None:
        self.services, self.workspace = services, workspace

    async def begin(self, cast: Sequence[Any] = (), **more: Any) -> Fallback:
        services, workspace = self.services, self.workspace
        await people(services, workspace, cast)
        self.whatsapp = await channel(services, workspace)
        self.sms = await channel(services, workspace, "SMS", "kannel", **SMS)
        how = {"channel_id": str(self.sms), **more.pop("how", {})}
        self.campaign = await written(services, workspace, self.whatsapp, fallback=[how], **more)
        self.run = await launched(services, workspace, self.campaign)
        await fire.fire(services, workspace, self.run)
        self.first = Dispatch(services, workspace, self.campaign)
        self.second = Dispatch(services, workspace, self.campaign, self.sms)
        return self

    async def fall(self) -> int:
        """How many went on; as the ticks do it, after which the campaign is looked at."""
        went = await fall_back.fall_back(self.services, self.workspace)
        await fire.finish(self.services, self.workspace)
        return went

    async def hear(self, attempts: Sequence[UUID], status: str, code: str | None = None) -> receipt.Applied:
        """A receipt for each of these."""
        now = at(self.services).now()
        async with self.services.db.tenant(self.workspace) as connection:
            (found,) = await rows(connection, "SELECT cohort FROM run WHERE id = %s", (self.run,))
            said = [Said(attempt, status, now, code) for attempt in attempts]
            return await receipt.apply(connection, found["cohort"], said, now)

    async def counted(self) -> dict[str, int]:
        return dict(await counted(self.services, self.workspace, self.run))

    async def state(self) -> str:
        return await state_of(self.services, self.workspace, self.campaign)

    async def noted(self) -> int:
        async with self.services.db.tenant(self.workspace) as connection:
            return len(await rows(connection, "SELECT FROM fallback"))


@pytest.fixture
def sms_after(services: Services, workspace: UUID) -> Fallback:
    return Fallback(services, workspace)


async def test_who_is_refused_over_the_first_channel_hears_it_over_the_second(sms_after: Fallback) -> None:
    told = await sms_after.begin()
    begun = await told.first.begin()
    await told.first.end(begun[:3], Outcome.ACCEPTED)
    await told.first.end(begun[3:], Outcome.REFUSED)
    await fire.finish(told.services, told.workspace)
    assert await told.state() == "running", "somebody is still to be seen to"
    assert await told.fall() == 1
    ((waiting, attempt),) = await told.second.begin()
    assert waiting.message_id == begun[3][0].message_id
    assert (waiting.scheme, waiting.tries) == ("tel", 0)
    await told.second.end([(waiting, attempt)], Outcome.ACCEPTED)
    assert await told.fall() == 0
    assert await told.counted() == {"accepted": 4}
    assert await told.state() == "completed"


async def test_what_did_not_arrive_goes_on_and_its_first_try_stands_no_longer(sms_after: Fallback) -> None:
    told = await sms_after.begin()
    begun = await told.first.begin()
    await told.first.end(begun, Outcome.ACCEPTED)
    await fire.finish(told.services, told.workspace)
    assert await told.state() == "completed"
    at(told.services).advance(600)
    await told.hear([begun[0][1]], "failed", "131026")
    assert await told.fall() == 1
    assert await told.state() == "running", "it was through, and goes on"
    assert await told.second.all(Outcome.ACCEPTED) == 1
    await told.fall()
    assert await told.counted() == {"accepted": 4}
    assert await told.state() == "completed"
    async with told.services.db.tenant(told.workspace) as connection:
        effective = await rows(connection, "SELECT count(*) FILTER (WHERE effective) AS n FROM attempt")
    assert effective[0]["n"] == 4


async def test_who_has_nothing_that_the_first_channel_reaches_goes_on_at_once(sms_after: Fallback) -> None:
    mail = person("Sana", external_id="E-9")
    told = await sms_after.begin([person("Amina", AMINA, external_id="E-1"), mail])
    assert await told.counted() == {"ready": 1, "no_address": 1}
    assert await told.fall() == 0, "nothing of hers can be reached further on either"
    assert await told.counted() == {"ready": 1, "no_address": 1}
    assert await told.noted() == 0


async def mailed(services: Services, workspace: UUID) -> tuple[UUID, UUID, UUID]:
    """(campaign, run, channel of SMS) of one by mail, then by SMS, to a cast without mailboxes."""
    await people(services, workspace)
    mail = await channel(services, workspace, "Mail", "smtp", base_url="smtp://mail.example.org")
    sms = await channel(services, workspace, "SMS", "kannel", **SMS)
    forms = [
        {"channel_kind": "smtp", "content": {"kind": "email", "subject": "Closed", "text": "On Monday"}},
        {"channel_kind": "kannel", "content": {"kind": "text", "text": "Closed on Monday"}},
    ]
    campaign = await written(
        services, workspace, mail, fallback=[{"channel_id": str(sms)}], content={"variants": forms}
    )
    run = await launched(services, workspace, campaign)
    await fire.fire(services, workspace, run)
    return campaign, run, sms


async def test_who_has_no_mailbox_is_reached_by_sms(services: Services, workspace: UUID) -> None:
    campaign, run, sms = await mailed(services, workspace)
    assert await counted(services, workspace, run) == {"no_address": 4}
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign) == "running"
    assert await fall_back.fall_back(services, workspace) == 4
    assert await Dispatch(services, workspace, campaign, sms).all() == 4
    assert await counted(services, workspace, run) == {"accepted": 4}


async def test_who_opted_out_is_not_followed_to_another_channel(sms_after: Fallback) -> None:
    told = await sms_after.begin()
    begun = await told.first.begin()
    await told.first.end(begun, Outcome.REFUSED)
    async with told.services.db.tenant(told.workspace) as connection:
        pepper = await pepper_of(connection)
        await consent.opt_out(
            connection, [consent_hash(pepper, tel(AMINA))], at(told.services).now(), how="reply", by=""
        )
    assert await told.fall() == 3
    assert await told.counted() == {"ready": 3, "refused": 1}


async def test_a_stop_on_the_phone_is_no_invitation_to_write_a_mail(
    services: Services, workspace: UUID
) -> None:
    amina = person("Amina", AMINA, external_id="E-1")
    mailbox = Address("mailto", "amina@example.org")
    await people(services, workspace, [replace(amina, addresses=(*amina.addresses, mailbox))])
    whatsapp = await channel(services, workspace)
    mail = await channel(services, workspace, "Mail", "smtp", base_url="smtp://mail.example.org")
    said: list[dict[str, Any]] = [
        {"channel_kind": "whatsapp", **NOTICE["variants"][0]},
        {"channel_kind": "smtp", "content": {"kind": "email", "subject": "Closed", "text": "On Monday"}},
    ]
    campaign = await written(
        services, workspace, whatsapp, fallback=[{"channel_id": str(mail)}], content={"variants": said}
    )
    run = await launched(services, workspace, campaign)
    await fire.fire(services, workspace, run)
    await Dispatch(services, workspace, campaign).all(Outcome.REFUSED)
    async with services.db.tenant(workspace) as connection:
        key = consent_hash(await pepper_of(connection), tel(AMINA))
        await consent.opt_out(connection, [key], at(services).now(), how="reply", by="")
    assert await fall_back.fall_back(services, workspace) == 0
    async with services.db.tenant(workspace) as connection:
        await consent.opt_in(connection, [key], at(services).now(), how="reply", by="")
        await rows(connection, "INSERT INTO fallback SELECT id, lane_id, cohort, workspace_id, due_at FROM "
                   "message RETURNING 1")  # fmt: skip
    assert await fall_back.fall_back(services, workspace) == 1, "the mail would have reached her"


async def test_what_the_first_channel_may_not_say_now_goes_on(sms_after: Fallback) -> None:
    told = await sms_after.begin([person("Abebe", ABEBE, external_id="E-2")])
    async with told.services.db.tenant(told.workspace) as connection:
        waiting = [
            (one["lane_id"], one["due_at"], one["message_id"], one["cohort"])
            for one in await rows(connection, "SELECT * FROM queue")
        ]
        now = at(told.services).now()
        assert await queue.end(connection, waiting, "skipped", "outside_window", now) == 1
    assert await told.fall() == 1
    assert await told.second.all() == 1


async def test_what_nobody_knows_of_goes_on_by_no_time(sms_after: Fallback) -> None:
    told = await sms_after.begin()
    await told.first.all(Outcome.UNKNOWN)
    at(told.services).advance(8 * 3600)
    assert await told.fall() == 0
    assert await told.counted() == {"unknown": 4}


async def test_by_time_alone_only_where_the_campaign_says_that_it_may_arrive_twice(
    services: Services, workspace: UUID
) -> None:
    whatsapp = await channel(services, workspace)
    sms = await channel(services, workspace, "SMS", "kannel", **SMS)
    with pytest.raises(ValueError, match="may_arrive_twice"):
        announcement(fallback=[{"channel_id": str(sms), "after": 3600}])
    with pytest.raises(Invalid) as wrong:
        await written(services, workspace, whatsapp, fallback=[{"channel_id": str(whatsapp)}])
    assert wrong.value.problems[0].where == "fallback[0].channel_id"


async def test_after_four_hours_without_delivery_it_goes_on_where_it_may_arrive_twice(
    sms_after: Fallback,
) -> None:
    told = await sms_after.begin(how={"after": 4 * 3600, "may_arrive_twice": True})
    told.first.watching = timedelta(hours=4)
    begun = await told.first.begin()
    await told.first.end(begun[:2], Outcome.ACCEPTED)
    await told.first.end(begun[2:], Outcome.UNKNOWN)
    await told.hear([begun[0][1]], "delivered")
    await told.fall()
    at(told.services).advance(3 * 3600)
    assert await told.fall() == 0
    at(told.services).advance(3601)
    assert await told.fall() == 3, "all but who has it"
    assert await told.second.all(Outcome.ACCEPTED) == 3
    heard = await told.hear([begun[1][1]], "delivered")
    assert not heard.contradicted, "the campaign says that it may arrive twice"
    assert await told.counted() == {"delivered": 2, "accepted": 2}


async def test_a_late_word_that_it_arrived_takes_it_back_from_the_second_channel(sms_after: Fallback) -> None:
    told = await sms_after.begin()
    begun = await told.first.begin()
    await told.first.end(begun, Outcome.ACCEPTED)
    await told.hear([begun[0][1]], "failed", "131026")
    assert await told.fall() == 1
    await told.hear([begun[0][1]], "delivered")
    assert await told.second.begin() == []
    assert await told.counted() == {"delivered": 1, "accepted": 3}


async def test_too_late_is_too_late_over_every_channel(sms_after: Fallback) -> None:
    told = await sms_after.begin(expires_after=3600)
    await told.first.all(Outcome.REFUSED)
    at(told.services).advance(HOUR.total_seconds())
    assert await told.fall() == 0
    assert await told.counted() == {"refused": 4}


async def test_two_who_share_a_phone_get_one_over_the_second_channel_too(sms_after: Fallback) -> None:
    two = [person("Amina", AMINA, JOHN, external_id="E-1"), person("John", JOHN, external_id="E-4")]
    told = await sms_after.begin(two, one_per="address")
    await told.first.all(Outcome.REFUSED)
    assert await told.fall() == 2
    numbers = sorted(waiting.address for waiting, _ in await told.second.begin())
    assert numbers == sorted([AMINA, JOHN])


async def test_a_cancelled_announcement_goes_on_nowhere(sms_after: Fallback) -> None:
    told = await sms_after.begin()
    begun = await told.first.begin()
    await told.first.end(begun[:1], Outcome.REFUSED)
    async with told.services.db.tenant(told.workspace) as connection:
        await announce.cancel(connection, told.services, told.campaign)
    assert await told.fall() == 0
    assert await told.noted() == 0


async def test_a_paused_one_waits_on_the_second_channel(sms_after: Fallback) -> None:
    told = await sms_after.begin()
    await told.first.all(Outcome.REFUSED)
    async with told.services.db.tenant(told.workspace) as connection:
        await announce.pause(connection, told.services, told.campaign)
    assert await told.fall() == 4
    assert await told.second.begin() == []
    async with told.services.db.tenant(told.workspace) as connection:
        await announce.resume(connection, told.services, told.campaign)
    assert await told.second.all() == 4


async def test_a_retry_begins_over_the_first_channel_again(sms_after: Fallback) -> None:
    told = await sms_after.begin([person("Abebe", ABEBE, external_id="E-2")])
    await told.first.all(Outcome.REFUSED)
    await told.fall()
    await told.second.all(Outcome.REFUSED)
    assert await told.fall() == 0
    assert await told.counted() == {"refused": 1}
    async with told.services.db.tenant(told.workspace) as connection:
        await retry.retry(connection, told.services, told.campaign)
    assert await told.second.begin() == []
    assert await told.first.all() == 1


async def test_what_is_scheduled_can_be_given_another_way(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Abebe", ABEBE, external_id="E-2")])
    whatsapp = await channel(services, workspace)
    sms = await channel(services, workspace, "SMS", "kannel", **SMS)
    campaign = await written(services, workspace, whatsapp)
    run = await launched(services, workspace, campaign, send_at=at(services).now() + HOUR)
    async with services.db.tenant(workspace) as connection:
        changes = {"fallback": (Further(channel_id=sms),)}
        await draft.edit(connection, services, campaign, changes=changes, confirm_similar=True)
    at(services).advance(3600)
    await fire.fire(services, workspace, run)
    await Dispatch(services, workspace, campaign).all(Outcome.REFUSED)
    assert await fall_back.fall_back(services, workspace) == 1
    assert await Dispatch(services, workspace, campaign, sms).all() == 1


async def test_a_late_word_about_the_first_try_ends_nobody_who_waits_on_the_second_channel(
    sms_after: Fallback,
) -> None:
    told = await sms_after.begin(how={"after": 4 * 3600, "may_arrive_twice": True})
    told.first.watching = timedelta(hours=4)
    begun = await told.first.begin()
    await told.first.end(begun[:2], Outcome.ACCEPTED)
    await told.first.end(begun[2:], Outcome.UNKNOWN)
    at(told.services).advance(4 * 3600 + 1)
    assert await told.fall() == 4
    await told.hear([begun[0][1], begun[2][1]], "failed", "131026")
    await told.hear([begun[1][1], begun[3][1]], "accepted")
    assert await told.counted() == {"ready": 4}, "none of this says that anybody has it"
    assert await told.second.all(Outcome.ACCEPTED) == 4
    assert await told.counted() == {"accepted": 4}


async def test_what_may_arrive_twice_and_does_is_no_contradiction(sms_after: Fallback) -> None:
    told = await sms_after.begin(how={"after": 4 * 3600, "may_arrive_twice": True})
    told.first.watching = timedelta(hours=4)
    begun = await told.first.begin()
    await told.first.end(begun, Outcome.UNKNOWN)
    at(told.services).advance(4 * 3600 + 1)
    assert await told.fall() == 4
    assert await told.second.all(Outcome.ACCEPTED) == 4
    heard = await told.hear([attempt for _, attempt in begun], "delivered")
    assert not heard.contradicted
    assert await told.counted() == {"delivered": 4}


async def test_a_try_that_is_still_under_way_when_its_time_is_over_goes_on_once_it_has_ended(
    sms_after: Fallback,
) -> None:
    """Its worker died, say, and nobody takes the channel over for hours."""
    told = await sms_after.begin(how={"after": 4 * 3600, "may_arrive_twice": True})
    told.first.watching = timedelta(hours=4)
    begun = await told.first.begin()
    at(told.services).advance(4 * 3600 + 1)
    assert await told.fall() == 0
    await told.first.end(begun, Outcome.UNKNOWN)
    at(told.services).advance(120)
    assert await told.fall() == 4


@pytest.mark.parametrize("end", [Outcome.ACCEPTED, Outcome.REFUSED])
async def test_what_is_being_tried_a_second_time_goes_on_only_once_that_has_ended(
    sms_after: Fallback, end: Outcome
) -> None:
    """Its queue row was written twice: the first try was refused, the second is under way."""
    told = await sms_after.begin([person("Amina", AMINA, external_id="E-1")])
    async with told.services.db.tenant(told.workspace) as connection:
        await connection.execute(
            """INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id,
                 consent_key, content_version_id, expires_at)
               SELECT lane_id, due_at - interval '1 ms', message_id, cohort, workspace_id, contact_id,
                 address_id, consent_key, content_version_id, expires_at FROM queue"""
        )
    await told.first.end(await told.first.begin(1), Outcome.REFUSED)
    again = await told.first.begin()
    assert await told.fall() == 0
    await told.first.end(again, end)
    at(told.services).advance(61)
    assert await told.fall() == (0 if end is Outcome.ACCEPTED else 1)
    await told.second.all(Outcome.ACCEPTED)
    assert await told.counted() == {"accepted": 1}


async def test_who_was_begun_anew_has_the_whole_time_again(sms_after: Fallback) -> None:
    """What was found to be due may be so no longer when it is its turn."""
    told = await sms_after.begin(how={"after": 4 * 3600, "may_arrive_twice": True})
    told.first.watching = timedelta(hours=4)
    await told.first.end(await told.first.begin(), Outcome.UNSENT, retry_at=at(told.services).now())
    at(told.services).advance(4 * 3600 + 1)
    async with told.services.db.tenant(told.workspace) as connection:
        found = await fallback.due(connection, at(told.services).now(), 100)
    assert len(found) == 4
    await told.first.end(await told.first.begin(), Outcome.ACCEPTED)
    async with told.services.db.tenant(told.workspace) as connection:
        now = at(told.services).now()
        lanes = [(one["id"], "tel") for one in await fallback.onward(connection, found[0].lane_id)]
        locked = await moving.lock(connection, found)
        assert await moving.move(connection, found, locked, lanes, now, once_an_address=False) == []
        await moving.seen(connection, found, locked, now)
    assert await told.noted() == 4
    at(told.services).advance(4 * 3600 + 1)
    assert await told.fall() == 4


async def test_a_retry_reaches_those_too_whom_only_the_second_channel_reaches(
    services: Services, workspace: UUID
) -> None:
    campaign, run, sms = await mailed(services, workspace)
    assert await fall_back.fall_back(services, workspace) == 4
    second = Dispatch(services, workspace, campaign, sms)
    assert await second.all(Outcome.REFUSED) == 4
    await fall_back.fall_back(services, workspace)
    await fire.finish(services, workspace)
    assert await state_of(services, workspace, campaign) == "completed"
    async with services.db.tenant(workspace) as connection:
        assert (await retry.retry(connection, services, campaign)).ready == 4
    assert await second.all() == 4
    assert await counted(services, workspace, run) == {"accepted": 4}


async def test_an_announcement_that_nobody_can_read_keeps_no_other_from_going_on(
    sms_after: Fallback, services: Services, workspace: UUID
) -> None:
    """Written by another version, perhaps."""
    broken = await sms_after.begin()
    await broken.first.all(Outcome.REFUSED)
    campaign = await written(
        services, workspace, broken.whatsapp, "Open on Tuesday", fallback=[{"channel_id": str(broken.sms)}]
    )
    await fire.fire(services, workspace, await launched(services, workspace, campaign, confirm_similar=True))
    await Dispatch(services, workspace, campaign).all(Outcome.REFUSED)
    async with services.db.tenant(workspace) as connection:
        await connection.execute(
            """UPDATE campaign SET definition = definition || '{"from_the_future": 1}' WHERE id = %s""",
            (broken.campaign,),
        )
    assert await fall_back.fall_back(services, workspace) == 4
    assert await broken.noted() == 4, "it is looked at again"
