"""Where a command works: settings, the house (database, clock, jobs), and one workspace of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from clarion import wiring
from clarion.cli import failure, terminal
from clarion.errors import Invalid, NotFound
from clarion.flow.services import Services
from clarion.kit import log
from clarion.kit.db import Connection, Row
from clarion.settings import Settings, settings
from clarion.store import workspace as workspaces
from clarion.wiring import House

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace of a house. `workspace` is its row."""

    house: House
    workspace: Row

    @property
    def services(self) -> Services:
        return self.house.services

    @property
    def id(self) -> UUID:
        identifier: UUID = self.workspace["id"]
        return identifier

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.workspace["timezone"])

    def now(self) -> datetime:
        return self.services.clock.now()

    def tenant(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction of this workspace."""
        return self.services.db.tenant(self.id)


def chosen() -> Settings:
    """The settings. Raises Misconfigured that names each one that is wrong."""
    try:
        return settings()
    except ValidationError as error:
        raise failure.settings_error(error) from None


def run(main: Coroutine[Any, Any, T], *, logs_to_file: bool = True) -> T:
    """Run a command's coroutine; what it logs goes to a file, so that bars and results stay clean."""
    if logs_to_file:
        present = chosen()
        log.configure("json", present.log_level, terminal.log_to(present.state_dir))
    import uvloop

    return uvloop.run(main)


@asynccontextmanager
async def house(present: Settings | None = None) -> AsyncIterator[House]:
    """The house, told on the way: the embedded database may have to start first."""
    async with wiring.house(present or chosen(), progress=slow, name="clarion command") as opened:
        yield opened


@asynccontextmanager
async def opened(workspace: str | None) -> AsyncIterator[Place]:
    """The house and the workspace that was named, or the only one. Raises NotFound, Invalid."""
    async with house() as opened_house:
        yield await within(opened_house, workspace)


async def within(opened_house: House, workspace: str | None) -> Place:
    """A workspace of a house that is open. Raises NotFound, Invalid when it cannot be told which."""
    services = opened_house.services
    async with services.db.system() as connection:
        found = await workspaces.names(connection)
    async with services.db.tenant(_which(found, workspace)) as connection:
        return Place(opened_house, await workspaces.get(connection))


def _which(found: list[Row], named: str | None) -> UUID:
    if not found:
        raise NotFound(
            "there is no workspace yet",
            hint="`clarion workspace create NAME` makes one; `clarion demo` tries all.",
        )
    known = ", ".join(f"{row['name']} ({row['workspace_id']})" for row in found[:10])
    if named is None:
        fitting = found
    else:
        fitting = [row for row in found if named in (str(row["workspace_id"]), row["name"])] or [
            row for row in found if str(row["name"]).casefold() == named.casefold()
        ]
    if not fitting:
        raise NotFound("there is no such workspace", where="--workspace", hint=f"There are: {known}.")
    if len(fitting) > 1:
        raise Invalid(
            "there are several workspaces" if named is None else "several workspaces have this name",
            where="--workspace",
            hint=f"Say which by name or id, or set CLARION_WORKSPACE. There are: {known}.",
        )
    identifier: UUID = fitting[0]["workspace_id"]
    return identifier


def slow(words: str) -> None:
    """What the embedded database says while it starts is news only where somebody waits for it."""
    if words not in _QUICK:
        terminal.say(words)


_QUICK = ("starting the database",)
