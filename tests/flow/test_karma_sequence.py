"""The Karma schedule as a sequence: two bots in turn, from the day that each person registered, at hours that
differ from person to person and from time to time (examples/karma.json)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence as Some
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from clarion.domain.field import Field, FieldType
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import rows
from clarion.store import field
from tests.flow.following import counted, definition, running, until
from tests.store.people import person, store

KARMA = json.loads((Path(__file__).parents[2] / "examples" / "karma.json").read_text(encoding="utf-8"))
ZONES = ("Africa/Nairobi", "Asia/Kolkata", "America/Sao_Paulo")
FIRST_DAY = datetime(2026, 3, 1, tzinfo=UTC)
VALUED = (12, 18, 20)


async def _registered(services: Services, workspace: UUID, many: int) -> None:
    """So many people in three zones, who register on ten days."""
    async with services.db.tenant(workspace) as connection:
        await field.declare(connection, Field("registration_date", "Registration date", FieldType.DATE))
        everybody = [
            replace(
                person(f"P{n:04}", f"+2547{10_000_000 + n}", external_id=f"P{n}", timezone=ZONES[n % 3]),
                fields={"registration_date": f"{FIRST_DAY + timedelta(days=n % 10):%Y-%m-%d}"},
            )
            for n in range(many)
        ]
        for begin in range(0, many, 500):
            await store(connection, everybody[begin : begin + 500], services.clock.now())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("many", [60, pytest.param(2_000, marks=pytest.mark.nightly)])
async def test_everybody_hears_sixteen_times_at_hours_of_their_own(
    services: Services, workspace: UUID, many: int
) -> None:
    services = replace(services, clock=FakeClock(FIRST_DAY - timedelta(days=1)))
    await _registered(services, workspace, many)
    campaign_id = await running(services, workspace, definition(KARMA))
    await until(services, workspace, campaign_id, FIRST_DAY + timedelta(days=57))
    assert await counted(services, workspace, campaign_id) == {"ready": 16 * many}
    for zone, begins, said in await _heard(services, workspace, campaign_id):
        local = [(due.astimezone(ZoneInfo(zone)), step) for due, step in said]
        assert Counter(moment.hour for moment, _ in local) == Counter([*range(9, 22), *VALUED])
        assert [((moment.date() - begins).days, step) for moment, step in local] == [
            (12 * turn + 3 * nth, nth + 1) for turn in range(4) for nth in range(4)
        ]
    spread = await _first_hours(services, workspace, campaign_id)
    assert len(spread) > 6  # and not all of them at the same hour


async def _heard(
    services: Services, workspace: UUID, campaign_id: UUID
) -> list[tuple[str, date, Some[tuple[datetime, int]]]]:
    """Of everybody: their zone, the day that they registered, and (moment, step) of what they heard."""
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection,
            """SELECT c.timezone, c.fields->>'registration_date' AS begins,
                 array_agg(m.due_at ORDER BY m.due_at) AS moments,
                 array_agg(m.step_id ORDER BY m.due_at) AS steps
               FROM enrollment e JOIN contact c ON c.id = e.subject_id
               JOIN message m ON m.enrollment_id = e.id
               WHERE e.campaign_id = %s GROUP BY c.id""",
            (campaign_id,),
        )
    return [
        (
            one["timezone"],
            datetime.fromisoformat(one["begins"]).date(),
            list(zip(one["moments"], one["steps"], strict=True)),
        )
        for one in found
    ]


async def _first_hours(services: Services, workspace: UUID, campaign_id: UUID) -> Counter[int]:
    """At which hours of the day people hear the first of it."""
    return Counter(
        said[0][0].astimezone(ZoneInfo(zone)).hour
        for zone, _, said in await _heard(services, workspace, campaign_id)
    )
