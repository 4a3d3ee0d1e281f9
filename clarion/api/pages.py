"""Lists come in pages, by cursor: no page is skipped or shown twice while rows come and go.

    @router.get("")
    async def listed(edge: Annotated[Edge, needs(...)], ask: Annotated[Ask, asked()]) -> Page[Group]:
        async with edge.transaction() as connection:
            rows = await groups.page(connection, ask.after, ask.fetch)
        return ask.page(Group, rows)

The store is asked for `ask.fetch` rows (one more than are shown tells whether there is a next page) that
come after (or, newest first, before) the row with identifier `ask.after`, in the order of `id`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from clarion.errors import Invalid

MOST = 500
USUAL = 50

Item = TypeVar("Item", bound=BaseModel)


class Page(BaseModel, Generic[Item]):
    """Some of a list. `next` is the address of the following page; null on the last one."""

    items: list[Item]
    next: str | None = Field(description="the following page", examples=["/api/v1/channels?cursor=…"])


@dataclass(frozen=True, slots=True)
class Ask:
    """Which page is asked for. `after` is null for the first."""

    limit: int
    after: UUID | None
    request: Request

    @property
    def fetch(self) -> int:
        """How many rows to ask the store for."""
        return self.limit + 1

    def page(self, kind: type[Item], rows: Sequence[Mapping[str, Any]], key: str = "id") -> Page[Item]:
        """The page made of the store's rows; `key` names the column that orders them."""
        shown = rows[: self.limit]
        following = self._next(shown[-1][key]) if len(rows) > self.limit else None
        return Page(items=[kind.model_validate(row) for row in shown], next=following)

    def _next(self, last: UUID) -> str:
        url = self.request.url.include_query_params(cursor=encode(last))
        return f"{url.path}?{url.query}"


def encode(last: UUID) -> str:
    """A cursor: opaque to callers, and only a position."""
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def decode(cursor: str) -> UUID:
    """Raises Invalid when it is none of ours."""
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise Invalid(
            "this is no cursor of ours", where="query.cursor", hint="Follow `next` of the page before."
        ) from None


async def ask(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MOST, description="how many at most")] = USUAL,
    cursor: Annotated[str | None, Query(max_length=200, description="from `next` of the page before")] = None,
) -> Ask:
    return Ask(limit, decode(cursor) if cursor else None, request)


def asked() -> Any:
    """The dependency that gives the `Ask`."""
    return Depends(ask)
