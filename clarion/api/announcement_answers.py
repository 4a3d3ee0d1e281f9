"""What announcements look like in replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from clarion.api.model import Answer
from clarion.domain.audience import Audience
from clarion.domain.campaign import Announcement, Fallback, State
from clarion.domain.content import Content
from clarion.domain.outside import Outside
from clarion.domain.purpose import Purpose
from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.sentence import describe
from clarion.domain.wording import why
from clarion.flow.results import shown_word


class AnnouncementInList(Answer):
    """An announcement in short. `state` is draft, scheduled, running, paused, completed or cancelled."""

    id: UUID
    name: str
    state: State
    reason: str = Field(description="why it is paused")
    channel_id: UUID | None = Field(description="null where it goes over a pool")
    pool_id: UUID | None
    send_at: datetime | None = Field(description="its moment; of a draft, the author's wish")
    created_by: str
    created_at: datetime
    modified_at: datetime
    launched_at: datetime | None
    finished_at: datetime | None


class AnnouncementAnswer(AnnouncementInList):
    """An announcement in full."""

    audience: Audience
    content: Content
    one_per: Literal["person", "address"]
    frozen: bool
    expires_after: int = Field(description="seconds after its moment")
    hours: Hours | None = Field(description="at which people may be told, by their own clocks")
    schedule: dict[str, Any] | None = Field(description="of one that recurs")
    sentence: str | None = Field(description="its schedule in words")
    outside_window: Outside | None = Field(description="what becomes of who is outside the service window")
    purpose: Purpose
    weight: int = Field(description="its share of the channel beside other announcements")
    fallback: list[Fallback] = Field(description="further channels, in order, for whom it did not reach")
    warnings: list[str] = Field(default=[], description="of what has not begun: what could not be checked")


def in_list(row: Mapping[str, Any]) -> dict[str, Any]:
    """A campaign's row as lists show it: an audience may name 100,000 people, so it is left out."""
    return {**row, **_over(row), "send_at": row["send_at"] or row["definition"].get("send_at")}


