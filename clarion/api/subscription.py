"""Subscriptions: who is told what happens here. A secret is shown when it is made and never again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict, Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.event import EventType
from clarion.domain.scope import Scope
from clarion.domain.subscription import LONGEST_URL
from clarion.flow import subscribe
from clarion.store import subscription as subscriptions
from clarion.store import telling

router = new_router("subscriptions", "Who is told what happens here, by signed calls (Standard Webhooks).")

Holder = Annotated[Edge, needs(Scope.SUBSCRIPTIONS_WRITE)]
State = Literal["waiting", "told", "given_up"]
OfState = Annotated[State | None, Query(description="only these")]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Url = Annotated[str, Field(min_length=1, max_length=LONGEST_URL)]
Types = Annotated[list[EventType], Field(min_length=1, max_length=100)]


class SubscriptionBody(Body):
    """A subscription to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "employer portal",
                    "url": "https://portal.example.org/clarion",
                    "types": ["message.delivered", "message.failed", "inbound.received"],
                }
            ]
        }
    )

    name: Name
    url: Url = Field(description="https, and reachable from the internet")
    types: Types = Field(description="what it is told; its document is in `webhooks`")


class SubscriptionChange(Body):
    """What shall be different; what is absent stays. What waits goes to the new address."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"types": ["message.failed"]}]})

    name: Name | None = None
    url: Url | None = None
    types: Types | None = None


class RotateBody(Body):
    """How long the secret of before signs beside the new one."""

    keep_hours: int = Field(default=24, ge=0, le=168, examples=[24], description="0: it ends at once")


class PauseBody(Body):
    """Why, for whoever reads it later."""

    reason: str = Field(default="", max_length=200, examples=["the portal is being moved"])


class Subscription(Answer):
    """A subscription, without its secrets."""

    id: UUID
    name: str
    url: str
    types: list[str]
    state: Literal["active", "paused"]
    reason: str = Field(description="why it is paused")
    previous_until: datetime | None = Field(description="until then the secret of before signs too")
    failing_since: datetime | None = Field(description="nothing that was told arrived since then")
    waiting: int = Field(description="events that wait to be told, counted to 10,000")
    given_up: int = Field(description="events that were given up and can be told again, counted to 10,000")
    created_at: datetime
    modified_at: datetime


class NewSubscription(Subscription):
    """A subscription just made, or with a new secret. `secret` is shown this once: keep it."""

    secret: str = Field(examples=["whsec_…"])


class EventKept(Answer):
    """An event of a subscription. Told ones are kept for a day, given up ones for thirty."""

    id: UUID = Field(description="what the receiver sees as webhook-id")
    type: str
    subject_id: UUID = Field(description="the message, message in, campaign … that it is about")
    at: datetime
    state: State
    tries: int
    answer: str | None = Field(description="to the last try: a status, or why there was none")
    due_at: datetime | None = Field(description="when it is tried next")
    ended_at: datetime | None


class EventId(Answer):
    """The event that a test is."""

    id: UUID


class Again(Answer):
    """How many events are told once more."""

    events: int


@router.post("", status_code=201, summary="Make a subscription", responses=responses(409))
async def create(body: SubscriptionBody, edge: Holder) -> NewSubscription:
    """It hears what happens from now on; in the first two seconds something may still be missed."""
    async with edge.transaction() as connection:
        subscription_id, secret = await subscribe.create(
            connection, edge.services, edge.workspace_id, name=body.name, url=body.url, types=body.types
        )
        row = await subscriptions.get(connection, subscription_id)
        return NewSubscription.model_validate({**row, "secret": secret})


@router.get("", summary="List subscriptions")
async def listed(edge: Holder, ask: Annotated[Ask, asked()]) -> Page[Subscription]:
    async with edge.transaction() as connection:
        return ask.page(Subscription, await subscriptions.page(connection, ask.after, ask.fetch))


@router.get("/{subscription_id}", summary="Show a subscription", responses=responses(404))
async def show(subscription_id: UUID, edge: Holder) -> Subscription:
    async with edge.transaction() as connection:
        return Subscription.model_validate(await subscriptions.get(connection, subscription_id))


@router.patch("/{subscription_id}", summary="Change a subscription", responses=responses(404, 409))
async def change(subscription_id: UUID, body: SubscriptionChange, edge: Holder) -> Subscription:
    async with edge.transaction() as connection:
        await subscribe.change(
            connection, edge.services, subscription_id, name=body.name, url=body.url, types=body.types
        )
        return Subscription.model_validate(await subscriptions.get(connection, subscription_id))


@router.delete(
    "/{subscription_id}", status_code=204, summary="Remove a subscription", responses=responses(404)
)
async def remove(subscription_id: UUID, edge: Holder) -> None:
    """What waits for it is told no more."""
    async with edge.transaction() as connection:
        await subscribe.remove(connection, subscription_id, edge.now())


@router.post("/{subscription_id}/rotate", summary="Make a new secret", responses=responses(404))
async def rotate(subscription_id: UUID, edge: Holder, body: RotateBody | None = None) -> NewSubscription:
    """Both sign meanwhile, so that the receiver can change over."""
    keep = timedelta(hours=(body or RotateBody()).keep_hours)
    async with edge.transaction() as connection:
        secret = await subscribe.rotate(connection, edge.services, edge.workspace_id, subscription_id, keep)
        row = await subscriptions.get(connection, subscription_id)
        return NewSubscription.model_validate({**row, "secret": secret})


@router.post("/{subscription_id}/pause", summary="Pause a subscription", responses=responses(404))
async def pause(subscription_id: UUID, edge: Holder, body: PauseBody | None = None) -> Subscription:
    """It is told nothing, and what happens meanwhile is not kept for it; what waits stays. A receiver that
    is only away for a while need not be paused: what it missed is tried again."""
    async with edge.transaction() as connection:
        await subscribe.pause(connection, subscription_id, body.reason if body else "", edge.now())
        return Subscription.model_validate(await subscriptions.get(connection, subscription_id))


@router.post("/{subscription_id}/resume", summary="Resume a subscription", responses=responses(404))
async def resume(subscription_id: UUID, edge: Holder) -> Subscription:
    async with edge.transaction() as connection:
        await subscribe.resume(connection, subscription_id, edge.now())
        return Subscription.model_validate(await subscriptions.get(connection, subscription_id))


@router.post("/{subscription_id}/test", summary="Tell a test", responses=responses(404, 409))
async def test(subscription_id: UUID, edge: Holder) -> EventId:
    """The receiver gets a `subscription.test`, whatever types it is told."""
    async with edge.transaction() as connection:
        return EventId(id=await subscribe.test(connection, edge.services, subscription_id))


@router.get("/{subscription_id}/events", summary="List a subscription's events", responses=responses(404))
async def events(
    subscription_id: UUID, edge: Holder, ask: Annotated[Ask, asked()], state: OfState = None
) -> Page[EventKept]:
    """Newest first: those that wait, and those that were told or given up lately."""
    async with edge.transaction() as connection:
        await subscriptions.get(connection, subscription_id)
        found = await telling.page(
            connection, subscription_id, state=state, before=ask.after, limit=ask.fetch
        )
        return ask.page(EventKept, found)


@router.post("/{subscription_id}/again", summary="Tell what was given up", responses=responses(404, 409))
async def again(subscription_id: UUID, edge: Holder) -> Again:
    """At most 10,000 events at a time, those that were given up first."""
    async with edge.transaction() as connection:
        return Again(events=await subscribe.again(connection, edge.services, subscription_id))
