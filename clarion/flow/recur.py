"""Announcements that recur: by a schedule that is the same for everybody, to whoever is meant each time.

They are followed as sequences are (`flow.follow`): so who comes in hears the next occasion, who leaves hears
no more, and each hears it at their own local hour. Each occasion is a run with its own count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clarion.domain.campaign import KIND, PRIORITY, Announcement, State, require
from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Subject
from clarion.domain.sequence import recurring, recurring_problems
from clarion.errors import Conflict, Invalid, NotFound, Problem
from clarion.flow import follow, progress
from clarion.flow.home_hours import layers
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import run
from clarion.store import workspace as workspaces

EDGES = ("Etc/GMT-14", "Etc/GMT+12")  # who is first and last to see a day (tz database; the signs are so)


async def problems(connection: Connection, definition: Announcement) -> list[Problem]:
    """What does not fit together of an announcement with a schedule, or without; none where it has none."""
    if definition.schedule is None:
        return []
    return [
        *recurring_problems(definition),
        *await follow.missing_fields(connection, definition.schedule),
    ]


async def first(
    connection: Connection, definition: Announcement, launched_at: datetime, now: datetime
) -> datetime:
    """When it speaks next, by the clocks of the workspace. Raises Invalid where nothing of its schedule is to
    come."""
    home = await _home(connection)
    hours = layers((await workspaces.get(connection))["settings"])
    found = _next(definition, launched_at, now, home, home, hours)
    if found is None:
        raise Invalid(
            "nothing of its schedule is to come",
            where="schedule",
            hint="Give it a later start, or another end.",
            extra={"reason": "past"},
        )
    return found


async def launch(
    connection: Connection,
    services: Services,
    row: Row,
    over: Way,
    definition: Announcement,
    moment: datetime,
) -> UUID:
    """Open its door; the run that enrolls. `moment` is that of its first occasion."""
    now = services.clock.now()
    said = recurring(definition, now, await _home(connection))
    run_id = await follow.open_door(connection, services, row, over, said, PRIORITY)
    await campaigns.set_state(connection, row["id"], State.RUNNING, now, send_at=moment)
    return run_id


def may_change(row: Row, before: Announcement, after: Announcement) -> None:
    """Raises Conflict where it cannot: what was launched once stays so, what recurs goes on recurring."""
    recurs = before.schedule is not None
    require(row["state"], "edit_recurring" if recurs else "edit")
    if row["state"] != State.DRAFT and recurs != (after.schedule is not None):
        raise Conflict(
            "it was launched as one that recurs" if recurs else "it was launched as one that is said once",
            where="schedule",
            hint="Cancel it, or duplicate it and edit the copy.",
            extra={"state": row["state"]},
        )


def numbered(before: Announcement, after: Announcement) -> Announcement:
    """`after` with the numbers of steps that are no more. Raises Invalid for one that was another's."""
    assert before.schedule is not None
    assert after.schedule is not None
    kept = follow.keeping_numbers(before.schedule, after.schedule)
    return after.model_copy(update={"schedule": kept})


async def edit(
    connection: Connection,
    services: Services,
    row: Row,
    over: Way,
    before: Announcement,
    after: Announcement,
) -> None:
    """Change what was launched: from its next occasion on, and nobody hears one twice."""
    now, launched_at, home = services.clock.now(), row["launched_at"], await _home(connection)
    moment = await first(connection, after, launched_at, now)
    said = [recurring(one, launched_at, home) for one in (before, after)]
    await follow.change(connection, services, row, over, said[0], said[1], PRIORITY)
    await campaigns.set_state(connection, row["id"], row["state"], now, reason=row["reason"], send_at=moment)


async def end_what_is_over(services: Services, workspace_id: UUID) -> None:
    """Close the door of those whose last occasion is past for everybody who is in them, and whoever may come.
    They are completed as any other when nothing of their runs waits."""
    async with services.db.tenant(workspace_id) as connection:
        for row in await doors.idle(connection, KIND):
            now = services.clock.now()
            locked = await campaigns.lock(connection, row["id"])
            definition, home = Announcement.read(row["definition"]), await _home(connection)
            to_come = [_next(definition, row["launched_at"], now, home, edge) for edge in EDGES]
            if locked["state"] == State.RUNNING and not any(to_come):
                await doors.set_follows(connection, row["id"], False)
                await run.end_by(connection, row["id"], now + definition.patience)


# --- its occasions


@dataclass(frozen=True, slots=True)
class Occasion:
    """A time at which it spoke: its number, when the first of them heard it, and what became of whom."""

    number: int
    began_at: datetime
    total: int
    counts: dict[str, int]
    reasons: dict[str, dict[str, int]]


async def occasions(connection: Connection, campaign_id: UUID, limit: int) -> list[Occasion]:
    """The newest first."""
    found = []
    for one in await run.occasions(connection, campaign_id, limit):
        counts, reasons = await progress.counted(connection, [one])
        found.append(Occasion(one["iteration"], one["due_at"], counts.total(), dict(+counts), reasons))
    return found


async def run_of(connection: Connection, campaign_id: UUID, number: int | None) -> UUID | None:
    """The run of one of its occasions; None of all of them. Raises NotFound."""
    if number is None:
        return None
    found = await run.occasion(connection, campaign_id, number)
    if found is None:
        raise NotFound("it has no such occasion", where="occasion", hint="GET …/occasions lists them.")
    return found


async def _home(connection: Connection) -> str:
    zone: str = (await workspaces.get(connection))["timezone"]
    return zone


def _next(
    definition: Announcement, launched_at: datetime, now: datetime, home: str, zone: str,
    hours: tuple[Hours, ...] = (),
) -> datetime | None:  # fmt: skip
    """When somebody hears it next who is in this zone."""
    plan = Plan(recurring(definition, launched_at, home).schedule)
    somebody = Subject("", launched_at, zone=zone, home=home, hours=hours)
    return next((one.due_at for one in plan.occurrences(somebody, now) if one.skip is None), None)
