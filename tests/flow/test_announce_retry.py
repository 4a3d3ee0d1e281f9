"""Trying again what did not go: the same rows, and nobody gets a second message."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from clarion.domain.identity import consent_hash
from clarion.domain.message import Outcome
from clarion.errors import Conflict
from clarion.flow import announce, fire, retry
from clarion.flow.retry import Retried
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.store import consent, receipt
from clarion.store.receipt import Said
from tests.flow.announcing import (
    NOON,
    Dispatch,
    at,
    channel,
    counted,
    launched,
    people,
    runs_of,
    sent_out,
    state_of,
    written,
)
from tests.store.people import ABEBE, AMINA, JOHN, pepper_of, person, store, tel


async def again(
    services: Services, workspace: UUID, campaign_id: UUID, *, undelivered: bool = False
) -> Retried:
    async with services.db.tenant(workspace) as connection:
        return await retry.retry(connection, services, campaign_id, undelivered=undelivered, by="Rosa")


async def ids(services: Services, workspace: UUID, run_id: UUID) -> set[UUID]:
    async with services.db.tenant(workspace) as connection:
        return {
            one["id"] for one in await rows(connection, "SELECT id FROM message WHERE run_id = %s", (run_id,))
        }


async def test_what_failed_is_tried_again_in_the_same_rows(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun[:3], Outcome.ACCEPTED)
    await dispatch.end(begun[3:], Outcome.REFUSED)
    await fire.finish(services, workspace)
    before = await ids(services, workspace, run_id)
    at(services).advance(2 * 24 * 3600)
    assert await again(services, workspace, campaign_id) == Retried(1, 0)
    assert await state_of(services, workspace, campaign_id) == "running"
    ((waiting, attempt),) = await dispatch.begin()
    assert waiting.message_id == begun[3][0].message_id
    assert waiting.tries == 0
    assert waiting.expires_at == at(services).now() + (waiting.expires_at - waiting.due_at)
    await dispatch.end([(waiting, attempt)], Outcome.ACCEPTED)
    await fire.finish(services, workspace)
    assert await counted(services, workspace, run_id) == {"accepted": 4}
    assert await state_of(services, workspace, campaign_id) == "completed"
    assert await ids(services, workspace, run_id) == before
    assert await again(services, workspace, campaign_id) == Retried(0, 0)


async def test_a_retry_says_what_the_first_try_said(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA, external_id="E-1")])
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    await dispatch.all(Outcome.REFUSED)
    async with services.db.tenant(workspace) as connection:
        await store(connection, [person("Amina Wanjiru", AMINA, external_id="E-1")])
    await again(services, workspace, campaign_id)
    ((waiting, _),) = await dispatch.begin()
    assert waiting.name == "Amina Wanjiru"
    assert waiting.variables == {"contact": {"name": "Amina"}}


async def test_who_was_skipped_is_judged_again(services: Services, workspace: UUID) -> None:
    await people(
        services, workspace,
        [
            person("Amina", "0712", external_id="E-1"),
            person("Abebe", external_id="E-2"),
            person("John", JOHN, external_id="E-4", opted_out="yes"),
        ],
    )  # fmt: skip
    campaign_id, run_id = await sent_out(services, workspace)
    skipped = {"invalid_number": 1, "no_address": 1, "opted_out": 1}
    assert await counted(services, workspace, run_id) == skipped
    assert await again(services, workspace, campaign_id) == Retried(0, 0)
    assert await counted(services, workspace, run_id) == skipped
    async with services.db.tenant(workspace) as connection:
        await store(
            connection, [person("Amina", AMINA, external_id="E-1"), person("Abebe", "12", external_id="E-2")]
        )
    assert await again(services, workspace, campaign_id) == Retried(1, 1)
    assert await counted(services, workspace, run_id) == {"ready": 1, "invalid_number": 1, "opted_out": 1}
    async with services.db.tenant(workspace) as connection:
        key = consent_hash(await pepper_of(connection), tel(JOHN))
        await consent.opt_in(connection, [key], NOON, how="api")
    assert await again(services, workspace, campaign_id) == Retried(1, 0)
    assert await Dispatch(services, workspace, campaign_id).all() == 2
    assert await counted(services, workspace, run_id) == {"accepted": 2, "invalid_number": 1}


async def test_a_shared_phone_still_hears_it_once(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA), person("Her sister", AMINA)])
    campaign_id, run_id = await sent_out(services, workspace, one_per="address")
    dispatch = Dispatch(services, workspace, campaign_id)
    await dispatch.all(Outcome.REFUSED)
    assert await again(services, workspace, campaign_id) == Retried(1, 0)
    assert await counted(services, workspace, run_id) == {"ready": 1, "duplicate_address": 1}
    await dispatch.all()
    assert await again(services, workspace, campaign_id) == Retried(0, 0)


async def test_two_who_share_a_phone_that_was_given_since_hear_it_once(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, [person(f"P{n}", external_id=f"E-{n}") for n in range(3)])
    campaign_id, run_id = await sent_out(services, workspace, one_per="address")
    async with services.db.tenant(workspace) as connection:
        await store(connection, [person(f"P{n}", AMINA, external_id=f"E-{n}") for n in range(2)])
    assert await again(services, workspace, campaign_id) == Retried(1, 1)
    assert await counted(services, workspace, run_id) == {"ready": 1, "duplicate_address": 1, "no_address": 1}


async def test_who_opted_out_meanwhile_is_not_tried_again(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE)])
    campaign_id, run_id = await sent_out(services, workspace)
    await Dispatch(services, workspace, campaign_id).all(Outcome.REFUSED)
    async with services.db.tenant(workspace) as connection:
        key = consent_hash(await pepper_of(connection), tel(AMINA))
        await consent.opt_out(connection, [key], NOON, how="reply")
    assert await again(services, workspace, campaign_id) == Retried(1, 0)
    assert await counted(services, workspace, run_id) == {"ready": 1, "refused": 1}


async def test_what_may_have_gone_is_never_tried_again(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun[:1], Outcome.UNKNOWN)
    await dispatch.end(begun[1:2], Outcome.ACCEPTED)
    assert await again(services, workspace, campaign_id, undelivered=True) == Retried(0, 0)
    await dispatch.end(begun[2:], Outcome.ACCEPTED)
    assert await counted(services, workspace, run_id) == {"unknown": 1, "accepted": 3}


async def test_what_did_not_arrive_is_tried_again_only_when_asked(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, [person("Amina", AMINA)])
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun, Outcome.ACCEPTED)
    ((waiting, attempt_id),) = begun
    async with services.db.tenant(workspace) as connection:
        await receipt.apply(connection, waiting.cohort, [Said(attempt_id, "failed", NOON, "131026")], NOON)
    assert await counted(services, workspace, run_id) == {"131026": 1}
    at(services).advance(1)
    assert await again(services, workspace, campaign_id) == Retried(0, 0)
    assert await again(services, workspace, campaign_id, undelivered=True) == Retried(1, 0)
    assert await counted(services, workspace, run_id) == {"ready": 1}
    assert await dispatch.all() == 1
    assert await counted(services, workspace, run_id) == {"accepted": 1}
    async with services.db.tenant(workspace) as connection:
        tries = await rows(connection, "SELECT state::text, effective, detail FROM attempt ORDER BY id")
    assert [(one["state"], one["effective"]) for one in tries] == [
        ("settled_not_sent", False),
        ("accepted", True),
    ]
    assert tries[0]["detail"] == "did not arrive, says the provider; tried again by Rosa"


async def test_a_late_receipt_takes_a_retry_out_of_the_queue(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA)])
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    ((waiting, attempt_id),) = begun = await dispatch.begin()
    await dispatch.end(begun, Outcome.REFUSED)
    await again(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await receipt.apply(connection, waiting.cohort, [Said(attempt_id, "delivered", NOON)], NOON)
    assert await counted(services, workspace, run_id) == {"delivered": 1}
    assert await dispatch.all() == 0


async def test_a_retry_while_it_is_paused_waits_with_the_rest(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    await dispatch.all(Outcome.REFUSED)
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id)
    assert (await again(services, workspace, campaign_id)).ready == 4
    assert await dispatch.all() == 0
    async with services.db.tenant(workspace) as connection:
        await announce.resume(connection, services, campaign_id)
    assert await dispatch.all() == 4


async def test_a_run_is_not_finished_under_a_retry(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    await dispatch.all(Outcome.REFUSED)
    async with services.db.tenant(workspace) as connection:
        await retry.retry(connection, services, campaign_id)
        finishing = asyncio.create_task(fire.finish(services, workspace))
        await asyncio.sleep(0.1)
        assert not finishing.done()
    await finishing
    assert await state_of(services, workspace, campaign_id) == "running"
    assert await dispatch.all() == 4
    assert await counted(services, workspace, run_id) == {"accepted": 4}


async def test_what_expired_has_its_time_anew(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace, expires_after=3600)
    at(services).advance(3601)
    await fire.finish(services, workspace)
    assert await counted(services, workspace, run_id) == {"expired": 4}
    assert await again(services, workspace, campaign_id) == Retried(4, 0)
    await fire.finish(services, workspace)
    assert await Dispatch(services, workspace, campaign_id).all() == 4
    (run,) = await runs_of(services, workspace, campaign_id)
    assert (run["expires_at"] - at(services).now()).total_seconds() == 3600


@pytest.mark.parametrize("state", ["draft", "scheduled", "cancelled"])
async def test_only_what_was_sent_can_be_tried_again(services: Services, workspace: UUID, state: str) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    if state != "draft":
        await launched(services, workspace, campaign_id)
    if state == "cancelled":
        async with services.db.tenant(workspace) as connection:
            await announce.cancel(connection, services, campaign_id)
    with pytest.raises(Conflict, match=f"is {state}"):
        await again(services, workspace, campaign_id)
