"""Cases that another system posts at each save: taken as its connector reads them, into types that come with
them."""

from __future__ import annotations

from uuid import UUID

from clarion.connectors.commcare.cases import read_forwarded
from clarion.errors import Problem
from clarion.flow.services import Services
from clarion.store import case_type
from clarion.store.case_intake import Taken


async def take(services: Services, workspace_id: UUID, body: bytes) -> tuple[Taken, tuple[Problem, ...]]:
    """Take a case that CommCare forwards: what became of it, and what of it was left out. A type that there
    is not is made, with nothing declared: its cases must not be lost until somebody declares it. Raises
    Invalid for what is no case."""
    told = read_forwarded(body)
    name = str(told.document["type"])
    async with services.db.tenant(workspace_id) as connection:
        await case_type.ensure(connection, [name], services.clock.now())
    (taken,) = await services.saves.save(
        services.db, services.clock, workspace_id, [told.document], how="commcare"
    )
    services.nudge("cases")
    return taken, told.problems
