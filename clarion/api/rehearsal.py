"""Rehearsals: what a campaign would do, before it is launched or as it goes on. Nothing is written."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.campaign import KIND as ANNOUNCEMENT
from clarion.domain.campaign import State
from clarion.domain.scope import Scope
from clarion.domain.sequence import KIND as SEQUENCE
from clarion.flow.rehearse.rehearse import MOST_DAYS, Wish, rehearse
from clarion.store import campaign as campaigns

router = new_router("rehearsals", "What a campaign would do: reckoned by the real engine, nothing sent.", "")

Reader = Annotated[Edge, needs(Scope.ANNOUNCEMENTS_READ)]
MOST_PEOPLE, MOST_MESSAGES = 20_000, 200_000  # a few seconds of one core
"""What one request may rehearse; `clarion rehearse` takes more."""


class RehearsalBody(Body):
    """From when on, and for how long."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"days": 45}]})

    at: AwareDatetime | None = Field(default=None, description="when it would begin; now")
    days: int | None = Field(
        default=None, ge=1, le=MOST_DAYS, description="absent: to its end, or 90 where it has none"
    )


class DayAnswer(Answer):
    """A day of the workspace's zone."""

    day: date
    due: int = Field(description="messages that fall due")
    leave: int
    expire: int = Field(description="of those that are due on this day")
    put_off: int = Field(description="could not go before the hours ended")


class HourAnswer(Answer):
    """An hour."""

    begins: datetime
    due: int
    leave: int


class BusiestAnswer(Answer):
    """The minute in which most is due, against what the channel carries in one."""

    minute: datetime
    messages: int
    units: int = Field(description="segments of SMS, or messages")
    capacity: float = Field(description="units that it carries in a minute")
    load: float = Field(description="units by capacity: above 1 somebody waits")


class UnfitAnswer(Answer):
    """What does not fit before quiet hours."""

    closes: datetime = Field(description="when the hours end")
    messages: int = Field(description="so many are left then, and wait for the next hours")


class OverChannelAnswer(Answer):
    """What goes over one channel."""

    channel_id: UUID
    name: str
    counts: str = Field(description="what its rate counts: message or segment")
    rate: float = Field(description="a second")
    due: int
    leave: int
    held: int = Field(description="came outside the hours and wait for the next")
    quiet: int = Field(description="came outside the hours and are not waited for")
    expire: int
    longest_wait: float = Field(description="seconds for the channel")
    longest_due: datetime | None
    last: datetime | None = Field(description="when the last one leaves")
    busiest: BusiestAnswer | None
    unfit: list[UnfitAnswer]
    days: list[DayAnswer]
    hours: list[HourAnswer]


class TakenAnswer(Answer):
    """Segments of SMS."""

    each: float
    most: int
    total: int
    exact: bool = Field(description="false: estimated from some of the people")


class MoneyAnswer(Answer):
    """What it costs in one currency."""

    currency: str
    amount: Decimal
    unpriced: int = Field(description="messages for which the table has no price")


class RehearsalAnswer(Answer):
    """What would become of a campaign between two moments."""

    id: UUID
    name: str
    kind: str
    state: State
    begins: datetime
    until: datetime
    zone: str = Field(description="whose days and hours these are: the workspace's")
    beyond: bool = Field(description="more comes after `until`")
    people: int
    hear: int = Field(description="people to whom something is sent")
    apart: dict[str, int] = Field(description="people to whom nothing is, by why")
    messages: int = Field(description="fall due and can be sent")
    leave: int
    last: datetime | None = Field(description="when the last one leaves")
    held: int = Field(description="wait for hours at which people may be told")
    expire: int
    skipped: dict[str, int] = Field(description="messages that fall due and are not sent, by reason")
    moved: dict[str, int] = Field(description="messages that were moved, by what moved them")
    unsayable: dict[str, int] = Field(description="messages of which nothing can be said to that person")
    exact: bool = Field(description="of `unsayable`: false where estimated from `sampled` people")
    sampled: int
    segments: TakenAnswer | None
    costs: list[MoneyAnswer]
    days: list[DayAnswer]
    channels: list[OverChannelAnswer]
    warnings: list[str] = Field(description="what goes wrong, in sentences, the gravest first")


@router.post(
    "/announcements/{announcement_id}/rehearsal",
    summary="Rehearse an announcement",
    responses=responses(404, 409, 413),
)
async def of_announcement(
    announcement_id: UUID, edge: Reader, body: RehearsalBody | None = None
) -> RehearsalAnswer:
    """Before it begins. Nothing is written, and nobody is told."""
    return await _rehearsed(edge, ANNOUNCEMENT, announcement_id, body or RehearsalBody())


@router.post(
    "/sequences/{sequence_id}/rehearsal", summary="Rehearse a sequence", responses=responses(404, 409, 413)
)
async def of_sequence(sequence_id: UUID, edge: Reader, body: RehearsalBody | None = None) -> RehearsalAnswer:
    """As a draft, with everybody enrolled at `at`; or as it is, with what was said already. Nothing is
    written, and nobody is told. 413 where the audience is too large for a request: `clarion rehearse` takes
    any."""
    return await _rehearsed(edge, SEQUENCE, sequence_id, body or RehearsalBody())


async def _rehearsed(edge: Edge, kind: str, campaign_id: UUID, body: RehearsalBody) -> RehearsalAnswer:
    services = edge.apart  # a snapshot of its own, that ends before anything is reckoned
    async with services.db.tenant(edge.workspace_id) as connection:
        await campaigns.get(connection, campaign_id, kind)
    wish = Wish(body.at, body.days, MOST_PEOPLE, MOST_MESSAGES)
    found = await rehearse(services, edge.workspace_id, campaign_id, wish)
    return RehearsalAnswer.model_validate(found.plain())
