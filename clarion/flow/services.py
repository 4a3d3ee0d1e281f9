"""What the verbs work with. `clarion.wiring` makes one for a process and hands it in."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from clarion.errors import Misconfigured
from clarion.flow.saving import Saves
from clarion.flow.tell.listening import Listening
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database, Row
from clarion.kit.metrics import Metrics
from clarion.kit.right_of_way import RightOfWay
from clarion.kit.secrets import SecretBox
from clarion.kit.together import Together
from clarion.settings import Settings


class Defer(Protocol):
    """Asks for a job, as `kit.jobs.defer` does: inside the connection's transaction, so that what was
    written and the job that goes on with it are there together or not at all. Who waits for jobs is no
    concern of a verb, so it is handed in."""

    def __call__(
        self, task: str, arguments: Mapping[str, Any], *, once: str, connection: Connection | None = None
    ) -> Awaitable[bool]: ...


async def nobody(
    task: str, arguments: Mapping[str, Any], *, once: str, connection: Connection | None = None
) -> bool:
    """The `Defer` of a process that hands no jobs on. Raises Misconfigured."""
    raise Misconfigured("this process hands no jobs on", where=task)


class Nudge(Protocol):
    """Tells whoever cares, in this process and in others, to look now rather than at their next look, as
    `kit.nudge.Nudges.send` does. Kinds: `due` (something may be sent), `inbox` (a provider has told
    something), `freed` (what a channel holds may be over; its identifier, and how many messages came in
    that count against its rate), `cases` (cases were written)."""

    def __call__(self, kind: str, rest: str = "") -> None: ...


def unheard(kind: str, rest: str = "") -> None:
    """The `Nudge` of a process that tells nobody."""


@dataclass(frozen=True)
class Services:
    """The parts of a running process. Tests make their own with a moved clock or another database."""

    db: Database
    clock: Clock
    settings: Settings
    box: SecretBox
    metrics: Metrics = field(default_factory=Metrics)
    defer: Defer = nobody
    nudge: Nudge = unheard
    listening: Listening = field(default_factory=Listening)
    saves: Saves = field(default_factory=Saves)
    way: RightOfWay = field(default_factory=RightOfWay)
    logins: Together[tuple[UUID, UUID], None, Row | None] = field(
        default_factory=lambda: Together(apart=0.01)
    )
