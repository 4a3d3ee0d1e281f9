"""A sequence: a live audience whose every member is followed through a schedule, from a date of their own.

What is said at a step is one of its contents, by name. A recurring announcement is followed in the same way,
from the moment at which it was launched. Pure: judged against a workspace by `flow`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from clarion.domain import missing
from clarion.domain.audience import Audience
from clarion.domain.campaign import DAY, Announcement, Fallback, State
from clarion.domain.content import Content
from clarion.domain.enrollment import Reentry
from clarion.domain.outside import Outside
from clarion.domain.purpose import Purpose
from clarion.domain.replies import Replies
from clarion.domain.schedule import check
from clarion.domain.schedule.model import AtEnrollment, AtField, AtMoment, AtProperty, Chosen, Schedule
from clarion.errors import Conflict, Invalid, Problem

KIND = "sequence"
PRIORITY = 40  # of its lanes: before announcements
CHOOSE = '{"field": "best_time", "otherwise": "12:00"}'  # a time that people choose, as a schedule says it
_SAID = "announcement"  # what the one content of a recurring announcement is called
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class Sequence(BaseModel):
    """What a sequence is, beside its name and its channel.

    `contents` are what its schedule's steps name; one that names none says the only one. `reentry`: who
    leaves the audience and comes back goes on where the calendar is (`continue`), begins anew (`restart`),
    or stays out (`once`). `expires_after` are seconds after its moment in which something may still be sent;
    what is later than that is skipped. The hours of its schedule also hold where its channel is slow.
    `outside_window`: what becomes of whom it finds outside the service window. `replies`: what people may set
    by writing back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    audience: Audience
    schedule: Schedule
    contents: dict[Name, Content] = Field(min_length=1, max_length=100)
    reentry: Reentry = "continue"
    expires_after: int = Field(default=DAY, ge=60, le=30 * DAY)
    purpose: Purpose = Purpose.UTILITY
    weight: int = Field(default=1, ge=1, le=100)
    fallback: tuple[Fallback, ...] = Field(default=(), max_length=5)
    pool_id: UUID | None = None
    outside_window: Outside | None = None
    replies: Replies | None = None

    @field_validator("schedule", mode="before")
    @classmethod
    def _whole(cls, value: object) -> object:
        return check.read(value, "schedule") if isinstance(value, dict) else value

    @property
    def patience(self) -> timedelta:
        """How long after its moment a message may still be sent."""
        return timedelta(seconds=self.expires_after)

    def stored(self) -> dict[str, Any]:
        """As JSON, for the campaign's row; `read` reads it back."""
        return {
            **self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"schedule"}),
            "schedule": self.schedule.stored(),
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Sequence:
        """From the campaign's row. Raises Invalid where an older Clarion wrote what this one cannot read."""
        try:
            return cls.model_validate(dict(stored))
        except ValidationError as error:
            raise Invalid(f"this sequence cannot be read: {error.error_count()} problems") from None

    def said_as(self, content: Content) -> Announcement:
        """One of its contents as an announcement would say it: to the same people over the same channels, at
        the same hours. What is right for the one is right for the other."""
        return Announcement(
            audience=self.audience, content=content, expires_after=self.expires_after, purpose=self.purpose,
            weight=self.weight, fallback=self.fallback, pool_id=self.pool_id, hours=self.schedule.hours,
            outside_window=self.outside_window,
        )  # fmt: skip

    def names(self) -> dict[int, str]:
        """Which content each step says, by the step's number. Steps that name none say the only one there
        is; what `problems` finds is left out."""
        only = next(iter(self.contents)) if len(self.contents) == 1 else None
        named = {number: name or only for number, name in _contents_named(self.schedule)}
        return {number: name for number, name in named.items() if name is not None and name in self.contents}

    def problems(self) -> list[Problem]:
        """What does not fit together: steps without content, content that no step says, what a contact has
        not."""
        found = []
        said = self.names()
        for number, name in _contents_named(self.schedule):
            if number not in said:
                what = "it does not say which content" if name is None else f"there is no content {name!r}"
                found.append(
                    Problem(
                        "schedule.steps", f"step {number}: {what}", f"There are {_listed(self.contents)}."
                    )
                )
        idle = self.contents.keys() - said.values()
        found += [
            Problem(f"contents.{name}", "no step says this", "Name it in a step, or take it out.")
            for name in sorted(idle)
        ]
        if isinstance(self.schedule.start, AtProperty):
            found.append(
                Problem("schedule.start", "contacts have fields, not properties", 'Say {"from": "field"}.')
            )
        return [*found, *missing.problems(self.contents, self.expires_after), *self._heard()]

    def _heard(self) -> Iterator[Problem]:
        """A time by reply that the schedule would not read."""
        heard = self.replies.time if self.replies else None
        there = chosen_fields(self.schedule)
        if heard is not None and heard.field not in there:
            what = f"no time of the schedule is kept in {heard.field!r}"
            known = (
                f"There are: {', '.join(sorted(there))}." if there else f"Say {CHOOSE} for one of its times."
            )
            yield Problem("replies.time.field", what, known)


# --- recurring announcements


def recurring(definition: Announcement, launched_at: datetime, home: str) -> Sequence:
    """What a recurring announcement comes to: it says one thing at every step, to whoever is meant then.

    Its calendar is one for all. So day 0, where that is when it was launched, is the day that it was in the
    workspace (`home`, its zone), and not another in each zone; without a time of day it is that moment.
    """
    assert definition.schedule is not None
    schedule = definition.schedule
    if definition.hours is not None:
        schedule = schedule.model_copy(update={"hours": definition.hours})
    if isinstance(schedule.start, AtEnrollment):
        schedule = schedule.model_copy(update={"start": _launched(schedule, launched_at, home)})
    return Sequence.model_construct(
        audience=definition.audience, schedule=schedule, contents={_SAID: definition.content},
        reentry="continue", expires_after=definition.expires_after, purpose=definition.purpose,
        weight=definition.weight, fallback=definition.fallback, pool_id=definition.pool_id,
        outside_window=definition.outside_window, replies=None,
    )  # fmt: skip


