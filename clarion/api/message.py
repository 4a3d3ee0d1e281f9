"""Messages: one to one person, with each try at it and what the provider said."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from clarion.api.announcement_answers import MessageAnswer, message
from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.flow import explain

router = new_router("messages", "What became of one message, and why.")

Reader = Annotated[Edge, needs(Scope.MESSAGES_READ, Scope.ANNOUNCEMENTS_READ)]


class AttemptAnswer(Answer):
    """One try at the provider."""

    id: UUID
    channel: str | None = Field(examples=["staff"])
    reference: str = Field(description="what the provider was given, and gives back in receipts")
    state: str = Field(examples=["accepted"])
    effective: bool = Field(description="it may have had effect, so no other try is begun")
    begun_at: datetime
    settled_at: datetime | None
    unknown_since: datetime | None = Field(description="since when nobody knows what became of it")
    provider_id: str | None
    code: str | None
    detail: str | None


class ReceiptAnswer(Answer):
    """What the provider said of a try."""

    attempt_id: UUID
    status: str = Field(examples=["delivered"])
    at: datetime
    received_at: datetime
    code: str | None


class MessageInFull(MessageAnswer):
    """A message with its tries and receipts, and sentences that tell what happened and why."""

    announcement_id: UUID
    announcement: str = Field(description="its name")
    attempts: list[AttemptAnswer]
    receipts: list[ReceiptAnswer]
    story: list[str] = Field(examples=[["Try 1, begun 2026-07-31 06:00:00 UTC, was taken by the provider."]])


@router.get("/{message_id}", summary="Show a message", responses=responses(404))
async def show(message_id: UUID, edge: Reader) -> MessageInFull:
    async with edge.transaction() as connection:
        told = await explain.message(connection, message_id, edge.now())
    row = told.facts["message"]
    return MessageInFull.model_validate(
        {
            **message(row, edge.now()),
            "announcement_id": row["campaign_id"],
            "announcement": row["campaign"],
            "attempts": told.facts["attempts"],
            "receipts": told.facts["receipts"],
            "story": told.sentences,
        }
    )
