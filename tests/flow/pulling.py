"""Cases that are pulled from CommCare: a workspace that knows a project, and the project there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clarion.domain.source import COMMCARE
from clarion.flow import source as flow
from clarion.flow.bring.commcare import Listeners, pull_cases
from clarion.flow.services import Services
from clarion.kit.db import Row
from clarion.store import case
from clarion.store import source as sources
from tests.sandbox.commcare import DOMAIN, KEY, USERNAME, Project

NAME = "selam"


@dataclass
class Known:
    """A workspace that knows a project as `selam`."""

    services: Services
    workspace: UUID
    project: Project

    async def pull(self, listeners: Listeners | None = None, **how: Any) -> Row:
        return await pull_cases(self.services, self.workspace, NAME, listeners, **how)

    async def source(self) -> Row:
        async with self.services.db.tenant(self.workspace) as connection:
            return await sources.named(connection, NAME)

    async def change(self, **what: Any) -> None:
        async with self.services.db.tenant(self.workspace) as connection:
            await flow.change(connection, self.services, self.workspace, NAME, **what)

    async def cases(self) -> dict[str, Row]:
        """All that are here, by external id."""
        async with self.services.db.tenant(self.workspace) as connection:
            found = await case.page(connection, case.Wanted(), limit=1_000)
        return {one["external_id"]: one for one in found}


def settings(there: Project, **more: Any) -> dict[str, Any]:
    return {"base_url": there.sandbox.url, "project": DOMAIN, "username": USERNAME, **more}


async def known(services: Services, workspace: UUID, project: Project, **more: Any) -> Known:
    async with services.db.tenant(workspace) as connection:
        await flow.create(
            connection, services, workspace, name=NAME, kind=COMMCARE, settings=settings(project, **more),
            secret=KEY,
        )  # fmt: skip
    return Known(services, workspace, project)


def became(row: Row) -> tuple[int, int, int, int]:
    counts = row["counts"]
    return counts["created"], counts["updated"], counts["unchanged"], counts["refused"]
