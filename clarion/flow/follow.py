"""What follows people, whatever its kind: a sequence, or an announcement that recurs.

Its door is opened, and what it says, to whom and when may change while it is open. Each is a part of the
transaction of a caller who has the campaign locked and has judged whether its state allows it.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from clarion.domain.campaign import Announcement, State
from clarion.domain.field import FieldType
from clarion.domain.message import cohort_of
from clarion.domain.schedule.model import AtField, Schedule
from clarion.domain.schedule.plan import Plan
from clarion.domain.sequence import Sequence, step_numbers
from clarion.errors import Invalid, Problem
from clarion.flow import campaign, route
from clarion.flow.enroll.course import first_steps
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import field as fields
from clarion.store import run, window

DATES = (FieldType.DATE, FieldType.DATETIME, FieldType.TEXT)  # of a text, what reads as a date
FOR_EVER = timedelta(days=100 * 366)  # its door has no last day
DOOR = 0  # the run that enrolls; those of a recurring announcement's occasions are counted from 1
RECKONED = ("schedule", "audience", "reentry")  # of the definition: what everybody is gone through for again
CARRIED = ("weight", "fallback", "pool_id", "schedule", "outside_window")  # what its lanes are made of


async def open_door(
    connection: Connection, services: Services, row: Row, over: Way, definition: Sequence, priority: int
) -> UUID:
    """Everybody whom it means is enrolled, now and as they come; the run that does it."""
    now = services.clock.now()
    version = await _say(connection, services, row["id"], definition)
    lane_id = await _lanes(connection, services, row, over, definition, priority)
    run_id = uuid7(now)
    await run.plan(
        connection, run_id, campaign_id=row["id"], iteration=DOOR, cohort=cohort_of(now),
        content_version_id=version, lane_id=lane_id, due_at=now, expires_at=now + FOR_EVER,
    )  # fmt: skip
    await doors.set_follows(connection, row["id"], True)
    await campaigns.set_state(connection, row["id"], State.RUNNING, now)
    await campaign.begin(connection, services, run_id)
    return run_id


async def change(
    connection: Connection,
    services: Services,
    row: Row,
    over: Way,
    before: Sequence,
    after: Sequence,
    priority: int,
    *,
    again: bool = False,
) -> None:
    """Of a changed schedule only what is to come is reckoned anew, and nothing is said twice; what is said
    changes for whom it has not been said to. `row` is the campaign's as it was before. `again`: all are gone
    through, whatever has changed."""
    again = again or _differs(before, after, RECKONED)
    if again:  # first of all: whoever holds the doors may wait for the lanes and the run
        await doors.alone(connection)
    await _say(connection, services, row["id"], after, before)
    door, *_ = await run.of_campaign(connection, row["id"])
    if over.lead != row["channel_id"] or _differs(before, after, CARRIED):
        state = "paused" if row["state"] == State.PAUSED else "open"
        lane_id = await _lanes(connection, services, row, over, after, priority, state)
        await run.set_lane(connection, door["id"], lane_id)
    if before.outside_window != after.outside_window:
        lanes = await campaigns.lane_ids(connection, row["id"])
        await window.decide_again(connection, lanes, services.clock.now())
    if again:
        await doors.revise(connection, row["id"])
        await run.again(connection, door["id"], services.clock.now())
        await campaign.begin(connection, services, door["id"])


async def resume(connection: Connection, campaign_id: UUID, services: Services) -> None:
    """Go on with what is to come; what fell due while it was paused is skipped."""
    now = services.clock.now()
    await doors.set_resumed(connection, campaign_id, now)
    await campaign.go_on(connection, campaign_id, State.RUNNING, now)


async def end(connection: Connection, campaign_id: UUID, services: Services) -> None:
    """End it for everybody in it: what waits is cancelled."""
    await doors.set_follows(connection, campaign_id, False)
    await campaign.end(connection, campaign_id, services.clock.now())


# --- what its author wrote


def keeping_numbers(before: Schedule, after: Schedule) -> Schedule:
    """`after` as it may take the place of `before`. A step's number is its name in the ledger: one that is no
    more is given to no other. Raises Invalid."""
    retired = set(before.retired) | (step_numbers(before) - step_numbers(after))
    again = sorted(set(before.retired) & step_numbers(after))
    if again:
        raise Invalid(
            f"{again[0]} was another step's number", where="schedule.steps", hint="Take one that is free."
        )
    return after.model_copy(update={"retired": tuple(sorted(retired))})


async def missing_fields(connection: Connection, schedule: Schedule) -> list[Problem]:
    """What a schedule asks of a contact, and nobody keeps, or keeps as something else."""
    known = await fields.declared(connection)
    dated = _dated(schedule)
    found = []
    for key in Plan(schedule).fields:
        fit = [one for one in known.values() if key not in dated or one.type in DATES]
        if key != "created_at" and key not in {one.key for one in fit}:
            what = f"{key} is no date" if key in known else f"no field {key!r} is kept of contacts"
            there = ", ".join(one.key for one in fit) or "none yet; POST /api/v1/fields declares one"
            found.append(Problem("schedule", what, f"There are: {there}."))
    return found


def placed(where: str, name: str) -> str:
    """A place of one of its contents, as its author wrote it."""
    for own in ("content", "text"):
        if where.startswith(own):
            return f"contents.{name}{where.removeprefix(own)}"
    return where


def _dated(schedule: Schedule) -> set[str]:
    """The fields that it reads as dates."""
    start, until = schedule.start, schedule.until
    found = {start.key} if isinstance(start, AtField) else set()
    return found | ({until.field} if until is not None and until.field is not None else set())


async def _say(
    connection: Connection,
    services: Services,
    campaign_id: UUID,
    after: Sequence,
    before: Sequence | None = None,
) -> UUID:
    """Add a version of each content that is new or says something else; one of them, or of those before."""
    now = services.clock.now()
    steps_before = first_steps(before) if before else {}
    for name, step in first_steps(after).items():
        content = after.contents[name]
        if before is None or before.contents.get(name) != content or steps_before.get(name) != step:
            body = content.model_dump(mode="json", exclude_none=True)
            await campaigns.add_content(connection, uuid7(now), campaign_id, step, body, now)
    return next(iter((await campaigns.latest_contents(connection, campaign_id)).values()))


async def _lanes(
    connection: Connection,
    services: Services,
    row: Row,
    over: Way,
    definition: Sequence,
    priority: int,
    state: str = "open",
) -> UUID:
    opened = await route.open_lanes(
        connection, row["id"], over, _any(definition), services.clock.now(), priority=priority, state=state
    )
    return opened.lead


def _any(definition: Sequence) -> Announcement:
    """It, as any of its contents is said."""
    return definition.said_as(next(iter(definition.contents.values())))


def _differs(before: Sequence, after: Sequence, some: tuple[str, ...]) -> bool:
    return any(getattr(before, each) != getattr(after, each) for each in some)
