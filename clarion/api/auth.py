"""Who may call a route.

    async def create(body: GroupBody, edge: Annotated[Edge, needs(Scope.CONTACTS_WRITE)]) -> Group: ...

`needs(a, b)` asks for a key that covers one of the scopes, `needs()` for any valid key. It gives the
`Edge` of the request. The key comes as `Authorization: Bearer clarion_…`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from clarion.api.edge import Edge
from clarion.domain.scope import Scope
from clarion.flow.access import authenticate
from clarion.flow.services import Services

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    description="A key of one workspace, `clarion_…`; the first comes with the workspace, more by POST /keys",
)


def services_of(request: Request) -> Services:
    """The services that the application was made with."""
    services: Services = request.app.state.services
    return services


def bearer_of(request: Request) -> str | None:
    """The token of the request's Authorization header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def edge_of(request: Request) -> Edge:
    """The request's edge, made once. Raises Unauthorized."""
    present: Edge | None = getattr(request.state, "edge", None)
    if present is not None:
        return present
    services = services_of(request)
    caller = await authenticate(services, bearer_of(request))
    edge = Edge(caller, services, getattr(request.state, "request_id", ""))
    request.state.edge = edge
    request.state.workspace_id = caller.workspace_id
    return edge


def needs(*any_of: Scope) -> Any:
    """A dependency on the caller's scopes; see above."""
    return Security(_checked(any_of), scopes=[scope.value for scope in any_of])


def _checked(any_of: tuple[Scope, ...]) -> Callable[..., Awaitable[Edge]]:
    async def check(
        request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Edge:
        edge = await edge_of(request)
        edge.caller.require(any_of)
        return edge

    return check
