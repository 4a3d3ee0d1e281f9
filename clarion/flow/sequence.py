"""A sequence's way: write, edit, launch, pause, resume, cancel. Each is one transaction of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from clarion.domain.campaign import Announcement, State, similarity_text
from clarion.domain.field import FieldType
from clarion.domain.message import cohort_of
from clarion.domain.schedule.model import AtField, Schedule
from clarion.domain.schedule.plan import Plan
from clarion.domain.sequence import KIND, PRIORITY, Sequence, require, step_numbers
from clarion.errors import Invalid, Problem
from clarion.flow import campaign, catalogue, draft, route
from clarion.flow.enroll.course import first_steps
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.store import campaign as campaigns
from clarion.store import door as doors
from clarion.store import field as fields
from clarion.store import run

DATES = (FieldType.DATE, FieldType.DATETIME, FieldType.TEXT)  # of a text, what reads as a date
FOR_EVER = timedelta(days=100 * 366)  # its door has no last day
RECKONED = ("schedule", "audience", "reentry")  # of the definition: what everybody is gone through for again
CARRIED = ("weight", "fallback", "pool_id", "schedule")  # what its lanes are made of


async def create(
    connection: Connection,
    services: Services,
    *,
    name: str,
    channel_id: UUID | None,
    definition: Sequence,
    by: str = "",
) -> UUID:
    """A draft; its identifier. It goes over `channel_id` or the definition's pool; where neither is given,
    over the workspace's default. Raises Invalid with every problem in it."""
    now = services.clock.now()
    if channel_id is None and definition.pool_id is None:
        channel_id, pool_id = await route.default(connection)
        definition = definition.model_copy(update={"pool_id": pool_id})
    elif channel_id is not None and definition.pool_id is not None:
        raise Invalid("it goes over either a channel or a pool", where="pool_id", hint="Give one of the two.")
    over = await check(connection, services, channel_id, definition)
    campaign_id = uuid7(now)
    await campaigns.create(
        connection, campaign_id, kind=KIND, name=campaign.named(name, KIND), definition=definition.stored(),
        channel_id=over.lead, similarity_text=_said(definition), created_by=by, now=now,
    )  # fmt: skip
    return campaign_id


async def read(connection: Connection, campaign_id: UUID, *, lock: bool = False) -> tuple[Row, Sequence]:
    """A sequence's row and definition. Raises NotFound."""
    row = await campaigns.get(connection, campaign_id, KIND, lock=lock)
    return row, Sequence.read(row["definition"])


async def check(
    connection: Connection, services: Services, channel_id: UUID | None, definition: Sequence
) -> Way:
    """Everything that could not be sent, at once. What it goes over where all is right. Raises Invalid."""
    missing = await _missing_fields(connection, definition)
    found = {(one.where, one.what): one for one in (*definition.problems(), *missing)}
    over: Way | None = None
    for name, content in definition.contents.items():
        as_said = definition.said_as(content)
        try:
            over = await draft.check(connection, channel_id, as_said, services.clock.now())
        except Invalid as error:
            for one in error.problems:
                where = _where(one.where, name)
                found[where, one.what] = Problem(where, one.what, one.hint)
    if found or over is None:
        raise Invalid("the sequence is not right yet", problems=tuple(found.values()))
    return over


async def freshen(
    services: Services, workspace_id: UUID, channel_id: UUID | None, definition: Sequence
) -> None:
    """Before it is judged, not within a transaction: read again which templates its channels keep, where that
    is needed (`catalogue.freshen`)."""
    for content in definition.contents.values():
        await catalogue.freshen(services, workspace_id, channel_id, definition.said_as(content))


async def _missing_fields(connection: Connection, definition: Sequence) -> list[Problem]:
    """What its schedule asks of a contact, and nobody keeps, or keeps as something else."""
    known = await fields.declared(connection)
    dated = _dated(definition.schedule)
    found = []
    for key in Plan(definition.schedule).fields:
        fit = [one for one in known.values() if key not in dated or one.type in DATES]
        if key != "created_at" and key not in {one.key for one in fit}:
            what = f"{key} is no date" if key in known else f"no field {key!r} is kept of contacts"
            there = ", ".join(one.key for one in fit) or "none yet; POST /api/v1/fields declares one"
            found.append(Problem("schedule", what, f"There are: {there}."))
    return found


def _dated(schedule: Schedule) -> set[str]:
    """The fields that it reads as dates."""
    start, until = schedule.start, schedule.until
    found = {start.key} if isinstance(start, AtField) else set()
    return found | ({until.field} if until is not None and until.field is not None else set())


def _where(where: str, name: str) -> str:
    """A place of one of its contents, as the sequence's author wrote it."""
    for own in ("content", "text"):
        if where.startswith(own):
            return f"contents.{name}{where.removeprefix(own)}"
    return where


