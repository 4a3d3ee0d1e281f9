"""What an edit of an alert, or its launch, would do is told beforehand, and then it does just that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.alert import Alert, Staff
from clarion.domain.criteria import parse_criteria
from clarion.domain.schedule import check
from clarion.errors import Conflict, Invalid, TooLarge
from clarion.flow import alert, fire
from clarion.flow.enroll import would_tell
from clarion.flow.enroll.would import Would
from clarion.flow.enroll.would_tell import would
from clarion.flow.services import Services
from clarion.kit.db import Row
from clarion.store import run
from tests.flow.alerting import BEFORE, definition, running, say, standing, types, until, work, written
from tests.flow.announcing import channel
from tests.store.people import ABEBE, AMINA, ROSA

DAY = timedelta(days=1)
NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi; it is noon of 2026-03-02
LATER = check.read({**BEFORE, "time": "15:00"})
OTHER_DATE = check.read({**BEFORE, "start": {"from": "property", "key": "booked_for", "days": -2}})
URGENT = parse_criteria({"property": "urgent", "op": "equal", "value": True})


@pytest.fixture(autouse=True)
async def _visits(services: Services, workspace: UUID) -> None:
    """Amina's visit is in three days, Abebe's in ten, Rosa's has no date; Amina's second one is done."""
    await types(services, workspace)
    for case, name, phone, date, status in (
        ("V1", "Amina", AMINA, "2026-03-05", "scheduled"), ("V2", "Abebe", ABEBE, "2026-03-12", "scheduled"),
        ("V3", "Rosa", ROSA, None, "scheduled"), ("V4", "Amina", AMINA, "2026-03-05", "done"),
    ):  # fmt: skip
        said = {"appointment_date": date, "booked_for": date, "urgent": case in ("V1", "V4")}
        await say(services, workspace, case, name=name, phone=phone, status=status, **said)


async def draft(services: Services, workspace: UUID, wanted: Alert | None = None) -> UUID:
    channel_id = await channel(services, workspace)
    async with services.db.tenant(workspace) as connection:
        return await alert.create(
            connection, services, name="Visits", channel_id=channel_id, definition=wanted or definition()
        )


async def _begun(services: Services, workspace: UUID) -> UUID:
    """It is running, and Amina has heard the first step."""
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    return campaign_id


async def test_before_a_launch_it_tells_who_would_hear_and_when(services: Services, workspace: UUID) -> None:
    campaign_id = await draft(services, workspace)
    found = await would(services, workspace, campaign_id, {})
    assert (found.gone_over, found.silent) == (4, 1)
    assert (found.cases, found.people) == (Would(enter=3), Would(enter=3))
    sample = sorted(found.sample, key=lambda one: one.case)
    assert [(one.what, one.case, one.name, one.after) for one in sample] == [
        ("enter", "V1", "Amina", NINE), ("enter", "V2", "Abebe", NINE + 7 * DAY),
        ("enter", "V3", "Rosa", None),
    ]  # fmt: skip
    assert [one.local and f"{one.local:%H:%M}" for one in sample] == ["09:00", "09:00", None]


async def test_a_launch_that_is_only_tried_leaves_a_draft(services: Services, workspace: UUID) -> None:
    campaign_id = await draft(services, workspace)
    await would(services, workspace, campaign_id, {})
    async with services.db.tenant(workspace) as connection:
        row, _ = await alert.read(connection, campaign_id)
        assert (row["state"], await run.of_campaign(connection, campaign_id)) == ("draft", [])
        run_id = await alert.launch(connection, services, campaign_id)
    await fire.fire(services, workspace, run_id)
    assert len(await standing(services, workspace, campaign_id)) == 3


@pytest.mark.parametrize(
    ("changes", "cases", "people"),
    [
        ({"schedule": LATER}, Would(same=3), Would(move=2, same=1)),
        ({"schedule": OTHER_DATE}, Would(same=3), Would(same=3)),
        ({"criteria": URGENT}, Would(enter=1, leave=2, same=1), Would(enter=1, leave=2, same=1)),
        ({"recipients": (Staff(to="owner"),)}, Would(same=3), Would(leave=3)),
        ({"weight": 2}, Would(same=3), Would(same=3)),
    ],
    ids=["another time", "another date", "other cases", "nobody", "nothing of the kind"],
)
async def test_it_tells_what_an_edit_does_and_the_edit_does_it(
    services: Services, workspace: UUID, changes: dict[str, Any], cases: Would, people: Would
) -> None:
    campaign_id = await _begun(services, workspace)
    before = await _all(services, workspace, campaign_id)
    found = await would(services, workspace, campaign_id, changes)
    assert (found.cases, found.people) == (cases, people)
    assert await _all(services, workspace, campaign_id) == before
    async with services.db.tenant(workspace) as connection:
        await alert.edit(connection, services, campaign_id, changes=changes)
    await work(services, workspace, campaign_id)
    after = await _all(services, workspace, campaign_id)
    assert _between(before[0], after[0]) == people


async def _all(services: Services, workspace: UUID, campaign_id: UUID) -> tuple[list[Row], list[Any]]:
    return (
        await standing(services, workspace, campaign_id), await written(services, workspace, campaign_id)
    )  # fmt: skip


def _between(before: list[Row], after: list[Row]) -> Would:
    """How many did what."""
    was = {(one["case"], one["name"]): one for one in before}
    found = Would(enter=len(after) - len(before))
    for one in after:
        old = was.get((one["case"], one["name"]))
        if old is None:
            continue
        if one["state"] == "stopped":
            found.leave += 1
        elif one["next_due"] != old["next_due"]:
            found.move += 1
        else:
            found.same += 1
    return found


async def test_who_would_hear_all_again_is_told(services: Services, workspace: UUID) -> None:
    campaign_id = await _begun(services, workspace)
    said = await would(services, workspace, campaign_id, {"schedule": OTHER_DATE}, say_again=True)
    assert said.people == Would(same=3)  # the other date is the same day
    await say(services, workspace, "V1", booked_for="2026-03-20")
    await work(services, workspace, campaign_id)
    again = await would(services, workspace, campaign_id, {"schedule": OTHER_DATE}, say_again=True)
    kept = await would(services, workspace, campaign_id, {"schedule": OTHER_DATE})
    assert (again.people, kept.people) == (Would(again=1, same=2), Would(move=1, same=2))


async def test_however_many_pieces_it_is_done_in_it_comes_to_the_same(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = await _begun(services, workspace)
    whole = await would(services, workspace, campaign_id, {"schedule": LATER})
    monkeypatch.setattr(would_tell, "CHUNK", 2)
    told: list[int] = []
    pieces = await would(services, workspace, campaign_id, {"schedule": LATER}, told.append)
    assert pieces == whole
    assert told[:2] == [2, 4]


async def test_more_cases_than_a_request_may_go_over_are_refused(services: Services, workspace: UUID) -> None:
    campaign_id = await _begun(services, workspace)
    with pytest.raises(TooLarge, match="more than 3 cases"):
        await would(services, workspace, campaign_id, {}, most=3)


async def test_what_would_be_refused_is_refused(services: Services, workspace: UUID) -> None:
    campaign_id = await _begun(services, workspace)
    with pytest.raises(Invalid):
        await would(services, workspace, campaign_id, {"case_type": "mother"})
    async with services.db.tenant(workspace) as connection:
        await alert.cancel(connection, services, campaign_id)
    with pytest.raises(Conflict):
        await would(services, workspace, campaign_id, {"schedule": LATER})
