"""Messages of which nobody knows whether they went: people decide what no evidence does."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from clarion.domain.message import Outcome
from clarion.errors import Conflict, NotFound
from clarion.flow import announce, fire, retry, unknowns
from clarion.flow.services import Services
from clarion.flow.unknowns import As
from clarion.kit.db import rows
from clarion.store import campaign as campaigns
from clarion.store import receipt
from clarion.store.receipt import Said
from tests.flow.announcing import (
    NOON,
    Dispatch,
    at,
    channel,
    counted,
    people,
    sent_out,
    state_of,
)
from tests.store.ledger.meeting import begin
from tests.store.people import ABEBE, AMINA, person


async def in_doubt(services: Services, workspace: UUID) -> tuple[UUID, UUID, list[UUID]]:
    """(campaign, run, attempts) of an announcement to Amina and Abebe that nobody answered."""
    await people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE)])
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun, Outcome.UNKNOWN, code="unanswered", detail="time-out")
    await fire.finish(services, workspace)
    return campaign_id, run_id, [attempt_id for _, attempt_id in begun]


async def settled(services: Services, workspace: UUID, attempts: list[UUID], as_: As) -> int:
    async with services.db.tenant(workspace) as connection:
        return await unknowns.settle(connection, services, attempts, as_, by="Rosa")


async def test_unknowns_are_listed_with_whose_they_are(services: Services, workspace: UUID) -> None:
    campaign_id, _, attempts = await in_doubt(services, workspace)
    async with services.db.tenant(workspace) as connection:
        found = await unknowns.listed(connection)
        rest = await unknowns.listed(connection, after=min(attempts))
        elsewhere = await unknowns.listed(connection, channel_id=uuid4())
    assert {(one.attempt.id, one.message["name"], one.message["campaign_id"]) for one in found} == {
        (attempts[0], "Abebe", campaign_id), (attempts[1], "Amina", campaign_id),
    }  # fmt: skip
    assert [one.attempt.id for one in rest] == sorted(attempts)[1:]
    assert elsewhere == []


async def test_settled_as_sent_it_counts_as_accepted_and_says_who_decided(
    services: Services, workspace: UUID
) -> None:
    _, run_id, attempts = await in_doubt(services, workspace)
    assert await settled(services, workspace, attempts, As.SENT) == 2
    assert await counted(services, workspace, run_id) == {"accepted": 2}
    async with services.db.tenant(workspace) as connection:
        found = await rows(connection, "SELECT DISTINCT detail, code, effective FROM attempt")
    assert found == [
        {"detail": "settled as sent by Rosa; before: time-out", "code": "unanswered", "effective": True}
    ]
    assert await settled(services, workspace, attempts, As.NOT_SENT) == 0


async def test_settled_as_not_sent_it_has_failed_and_may_be_retried(
    services: Services, workspace: UUID
) -> None:
    campaign_id, run_id, attempts = await in_doubt(services, workspace)
    assert await settled(services, workspace, attempts[:1], As.NOT_SENT) == 1
    assert await counted(services, workspace, run_id) == {"settled_not_sent": 1, "unknown": 1}
    async with services.db.tenant(workspace) as connection:
        assert (await retry.retry(connection, services, campaign_id)).ready == 1
    assert await Dispatch(services, workspace, campaign_id).all() == 1
    assert await counted(services, workspace, run_id) == {"accepted": 1, "unknown": 1}


async def test_sent_again_it_has_its_time_anew_and_goes_out(services: Services, workspace: UUID) -> None:
    campaign_id, run_id, attempts = await in_doubt(services, workspace)
    assert await state_of(services, workspace, campaign_id) == "completed"
    at(services).advance(3 * 24 * 3600)
    assert await settled(services, workspace, attempts, As.SEND_AGAIN) == 2
    assert await state_of(services, workspace, campaign_id) == "running"
    await fire.finish(services, workspace)
    assert await Dispatch(services, workspace, campaign_id).all() == 2
    await fire.finish(services, workspace)
    assert await counted(services, workspace, run_id) == {"accepted": 2}
    assert await state_of(services, workspace, campaign_id) == "completed"


async def test_sent_again_while_paused_it_waits(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE)])
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun[:1], Outcome.UNKNOWN)
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id)
    assert await settled(services, workspace, [begun[0][1]], As.SEND_AGAIN) == 1
    assert await state_of(services, workspace, campaign_id) == "paused"
    assert await dispatch.all() == 0
    await dispatch.end(begun[1:], Outcome.ACCEPTED)
    assert await counted(services, workspace, run_id) == {"ready": 1, "accepted": 1}


async def test_of_a_cancelled_announcement_nothing_is_sent_again(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE)])
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin(1)
    await dispatch.end(begun, Outcome.UNKNOWN)
    async with services.db.tenant(workspace) as connection:
        await announce.cancel(connection, services, campaign_id)
    with pytest.raises(Conflict, match="was cancelled"):
        await settled(services, workspace, [begun[0][1]], As.SEND_AGAIN)
    assert await settled(services, workspace, [begun[0][1]], As.NOT_SENT) == 1


async def test_a_late_receipt_raises_what_somebody_settled_as_not_sent(
    services: Services, workspace: UUID
) -> None:
    _, run_id, attempts = await in_doubt(services, workspace)
    await settled(services, workspace, attempts, As.NOT_SENT)
    async with services.db.tenant(workspace) as connection:
        cohort = NOON.date().replace(day=1)
        await receipt.apply(connection, cohort, [Said(attempts[0], "delivered", NOON)], NOON)
    assert await counted(services, workspace, run_id) == {"delivered": 1, "settled_not_sent": 1}


async def test_a_settled_or_foreign_attempt_is_not_found(
    services: Services, workspace: UUID, another_workspace: UUID
) -> None:
    _, run_id, attempts = await in_doubt(services, workspace)
    await channel(services, another_workspace)
    async with services.db.tenant(another_workspace) as connection:
        with pytest.raises(NotFound):
            await unknowns.read(connection, attempts[0])
    assert await settled(services, another_workspace, attempts, As.SENT) == 0
    assert await counted(services, workspace, run_id) == {"unknown": 2}
    async with services.db.tenant(workspace) as connection:
        assert (await unknowns.read(connection, attempts[0])).message["name"] == "Abebe"
    await settled(services, workspace, attempts, As.SENT)
    async with services.db.tenant(workspace) as connection:
        with pytest.raises(NotFound, match="no such unknown"):
            await unknowns.read(connection, attempts[0])


async def test_whoever_holds_the_campaign_can_still_take_the_tries_that_somebody_wants_sent_again(
    services: Services, workspace: UUID
) -> None:
    """Falling back holds the campaign and then takes tries; both the other way round would wait for ever."""
    campaign_id, _, attempts = await in_doubt(services, workspace)
    async with services.db.tenant(workspace) as holding:
        await campaigns.lock(holding, campaign_id)
        coming, waits = await begin(
            services.db, workspace,
            lambda c: unknowns.settle(c, services, attempts, As.SEND_AGAIN, by="Rosa"),
        )  # fmt: skip
        assert waits
        await holding.execute("SELECT FROM attempt WHERE id = ANY (%s) FOR NO KEY UPDATE", (attempts,))
    assert await coming == 2
