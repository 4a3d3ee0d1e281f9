"""What an edit of a sequence would do to the people in it, before it is made. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from clarion.domain.enrollment import Status
from clarion.errors import Conflict
from clarion.flow import sequence
from clarion.flow.enroll import course, door
from clarion.flow.enroll.course import Course
from clarion.flow.services import Services
from clarion.store import entering
from clarion.store.entering import Looked, Written

CHUNK = 2_000  # people a transaction
_NOBODY, _EVERYBODY = UUID(int=0), UUID(int=(1 << 128) - 1)
Progress = Callable[[int], None]


@dataclass(slots=True)
class Would:
    """How many people it would touch, and how: come in (or back), be stopped, hear again what they have heard
    (from the first step on), hear what comes next at another moment; `same`: nothing of that."""

    enter: int = 0
    leave: int = 0
    again: int = 0
    move: int = 0
    same: int = 0


async def would(
    services: Services,
    workspace_id: UUID,
    campaign_id: UUID,
    changes: Mapping[str, Any],
    progress: Progress | None = None,
) -> Would:
    """Of everybody whom it means now or would then. Raises NotFound, Invalid, Conflict (it has ended, or was
    not launched, so that nobody is in it)."""
    ready = await _ready(services, workspace_id, campaign_id, changes)
    found, after, people = Would(), _NOBODY, 0
    while True:
        async with services.db.tenant(workspace_id) as connection:
            await entering.by_key(connection)
            some = await entering.newcomers(
                connection, campaign_id, ready.meant, (after, _EVERYBODY), CHUNK, keys=ready.keys,
                schemes=ready.terms.schemes,
            )  # fmt: skip
            known = [(one.id, one.cohort, one.generation) for one in some if one.id is not None]
            said = await entering.said(connection, known) if known else {}
        _count(found, ready, some, said, services)
        people += len(some)
        if progress is not None:
            progress(people)
        if len(some) < CHUNK:
            return found
        after = some[-1].contact_id


async def _ready(
    services: Services, workspace_id: UUID, campaign_id: UUID, changes: Mapping[str, Any]
) -> Course:
    """The sequence as it would be. What reading it writes (a lane of a channel that came into its pool) is
    undone."""
    async with services.db.tenant(workspace_id) as connection, connection.transaction(force_rollback=True):
        row, before = await sequence.read(connection, campaign_id)
        after = sequence.changed(row, before, changes)
        await sequence.check(connection, services, row["channel_id"], after)
        edited = {**row, "definition": after.stored(), "revision": row["revision"] + 1}
        ready = await course.load(connection, edited, services.clock.now())
    if ready is None:
        raise Conflict("it was not launched: nobody is in it", where="state", extra={"state": row["state"]})
    return ready


def _count(
    found: Would,
    ready: Course,
    some: list[Looked],
    said: dict[UUID, set[tuple[int, int]]],
    services: Services,
) -> None:
    work = door.gather(ready, some, said, count(), services.clock.now())
    found.enter += len(work.entering)
    tally(found, {one.id: one for one in some if one.id is not None}, work.changing)


def tally(found: Would, inside: Mapping[UUID, Looked], changing: Iterable[Written]) -> None:
    """Count what would become of those who are enrolled, all of whom are `inside`."""
    touched = 0
    for after in changing:
        what = became(inside[after.id], after)
        setattr(found, what, getattr(found, what) + 1)
        touched += 1
    found.same += len(inside) - touched


def became(was: Looked, after: Written) -> str:
    """Which of `Would` a change of an enrollment is."""
    if after.generation > was.generation:
        return "again"
    if after.state == Status.STOPPED:
        return "same" if was.state == Status.STOPPED else "leave"
    if was.state == Status.STOPPED:
        return "enter"
    return "same" if after.next_due == was.next_due else "move"
