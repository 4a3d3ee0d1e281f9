"""Rehearsing what follows people: everybody as they would be enrolled or are, through the real schedule."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clarion.domain.campaign import Announcement, State
from clarion.domain.enrollment import Change, Key, Seen, Status, Wait, changed, entered, upcoming
from clarion.domain.rehearsal.enough import Enough
from clarion.domain.rehearsal.late import Coming, Lateness
from clarion.domain.rehearsal.reckoning import Reckoning
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Subject
from clarion.domain.schedule.zones import seconds, utc
from clarion.errors import TooLarge
from clarion.flow import draft, whom
from clarion.flow import sequence as sequences
from clarion.flow.enroll import course as courses
from clarion.flow.enroll.course import PRESSING, Course, stand
from clarion.flow.home_hours import HomeHours
from clarion.flow.rehearse import scene as scenes
from clarion.flow.rehearse.everybody import Alike, Everybody, Particular
from clarion.flow.rehearse.scene import Play, Scene
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.store import entering, rehearsing, run
from clarion.store import workspace as workspaces
from clarion.store.firing import Terms
from clarion.store.rehearsing import Person

CHUNK = 2_000  # people read at once
SLICE = 100  # people reckoned until others in this process have their turn
ALL = 1_000_000_000  # occurrences
ALL_SKIPPED, NOTHING_COMES, LATER = "all_skipped", "nothing_comes", "later"
_NOBODY = UUID(int=0)
Progress = Callable[[str, int, int | None], None]
"""Hears how far it is: of what, how many people, of how many (None: that is not known yet)."""


@dataclass(slots=True)
class Told:
    """What it came to for the people: how many were meant or in it, how many hear something, and why others
    do not."""

    people: int = 0
    hear: int = 0
    apart: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Copied:
    """A sequence with its people, and nothing more to be asked of the database."""

    scene: Scene
    course: Course
    everybody: Everybody


async def play(connection: Connection, services: Services, row: Row, begin: datetime) -> tuple[Scene, Course]:
    """What follows people (a sequence, or an announcement that recurs) and begins at a moment, or goes on
    then. Raises Invalid, NotFound, Misconfigured."""
    workspace = await workspaces.get(connection)
    home = workspace["timezone"]
    definition, said_as, calendar = courses.read({**row, "launched_at": row["launched_at"] or begin}, home)
    if calendar is None:
        over = await sequences.check(connection, services, row["channel_id"], definition)
    else:
        announcement = Announcement.read(row["definition"])
        over = await draft.check(connection, row["channel_id"], announcement, services.clock.now())
    if row["launched_at"] is None:  # nothing is frozen yet
        meant = await whom.now_meant(connection, definition.audience, begin)
    else:
        meant = await whom.meant(connection, row["id"], said_as, begin)
    scene = await scenes.read(
        connection, services,
        Play(row, said_as, definition.contents, definition.names(), begin, over, meant),
    )  # fmt: skip
    resumed = begin if row["state"] == State.PAUSED else row["resumed_at"]
    terms = Terms(
        row["id"], _NOBODY, _NOBODY, row["revision"], {}, over.schemes, definition.patience.total_seconds(),
        PRESSING, resumed, scene.routes,
    )  # fmt: skip
    return scene, Course(
        row["id"], definition, Plan(definition.schedule), meant, home, terms,
        HomeHours.read(workspace["settings"]), calendar,
    )  # fmt: skip


async def copy(
    connection: Connection, scene: Scene, course: Course, most: int | None, progress: Progress
) -> Copied:
    """Everybody as they are, read in one snapshot. Raises TooLarge for more people than `most`."""
    everybody, after = Everybody(course.plan.personal), _NOBODY
    doors = await run.of_campaign(connection, course.id)
    place = doors[0]["enrolled"] if doors else 0
    await entering.by_key(connection)
    while True:
        some = await rehearsing.people(
            connection, course.id, course.meant, after, CHUNK, keys=course.keys,
            schemes=course.terms.schemes, cut=scene.cut, routes=scene.routes,
        )  # fmt: skip
        known = [(one.id, one.cohort, one.generation) for one in some if one.id is not None]
        said = await entering.said(connection, known) if known else {}
        for one in some:
            _take(everybody, scene, course, one, place, said.get(one.id or _NOBODY, set()))
            place += one.id is None and course.plan.spread
        progress("people", everybody.people, None)
        _at_most(everybody.people, most, "people")
        if len(some) < CHUNK:
            break
        after = some[-1].contact_id
    return Copied(scene, course, everybody)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where somebody would be in it: what is to become of their enrollment, and since when it counts."""

    change: Change | None
    generation: int
    began_at: datetime
    place: int
    said: set[Key]
    moves: dict[Key, int]


