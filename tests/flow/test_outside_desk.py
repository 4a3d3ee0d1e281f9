"""Outside the service window, at a desk: what was read may be old, and nobody waits behind who waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from clarion.domain.content import Content
from clarion.flow.compose import WINDOW
from clarion.flow.dispatch.calls import Calls
from clarion.flow.services import Services
from clarion.store import window
from tests.flow import desks
from tests.flow.announcing import NOTICE
from tests.flow.desks import Process, numbers
from tests.store.people import ABEBE, AMINA, ROSA
from tests.store.sent import Sent


@pytest.fixture
async def process(services: Services, workspace: UUID, tmp_path: Path) -> AsyncIterator[Process]:
    async with desks.process(services, workspace, tmp_path / "flight") as here:
        yield here


async def told(process: Process, people: list[str], outside: str, **how: Any) -> Sent:
    """A text to these people, and a template outside the window, by a campaign that declares this."""
    sent = await process.tell(how.pop("over", None) or await process.channel("1001"), people, **how)
    variant: dict[str, Any] = dict(NOTICE["variants"][0])
    if outside != "template":
        del variant["outside"]
    body = Content.model_validate({"variants": [variant]}).model_dump(mode="json", exclude_none=True)
    async with process.services.db.tenant(process.workspace) as connection:
        await connection.execute(
            "UPDATE content_version SET body = %s WHERE campaign_id = %s", (Jsonb(body), sent.campaign_id)
        )
        await connection.execute("UPDATE lane SET outside_window = %s WHERE id = %s", (outside, sent.lane_id))
    return sent


async def wrote(process: Process, sent: Sent, number: str, at: datetime | None = None) -> None:
    async with process.services.db.tenant(process.workspace) as connection:
        await connection.execute(
            "UPDATE address SET window_at = %s, window_channel_id = %s WHERE value = %s",
            (at or process.services.clock.now(), sent.channel_id, number),
        )


async def states(process: Process, sent: Sent) -> dict[str, int]:
    """How many of its messages are in each state, or wait for somebody to write."""
    async with process.services.db.tenant(process.workspace) as connection:
        cursor = await connection.execute(
            """SELECT CASE WHEN q.awaits IS NOT NULL THEN 'waits' ELSE m.state::text END, count(*)
               FROM message m LEFT JOIN queue q ON q.message_id = m.id WHERE m.run_id = %s GROUP BY 1""",
            (sent.run_id,),
        )
        return {str(word): int(n) for word, n in await cursor.fetchall()}


async def until(process: Process, sent: Sent, **expected: int) -> None:
    async with asyncio.timeout(60):
        while True:
            if await states(process, sent) == expected:
                return
            await asyncio.sleep(0.05)


async def test_nobody_waits_behind_those_who_are_waited_for(process: Process) -> None:
    many = numbers("+254713", 400)
    sent = await told(process, [*many, AMINA], "wait")
    await wrote(process, sent, AMINA)
    other = await told(process, [ROSA], "template", over=sent.channel_id, epoch=sent.epoch)
    await process.work(sent)
    await until(process, sent, waits=400, accepted=1)
    await until(process, other, accepted=1)
    assert sorted(process.provider.to) == sorted([AMINA, ROSA])
    (desk, _), *_ = process.working
    assert (desk.lanes.waiting, desk.lanes.parked) == (0, 0), "nothing of it is held"


@pytest.mark.parametrize("outside", ["wait", "skip", "template"])
async def test_who_wrote_since_they_were_read_is_inside(
    process: Process, monkeypatch: pytest.MonkeyPatch, outside: str
) -> None:
    sent = await told(process, [AMINA, ABEBE], outside)
    name = "opened" if outside == "template" else "outside"
    ask = getattr(window, name)

    async def late(*given: Any) -> Any:
        await wrote(process, sent, AMINA)  # while it was being decided, by what was read
        return await ask(*given)

    monkeypatch.setattr(window, name, late)
    await process.work(sent)
    ends = {"wait": "waits", "skip": "skipped"}
    await until(
        process, sent, **({"accepted": 2} if outside == "template" else {"accepted": 1, ends[outside]: 1})
    )
    kinds = dict(zip(process.provider.to, process.provider.kinds, strict=True))
    assert kinds[AMINA] == "text"
    assert kinds.get(ABEBE) == ("template" if outside == "template" else None)


async def test_a_call_inside_the_window_begins_before_it_closes_or_is_decided_anew(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, until_when = Calls.begin, []

    def noted(calls: Calls, call: Any, intended_at: datetime) -> None:
        until_when.append(call.until)
        begin(calls, call, intended_at)

    monkeypatch.setattr(Calls, "begin", noted)
    sent = await told(process, [AMINA], "wait")
    an_hour_left = process.services.clock.now() - WINDOW + timedelta(hours=1)
    await wrote(process, sent, AMINA, an_hour_left)
    await process.work(sent)
    await until(process, sent, accepted=1)
    assert until_when == [an_hour_left + WINDOW]
