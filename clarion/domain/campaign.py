"""A campaign's definition: who, what and when, as its author wrote it down; and what its states allow.

Of the kinds this builds the announcement. Pure: judged against a workspace by `flow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from clarion.domain.audience import Audience
from clarion.domain.content import (
    Content,
    FlowStartForm,
    Form,
    InteractiveForm,
    MailForm,
    MediaForm,
    PushForm,
    TemplateForm,
    TextForm,
)
from clarion.domain.outside import Outside
from clarion.domain.purpose import Purpose
from clarion.domain.schedule import check
from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.model import Schedule
from clarion.errors import Conflict, Invalid

KIND = "announcement"
PRIORITY = 50  # of an announcement's lane; least goes first
TEST_PRIORITY = 10
STEP = 1  # an announcement has one step
FARTHEST = timedelta(days=731)
LONGEST_NAME = 200
DAY = 86_400


class State(StrEnum):
    """Where a campaign is. `paused` remembers nothing: resumed it is running, or scheduled if not begun."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Fallback(BaseModel):
    """A further channel for whom the message did not reach over those before: refused, undelivered, or with
    nothing there that it could reach.

    `after`: also whoever it is not known to have reached so many seconds after the try. That proves nothing,
    so the campaign must say that somebody may have it twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel_id: UUID
    after: int | None = Field(default=None, ge=60, le=30 * DAY, description="seconds without delivery")
    may_arrive_twice: bool = Field(default=False, description="with after: it may come over both")

    @model_validator(mode="after")
    def _says_so(self) -> Fallback:
        if (self.after is not None) != self.may_arrive_twice:
            raise ValueError(
                "time alone proves nothing, so `after` goes with may_arrive_twice: true, and only so"
            )
        return self


class Announcement(BaseModel):
    """What an announcement is, beside its name and its channel. Times are seconds.

    `hours` are those at which people may be told, each by their own clock: who comes at another waits for
    the next, or is skipped. `send_at` is the author's wish while it is a draft; launching decides. `frozen`:
    the audience is whom it means when launched, not when sent. `weight` is its share of the channel beside
    other announcements: one of weight 3 sends three for each that one of weight 1 sends. `fallback` are
    further channels, in order, for whom it did not reach. `pool_id`: it goes over the channels of that pool,
    each person over one. `schedule`, in place of a moment: it recurs, and is said each time to whom it means
    then. `outside_window`: what becomes of whom it finds outside the service window. `test_of`: a test of
    that announcement, shown nowhere else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    audience: Audience
    content: Content
    one_per: Literal["person", "address"] = "person"
    frozen: bool = False
    send_at: AwareDatetime | None = None
    expires_after: int = Field(default=DAY, ge=60, le=30 * DAY)
    hours: Hours | None = None
    purpose: Purpose = Purpose.UTILITY
    weight: int = Field(default=1, ge=1, le=100)
    fallback: tuple[Fallback, ...] = Field(default=(), max_length=5)
    pool_id: UUID | None = None
    schedule: Schedule | None = None
    outside_window: Outside | None = None
    test_of: UUID | None = None

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
        stored = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"schedule"})
        if self.schedule is not None:
            stored["schedule"] = self.schedule.stored()
        if not self.fallback:  # an older worker, which knows of none, can read it
            del stored["fallback"]
        if self.purpose is Purpose.UTILITY:
            del stored["purpose"]
        return stored

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Announcement:
        """From the campaign's row. Raises Invalid where an older Clarion wrote what this one cannot read."""
        try:
            return cls.model_validate(dict(stored))
        except ValidationError as error:
            raise Invalid(f"this announcement cannot be read: {error.error_count()} problems") from None


class Caution(BaseModel):
    """When another announcement counts as similar: both are settings of the workspace (`similar`)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hours: float = Field(default=24, ge=0, le=24 * 366, description="either way of the moment")
    likeness: float = Field(default=0.6, gt=0, le=1, description="similarity of the texts, by trigrams")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Caution:
        """Of a workspace's settings; the defaults where they say nothing or something else."""
        try:
            return cls.model_validate(settings.get("similar") or {})
        except ValidationError:
            return cls()


_ALLOWED: Mapping[str, tuple[frozenset[State], str]] = {
    "launch": (frozenset({State.DRAFT}), "it was launched already"),
    "pause": (frozenset({State.SCHEDULED, State.RUNNING}), "only what is scheduled or running can be paused"),
    "resume": (frozenset({State.PAUSED}), "it is not paused"),
    "cancel": (
        frozenset({State.DRAFT, State.SCHEDULED, State.RUNNING, State.PAUSED}),
        "it has ended already",
    ),
    "retry": (
        frozenset({State.RUNNING, State.PAUSED, State.COMPLETED}),
        "only what was sent can be tried again",
    ),
    "edit": (
        frozenset({State.DRAFT, State.SCHEDULED, State.PAUSED}),
        "it has begun and cannot be edited any more",
    ),
    "edit_recurring": (frozenset({State.DRAFT, State.RUNNING, State.PAUSED}), "it has ended"),
}
_HINTS = {"edit": "Cancel it, or duplicate it and edit the copy.", "launch": "Duplicate it to say it again."}


def require(state: str, verb: str) -> State:
    """The state, where it allows the verb. Raises Conflict with the state in it."""
    allowed, why = _ALLOWED[verb]
    present = State(state)
    if present not in allowed:
        raise Conflict(
            f"this announcement is {present}: {why}",
            where="state",
            hint=_HINTS.get(verb, ""),
            extra={"state": present.value},
        )
    return present


def check_moment(send_at: datetime, now: datetime, where: str = "send_at") -> None:
    """Raises Invalid for a moment that is past, or too far away."""
    if send_at < now:
        raise Invalid(
            f"{send_at:%Y-%m-%d %H:%M:%S %Z} is past; nothing was scheduled",
            where=where,
            hint="Leave it out to send now, or give a later moment.",
            extra={"reason": "past", "now": now.isoformat()},
        )
    if send_at > now + FARTHEST:
        raise Invalid("more than two years ahead", where=where, extra={"reason": "too_far"})


def similarity_text(content: Content) -> str:
    """What content says, in all its variants, for the comparison with other announcements."""
    said = (part for variant in content.variants for _, form in variant.forms for part in _words(form))
    return "\n".join(dict.fromkeys(said))[:8000]


def _words(form: Form) -> Iterable[str]:
    match form:
        case TextForm():
            return (form.text,)
        case TemplateForm():
            return (form.name.replace("_", " "), *form.parameters)
        case MailForm():
            return (form.subject, form.text)
        case PushForm():
            return (form.title, form.body)
        case FlowStartForm():
            return (form.flow, *form.params.values())
        case MediaForm():
            return (form.caption or form.url,)
        case InteractiveForm():
            return (form.text,)
        case _:
            return (form.model_dump_json(),)