def _take(
    everybody: Everybody, scene: Scene, course: Course, one: Person, place: int, said: set[Key]
) -> None:
    """Somebody as they would be enrolled, or as what they are makes of their enrollment."""
    everybody.people += 1
    seen = Seen(one.meant, one.opted_out, course.basis(one.values))
    stands = _stands(scene, course, one, seen, place, said)
    change = stands.change
    if change is None or change.since is None:
        everybody.apart[one.reason if change is None else change.reason] += 1
    elif change.status is Status.PAUSED:
        everybody.apart[Status.PAUSED.value] += 1
    elif not course.begins(seen.basis):
        everybody.apart[Wait.NO_START.value] += 1
    else:
        since = change.since if scene.begin <= scene.now else max(change.since, scene.begin)
        alike = Alike(
            one.zone, tuple(one.values), stands.generation, stands.began_at, since, one.resumed_at,
            scene.lot(one.channel_id, one.zone, one.language), one.begins, one.unreached,
        )  # fmt: skip
        if stands.said or stands.moves:
            kept = everybody.keys(stands.said)
            everybody.particular.append(Particular(alike, one.contact_id, stands.place, kept, stands.moves))
        else:
            everybody.add(alike, one.contact_id, stands.place)


def _stands(scene: Scene, course: Course, one: Person, seen: Seen, place: int, said: set[Key]) -> _Place:
    standing = stand(one)
    if standing is None:
        now = scene.begin if scene.row["launched_at"] is None else scene.now
        return _Place(entered(seen, now), 1, now, place, set(), {})
    change = changed(standing, seen, course.definition.reentry, scene.now, written=bool(said))
    if change is not None and change.anew:
        return _Place(change, standing.generation + 1, scene.now, one.place, set(), {})
    return _Place(change, standing.generation, standing.began_at, one.place, said, dict(standing.moves))


# --- reckoning


async def reckon(copied: Copied, reckoning: Reckoning, most: int | None, progress: Progress) -> Told:
    """Everybody through the schedule. Raises TooLarge for more messages than `most`."""
    everybody, reckoned = copied.everybody, 0
    told = Told(everybody.people, 0, everybody.apart)
    total = everybody.people - everybody.apart.total()
    messages = 0
    for nth, (alike, coming, many) in enumerate(_each(copied, utc(reckoning.until))):
        messages += many * _counted(reckoning, told, alike, coming, many)
        reckoned += many
        if nth % SLICE == 0:
            reckoning.thin()
            progress("reckoned", reckoned, total)
            await asyncio.sleep(0)
            _at_most(messages, most, "messages")
    reckoning.thin()
    progress("reckoned", total, total)
    return told


def _at_most(many: int, most: int | None, what: str) -> None:
    if most is not None and many > most:
        raise TooLarge(
            f"more than {most:,} {what} are more than one request may rehearse",
            hint="`clarion rehearse` takes any number; or ask for fewer days.",
            extra={"most": most},
        )


def _counted(reckoning: Reckoning, told: Told, alike: Alike, coming: Iterable[Coming], many: int) -> int:
    """How many messages each of them has, those that are skipped among them."""
    if alike.reason is not None:
        heard = reckoning.skip(coming, alike.reason, many)
    else:
        heard = reckoning.count(coming, alike.lot, alike.begins, many)
    if heard.messages:
        told.hear += many
    elif heard.skipped:
        told.apart[alike.reason or ALL_SKIPPED] += many
    else:
        told.apart[LATER if heard.later else NOTHING_COMES] += many
    return heard.messages + heard.skipped


def _each(copied: Copied, until: datetime) -> Iterator[tuple[Alike, Iterable[Coming], int]]:
    """(who is alike, what comes of each of them, how many people)."""
    course, plan = copied.course, copied.course.plan
    for alike, some in copied.everybody.alike.items():
        people: Iterable[tuple[str, int]] = some.each() if copied.everybody.personal else [("", 0)]
        many = 1 if copied.everybody.personal else some.many
        schedule, judges = plan.alike(_subject(course, alike, "", 0)), _judges(copied, alike)
        for key, place in people:
            coming: Iterable[Coming] = (
                () if schedule is None else schedule.occurrences(key, place, alike.since)
            )
            yield alike, _judged(coming, judges), many
    for alike, contact_id, place, said, moves in copied.everybody.particular:
        somebody = _subject(course, alike, str(contact_id), place)
        coming = upcoming(plan, somebody, alike.since, said=set(said), moves=moves, count=ALL, until=until)
        yield alike, _judged(coming, _judges(copied, alike)), 1


def _subject(course: Course, alike: Alike, key: str, place: int) -> Subject:
    return course.somebody(key, alike.zone, alike.values, alike.generation, alike.began_at, place)


def _judges(copied: Copied, alike: Alike) -> list[Lateness | Enough]:
    """Who says of what is due that it comes too late, or is too much."""
    scene, late = copied.scene, _lateness(copied, alike)
    judges: list[Lateness | Enough] = [] if late is None else [late]
    if scene.cap is not None:
        judges.append(Enough(scene.cap, alike.zone or scene.home, copied.course.terms.patience))
    return judges


def _judged(coming: Iterable[Coming], judges: Iterable[Lateness | Enough]) -> Iterable[Coming]:
    for judge in judges:
        coming = judge.judged(coming)
    return coming


def _lateness(copied: Copied, alike: Alike) -> Lateness | None:
    """How what was due before it begins is judged; None where nothing was."""
    begin, terms = copied.scene.begin, copied.course.terms
    if alike.since >= begin:
        return None
    paused = max((seconds(one) for one in (alike.paused, terms.resumed_at) if one is not None), default=0)
    return Lateness(seconds(begin), terms.patience, terms.pressing, paused)