async def edit(
    connection: Connection,
    services: Services,
    campaign_id: UUID,
    *,
    name: str | None = None,
    channel_id: UUID | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Change it, also while it runs. Of a changed schedule only what is to come is reckoned anew, and nothing
    is said twice; what is said changes for whom it has not been said to. Raises NotFound, Invalid, Conflict
    (it has ended)."""
    now = services.clock.now()
    row, before = await read(connection, campaign_id, lock=True)
    require(row["state"], "edit")
    changes = dict(changes or {})
    if channel_id is not None:
        changes["pool_id"] = None
    after = Sequence.read(before.model_copy(update=changes).stored())
    if row["state"] != State.DRAFT:
        after = _keeping_numbers(before, after)
    over = await check(connection, services, channel_id or row["channel_id"], after)
    await campaigns.change(
        connection, campaign_id, name=row["name"] if name is None else campaign.named(name, KIND),
        definition=after.stored(), channel_id=over.lead, similarity_text=_said(after), now=now,
    )  # fmt: skip
    if row["state"] == State.DRAFT:
        return
    await _say(connection, services, campaign_id, after, before)
    (door,) = await run.of_campaign(connection, campaign_id)
    if over.lead != row["channel_id"] or _differs(before, after, CARRIED):
        state = "paused" if row["state"] == State.PAUSED else "open"
        await run.set_lane(
            connection, door["id"], await _lanes(connection, services, row, over, after, state)
        )
    if _differs(before, after, RECKONED):
        await doors.revise(connection, campaign_id)
        await run.again(connection, door["id"], now)
        await campaign.begin(connection, services, door["id"])


def _keeping_numbers(before: Sequence, after: Sequence) -> Sequence:
    """A step's number is its name in the ledger: one that is no more is given to no other."""
    retired = set(before.schedule.retired) | (step_numbers(before.schedule) - step_numbers(after.schedule))
    again = sorted(set(before.schedule.retired) & step_numbers(after.schedule))
    if again:
        raise Invalid(
            f"{again[0]} was another step's number", where="schedule.steps", hint="Take one that is free."
        )
    kept = after.schedule.model_copy(update={"retired": tuple(sorted(retired))})
    return after.model_copy(update={"schedule": kept})


async def launch(connection: Connection, services: Services, campaign_id: UUID) -> UUID:
    """Open its door: everybody whom it means is enrolled, now and as they come; the run that does it. Raises
    NotFound, Invalid (not right any more), Conflict (launched already)."""
    now = services.clock.now()
    row, definition = await read(connection, campaign_id, lock=True)
    require(row["state"], "launch")
    over = await check(connection, services, row["channel_id"], definition)
    versions = await _say(connection, services, campaign_id, definition)
    lane_id = await _lanes(connection, services, row, over, definition)
    run_id = uuid7(now)
    await run.plan(
        connection, run_id, campaign_id=campaign_id, iteration=1, cohort=cohort_of(now),
        content_version_id=versions, lane_id=lane_id, due_at=now, expires_at=now + FOR_EVER,
    )  # fmt: skip
    await doors.set_follows(connection, campaign_id, True)
    await campaigns.set_state(connection, campaign_id, State.RUNNING, now)
    await campaign.begin(connection, services, run_id)
    return run_id


async def pause(connection: Connection, services: Services, campaign_id: UUID, *, reason: str = "") -> bool:
    """Send nothing more until it is resumed. Everybody in it stays in step; what falls due meanwhile is
    skipped when it goes on. False when it was paused already. Raises NotFound, Conflict."""
    row, _ = await read(connection, campaign_id, lock=True)
    if row["state"] == State.PAUSED:
        return False
    require(row["state"], "pause")
    await campaign.pause(connection, campaign_id, reason, services.clock.now())
    return True


async def resume(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """Go on with what is to come. False when it was not paused. Raises NotFound, Conflict."""
    now = services.clock.now()
    row, _ = await read(connection, campaign_id, lock=True)
    if row["state"] == State.RUNNING:
        return False
    require(row["state"], "resume")
    await doors.set_resumed(connection, campaign_id, now)
    await campaign.go_on(connection, campaign_id, State.RUNNING, now)
    return True


async def cancel(connection: Connection, services: Services, campaign_id: UUID) -> bool:
    """End it for everybody in it: what waits is cancelled. False when it was cancelled already. Raises
    NotFound, Conflict."""
    row, _ = await read(connection, campaign_id, lock=True)
    if row["state"] == State.CANCELLED:
        return False
    require(row["state"], "cancel")
    await doors.set_follows(connection, campaign_id, False)
    await campaign.end(connection, campaign_id, services.clock.now())
    return True


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
    state: str = "open",
) -> UUID:
    opened = await route.open_lanes(
        connection, row["id"], over, _any(definition), services.clock.now(), priority=PRIORITY, state=state
    )
    return opened.lead


def _any(definition: Sequence) -> Announcement:
    """It, as any of its contents is said."""
    return definition.said_as(next(iter(definition.contents.values())))


def _differs(before: Sequence, after: Sequence, some: tuple[str, ...]) -> bool:
    return any(getattr(before, each) != getattr(after, each) for each in some)


def _said(definition: Sequence) -> str:
    return "\n".join(similarity_text(content) for content in definition.contents.values())[:8000]
