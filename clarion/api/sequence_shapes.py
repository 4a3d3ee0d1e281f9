"""What sequences look like in requests and in replies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from clarion.api.announcement_shapes import CHANNEL, GROUP, OUTSIDE, POOL
from clarion.api.model import Answer, Body
from clarion.domain.audience import Audience
from clarion.domain.campaign import DAY, LONGEST_NAME, Fallback, State
from clarion.domain.content import Content
from clarion.domain.enrollment import Reentry, Status, Verb, unpacked
from clarion.domain.outside import Outside
from clarion.domain.purpose import Purpose
from clarion.domain.replies import Replies
from clarion.domain.schedule import check
from clarion.domain.schedule.clocktime import ClockTime
from clarion.domain.schedule.model import Schedule
from clarion.domain.schedule.sentence import describe
from clarion.domain.schedule.zones import utc
from clarion.domain.sequence import Name, Sequence
from clarion.flow.enroll.choose import Choice
from clarion.flow.enroll.steer import Ahead, Ask

_WELCOME: JsonDict = {
    "name": "Welcome",
    "channel_id": CHANNEL,
    "audience": {"include": {"groups": [GROUP]}},
    "schedule": {
        "start": {"from": "field", "key": "registration_date"},
        "time": {"from": "09:00", "to": "21:00"},
        "steps": [
            {"number": 1, "content": "hello"},
            {"number": 2, "days": 3, "content": "how is it going"},
        ],
    },
    "contents": {
        "hello": {"variants": [{"content": {"kind": "text", "text": "Hello {{ contact.name }}!"}}]},
        "how is it going": {"variants": [{"content": {"kind": "text", "text": "How is it going?"}}]},
    },
    "launch": True,
}
_CHOSEN: JsonDict = {
    **_WELCOME,
    "name": "Reminders at your hour",
    "schedule": {"time": {"field": "best_time", "otherwise": "12:00"}, "steps": [{"number": 1}]},
    "contents": {"hello": {"variants": [{"content": {"kind": "text", "text": "Hello! At what time?"}}]}},
    "replies": {"time": {"field": "best_time", "confirm": {"en": "{us}: you will hear from us at {time}."}}},
    "launch": False,
}
_REPLIES = "what people set by writing back: a time that their schedule keeps in a field of theirs"
_PLAIN = (
    "audience", "contents", "reentry", "expires_after", "purpose", "weight", "pool_id", "replies",
)  # fmt: skip
_REENTRY = "who leaves the audience and comes back goes on, begins anew, or stays out"
_CONTENTS = "what is said, by the names that the steps give; a step that names none says the only one"


def read_schedule(given: dict[str, Any]) -> Schedule:
    """Raises Invalid with everything that is wrong with it, at `schedule…`."""
    return check.read(given, "schedule")


class SequenceBody(Body):
    """A sequence to be written."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WELCOME, _CHOSEN]})

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    channel_id: UUID | None = Field(default=None, description="absent, and no pool: the workspace's default")
    pool_id: UUID | None = Field(default=None, description=POOL)
    audience: Audience = Field(description="whoever comes into it is enrolled, whoever leaves it is stopped")
    schedule: dict[str, Any] = Field(description="GET /api/v1/schedules/schema describes it")
    contents: dict[Name, Content] = Field(min_length=1, max_length=100, description=_CONTENTS)
    reentry: Reentry = Field(default="continue", description=_REENTRY)
    expires_after: int = Field(default=DAY, ge=60, le=30 * DAY, description="seconds after its moment")
    outside_window: Outside | None = Field(default=None, description=OUTSIDE)
    purpose: Purpose = Purpose.UTILITY
    weight: int = Field(
        default=1, ge=1, le=100, description="its share of the channel beside other sequences"
    )
    fallback: list[Fallback] = Field(default_factory=list, max_length=5)
    replies: Replies | None = Field(default=None, description=_REPLIES)
    launch: bool = Field(default=False, description="launch it at once")

    @model_validator(mode="after")
    def _one_way(self) -> SequenceBody:
        if self.channel_id is not None and self.pool_id is not None:
            raise ValueError("it goes over either a channel or a pool")
        return self

    def definition(self) -> Sequence:
        return Sequence(
            audience=self.audience, schedule=read_schedule(self.schedule), contents=self.contents,
            reentry=self.reentry, expires_after=self.expires_after, purpose=self.purpose,
            weight=self.weight, fallback=tuple(self.fallback), pool_id=self.pool_id,
            outside_window=self.outside_window, replies=self.replies,
        )  # fmt: skip


