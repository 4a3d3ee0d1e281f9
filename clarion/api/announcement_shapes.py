"""What announcements look like in requests; `announcement_answers` has the replies."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from clarion.api.model import Body
from clarion.domain.audience import Audience
from clarion.domain.campaign import DAY, LONGEST_NAME, Announcement, Fallback
from clarion.domain.content import Content
from clarion.domain.outside import Outside
from clarion.domain.purpose import Purpose
from clarion.domain.schedule import check
from clarion.domain.schedule.hours import Hours

GROUP = "0190c2d4-7e00-7000-8000-000000000001"
CHANNEL = "0190c2d4-7e00-7000-8000-000000000002"
CLOSED: JsonDict = {
    "variants": [
        {
            "language": "en",
            "inside": {"kind": "text", "text": "Hello {{ contact.name }}, we are closed on Monday."},
            "outside": {
                "kind": "template",
                "name": "closed",
                "language": "en",
                "parameters": ["{{ contact.name | default: 'colleague' }}", "Monday"],
            },
        }
    ]
}
_NEW: JsonDict = {
    "name": "Closed on Monday",
    "channel_id": CHANNEL,
    "audience": {"include": {"groups": [GROUP]}, "exclude": {"contacts": []}},
    "content": CLOSED,
    "send_at": "2026-07-31T09:00:00+03:00",
}
_FILTERED: JsonDict = {
    "name": "Benefits",
    "channel_id": CHANNEL,
    "audience": {
        "include": {"filter": {"all": [{"field": "department", "op": "equal", "value": "Finance"}]}}
    },
    "content": CLOSED,
    "launch": True,
}
_WEEKLY: JsonDict = {
    "name": "Open on Monday",
    "channel_id": CHANNEL,
    "audience": {"include": {"groups": [GROUP]}},
    "text": "Hello {{ contact.name }}, we are open today.",
    "schedule": {"time": "09:00", "steps": [{"number": 1}], "repeat": {"rrule": "FREQ=WEEKLY;BYDAY=MO"}},
    "launch": True,
}
Text = Field(default=None, min_length=1, max_length=10_000, description="content that is one text for all")
POOL = "in place of a channel: each person hears it over one of this pool's"
HOURS = "at which people may be told, by their own clocks; who comes at another waits, or is skipped"
SCHEDULE = "in place of a moment: it recurs, each time to whom it means then (GET /api/v1/schedules/schema)"
OUTSIDE = (
    "what becomes of whom it finds outside the service window: `template`, they are told what is given for "
    "outside; `wait`, it waits until they write or it expires; `skip`. Absent: what is given, else skipped"
)
SEND_AT = "the moment; absent: now. With an offset, as 2026-07-31T09:00:00+03:00"


class AnnouncementBody(Body):
    """An announcement to be written: either `content`, or `text` where one text will do."""

    model_config = ConfigDict(json_schema_extra={"examples": [_NEW, _FILTERED, _WEEKLY]})

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    channel_id: UUID | None = Field(
        default=None, description="absent, and no pool: the workspace's default, else its only channel"
    )
    pool_id: UUID | None = Field(default=None, description=POOL)
    audience: Audience
    content: Content | None = None
    text: str | None = Text
    one_per: Literal["person", "address"] = "person"
    frozen: bool = Field(default=False, description="the audience is whom it means when launched")
    send_at: AwareDatetime | None = Field(default=None, description=SEND_AT)
    schedule: dict[str, Any] | None = Field(default=None, description=SCHEDULE)
    expires_after: int = Field(default=DAY, ge=60, le=30 * DAY, description="seconds after its moment")
    hours: Hours | None = Field(default=None, description=HOURS)
    outside_window: Outside | None = Field(default=None, description=OUTSIDE)
    purpose: Purpose = Field(
        default=Purpose.UTILITY, description="what it is; templates and tags must be for that"
    )
    weight: int = Field(
        default=1, ge=1, le=100, description="its share of the channel beside other announcements"
    )
    fallback: list[Fallback] = Field(
        default_factory=list,
        max_length=5,
        description="further channels, in order, for whom it did not reach",
    )
    launch: bool = Field(default=False, description="launch it at once")
    confirm_similar: bool = Field(default=False, description="with launch: although a similar one is there")
    confirm_empty: bool = Field(default=False, description="with launch: although nobody is meant yet")

    @model_validator(mode="after")
    def _says_something(self) -> AnnouncementBody:
        if (self.content is None) == (self.text is None):
            raise ValueError("give either content or text")
        return self

    def definition(self) -> Announcement:
        return Announcement(
            audience=self.audience, content=self.content or Content.of_text(self.text or ""),
            one_per=self.one_per, frozen=self.frozen, send_at=self.send_at, expires_after=self.expires_after,
            hours=self.hours, weight=self.weight, purpose=self.purpose, fallback=tuple(self.fallback),
            pool_id=self.pool_id, outside_window=self.outside_window,
            schedule=None if self.schedule is None else check.read(self.schedule, "schedule"),
        )  # fmt: skip


class AnnouncementChange(Body):
    """What shall be different; what is absent stays. `send_at` null: now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"send_at": "2026-08-01T09:00:00+03:00"}]})

    name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME)
    channel_id: UUID | None = Field(default=None, description="takes the place of a pool")
    pool_id: UUID | None = Field(default=None, description=POOL)
    audience: Audience | None = None
    content: Content | None = None
    text: str | None = Text
    one_per: Literal["person", "address"] | None = None
    frozen: bool | None = None
    send_at: AwareDatetime | None = Field(default=None, description=SEND_AT)
    schedule: dict[str, Any] | None = Field(default=None, description=SCHEDULE)
    expires_after: int | None = Field(default=None, ge=60, le=30 * DAY)
    hours: Hours | None = Field(default=None, description=HOURS + "; null: at any time")
    outside_window: Outside | None = Field(default=None, description=OUTSIDE + "; so does null")
    purpose: Purpose | None = None
    weight: int | None = Field(default=None, ge=1, le=100)
    fallback: list[Fallback] | None = Field(default=None, max_length=5)
    confirm_similar: bool = False

    @model_validator(mode="after")
    def _one_content(self) -> AnnouncementChange:
        if self.content is not None and self.text is not None:
            raise ValueError("give either content or text")
        return self

    def changes(self) -> dict[str, Any]:
        """Fields of the definition that were given; null means something for `send_at`, `hours`,
        `outside_window` and `schedule` alone."""
        given: dict[str, Any] = {
            key: getattr(self, key)
            for key in (
                "audience",
                "content",
                "one_per",
                "frozen",
                "expires_after",
                "purpose",
                "weight",
                "pool_id",
            )
            if getattr(self, key) is not None
        }
        if self.fallback is not None:
            given["fallback"] = tuple(self.fallback)
        for key in ("send_at", "hours", "outside_window"):
            if key in self.model_fields_set:
                given[key] = getattr(self, key)
        if "schedule" in self.model_fields_set:
            given["schedule"] = None if self.schedule is None else check.read(self.schedule, "schedule")
        if self.text is not None:
            given["content"] = Content.of_text(self.text)
        return given


class LaunchBody(Body):
    """When, and what the caller has seen and means all the same."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{}, {"send_at": "2026-07-31T09:00:00+03:00", "confirm_similar": True}]
        }
    )

    send_at: AwareDatetime | None = Field(default=None, description="absent: as it was written, else now")
    confirm_similar: bool = Field(default=False, description="launch although a similar one is there")
    confirm_empty: bool = Field(default=False, description="launch for later although nobody is meant yet")


class DuplicateBody(Body):
    """What the copy is called."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Closed on Tuesday"}]})

    name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME)


class PauseBody(Body):
    """Why, for whoever reads it later."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the date is wrong"}]})

    reason: str = Field(default="", max_length=200)


class RetryBody(Body):
    """What is tried again: always what failed or expired, and who was skipped is judged again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"undelivered": True}]})

    undelivered: bool = Field(
        default=False, description="also what the provider took and then said did not arrive"
    )


class TestBody(Body):
    """Addresses of people who see it first; each must be somebody's."""

    __test__ = False
    model_config = ConfigDict(json_schema_extra={"examples": [{"addresses": ["+254712000001"]}]})

    addresses: list[str] = Field(min_length=1, max_length=20)
