"""Unknowns: messages of which nobody knows whether they went; people may decide."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict, Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.flow import unknowns
from clarion.flow.unknowns import As, Unknown

router = new_router(
    "unknowns", "Messages of which nobody knows whether they went: evidence settles them, or you."
)

Reader = Annotated[Edge, needs(Scope.MESSAGES_READ, Scope.UNKNOWNS_WRITE)]
Writer = Annotated[Edge, needs(Scope.UNKNOWNS_WRITE)]
_MEANING = "send-again may reach somebody twice: nobody knows whether the first one arrived"


class UnknownAnswer(Answer):
    """A try without an end, and whose message it was."""

    id: UUID = Field(description="of the try")
    message_id: UUID
    announcement_id: UUID
    announcement: str
    channel_id: UUID
    contact_id: UUID
    name: str
    address: str | None
    unknown_since: datetime
    age: int = Field(description="seconds")
    code: str | None = Field(examples=["unanswered"])
    detail: str | None


class DecisionBody(Body):
    """What you know, or decide."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"as": "not-sent"}]}, populate_by_name=True)

    as_: As = Field(alias="as", description=_MEANING)


class DecisionsBody(Body):
    """The same for many."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"as": "sent", "ids": ["0190c2d4-7e00-7000-8000-000000000009"]}]},
        populate_by_name=True,
    )

    as_: As = Field(alias="as", description=_MEANING)
    ids: list[UUID] = Field(min_length=1, max_length=1_000)


class SettledAnswer(Answer):
    """How many were settled; the others were not unknown any more."""

    settled: int


@router.get("", summary="List unknowns, oldest first")
async def listed(
    edge: Reader,
    ask: Annotated[Ask, asked()],
    channel_id: Annotated[UUID | None, Query(description="only of this channel")] = None,
) -> Page[UnknownAnswer]:
    async with edge.transaction() as connection:
        found = await unknowns.listed(connection, channel_id=channel_id, after=ask.after, limit=ask.fetch)
        return ask.page(UnknownAnswer, [_row(one, edge.now()) for one in found])


@router.get("/{attempt_id}", summary="Show an unknown", responses=responses(404))
async def show(attempt_id: UUID, edge: Reader) -> UnknownAnswer:
    async with edge.transaction() as connection:
        return UnknownAnswer.model_validate(_row(await unknowns.read(connection, attempt_id), edge.now()))


@router.post("/settle", summary="Settle several", responses=responses(409))
async def settle_many(body: DecisionsBody, edge: Writer) -> SettledAnswer:
    """Those that evidence settled meanwhile are left as they are."""
    async with edge.transaction() as connection:
        settled = await unknowns.settle(connection, edge.services, body.ids, body.as_, by=edge.caller.name)
    return SettledAnswer(settled=settled)


@router.post("/{attempt_id}/settle", summary="Settle one", responses=responses(404, 409))
async def settle(attempt_id: UUID, body: DecisionBody, edge: Writer) -> SettledAnswer:
    """The decision is kept with your key's name. Evidence that comes later still counts."""
    async with edge.transaction() as connection:
        await unknowns.read(connection, attempt_id)
        settled = await unknowns.settle(
            connection, edge.services, [attempt_id], body.as_, by=edge.caller.name
        )
    return SettledAnswer(settled=settled)


def _row(one: Unknown, now: datetime) -> dict[str, object]:
    found, kept = one.attempt, one.message
    return {
        "id": found.id,
        "message_id": found.message_id,
        "announcement_id": kept["campaign_id"],
        "announcement": kept["campaign"],
        "channel_id": found.channel_id,
        "contact_id": kept["contact_id"],
        "name": kept["name"],
        "address": f"{kept['scheme']}:{kept['address']}" if kept["address"] else None,
        "unknown_since": found.unknown_since,
        "age": max(0, int((now - found.unknown_since).total_seconds())),
        "code": found.code,
        "detail": found.detail,
    }
