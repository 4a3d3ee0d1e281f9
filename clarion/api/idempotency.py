"""The same POST twice is done once: `Idempotency-Key`.

`OnceRoute` is the route class of every router under /api/v1 (`api.routers.new_router`). For a POST it
opens one transaction, lets the endpoint work in it, stores the reply in it and commits: work and reply
are there together or not at all. A process that dies in between leaves nothing but a claim, which the
next request with that key takes over after a minute.

- The reply to a success is kept for 24 hours and given again, with `Idempotency-Replayed: true`.
- The same key with another body, path or API key: 422. While the first request is under way: 409.
- An error changed nothing, so it frees the key: mend the request and send it again, under the same key.
- Replies are stored sealed: that of `POST /keys` holds a secret.
- The body is hashed as it passes, so an upload of any size is compared and never held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from clarion.api.auth import edge_of
from clarion.api.edge import Edge, OneTransaction
from clarion.errors import Conflict, Invalid
from clarion.kit.secrets import binding, same
from clarion.store import idempotency as store

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_LONGEST_KEY = 255
_KEPT_HEADERS = ("content-type", "location", "link")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": _LONGEST_KEY, "pattern": "^[!-~]+$"},
    "description": "A word of the caller's choice, new for each deed: the same request sent again with it "
    "is done once and gets the same reply, for 24 hours.",
    "example": "payday-2026-07-31",
}


class OnceRoute(APIRoute):
    """A route whose POST is one transaction, and done once per Idempotency-Key."""

    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if request.method != "POST":
                return await inner(request)
            edge = await edge_of(request)
            key = _key(request)
            if key is None:
                return await _once(request, edge, inner, None)
            return await _claimed(request, edge, inner, key)

        return handle


class _Tap:
    """Hashes a request's body while somebody else reads it."""

    def __init__(self, request: Request, edge: Edge) -> None:
        self._receive: Receive = request.receive
        self._hash = hashlib.sha256()
        head = (request.method, request.url.path, request.url.query, edge.caller.key_id.hex)
        self._hash.update("\x00".join(head).encode() + b"\x00")
        self._whole = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._hash.update(message.get("body", b""))
            self._whole = not message.get("more_body", False)
        return message

    async def digest(self) -> bytes:
        """The hash of all of it; reads what nobody has read."""
        while not self._whole:
            if (await self.receive())["type"] == "http.disconnect":
                break
        return self._hash.digest()


async def _claimed(request: Request, edge: Edge, inner: Handler, key: str) -> Response:
    async with edge.transaction() as connection:
        found = await store.claim(connection, edge.workspace_id, key, edge.now())
    tap = _Tap(request, edge)
    match found:
        case store.Answered():
            return _again(edge, key, found, await tap.digest())
        case store.UnderWay():
            raise Conflict(
                "the first request with this Idempotency-Key is still under way",
                where=HEADER,
                hint="Ask again in a moment: then its reply is here.",
                extra={"retry_after": 1},
            )
        case store.Claimed():
            return await _working(request, edge, inner, key, found, tap)


async def _working(
    request: Request, edge: Edge, inner: Handler, key: str, claimed: store.Claimed, tap: _Tap
) -> Response:
    finished = False
    try:
        tapped = Request(request.scope, tap.receive)
        response = await _once(tapped, edge, inner, (key, claimed, tap))
        finished = response.status_code < 400
        return response
    finally:
        if not finished:
            async with edge.transaction() as connection:
                await store.release(connection, key, claimed)


async def _once(
    request: Request, edge: Edge, inner: Handler, claim: tuple[str, store.Claimed, _Tap] | None
) -> Response:
    """Run the endpoint in one transaction; a reply that is an error undoes it as an exception does. Whom it
    nudges looks when all of it is there."""
    nudges: list[tuple[str, str]] = []
    try:
        async with AsyncExitStack() as stack:
            one = OneTransaction(edge.services.db, edge.workspace_id, stack)
            request.state.edge = edge.within(
                one, lambda kind, rest="": nudges.append((kind, rest)), kept=claim is not None
            )
            response = await inner(request)
            if response.status_code >= 400:
                raise _Undo(response)
            if claim is not None:
                await _store(edge, one, claim, response)
    except _Undo as undo:
        return undo.response
    for kind, rest in nudges:
        edge.services.nudge(kind, rest)
    return response


async def _store(
    edge: Edge, one: OneTransaction, claim: tuple[str, store.Claimed, _Tap], response: Response
) -> None:
    key, claimed, tap = claim
    if not hasattr(response, "body"):
        raise TypeError("a POST answers with a body that can be stored, not with a stream")
    async with one.tenant(edge.workspace_id) as connection:
        stored = await store.finish(
            connection,
            key,
            claimed,
            request_hash=await tap.digest(),
            status=response.status_code,
            headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
            body=edge.services.box.seal(bytes(response.body), bound_to=_bound(edge.workspace_id, key)),
        )
    if not stored:
        raise Conflict(
            "another request took over this Idempotency-Key, since this one took more than a minute",
            where=HEADER,
            hint="Send it again: the other one's reply is given then.",
        )


def _again(edge: Edge, key: str, found: store.Answered, digest: bytes) -> Response:
    if not same(digest, found.request_hash):
        raise Invalid(
            "this Idempotency-Key was used for another request",
            where=HEADER,
            hint="Use a new key for a new request.",
        )
    body = edge.services.box.open(found.body, bound_to=_bound(edge.workspace_id, key))
    return Response(body, found.status, {**found.headers, REPLAYED: "true"})


def _key(request: Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    key = key.strip().strip('"')  # the draft standard writes it in quotation marks
    if not key or len(key) > _LONGEST_KEY or not all("!" <= character <= "~" for character in key):
        raise Invalid(f"a key is 1 to {_LONGEST_KEY} visible ASCII characters", where=HEADER)
    return key


def _bound(workspace_id: UUID, key: str) -> bytes:
    return binding(f"reply {key}", workspace_id)


class _Undo(Exception):
    """Carries a reply that is an error out of the transaction."""

    def __init__(self, response: Response) -> None:
        self.response = response
