"""An alert: what is said of a case that meets criteria, to whom, from when it does or from a date of it.

Its recipients are whom the case names. What is said at a step is one of its contents, by name. Pure: judged
against a workspace by `flow`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from clarion.domain.audience import Audience, Selection
from clarion.domain.campaign import DAY, Fallback
from clarion.domain.content import Content
from clarion.domain.criteria import Criteria
from clarion.domain.outside import Outside
from clarion.domain.purpose import Purpose
from clarion.domain.replies import CaseReplies
from clarion.domain.schedule import check
from clarion.domain.schedule.model import AtField, AtProperty, Chosen, Schedule
from clarion.domain.sequence import Sequence
from clarion.errors import Invalid, Problem

KIND = "alert"
PRIORITY = 30  # of its lanes: before sequences, after who is being spoken with
STALE = 2 * DAY  # seconds after its moment in which something is still said
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Linked(_Model):
    """The contacts in a role of the case: a property that names them, or a link."""

    to: Literal["role"] = "role"
    role: Word


class Own(_Model):
    """The contact whom the case is about; of its parent, its host, or all its children, whom these are
    about."""

    to: Literal["case", "parent", "host", "children"]


class Staff(_Model):
    """Who owns the case, or who wrote it last. Of an owner that is a group: everybody of it, and of those
    below it."""

    to: Literal["owner", "modified_by"]


class OfGroup(_Model):
    """Everybody of a group, and of those below it."""

    to: Literal["group"]
    group_id: UUID


Recipient = Annotated[Linked | Own | Staff | OfGroup, Field(discriminator="to")]


class NotWithin(_Model):
    """A case that meets the criteria again begins again, unless it began less than so many days ago."""

    not_within_days: int = Field(ge=1, le=3_660)


Reentry = Literal["again", "once"] | NotWithin


class Alert(_Model):
    """What an alert is, beside its name and its channel.

    `recipients` are all meant, each person once; of these, `only` whose fields have one of the values given
    for each. `restart_on`: when this property says something else, it begins anew. `existing`: cases that
    meet the criteria when it is launched are meant (`include`), or only those that come to
    (`only_from_now`). `replies`: what it does when somebody writes back. `expires_after` are seconds after
    its moment in which something may still be sent.
    """

    case_type: Word
    criteria: Criteria
    recipients: tuple[Recipient, ...] = Field(min_length=1, max_length=20)
    only: dict[Word, tuple[str, ...]] = Field(default_factory=dict, max_length=20)
    schedule: Schedule
    contents: dict[Word, Content] = Field(min_length=1, max_length=100)
    restart_on: Word | None = None
    reentry: Reentry = "again"
    existing: Literal["include", "only_from_now"] = "include"
    expires_after: int = Field(default=STALE, ge=60, le=30 * DAY)
    purpose: Purpose = Purpose.UTILITY
    weight: int = Field(default=1, ge=1, le=100)
    fallback: tuple[Fallback, ...] = Field(default=(), max_length=5)
    pool_id: UUID | None = None
    outside_window: Outside | None = None
    replies: CaseReplies | None = None

    @field_validator("schedule", mode="before")
    @classmethod
    def _whole(cls, value: object) -> object:
        return check.read(value, "schedule") if isinstance(value, dict) else value

    @property
    def patience(self) -> timedelta:
        """How long after its moment a message may still be sent."""
        return timedelta(seconds=self.expires_after)

    @property
    def stops_on_reply(self) -> str | None:
        """For whom a reply ends this time round: `recipient`, `case`; None: for nobody."""
        return self.replies.stop if self.replies else None

    def stored(self) -> dict[str, Any]:
        """As JSON, for the campaign's row; `read` reads it back."""
        return {
            **self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"schedule"}),
            "schedule": self.schedule.stored(),
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Alert:
        """From the campaign's row. Raises Invalid where an older Clarion wrote what this one cannot read."""
        try:
            return cls.model_validate(dict(stored))
        except ValidationError as error:
            raise Invalid(f"this alert cannot be read: {error.error_count()} problems") from None

    def followed_as(self) -> Sequence:
        """As a sequence of nobody's: what is right for its schedule and contents is right for this one's."""
        return Sequence.model_construct(
            audience=_NOBODY, schedule=self.schedule, contents=self.contents, reentry="continue",
            expires_after=self.expires_after, purpose=self.purpose, weight=self.weight,
            fallback=self.fallback, pool_id=self.pool_id, outside_window=self.outside_window, replies=None,
        )  # fmt: skip

    def counts_from(self) -> str | None:
        """The property that day 0 is counted from, where it is one."""
        start = self.schedule.start
        return start.key if isinstance(start, AtProperty) else None

    def properties(self) -> tuple[str, ...]:
        """Which properties of the case its schedule reads."""
        schedule = self.schedule
        found = [schedule.start.key] if isinstance(schedule.start, AtProperty) else []
        if schedule.until is not None and schedule.until.property is not None:
            found.append(schedule.until.property)
        times = [schedule.time, *(step.time for step in schedule.steps)]
        times += [track.time for track in schedule.random_days.tracks] if schedule.random_days else []
        found += [one.property for one in times if isinstance(one, Chosen) and one.property is not None]
        return tuple(dict.fromkeys(found))

    def problems(self) -> list[Problem]:
        """What does not fit together."""
        found = [one for one in self.followed_as().problems() if one.where != "schedule.start"]
        if isinstance(self.schedule.start, AtField):
            what = "a case has properties, not fields"
            found.append(Problem("schedule.start", what, 'Say {"from": "property"}.'))
        return found


_NOBODY = Audience(include=Selection())
