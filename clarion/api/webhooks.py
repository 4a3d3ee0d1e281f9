"""What subscribers are told, for the OpenAPI document (`webhooks`): one entry a type, with its body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from pydantic import BaseModel

from clarion.domain.event import BODIES, FACTS, EventType

_HEADERS = """Signed after Standard Webhooks 1.0.0: verify `webhook-signature` with your secret, and keep
`webhook-id`, which is the same for every try, to know what you have seen. Answer 2xx within 20 seconds;
410 ends the subscription, everything else is tried again."""


def told() -> APIRouter:
    """A router for the application's `webhooks`; nothing is served there."""
    router = APIRouter()
    for kind in EventType:
        router.add_api_route(
            kind.value,
            _receiver(BODIES[kind.family]),
            methods=["POST"],
            name=kind.value,
            operation_id=f"told_{kind.name.lower()}",
            summary=(FACTS[kind.family].__doc__ or "").partition("\n")[0],
            description=_HEADERS,
            tags=["subscriptions"],
            status_code=204,
            response_description="told",
            responses={
                410: {"description": "wants to hear nothing any more: the subscription is paused"},
                "default": {"description": "it is tried again"},
            },
        )
    return router


def _receiver(told: type[BaseModel]) -> Callable[..., Awaitable[None]]:
    async def receive(body: BaseModel) -> None:
        """The receiver's side."""

    receive.__annotations__["body"] = told  # where FastAPI reads what a body is
    return receive
