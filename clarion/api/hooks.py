"""Providers' calls: receipts and messages from people. A provider signs its calls; there is no key.

A call is checked and stored, and answered once it is durable; workers read it afterwards. So a provider
that gets its 200 may forget the call, and one that gets none calls again. Some report by GET.

`FastLane` takes these calls before the router and its machinery do, which cost more than the check and
the storing together (measured: 150 µs of 230 µs a call). The routes below say the same for the
documentation, and for an application without that lane.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, FastAPI, Path, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from clarion.api import problems
from clarion.errors import NotFound
from clarion.flow.dispatch.account import HOOKS
from clarion.flow.receive import Door
from clarion.providers.contract import Call

router = APIRouter(prefix=HOOKS, tags=["hooks"])

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
            "content": {
                "application/json": {"schema": {}},
                "application/x-www-form-urlencoded": {"schema": {}},
            },
            "description": "as the provider says",
        }
    },
)
async def take(channel: Channel, request: Request) -> Response:
    """Statuses of messages, and messages that people wrote, in the provider's own shape and signature."""
    return _answered(await _take(request.scope, channel, await request.body()))


@router.get(
    "/{channel}",
    summary="Answer the provider's question, or take its report",
    response_class=PlainTextResponse,
    responses=problems.responses(403, 404, 503),
)
async def ask(channel: Channel, request: Request) -> Response:
    """What a provider asks before it accepts this address: it wants its challenge back. Whoever reports by
    GET is stored as durably as by POST, and answered with nothing."""
    return _answered(await _take(request.scope, channel, b""))


class FastLane:
    """Middleware inside `api.shell`, which limits, logs and answers errors for it too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._routes = {method: route for route in router.routes for method in getattr(route, "methods", ())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in self._routes or not _ours(scope["path"]):
            await self.app(scope, receive, send)
            return
        scope["route"] = self._routes[scope["method"]]  # what the log and the metrics call it
        body = await _body(receive)
        if body is None:
            return
        kind, answer = await _take(scope, scope["path"].removeprefix(f"{HOOKS}/"), body)
        if answer:
            await _answered((kind, answer))(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def door_of(app: FastAPI) -> Door:
    """The application's one door: calls share its commits."""
    door: Door | None = getattr(app.state, "door", None)
    if door is None:
        door = app.state.door = Door(app.state.services)
    return door


async def _take(scope: Scope, channel: str, body: bytes) -> tuple[str, str]:
    headers = Headers(scope=scope)
    url = f"{scope['scheme']}://{headers.get('host', '')}{scope['path']}"
    if query := scope["query_string"]:
        url += "?" + query.decode("latin-1")
    return await door_of(scope["app"]).take(_identifier(channel), Call(scope["method"], url, headers, body))


def _answered(answer: tuple[str, str]) -> Response:
    """The challenge, or what the provider reads; nothing, and of no type, where there is none."""
    kind, text = answer
    return Response(text, headers={"Content-Type": kind}) if text else Response()


def _ours(path: str) -> bool:
    return path.startswith(f"{HOOKS}/") and "/" not in path[len(HOOKS) + 1 :]


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the caller has gone."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _identifier(channel: str) -> UUID:
    try:
        return UUID(channel)
    except ValueError:
        raise NotFound("there is no such channel") from None