def _launched(schedule: Schedule, launched_at: datetime, home: str) -> AtMoment:
    start, there = schedule.start, launched_at.astimezone(ZoneInfo(home))
    tracks = schedule.random_days.tracks if schedule.random_days else ()
    times = [step.time for step in schedule.steps] + [track.time for track in tracks]
    if schedule.time is not None or None not in times:
        moment = there.date().isoformat()
    elif start.weekday is not None or start.month_start:  # the same day in every zone, and its time there
        moment = there.replace(tzinfo=None).isoformat()
    else:
        moment = launched_at.isoformat()
    return AtMoment.model_validate({**start.model_dump(exclude={"at"}), "from": "moment", "moment": moment})


def recurring_problems(definition: Announcement) -> list[Problem]:
    """What an announcement cannot have beside a schedule, or a schedule of an announcement."""
    schedule = definition.schedule
    if schedule is None:
        return []
    found = []
    if definition.send_at is not None:
        found.append(Problem("send_at", "its schedule says when", "Give one of the two."))
    if definition.one_per == "address":
        what = "people who share an address each hear what recurs"
        found.append(Problem("one_per", what, 'Say "person".'))
    if definition.hours is not None and schedule.hours is not None:
        found.append(Problem("hours", "its schedule has hours of its own", "Give one of the two."))
    if isinstance(schedule.start, AtField | AtProperty):
        what = "an announcement is the same for everybody, and has no date of a person's own"
        found.append(Problem("schedule.start", what, "Say a moment, or write a sequence."))
    if schedule.past != "fast_forward":
        what = "its calendar is one for all, and who comes in has not missed what passed before"
        found.append(Problem("schedule.past", what, "Leave it out."))
    if any(name is not None for _, name in _contents_named(schedule)):
        what = "an announcement says one thing"
        found.append(Problem("schedule.steps", what, "Leave content out, or write a sequence."))
    return found


def numbering(schedule: Schedule) -> str:
    """The same for schedules that number their iterations alike: where that changes, nothing that was said
    under the old numbers says anything of the new ones."""
    numbered = {key: value for key, value in schedule.stored().items() if key in ("start", "past", "repeat")}
    if "repeat" in numbered:
        numbered["repeat"] = {key: value for key, value in numbered["repeat"].items() if key != "count"}
    if schedule.random_days is not None:
        numbered["days"] = schedule.random_days.days
    return blake2b(orjson.dumps(numbered, option=orjson.OPT_SORT_KEYS), digest_size=6).hexdigest()


def step_numbers(schedule: Schedule) -> set[int]:
    """The numbers of all its steps."""
    return {number for number, _ in _contents_named(schedule)}


def chosen_fields(schedule: Schedule) -> set[str]:
    """The fields of a contact in which people's chosen times are kept."""
    times = [schedule.time, *(step.time for step in schedule.steps)]
    times += [track.time for track in schedule.random_days.tracks] if schedule.random_days else []
    return {time.field for time in times if isinstance(time, Chosen) and time.field is not None}


def chosen_field(schedule: Schedule, wanted: str | None) -> str:
    """Which field a chosen time is set in: the wanted one, or the only one. Raises Invalid where the schedule
    has none, has several and none is wanted, or does not read the wanted one."""
    there = sorted(chosen_fields(schedule))
    listed = f"There are: {', '.join(there)}."
    if not there:
        hint = f"Say {CHOOSE} for one of its times."
        raise Invalid("no time of this sequence is chosen by its people", where="verb", hint=hint)
    if wanted is None and len(there) > 1:
        raise Invalid("it has several chosen times, and it is not said which", where="field", hint=listed)
    if wanted is not None and wanted not in there:
        raise Invalid(f"no time of this sequence is kept in {wanted!r}", where="field", hint=listed)
    return wanted or there[0]


def _contents_named(schedule: Schedule) -> list[tuple[int, str | None]]:
    named = [(step.number, step.content) for step in schedule.steps]
    for track in schedule.random_days.tracks if schedule.random_days else ():
        named += [(number, track.content) for number in track.numbers]
    return named


def _listed(names: Mapping[str, Content]) -> str:
    return ", ".join(repr(name) for name in names)


_ALLOWED: Mapping[str, tuple[frozenset[State], str]] = {
    "launch": (frozenset({State.DRAFT}), "it was launched already"),
    "pause": (frozenset({State.RUNNING}), "only what is running can be paused"),
    "resume": (frozenset({State.PAUSED}), "it is not paused"),
    "cancel": (frozenset({State.DRAFT, State.RUNNING, State.PAUSED}), "it has ended already"),
    "edit": (frozenset({State.DRAFT, State.RUNNING, State.PAUSED}), "it has ended"),
    "steer": (frozenset({State.RUNNING, State.PAUSED}), "nobody is in it"),
}


def require(state: str, verb: str, kind: str = KIND) -> State:
    """The state of what follows people or cases, where it allows the verb. Raises Conflict with it."""
    allowed, why = _ALLOWED[verb]
    present = State(state)
    if present not in allowed:
        raise Conflict(f"this {kind} is {present}: {why}", where="state", extra={"state": present.value})
    return present