def _over(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a campaign goes over first: of a pool the row's channel only leads it."""
    pool_id = row["definition"].get("pool_id")
    return {"pool_id": pool_id, "channel_id": None if pool_id else row["channel_id"]}


def answer(row: Mapping[str, Any], warnings: Sequence[str] = ()) -> AnnouncementAnswer:
    """A campaign's row with its definition's fields beside its own."""
    definition = Announcement.read(row["definition"])
    own = {
        key: getattr(definition, key)
        for key in (
            "audience",
            "content",
            "one_per",
            "frozen",
            "expires_after",
            "hours",
            "outside_window",
            "purpose",
            "weight",
            "fallback",
        )
    }
    schedule = definition.schedule
    return AnnouncementAnswer.model_validate(
        {
            **row,
            **own,
            "schedule": None if schedule is None else schedule.stored(),
            "sentence": None if schedule is None else describe(schedule, announced=True),
            **_over(row),
            "send_at": row["send_at"] or definition.send_at,
            "warnings": list(warnings),
        }
    )


class ProgressAnswer(Answer):
    """How far it is. `counts` by state as people read it; of those with reasons, `reasons`."""

    state: State
    reason: str
    send_at: datetime | None
    expanded: bool = Field(description="whether everybody is written down who was meant")
    total: int = Field(description="messages so far; all of them once expanded")
    done: int = Field(description="those that wait no more")
    counts: dict[str, int] = Field(examples=[{"accepted": 812, "sending": 20, "ready": 371, "skipped": 14}])
    reasons: dict[str, dict[str, int]] = Field(examples=[{"skipped": {"opted_out": 9, "no_address": 5}}])
    rate: float = Field(description="messages a second, lately")
    eta: datetime | None = Field(description="when it will be through, at this rate")
    error: str = Field(description="what keeps it from being written down, if anything")
    waits: str = Field(
        description="what the rest waits for beyond its turn",
        examples=["channel staff is down: the provider cannot be reached"],
    )
    next_at: datetime | None = Field(description="of one that recurs: when the next of them hears it")


class OccasionAnswer(Answer):
    """A time at which a recurring announcement spoke, or speaks: who hears it last may be a day after who
    hears it first. `counts` and `reasons` as in its progress."""

    number: int = Field(description="from 1, in the order in which they began")
    began_at: datetime = Field(description="when the first of them heard it")
    total: int
    counts: dict[str, int] = Field(examples=[{"delivered": 812, "ready": 371, "skipped": 14}])
    reasons: dict[str, dict[str, int]]


class ExampleAnswer(Answer):
    """What one of them would read."""

    contact_id: UUID
    name: str
    kind: Literal["text", "template", "email", "push", "media", "interactive", "flow_start"]
    text: str = Field(description="of a template or a flow, its parameters, one a line")
    subject: str | None = Field(description="of a mail")
    html: str | None = Field(description="of a mail that has it")
    title: str | None = Field(
        description="of a push message; elsewhere the line above the text, or a file's name"
    )
    url: str | None = Field(description="where a push message leads, or the file that is shown")
    footer: str | None = Field(description="the line below the text")
    choices: list[str] = Field(description="the replies that they may tap")
    template: str | None
    flow: str | None = Field(description="which flow is started")
    segments: int | None = Field(description="SMS that the text takes")


class SegmentsAnswer(Answer):
    """SMS that texts take where they go as such, estimated from the sample."""

    each: float
    most: int
    total: int


class CostAnswer(Answer):
    """What it would cost in one currency, by the channels' price tables; an estimate."""

    currency: str = Field(description="ISO 4217", examples=["KES"])
    amount: Decimal
    unpriced: int = Field(description="messages for which the table has no price")


class SimilarAnswer(Answer):
    """Another announcement that says about the same to some of the same people."""

    id: UUID
    name: str
    state: State
    send_at: datetime
    likeness: float = Field(description="0 to 1")
    people: int = Field(description="how many would hear both")


class ShareAnswer(Answer):
    """A channel of a pool."""

    channel_id: UUID
    name: str
    people: int = Field(description="messages that would go over it")


class PreviewAnswer(Answer):
    """What sending would come to now."""

    counts: dict[str, int] = Field(
        description="people = reachable + duplicate_person + duplicate_address + opted_out + no_address + "
        "invalid_number + erased, over a pool also + no_route; beside that in_several_groups, "
        "sharing_an_address, by_fallback, in_window and outside_window",
        examples=[{"people": 1217, "reachable": 1190, "opted_out": 9, "no_address": 18}],
    )
    sampled: int = Field(description="people for whom it was made in full")
    unsayable: dict[str, int] = Field(description="of those: why nothing can be said to some")
    examples: list[ExampleAnswer]
    segments: SegmentsAnswer | None
    costs: list[CostAnswer] = Field(description="by currency; empty without price tables")
    similar: list[SimilarAnswer]
    channels: list[ShareAnswer] = Field(description="of a pool: how many would hear it over each")
    warnings: list[str] = Field(description="what could not be checked")


class TestedAnswer(Answer):
    """One address of a test."""

    __test__ = False
    address: str
    contact_id: UUID
    message_id: UUID
    state: str
    reason: str | None


class TrialAnswer(Answer):
    """A test under way; `id` has a progress, messages and results of its own."""

    id: UUID
    messages: list[TestedAnswer]


class RetriedAnswer(Answer):
    """What a retry opened again."""

    ready: int = Field(description="messages that will be tried")
    judged: int = Field(description="people who are skipped for another reason than before")


class MessageAnswer(Answer):
    """One message to one person. Of a person who was erased there is no name and no address."""

    id: UUID
    contact_id: UUID
    external_id: str | None
    name: str
    address: str | None = Field(examples=["whatsapp:+254712000001"])
    channel: str | None = Field(description="where it is, or ended", examples=["staff"])
    state: str = Field(examples=["delivered"], description="scheduled, ready, sending, accepted, …")
    reason: str | None = Field(examples=["opted_out"])
    explanation: str = Field(examples=["asked for no more messages"])
    tries: int
    due_at: datetime
    expires_at: datetime
    settled_at: datetime | None = Field(description="when it was taken, or ended")
    delivered_at: datetime | None
    read_at: datetime | None
    code: str | None = Field(description="the provider's, of the last try")
    provider_id: str | None


def message(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A row of `store.message` in the words of a reply."""
    address = f"{row['scheme']}:{row['address']}" if row["address"] else None
    state = shown_word(dict(row), now)
    return {**row, "address": address, "state": state, "explanation": why(row["reason"])}
