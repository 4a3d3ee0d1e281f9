"""What alerts look like in requests and in replies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from clarion.api.announcement_shapes import CHANNEL, OUTSIDE, POOL
from clarion.api.model import Answer, Body
from clarion.api.sequence_shapes import OccurrenceAnswer, in_list, read_schedule
from clarion.domain.alert import STALE, Alert, Recipient, Reentry, Word
from clarion.domain.campaign import DAY, LONGEST_NAME, Fallback, State
from clarion.domain.content import Content
from clarion.domain.criteria import parse_criteria
from clarion.domain.enrollment import Status, unpacked
from clarion.domain.outside import Outside
from clarion.domain.purpose import Purpose
from clarion.domain.replies import CaseReplies
from clarion.domain.rerun import Rerun, Stage
from clarion.domain.schedule.sentence import describe
from clarion.domain.schedule.zones import utc

_VISITS: JsonDict = {
    "name": "Visits",
    "channel_id": CHANNEL,
    "case_type": "visit",
    "criteria": {"property": "status", "op": "equal", "value": "scheduled"},
    "recipients": [{"to": "role", "role": "phone"}, {"to": "owner"}],
    "schedule": {
        "start": {"from": "property", "key": "appointment_date", "days": -2},
        "time": "09:00",
        "steps": [{"number": 1}],
    },
    "contents": {
        "reminder": {"variants": [{"content": {"kind": "text", "text": "In two days, {{ case.name }}!"}}]}
    },
    "launch": True,
}
_CRITERIA = "which cases: conditions on properties, on the case's parent and host, and on its people"
_RECIPIENTS = "whom the case names, each person once"
_ONLY = "of these, whose fields have one of the values given for each: {field: [values]}"
_RESTART = "when this property says something else, the case begins anew"
_REENTRY = "a case that meets the criteria again begins again, never, or not within so many days"
_EXISTING = "cases that meet the criteria when it is launched are meant, or only those that come to"
_REPLIES = "a reply stops what who wrote it, or everybody, hears of the case in this time round; {}: nothing"
_PLAIN = (
    "case_type", "recipients", "only", "contents", "restart_on", "reentry", "existing",
    "expires_after", "purpose", "weight", "pool_id", "replies",
)  # fmt: skip
_NULLABLE = ("restart_on", "outside_window")


class AlertBody(Body):
    """An alert to be written."""

    model_config = ConfigDict(json_schema_extra={"examples": [_VISITS]})

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    channel_id: UUID | None = Field(default=None, description="absent, and no pool: the workspace's default")
    pool_id: UUID | None = Field(default=None, description=POOL)
    case_type: Word = Field(description="its name")
    criteria: dict[str, Any] = Field(description=_CRITERIA)
    recipients: list[Recipient] = Field(min_length=1, max_length=20, description=_RECIPIENTS)
    only: dict[Word, list[str]] = Field(default_factory=dict, max_length=20, description=_ONLY)
    schedule: dict[str, Any] = Field(description="GET /api/v1/schedules/schema describes it")
    contents: dict[Word, Content] = Field(min_length=1, max_length=100)
    restart_on: Word | None = Field(default=None, description=_RESTART)
    reentry: Reentry = Field(default="again", description=_REENTRY)
    existing: str = Field(default="include", pattern="^(include|only_from_now)$", description=_EXISTING)
    expires_after: int = Field(default=STALE, ge=60, le=30 * DAY, description="seconds after its moment")
    outside_window: Outside | None = Field(default=None, description=OUTSIDE)
    replies: CaseReplies | None = Field(default=None, description=_REPLIES)
    purpose: Purpose = Purpose.UTILITY
    weight: int = Field(default=1, ge=1, le=100, description="its share of the channel beside other alerts")
    fallback: list[Fallback] = Field(default_factory=list, max_length=5)
    launch: bool = Field(default=False, description="launch it at once")
    confirm_all: bool = Field(default=False, description="of launch: also where all cases meet its criteria")

    @model_validator(mode="after")
    def _one_way(self) -> AlertBody:
        if self.channel_id is not None and self.pool_id is not None:
            raise ValueError("it goes over either a channel or a pool")
        return self

    def definition(self) -> Alert:
        plain = {key: getattr(self, key) for key in _PLAIN}
        return Alert.model_validate(
            {
                **plain, "criteria": parse_criteria(self.criteria), "schedule": read_schedule(self.schedule),
                "outside_window": self.outside_window, "fallback": tuple(self.fallback),
            }
        )  # fmt: skip


class AlertChange(Body):
    """What shall be different; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reentry": "once"}]})

    name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME)
    channel_id: UUID | None = Field(default=None, description="takes the place of a pool")
    pool_id: UUID | None = Field(default=None, description=POOL)
    case_type: Word | None = Field(default=None, description="of a draft")
    criteria: dict[str, Any] | None = Field(default=None, description=_CRITERIA)
    recipients: list[Recipient] | None = Field(default=None, min_length=1, max_length=20)
    only: dict[Word, list[str]] | None = Field(default=None, max_length=20, description=_ONLY)
    schedule: dict[str, Any] | None = None
    contents: dict[Word, Content] | None = Field(default=None, min_length=1, max_length=100)
    restart_on: Word | None = Field(default=None, description=_RESTART + "; null: nothing does")
    reentry: Reentry | None = Field(default=None, description=_REENTRY)
    existing: str | None = Field(default=None, pattern="^(include|only_from_now)$", description=_EXISTING)
    expires_after: int | None = Field(default=None, ge=60, le=30 * DAY)
    outside_window: Outside | None = Field(default=None, description=OUTSIDE + "; so does null")
    replies: CaseReplies | None = Field(default=None, description=_REPLIES)
    purpose: Purpose | None = None
    weight: int | None = Field(default=None, ge=1, le=100)
    fallback: list[Fallback] | None = Field(default=None, max_length=5)
    say_again: bool = Field(
        default=False, description="where it counts from another property: also what was said already"
    )

    def changes(self) -> dict[str, Any]:
        """Fields of the definition that were given; null means something for `restart_on` and
        `outside_window` alone."""
        given = {key: getattr(self, key) for key in _PLAIN if getattr(self, key) is not None}
        given |= {key: getattr(self, key) for key in _NULLABLE if key in self.model_fields_set}
        if self.criteria is not None:
            given["criteria"] = parse_criteria(self.criteria)
        if self.schedule is not None:
            given["schedule"] = read_schedule(self.schedule)
        for key in ("fallback", "recipients"):
            if getattr(self, key) is not None:
                given[key] = tuple(getattr(self, key))
        return given


