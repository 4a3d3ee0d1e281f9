"""Hand in: a file of people is kept until a worker has read it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from clarion.domain.imports import ImportOptions
from clarion.flow.ingest import start_import
from clarion.flow.services import Services
from clarion.kit.db import Connection


async def hand_in(
    services: Services, workspace_id: UUID, path: Path, *, name: str, options: ImportOptions
) -> UUID:
    """Register a file and ask for the job that reads it; the import's identifier.

    A worker on this machine reads `path`, or any where the folder is shared (see `ingest.ingest`). Raises
    NotFound, Invalid or TooLarge for a file or options that are wrong; then nothing is kept.
    """

    async def ask(connection: Connection, identifier: UUID) -> None:
        arguments = {"workspace": str(workspace_id), "file": str(identifier)}
        await services.defer("ingest", arguments, once=f"ingest:{identifier}", connection=connection)

    return await start_import(
        services.db, services.clock, workspace_id, path, name=name, options=options, ask=ask
    )