class SequenceChange(Body):
    """What shall be different; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reentry": "restart"}]})

    name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME)
    channel_id: UUID | None = Field(default=None, description="takes the place of a pool")
    pool_id: UUID | None = Field(default=None, description=POOL)
    audience: Audience | None = None
    schedule: dict[str, Any] | None = None
    contents: dict[Name, Content] | None = Field(default=None, min_length=1, max_length=100)
    reentry: Reentry | None = Field(default=None, description=_REENTRY)
    expires_after: int | None = Field(default=None, ge=60, le=30 * DAY)
    outside_window: Outside | None = Field(default=None, description=OUTSIDE + "; so does null")
    purpose: Purpose | None = None
    weight: int | None = Field(default=None, ge=1, le=100)
    fallback: list[Fallback] | None = Field(default=None, max_length=5)
    replies: Replies | None = Field(default=None, description=_REPLIES + "; {} takes it away")

    def changes(self) -> dict[str, Any]:
        """Fields of the definition that were given; null means something for `outside_window` alone."""
        given = {key: getattr(self, key) for key in _PLAIN if getattr(self, key) is not None}
        if self.schedule is not None:
            given["schedule"] = read_schedule(self.schedule)
        if self.fallback is not None:
            given["fallback"] = tuple(self.fallback)
        if "outside_window" in self.model_fields_set:
            given["outside_window"] = self.outside_window
        return given


class WouldAnswer(Answer):
    """How many people an edit would touch, and how."""

    enter: int = Field(description="would come in")
    leave: int = Field(description="would be stopped")
    again: int = Field(description="would hear again what they have heard, from the first step on")
    move: int = Field(description="would hear what comes next at another moment")
    same: int = Field(description="nothing of that")


class SteerBody(Body):
    """What is to be done, and with whom: these contacts, or everybody of a group who is in it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"verb": "pause", "contacts": [GROUP]},
                {"verb": "move", "contacts": [GROUP], "moment": "2026-03-02T18:00:00+03:00"},
                {"verb": "choose", "contacts": [GROUP], "time": "18:30"},
            ]
        }
    )

    verb: Verb
    contacts: list[UUID] | None = Field(default=None, min_length=1, max_length=1_000)
    group_id: UUID | None = None
    moment: AwareDatetime | None = Field(default=None, description="of a move: whither")
    time: ClockTime | None = Field(
        default=None, description='of choose: "18:30", by the clock of the schedule; null takes it away'
    )
    field: str | None = Field(
        default=None, max_length=64, description="of choose: which chosen time, where there are several"
    )

    @model_validator(mode="after")
    def _whom(self) -> SteerBody:
        if (self.contacts is None) == (self.group_id is None):
            raise ValueError("give either contacts or group_id")
        given = self.model_fields_set & {"time", "field"}
        if self.verb is Verb.CHOOSE and "time" not in given:
            raise ValueError('give the time that is chosen, as "18:30", or null')
        if self.verb is not Verb.CHOOSE and given:
            raise ValueError(f"only choose has a {min(given)}")
        return self

    def wish(self) -> Ask:
        choice = Choice(self.time, self.field) if self.verb is Verb.CHOOSE else None
        return Ask(self.verb, self.moment, choice)


