"""Pausing, resuming and cancelling: what waits stays or ends, what is in flight ends by its own evidence."""

from __future__ import annotations

from uuid import UUID

import pytest

from clarion.domain.message import Outcome
from clarion.errors import Conflict
from clarion.flow import announce, draft, fire
from clarion.flow.services import Services
from tests.flow.announcing import (
    HOUR,
    NOON,
    Dispatch,
    at,
    channel,
    counted,
    launched,
    people,
    sent_out,
    state_of,
    written,
)


async def pause(services: Services, workspace: UUID, campaign_id: UUID, reason: str = "") -> bool:
    async with services.db.tenant(workspace) as connection:
        return await announce.pause(connection, services, campaign_id, reason=reason)


async def resume(services: Services, workspace: UUID, campaign_id: UUID) -> bool:
    async with services.db.tenant(workspace) as connection:
        return await announce.resume(connection, services, campaign_id)


async def cancel(services: Services, workspace: UUID, campaign_id: UUID) -> bool:
    async with services.db.tenant(workspace) as connection:
        return await announce.cancel(connection, services, campaign_id)


async def test_nothing_is_sent_while_it_is_paused(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    assert await pause(services, workspace, campaign_id, "a wrong date")
    dispatch = Dispatch(services, workspace, campaign_id)
    assert await dispatch.all() == 0
    async with services.db.tenant(workspace) as connection:
        row, _ = await draft.read(connection, campaign_id)
    assert (row["state"], row["reason"]) == ("paused", "a wrong date")
    assert await resume(services, workspace, campaign_id)
    assert await dispatch.all() == 4
    assert await counted(services, workspace, run_id) == {"accepted": 4}


async def test_what_was_read_before_a_pause_is_not_begun_after_it(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    await pause(services, workspace, campaign_id)
    await resume(services, workspace, campaign_id)
    begun = await Dispatch(services, workspace, campaign_id).begin(1)
    await pause(services, workspace, campaign_id)
    assert await Dispatch(services, workspace, campaign_id).all() == 0
    await Dispatch(services, workspace, campaign_id).end(begun, Outcome.ACCEPTED)
    assert await counted(services, workspace, run_id) == {"accepted": 1, "ready": 3}


async def test_pausing_and_resuming_twice_changes_nothing(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    assert [await pause(services, workspace, campaign_id) for _ in range(2)] == [True, False]
    assert [await resume(services, workspace, campaign_id) for _ in range(2)] == [True, False]
    assert await state_of(services, workspace, campaign_id) == "running"


async def test_what_is_paused_before_its_moment_does_not_begin(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace), send_at=NOON + HOUR)
    run_id = await launched(services, workspace, campaign_id)
    await pause(services, workspace, campaign_id)
    at(services).advance(2 * 3600)
    assert (workspace, run_id) not in await fire.due(services)
    await fire.fire(services, workspace, run_id)
    assert await counted(services, workspace, run_id) == {}
    await resume(services, workspace, campaign_id)
    assert await state_of(services, workspace, campaign_id) == "scheduled"
    assert (workspace, run_id) in await fire.due(services)


async def test_what_expired_while_paused_needs_a_new_moment(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace), send_at=NOON + HOUR)
    run_id = await launched(services, workspace, campaign_id)
    await pause(services, workspace, campaign_id)
    at(services).advance(26 * 3600)
    with pytest.raises(Conflict, match="expired before it began"):
        await resume(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await draft.edit(connection, services, campaign_id, changes={"send_at": None})
    await resume(services, workspace, campaign_id)
    await fire.fire(services, workspace, run_id)
    assert await counted(services, workspace, run_id) == {"ready": 4}


async def test_cancelling_ends_what_waits_and_leaves_what_is_in_flight_to_its_evidence(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin(2)
    assert len(begun) == 2
    assert await cancel(services, workspace, campaign_id)
    await fire.finish(services, workspace)
    assert await counted_with_flight(services, workspace, run_id) == {"cancelled": 2, "ready": 2}
    await dispatch.end(begun[:1], Outcome.ACCEPTED)
    await dispatch.end(begun[1:], Outcome.UNSENT, retry_at=NOON)
    assert await counted(services, workspace, run_id) == {"cancelled": 3, "accepted": 1}
    assert await state_of(services, workspace, campaign_id) == "cancelled"
    assert not await cancel(services, workspace, campaign_id)


async def counted_with_flight(services: Services, workspace: UUID, run_id: UUID) -> dict[str, int]:
    """Messages by state where some have no queue row, since they are being sent."""
    async with services.db.tenant(workspace) as connection:
        cursor = await connection.execute(
            "SELECT state::text, count(*) FROM message WHERE run_id = %s GROUP BY 1", (run_id,)
        )
        return dict(await cursor.fetchall())


async def test_a_cancelled_one_is_emptied_in_chunks_that_may_be_repeated(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    await cancel(services, workspace, campaign_id)
    monkeypatch.setattr(announce, "WITHDRAW", 1)
    assert await announce.withdraw_cancelled(services, workspace, campaign_id, chunks=3) == 3
    assert await counted(services, workspace, run_id) == {"cancelled": 3, "ready": 1}
    assert await announce.withdraw_cancelled(services, workspace, campaign_id) == 1
    assert await announce.withdraw_cancelled(services, workspace, campaign_id) == 0
    assert await counted(services, workspace, run_id) == {"cancelled": 4}


async def test_what_is_not_cancelled_is_not_withdrawn(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, run_id = await sent_out(services, workspace)
    assert await announce.withdraw_cancelled(services, workspace, campaign_id) == 0
    assert await counted(services, workspace, run_id) == {"ready": 4}


async def test_a_scheduled_one_that_is_cancelled_never_begins(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace), send_at=NOON + HOUR)
    run_id = await launched(services, workspace, campaign_id)
    await cancel(services, workspace, campaign_id)
    at(services).advance(2 * 3600)
    assert (workspace, run_id) not in await fire.due(services)
    await fire.fire(services, workspace, run_id)
    assert await counted(services, workspace, run_id) == {}


async def test_a_draft_that_is_cancelled_was_never_launched(services: Services, workspace: UUID) -> None:
    sends = await channel(services, workspace)
    thrown_away = await written(services, workspace, sends)
    await people(services, workspace)
    campaign_id = await written(services, workspace, sends, send_at=NOON + HOUR)
    await launched(services, workspace, campaign_id)
    at(services).advance(60)
    for one in (thrown_away, campaign_id):
        await cancel(services, workspace, one)
    async with services.db.tenant(workspace) as connection:
        rows = [(await draft.read(connection, one))[0] for one in (thrown_away, campaign_id)]
    assert [row["launched_at"] for row in rows] == [None, NOON]
    assert [row["finished_at"] for row in rows] == [services.clock.now()] * 2


async def test_what_ended_cannot_be_paused_or_resumed(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    await cancel(services, workspace, campaign_id)
    for verb in (pause, resume):
        with pytest.raises(Conflict, match="is cancelled"):
            await verb(services, workspace, campaign_id)
