"""What other systems post: each record is a case, as the source's mapping reads it. There is no key; who
posts proves who they are as the source says.

Answered once it is durable. So a system that gets its 200 may forget it, and one that gets none may post it
again: what is known already changes nothing.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request

from clarion.api import problems
from clarion.api.auth import services_of
from clarion.api.case_shapes import CasesAnswer, told
from clarion.domain.source import NAME
from clarion.errors import NotFound
from clarion.flow.inbound import HOME, take

router = APIRouter(prefix=HOME, tags=["inbound"])

Workspace = Annotated[
    str,
    Path(description="the workspace's identifier", examples=["0199c0de-0000-7000-8000-000000000001"]),
]
Source = Annotated[str, Path(description="the source's name", examples=["hmis"])]


@router.post(
    "/{workspace}/{source}",
    summary="Take what another system posts",
    responses={**problems.responses(401, 404, 413, 422, 503)},
    openapi_extra={
        "requestBody": {
            "content": {"application/json": {"schema": {}}},
            "description": "JSON in the system's own shape; the source's mapping reads it",
        }
    },
)
async def receive(workspace: Workspace, source: Source, request: Request) -> CasesAnswer:
    """One record, or a list of up to 10,000, in one transaction; one that is refused stops no other. A word
    that was written before what is known is stale. Where not one record can be taken the answer is 422, and
    nothing is kept."""
    body = await request.body()
    home = _identifier(workspace, source)
    return told(await take(services_of(request), home, source, request.headers, body))


def _identifier(workspace: str, source: str) -> UUID:
    """The workspace's, where there may be such a source. Raises NotFound."""
    home: UUID | None = None
    with suppress(ValueError):
        home = UUID(workspace)
    if home is None or not re.fullmatch(NAME, source):
        raise NotFound("there is no such source", where="source")
    return home