class SteeredAnswer(Answer):
    """What it came to."""

    done: int
    already: int = Field(description="people for whom there was nothing to do")
    refused: dict[UUID, str] = Field(description="of which people it could not be, and why")


class SequenceInList(Answer):
    """A sequence in short. `state` is draft, running, paused or cancelled."""

    id: UUID
    name: str
    state: State
    reason: str = Field(description="why it is paused")
    channel_id: UUID | None = Field(description="null where it goes over a pool")
    pool_id: UUID | None
    created_by: str
    created_at: datetime
    modified_at: datetime
    launched_at: datetime | None
    finished_at: datetime | None


class SequenceAnswer(SequenceInList):
    """A sequence in full."""

    sentence: str = Field(description="its schedule in words")
    audience: Audience
    schedule: dict[str, Any]
    contents: dict[str, Content]
    reentry: Reentry
    expires_after: int
    outside_window: Outside | None
    purpose: Purpose
    weight: int
    fallback: list[Fallback]
    replies: Replies | None = Field(description=_REPLIES)
    people: dict[Status, int] = Field(description="how many are in it, by status")


class OccurrenceAnswer(Answer):
    """One thing that comes next of somebody."""

    due_at: datetime
    iteration: int
    step: int
    content: str | None = Field(default=None, description="its name")
    moved: list[str] = Field(default_factory=list, description="what moved it")
    skip: str | None = Field(default=None, description="why it will not be sent")


class EnrollmentAnswer(Answer):
    """Somebody in a sequence."""

    contact_id: UUID
    external_id: str | None
    name: str
    status: Status
    reason: str = Field(description="why they were stopped, or what nothing comes next for: no_start")
    generation: int = Field(description="which time round: the next begins where their date changed")
    began_at: datetime
    next_due: datetime | None
    next: list[OccurrenceAnswer] = Field(description="what comes next, as far as it is kept")
    times: dict[str, str | None] | None = Field(
        default=None, description="of one person: the times that they chose, by field; null: none"
    )


def in_list(row: Mapping[str, Any]) -> dict[str, Any]:
    """A campaign's row as lists show it."""
    pool_id = row["definition"].get("pool_id")
    return {**row, "pool_id": pool_id, "channel_id": None if pool_id else row["channel_id"]}


def answer(row: Mapping[str, Any], definition: Sequence, people: Mapping[str, int]) -> SequenceAnswer:
    """A campaign's row with its definition beside it."""
    own = {key: getattr(definition, key) for key in ("audience", "contents", "reentry", "expires_after",
           "outside_window", "purpose", "weight", "fallback", "replies")}  # fmt: skip
    return SequenceAnswer.model_validate(
        {
            **in_list(row), **own, "people": people, "sentence": describe(definition.schedule),
            "schedule": definition.schedule.stored(),
        }
    )  # fmt: skip


def enrollment(row: Mapping[str, Any], definition: Sequence) -> dict[str, Any]:
    """A row of `store.enrollment.page`."""
    names = definition.names()
    coming = [
        OccurrenceAnswer(
            due_at=utc(one.due), iteration=one.iteration, step=one.step, content=names.get(one.step),
            skip=None if one.skip is None else one.skip.value,
        ) for one in unpacked(row["ahead"])
    ]  # fmt: skip
    return {**row, "status": row["state"], "next": coming}


def ahead(row: Mapping[str, Any], found: Ahead, definition: Sequence) -> EnrollmentAnswer:
    """One person, with what comes next as the schedule has it."""
    names = definition.names()
    coming = [
        OccurrenceAnswer(
            due_at=one.due_at, iteration=one.iteration, step=one.step, content=names.get(one.step),
            moved=list(one.moved), skip=None if one.skip is None else one.skip.value,
        ) for one in found.coming
    ]  # fmt: skip
    shown = {**row, "status": row["state"], "next": coming, "times": found.times}
    return EnrollmentAnswer.model_validate(shown)