class AlertInList(Answer):
    """An alert in short. `state` is draft, running, paused or cancelled."""

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


class RerunAnswer(Answer):
    """How far it is in going over all cases of its type, since its launch or the last change of who hears."""

    state: Stage = Field(
        description="waiting for a worker, going, done; or cancelled: then those that are left follow the "
        "last change when they are next touched, or fall due"
    )
    since: datetime = Field(description="when it was asked for")
    ended_at: datetime | None
    done: int = Field(description="cases that have been gone over")
    cases: int | None = Field(description="of how many; null until it has begun")
    rate: float = Field(description="cases a second, since it began")
    eta: datetime | None = Field(description="when it may be done, at this rate")
    error: str = Field(description="why it does not go on")


class AlertAnswer(AlertInList):
    """An alert in full."""

    sentence: str = Field(description="its schedule in words")
    case_type: str
    criteria: dict[str, Any]
    recipients: list[Recipient]
    only: dict[str, list[str]]
    schedule: dict[str, Any]
    contents: dict[str, Content]
    restart_on: str | None
    reentry: Reentry
    existing: str
    expires_after: int
    outside_window: Outside | None
    replies: CaseReplies | None = Field(description=_REPLIES)
    purpose: Purpose
    weight: int
    fallback: list[Fallback]
    people: dict[Status, int] = Field(description="how many recipients of cases there are, by status")
    rerun: RerunAnswer | None = Field(
        description="while it is waiting or going, who hears, and when, cannot be changed; null of a draft"
    )


class RecipientAnswer(Answer):
    """Somebody who hears of a case."""

    case_id: UUID
    contact_id: UUID
    external_id: str | None = Field(description="the contact's")
    name: str
    status: Status
    reason: str = Field(description="why they were stopped, or what nothing comes next for: no_start")
    generation: int = Field(description="which time round")
    began_at: datetime
    next_due: datetime | None
    next: list[OccurrenceAnswer] = Field(description="what comes next, as far as it is kept")


class CasesWouldAnswer(Answer):
    """How many it would touch, and how."""

    enter: int = Field(description="would come in")
    leave: int = Field(description="would be stopped")
    again: int = Field(description="would begin anew, and hear again what was said")
    same: int = Field(description="would notice nothing")


class PeopleWouldAnswer(CasesWouldAnswer):
    """Of whoever hears of a case, once a case."""

    move: int = Field(description="would hear what comes next at another moment")


class TouchedAnswer(Answer):
    """One of them."""

    what: Literal["enter", "leave", "again", "move"]
    case_id: UUID
    case: str = Field(description="its external id")
    case_name: str
    contact_id: UUID
    external_id: str | None = Field(description="the contact's")
    name: str
    before: datetime | None = Field(description="when something comes next, as it is")
    after: datetime | None = Field(description="and as it would be")
    local: datetime | None = Field(description="that by the clock of whoever hears it")


class WouldTellAnswer(Answer):
    """What an edit of an alert, or its launch, would do."""

    gone_over: int = Field(description="cases of its type")
    cases: CasesWouldAnswer
    people: PeopleWouldAnswer
    silent: int = Field(
        description="of those who would come in, for whom nothing comes: too late, or no date"
    )
    sample: list[TouchedAnswer] = Field(description="at most five of each kind")


def answer(
    row: Mapping[str, Any], definition: Alert, people: Mapping[str, int], far: Rerun | None
) -> AlertAnswer:
    """A campaign's row with its definition beside it, and how far its re-run is."""
    keys = (*_PLAIN, "outside_window", "fallback")
    own = {key: getattr(definition, key) for key in keys if key != "pool_id"}
    return AlertAnswer.model_validate(
        {
            **in_list(row), **own, "people": people, "rerun": rerun_answer(far),
            "sentence": describe(definition.schedule),
            "schedule": definition.schedule.stored(),
            "criteria": definition.stored()["criteria"],
        }
    )  # fmt: skip


def rerun_answer(far: Rerun | None) -> RerunAnswer | None:
    return None if far is None else RerunAnswer.model_validate(far)


def recipient(row: Mapping[str, Any], definition: Alert) -> dict[str, Any]:
    """A row of `store.enrollment.page`."""
    names = definition.followed_as().names()
    coming = [
        OccurrenceAnswer(
            due_at=utc(one.due), iteration=one.iteration, step=one.step, content=names.get(one.step),
            skip=None if one.skip is None else one.skip.value,
        ) for one in unpacked(row["ahead"])
    ]  # fmt: skip
    return {**row, "status": row["state"], "next": coming}
