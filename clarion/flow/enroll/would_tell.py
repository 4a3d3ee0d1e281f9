"""What an edit of an alert, or its launch, would do to its cases and to those who hear of them, before it is
made. Nothing is written, and of all cases only the numbers and a few names are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.domain.alert import PRIORITY
from clarion.domain.campaign import State
from clarion.domain.enrollment import Status
from clarion.domain.episode import Phase
from clarion.domain.schedule.subject import Subject
from clarion.errors import TooLarge
from clarion.flow import alert, follow
from clarion.flow.enroll import cases, course
from clarion.flow.enroll.course import Course
from clarion.flow.enroll.door import Work
from clarion.flow.enroll.would import Would, became, tally
from clarion.flow.services import Services, nobody
from clarion.kit.db import Connection
from clarion.store import entering, episode, recipient
from clarion.store.entering import Looked
from clarion.store.episode import Seen, Written

CHUNK = 2_000  # cases a transaction
SAMPLE = 5  # people of each kind who are named
_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Example:
    """One of the people whom it would touch (`what`: a field of `Would`), of which case, when they would hear
    what comes next (`local`: by their clock), and when as it is now."""

    what: str
    case_id: UUID
    case: str
    case_name: str
    contact_id: UUID
    external_id: str | None
    name: str
    before: datetime | None
    after: datetime | None
    local: datetime | None


@dataclass(slots=True)
class WouldTell:
    """Of `gone_over` cases how many would come to be told of (`enter`), be told of no more, begin anew, stay;
    and of `people`, each counted once a case, as of a sequence. `silent`: of those who would enter, to whom
    nothing would come: it is too late, or there is no date yet."""

    gone_over: int = 0
    cases: Would = field(default_factory=Would)
    people: Would = field(default_factory=Would)
    silent: int = 0
    sample: list[Example] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _One:
    what: str
    case_id: UUID
    contact_id: UUID
    before: datetime | None
    after: datetime | None


async def would(
    services: Services,
    workspace_id: UUID,
    alert_id: UUID,
    changes: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    say_again: bool = False,
    most: int | None = None,
) -> WouldTell:
    """With these changes; of a draft, if it were launched with them. Raises NotFound, Invalid, Conflict (it
    has ended), TooLarge for more cases than `most`."""
    ready = await _ready(services, workspace_id, alert_id, changes, say_again=say_again)
    assert ready.watched is not None, "an alert looks at cases"
    found, some, after = WouldTell(), list[_One](), _FIRST
    while True:
        async with services.db.tenant(workspace_id) as connection:
            await entering.by_key(connection)
            page = await episode.page(connection, ready.watched.sight, (after, _LAST), CHUNK)
            changed, new = list(map(UUID, page.changed)), list(map(UUID, page.new))
            seen = await episode.look(connection, ready.watched.sight, sorted([*changed, *new]))
            inside = await episode.standing(connection, ready.id, changed, keep=False)
            known = [
                (one.id, one.cohort, one.generation) for each in inside.values() for one in each if one.id
            ]
            said = await entering.said(connection, known) if known else {}
        now = services.clock.now()
        work, episodes = cases.gather(ready, ready.watched, seen, inside, said, count(), now)
        found.gone_over += page.cases
        _count_cases(found.cases, seen, episodes)
        _count_people(found, some, inside, work)
        if progress is not None:
            progress(found.gone_over)
        _at_most(found.gone_over, most)
        if page.last is None:
            break
        after = page.last
    async with services.db.tenant(workspace_id) as connection:
        found.sample = await _examples(connection, ready, some, services.clock.now())
    return found


def _at_most(cases_: int, most: int | None) -> None:
    if most is not None and cases_ > most:
        raise TooLarge(
            f"more than {most:,} cases are more than one request may go over",
            hint="`clarion alert edit --dry-run` and `clarion alert launch --dry-run` take any number.",
            extra={"most": most},
        )


async def _ready(
    services: Services, workspace_id: UUID, alert_id: UUID, changes: Mapping[str, Any], *, say_again: bool
) -> Course:
    """The alert as it would be, launched where it was not. What that writes is undone."""
    apart = replace(services, defer=nobody)
    async with services.db.tenant(workspace_id) as connection, connection.transaction(force_rollback=True):
        row, before = await alert.read(connection, alert_id)
        after = alert.changed(row, before, changes)
        over = await alert.check(connection, services, row["channel_id"], after)
        edited = {**row, "definition": after.stored(), "revision": row["revision"] + 1}
        if row["state"] == State.DRAFT:
            await follow.open_door(connection, apart, row, over, after.followed_as(), PRIORITY)
        elif before.counts_from() != after.counts_from() and not say_again:
            edited["switched"] = edited["revision"]
        ready = await course.load(connection, edited, services.clock.now())
    assert ready is not None, "it is launched, or was just now"
    return ready


def _count_cases(found: Would, seen: Iterable[Seen], episodes: Iterable[Written]) -> None:
    for before, after in zip(seen, episodes, strict=True):
        was, is_on = before.phase == Phase.ON, after.phase == Phase.ON
        found.enter += is_on and not was
        found.leave += was and not is_on
        found.again += was and is_on and after.times > before.times
        found.same += was and is_on and after.times == before.times


def _count_people(
    found: WouldTell, some: list[_One], inside: Mapping[UUID, Sequence[Looked]], work: Work
) -> None:
    before = {one.id: one for each in inside.values() for one in each if one.id is not None}
    tally(found.people, before, work.changing)
    for one in work.entering:
        if one.state != Status.STOPPED and one.case_id is not None:
            found.people.enter += 1
            found.silent += one.next_due is None
            _sample(some, _One("enter", one.case_id, one.contact_id, None, one.next_due))
    for one in work.changing:
        was = before[one.id]
        if one.case_id is not None and (what := became(was, one)) != "same":
            _sample(some, _One(what, one.case_id, one.contact_id, was.next_due, one.next_due))


def _sample(some: list[_One], one: _One) -> None:
    if sum(each.what == one.what for each in some) < SAMPLE:
        some.append(one)


async def _examples(
    connection: Connection, ready: Course, some: Sequence[_One], now: datetime
) -> list[Example]:
    named = await recipient.names(connection, [(one.case_id, one.contact_id) for one in some])
    examples = []
    for one in some:
        pair = named[one.case_id, one.contact_id]
        zone = ready.plan.zone_of(Subject("", now, zone=pair.zone, home=ready.home))
        local = None if one.after is None else one.after.astimezone(ZoneInfo(zone))
        examples.append(
            Example(
                one.what, one.case_id, pair.case, pair.case_name, one.contact_id, pair.external_id, pair.name,
                one.before, one.after, local,
            )
        )  # fmt: skip
    return examples
