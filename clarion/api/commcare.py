"""What CommCare forwards: each case that is saved there is a case here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request

from clarion.api.auth import needs
from clarion.api.case_shapes import CaseForwarded, forwarded
from clarion.api.edge import Edge
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.flow.forwarded import take

router = new_router("commcare", "Cases of a CommCare project, as it forwards them.")
Writer = Annotated[Edge, needs(Scope.CASES_WRITE)]


@router.post("/cases", summary="Take a case that CommCare forwards", responses=responses(400))
async def receive(request: Request, edge: Writer) -> CaseForwarded:
    """The address of its *Forward Cases*, as JSON. A word that comes twice, or after a newer one, changes
    nothing. A type that is not known is made, with nothing declared."""
    return forwarded(*await take(edge.services, edge.workspace_id, await request.body()))
