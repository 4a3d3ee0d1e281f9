"""A campaign that follows people, read once and used for as many of them as there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Sequence as Some
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from clarion.domain import alert
from clarion.domain import campaign as announced
from clarion.domain.alert import Alert
from clarion.domain.campaign import Announcement, State
from clarion.domain.enrollment import AHEAD, Key, Stand, Status, upcoming
from clarion.domain.schedule import starts
from clarion.domain.schedule.model import AtField, AtProperty
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Occurrence, Subject
from clarion.domain.sequence import PRIORITY, Sequence, numbering, recurring
from clarion.flow import route, whom
from clarion.flow.enroll import sight
from clarion.flow.enroll.sight import Watched
from clarion.flow.home_hours import HomeHours
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns
from clarion.store import run
from clarion.store import workspace as workspaces
from clarion.store.entering import Looked
from clarion.store.expansion import Meant
from clarion.store.firing import Terms

ALIKE = 10_000  # answers that are kept
PRESSING = 600.0  # seconds late: then an occurrence gives way to the next one, where that is due too


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a recurring announcement was launched, how its iterations are numbered, and since when everybody
    is gone through, where they are."""

    launched_at: datetime
    numbering: str
    open_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """A campaign's schedule with all that it asks for; `terms` are those of its messages, `home_hours` the
    workspace's, where it has any. `calendar` is that of an announcement that recurs: it is the same for
    everybody, whenever they came in. `watched`: of an alert, how it looks at cases;
    `switched` is the revision since which that counts from another property and does not say all again."""

    id: UUID
    definition: Sequence
    plan: Plan
    meant: Meant
    home: str
    terms: Terms
    home_hours: HomeHours = field(default_factory=HomeHours)
    calendar: Calendar | None = None
    watched: Watched | None = None
    switched: int = 0
    known: dict[tuple[object, ...], list[Occurrence]] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields of a contact that matter."""
        return self.home_hours.keys(self.plan.fields)

    def basis(self, values: Some[str | None], properties: Mapping[str, str | None] | None = None) -> str:
        """What day 0 is counted from, of somebody with these values of the fields that matter, or of a case
        with these properties; of a calendar, how its occasions are numbered."""
        if self.calendar is not None:
            return self.calendar.numbering
        start = self.definition.schedule.start
        if isinstance(start, AtProperty):
            return (properties or {}).get(start.key) or ""
        if not isinstance(start, AtField):
            return ""
        return values[self.keys.index(start.key)] or ""

    def begins(self, basis: str) -> bool:
        """Whether anything says where day 0 is."""
        dated = isinstance(self.definition.schedule.start, AtField | AtProperty)
        return not dated or starts.readable(basis)

    def open_since(self, moment: datetime) -> Course:
        """It, for those who enter because everybody is gone through since `moment`."""
        if self.calendar is None:
            return self
        return replace(self, calendar=replace(self.calendar, open_since=moment))

    def first_since(self, now: datetime) -> datetime:
        """From when on somebody who enters now hears what there is."""
        since = self.calendar.open_since if self.calendar is not None else None
        return now if since is None else min(now, since)

    def subject(self, one: Looked, generation: int, began_at: datetime, place: int) -> Subject:
        """Whom their occurrences are computed for: of an alert somebody hears of each case by itself."""
        key = str(one.contact_id) if one.case_id is None else f"{one.case_id}:{one.contact_id}"
        return self.somebody(key, one.zone, one.values, generation, began_at, place, one.properties)

    def somebody(
        self, key: str, zone: str, values: Some[str | None], generation: int, began_at: datetime, place: int,
        properties: Mapping[str, str | None] | None = None,
    ) -> Subject:  # fmt: skip
        """A contact of whom this is known; `values` of the fields that matter, `properties` of the case."""
        if self.calendar is not None:
            began_at = self.calendar.launched_at
        fields = dict(zip(self.keys, values, strict=True))
        hours = self.home_hours.of(fields)
        return Subject(
            key, began_at, seed(self.id, generation), zone, self.home, fields, properties or {}, place, hours
        )

    def ahead(
        self, subject: Subject, since: datetime, said: Collection[Key] = (),
        moves: Mapping[Key, int] | None = None, count: int = AHEAD,
    ) -> list[Occurrence]:  # fmt: skip
        """What comes next. Of a schedule that draws nothing it is the same for everybody of one zone with
        the same values, so it is computed once for all of these."""
        if self.plan.personal or said or moves:
            return upcoming(self.plan, subject, since, said=said, moves=moves, count=count)
        told = (*subject.fields.values(), *subject.properties.values())
        alike = (subject.zone, *told, subject.enrolled_at, since, count)
        if alike not in self.known:
            if len(self.known) >= ALIKE:
                self.known.clear()
            self.known[alike] = upcoming(self.plan, subject, since, count=count)
        return self.known[alike]


def seed(campaign_id: UUID, generation: int) -> str:
    """What its random times are drawn by, wherever they are said. Each generation draws anew."""
    return str(campaign_id) if generation == 1 else f"{campaign_id}:{generation}"


async def load(connection: Connection, row: Row, now: datetime) -> Course | None:
    """A campaign that follows people (a `store.campaign` row with `revision` and `resumed_at`); None where it
    was never launched. Raises Invalid, NotFound where it cannot be worked out whom it means, or how."""
    doors = await run.of_campaign(connection, row["id"])
    if not doors:
        return None
    workspace = await workspaces.get(connection)
    home = workspace["timezone"]
    definition, as_said, calendar = read(row, home)
    over = await route.way(connection, row["channel_id"], as_said)
    routes = None
    if over.pooled:
        state = "paused" if row["state"] == State.PAUSED else "open"
        opened = await route.open_lanes(
            connection, row["id"], over, as_said, now, priority=priority_of(row), state=state
        )
        routes = opened.routes
    terms = Terms(
        row["id"], doors[0]["id"], doors[0]["lane_id"], row["revision"],
        await _contents(connection, row["id"], definition), over.schemes,
        definition.patience.total_seconds(), PRESSING, row["resumed_at"], routes, calendar is not None,
    )  # fmt: skip
    meant = await whom.meant(connection, row["id"], as_said, now)
    plan, hours = Plan(definition.schedule), HomeHours.read(workspace["settings"])
    watched = None
    if row["kind"] == alert.KIND:
        watched = await sight.watched(connection, row, hours.keys(plan.fields), over.schemes, now)
    return Course(row["id"], definition, plan, meant, home, terms, hours, calendar, watched, row["switched"])


def read(row: Row, home: str) -> tuple[Sequence, Announcement, Calendar | None]:
    """What it says to whom and when, as an announcement too; the calendar of one that recurs."""
    if row["kind"] == alert.KIND:
        definition = Alert.read(row["definition"]).followed_as()
        return definition, definition.said_as(next(iter(definition.contents.values()))), None
    if row["kind"] != announced.KIND:
        definition = Sequence.read(row["definition"])
        return definition, definition.said_as(next(iter(definition.contents.values()))), None
    announcement = Announcement.read(row["definition"])
    definition = recurring(announcement, row["launched_at"], home)
    calendar = Calendar(row["launched_at"], numbering(definition.schedule))
    return definition, announcement.model_copy(update={"hours": definition.schedule.hours}), calendar


def priority_of(row: Row) -> int:
    """That of its lanes."""
    return {announced.KIND: announced.PRIORITY, alert.KIND: alert.PRIORITY}.get(row["kind"], PRIORITY)


async def _contents(connection: Connection, campaign_id: UUID, definition: Sequence) -> dict[int, UUID]:
    """Of each step the version of the content that it says now."""
    versions = await campaigns.latest_contents(connection, campaign_id)
    first = first_steps(definition)
    return {
        step: versions[first[name]] for step, name in definition.names().items() if first[name] in versions
    }


def first_steps(definition: Sequence) -> dict[str, int]:
    """The step by whose number the versions of a content are kept: the least that says it."""
    found: dict[str, int] = {}
    for step, name in sorted(definition.names().items()):
        found.setdefault(name, step)
    return found


def stand(one: Looked) -> Stand | None:
    """The enrollment that somebody has."""
    if one.id is None:
        return None
    moves = {_key(key): due for key, due in (one.moves or {}).items()}
    return Stand(
        one.id, one.generation, Status(one.state), one.reason, one.began_at, one.basis, moves, one.next_due
    )


def _key(text: str) -> Key:
    iteration, _, step = text.partition(".")
    return int(iteration), int(step)
