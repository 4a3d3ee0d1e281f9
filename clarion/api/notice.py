"""Notices: what needs a person, told once per cause."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer
from clarion.api.pages import Ask, Page, asked
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.store import notice as notices

router = new_router("notices", "What needs a person: a paused channel, a refused template. Once per cause.")


class Notice(Answer):
    """Something that needs, or needed, a person."""

    id: UUID
    cause: str = Field(examples=["channel:0199c0de-0000-7000-8000-000000000001:account"])
    level: Literal["info", "warning", "error"]
    text: str
    first_at: datetime
    last_at: datetime
    times: int = Field(description="how often it happened while it was open")
    told_at: datetime | None = Field(description="when the operator's address was told")
    cleared_at: datetime | None


@router.get("", summary="List notices")
async def listed(edge: Annotated[Edge, needs(Scope.JOBS_READ)], ask: Annotated[Ask, asked()]) -> Page[Notice]:
    """Newest first, those that were cleared too."""
    async with edge.transaction() as connection:
        return ask.page(Notice, await notices.page(connection, ask.after, ask.fetch))
