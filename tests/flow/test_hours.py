"""An announcement that speaks at some hours only: by each person's clock, and without costing a try."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.schedule.allowed import Allowed
from clarion.domain.schedule.hours import Hours
from clarion.flow.dispatch.calls import Calls
from clarion.flow.dispatch.desk import Desk
from clarion.flow.services import Services
from clarion.store import withdraw
from tests.flow import desks
from tests.flow.desks import Process
from tests.store.people import ABEBE, AMINA
from tests.store.sent import Sent

HOURS = {"allowed": [{"from": "08:00", "to": "20:00"}]}


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


def where_it_is(hour: int, now: datetime) -> str:
    """A zone whose clocks are between this hour and the next (Etc/GMT+3 is three hours behind UTC)."""
    ahead = (hour - now.hour + 11) % 24 - 11
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"


async def told(process: Process, hours: dict[str, Any], **how: Any) -> tuple[Sent, Desk]:
    """Amina, where it is noon, and Abebe, where it is three in the night."""
    sent = await process.tell(await process.channel("1001"), [AMINA, ABEBE], **how)
    now = process.services.clock.now()
    async with process.services.db.tenant(process.workspace) as connection:
        for number, hour in ((AMINA, 12), (ABEBE, 3)):
            await connection.execute(
                """UPDATE contact SET timezone = %s
                   WHERE id IN (SELECT contact_id FROM address WHERE value = %s)""",
                (where_it_is(hour, now), number),
            )
        await connection.execute(
            "UPDATE lane SET hours = %s WHERE id = %s",
            (Hours.model_validate(hours).model_dump_json(by_alias=True), sent.lane_id),
        )
    return sent, await process.work(sent)


async def of_abebe(process: Process, sent: Sent, number: str = ABEBE) -> dict[str, Any]:
    """His message (or another's), with its place in the queue."""
    async with process.services.db.tenant(process.workspace) as connection:
        cursor = await connection.execute(
            """SELECT m.state::text, m.reason, m.due_at, m.tries, q.due_at FROM message m
               JOIN address a ON a.id = m.address_id LEFT JOIN queue q ON q.message_id = m.id
               WHERE a.value = %s AND m.lane_id = %s""",
            (number, sent.lane_id),
        )
        found = await cursor.fetchone()
        assert found is not None
        return dict(zip(("state", "reason", "due_at", "tries", "queued"), found, strict=True))


async def until_put_off(process: Process, sent: Sent) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            found = await of_abebe(process, sent)
            if found["due_at"] != sent.now or found["state"] != "ready":
                return found
            await asyncio.sleep(0.05)


async def test_who_sleeps_waits_for_their_morning_and_others_hear_it_now(process: Process) -> None:
    now = process.services.clock.now()
    sent, _ = await told(process, HOURS)
    await process.until_heard(1)
    abebe = await until_put_off(process, sent)
    opens, _ = Allowed(Hours.model_validate(HOURS)).span(now, where_it_is(3, now))
    assert (abebe["state"], abebe["due_at"], abebe["tries"]) == ("ready", opens, 0)
    assert abebe["queued"] == opens, "one place in the queue, and the message says the same"
    assert opens - now > timedelta(hours=3)
    await asyncio.sleep(0.5)
    assert process.provider.to == [AMINA]


async def test_who_waits_for_the_morning_can_still_be_taken_back(process: Process) -> None:
    now = process.services.clock.now()
    sent, _ = await told(process, HOURS)
    await until_put_off(process, sent)
    async with process.services.db.tenant(process.workspace) as connection:
        taken = await withdraw.from_addresses(connection, [await _key(connection, ABEBE)], now)
    assert taken == 1
    abebe = await of_abebe(process, sent)
    assert (abebe["state"], abebe["queued"]) == ("skipped", None)


async def _key(connection: Any, number: str) -> bytes:
    cursor = await connection.execute("SELECT consent_key FROM address WHERE value = %s LIMIT 1", (number,))
    return bytes((await cursor.fetchone())[0])


@pytest.mark.parametrize("impatient", [{"outside": "drop"}, {"late": 60}])
async def test_who_is_not_waited_for_is_skipped_and_says_so(
    process: Process, impatient: dict[str, Any]
) -> None:
    sent, _ = await told(process, {**HOURS, **impatient})
    await process.until_heard(1)
    abebe = await until_put_off(process, sent)
    assert (abebe["state"], abebe["reason"], abebe["queued"]) == ("skipped", "quiet_hours", None)


async def test_what_would_be_over_by_the_morning_expires(process: Process) -> None:
    sent, _ = await told(process, HOURS, patience=timedelta(hours=1))
    await process.until_heard(1)
    abebe = await until_put_off(process, sent)
    assert (abebe["state"], abebe["reason"]) == ("expired", "expired")


async def test_a_call_whose_hour_ends_before_its_first_byte_is_not_made(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Calls.begin

    def late(calls: Calls, call: Any, intended_at: datetime) -> None:
        call.until = intended_at  # the hour ended while its intent was committed
        begin(calls, call, intended_at)

    monkeypatch.setattr(Calls, "begin", late)
    sent, _ = await told(process, HOURS)
    async with asyncio.timeout(30):
        while True:
            if await _tries(process, sent):
                break
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    assert process.provider.heard == []
    assert set(await _tries(process, sent)) == {("unsent", "too_late_to_begin")}
    assert (await of_abebe(process, sent, AMINA))["tries"] == 0, "none of it counts"


async def _tries(process: Process, sent: Sent) -> list[tuple[str, str]]:
    async with process.services.db.tenant(process.workspace) as connection:
        return [
            (row["state"], row["code"]) for row in await sent.tries(connection) if row["state"] != "in_flight"
        ]
