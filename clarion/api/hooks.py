"""Providers' calls: receipts and messages from people. A provider signs its calls; there is no key.

A call is checked and stored, and answered once it is durable; workers read it afterwards. So a provider
that gets its 200 may forget the call, and one that gets none calls again.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import PlainTextResponse

from clarion.api import problems
from clarion.api.auth import services_of
from clarion.errors import NotFound
from clarion.flow.receive import Door

router = APIRouter(prefix="/hooks", tags=["hooks"])

Channel = Annotated[
    str,
    Path(description="the channel's identifier", examples=["0199c0de-0000-7000-8000-000000000001"]),
]


@router.post(
    "/{channel}",
    summary="Take what a provider tells",
    response_class=Response,
    responses={200: {"description": "stored, durably"}, **problems.responses(401, 404, 413, 503)},
    openapi_extra={
        "requestBody": {
            "content": {"application/json": {"schema": {}}},
            "description": "as the provider says",
        }
    },
)
async def take(channel: Channel, request: Request) -> Response:
    """Statuses of messages, and messages that people wrote, in the provider's own shape and signature."""
    await _door(request).take(_identifier(channel), request.headers, await request.body())
    return Response()


@router.get(
    "/{channel}",
    summary="Answer the provider's question",
    response_class=PlainTextResponse,
    responses=problems.responses(403, 404, 503),
)
async def challenge(channel: Channel, request: Request) -> PlainTextResponse:
    """What a provider asks before it accepts this address: it wants its challenge back."""
    return PlainTextResponse(await _door(request).challenge(_identifier(channel), request.query_params))


def _door(request: Request) -> Door:
    """The application's one door: calls share its commits."""
    state = request.app.state
    door: Door | None = getattr(state, "door", None)
    if door is None:
        door = state.door = Door(services_of(request))
    return door


def _identifier(channel: str) -> UUID:
    try:
        return UUID(channel)
    except ValueError:
        raise NotFound("there is no such channel") from None
