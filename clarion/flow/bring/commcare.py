"""Cases are pulled from CommCare: what was indexed there since the last time, page by page.

Each page is one transaction together with the place where the next begins, so that a pull that was killed
goes on where it stood. A page that comes twice, or beside what is forwarded, changes nothing: each case says
when it was saved, and an older word than what is known is stale.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from clarion.connectors.commcare.client import LARGEST_PAGE, Account, Client
from clarion.connectors.commcare.reading import Batch, Wanted, batches, place
from clarion.domain.case import type_name
from clarion.domain.source import COMMCARE, CommCare
from clarion.errors import ClarionError, Conflict, Invalid, NotFound
from clarion.flow.cases import upsert_within
from clarion.flow.services import Services
from clarion.flow.source import secret_of
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY, Row
from clarion.kit.http import Http
from clarion.kit.log import logger
from clarion.store import case_type, pull
from clarion.store import source as sources
from clarion.store.case_intake import Taken
from clarion.store.pull import Stopped

LOOK = 2.0  # seconds between two looks, in a wait, whether somebody has stopped it
log = logger(__name__)


@dataclass(slots=True)
class Pulled:
    """What became of the cases that were told of. `refused` could not be taken, `left_out` are parts of
    others. `left`: how many there were still to come, these of the last page among them."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    refused: int = 0
    left_out: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something of one case that could not be taken; `refused`: all of it."""

    case_id: str
    where: str
    why: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told on the way: of each stored page, of each trouble, and of each wait in seconds."""

    progress: Callable[[Pulled], None] = lambda pulled: None
    trouble: Callable[[Trouble], None] = lambda trouble: None
    waiting: Callable[[float], None] = lambda seconds: None


async def pull_cases(
    services: Services, workspace_id: UUID, name: str, listeners: Listeners | None = None, *,
    anew: bool = False, asked: bool = False,
) -> Row:  # fmt: skip
    """Pull what changed in CommCare since the last time, from where the last pull stands; with `anew`
    everything. The source as it is then (`store.source.named`): done, or stopped by somebody.

    With `asked` nothing is done unless it was asked for (`flow.source.ask_to_pull`). Again, it changes
    nothing. Raises NotFound, Conflict (somebody else is at it), Misconfigured, Invalid, Unavailable; but for
    the first two the source tells of it.
    """
    async with services.db.tenant(workspace_id) as connection:
        found = await sources.with_secret(connection, name, COMMCARE)
        if found is None:
            raise NotFound("there is no such source of CommCare", where="source")
        begun = await pull.begin(connection, found["id"], services.clock.now(), anew=anew, asked=asked)
    if begun is not None:
        await _Pull(services, workspace_id, found, listeners or Listeners(), watched=not asked).run(begun)
    async with services.db.tenant(workspace_id) as connection:
        return await sources.named(connection, name)


async def pull_as_asked(services: Services, workspace_id: UUID, source_id: UUID) -> None:
    """What the job does. What stands in its way is told by the source, and no reason to do it again."""
    async with services.db.tenant(workspace_id) as connection:
        names = {one["id"]: one["name"] for one in await sources.several(connection, COMMCARE)}
    if source_id in names:
        try:
            await pull_cases(services, workspace_id, names[source_id], asked=True)
        except ClarionError as error:
            log.warning("cases were not pulled to the end", code=error.code)


@dataclass
class _Pull:
    services: Services
    workspace_id: UUID
    source: Row
    listeners: Listeners
    watched: bool  # by somebody at a terminal
    settings: CommCare = field(init=False)
    pulled: Pulled = field(default_factory=Pulled)

    def __post_init__(self) -> None:
        self.settings = CommCare.model_validate(self.source["settings"])

    async def run(self, begun: Row) -> None:
        """To the end of the list. Raises what pull_cases does."""
        try:
            self.pulled = Pulled(**begun["counts"])
            await self._pages(begun["place"])
            await self._finish("done")
        except Stopped:
            return
        except (*AWAY, Conflict):
            raise
        except asyncio.CancelledError:
            if self.watched:  # a job that is cut off goes on in the next worker
                await self._finish("stopped")
            raise
        except ClarionError as wrong:
            await self._finish("failed", str(wrong))
            raise
        except Exception as fault:  # of ours: it must not seem to go on
            log.exception("a pull failed")
            await self._finish("failed", f"a fault of Clarion's ({type(fault).__name__}); the log says more")
            raise

    async def _pages(self, kept: dict[str, Any]) -> None:
        private = self.services.settings.allow_private_addresses
        wanted = Wanted(self.settings.types, self.settings.page)
        async with Http(connections=2, allow_private=private, largest=LARGEST_PAGE) as http:
            client = Client(http, self._account(), sleep=self._sleep, waiting=self.listeners.waiting)
            async for batch in batches(client, wanted, place(kept)):
                await self._store(batch, kept)
                kept = batch.place.kept()
                self.listeners.progress(self.pulled)

    def _account(self) -> Account:
        settings = self.settings
        key = secret_of(self.services, self.workspace_id, self.source)
        return Account(settings.base_url, settings.project, settings.username, key)

    async def _store(self, batch: Batch, stands: dict[str, Any]) -> None:
        """A page, and where the next begins, together."""
        services = self.services
        documents = [told.document for told in batch.cases]
        async with services.db.tenant(self.workspace_id) as connection:
            now = services.clock.now()
            await pull.hold(connection, self.source["id"], stands)
            await case_type.ensure(connection, _types(documents), now)
            taken = await upsert_within(connection, services.clock, documents, "commcare", "")
            troubles = list(_troubles(batch, taken))
            after = self._counted(batch, taken, troubles)
            told = [{"case": one.case_id, "where": one.where, "why": one.why} for one in troubles]
            kept = batch.place.kept()
            await pull.advance(connection, self.source["id"], kept, asdict(after), told, now)
            crash_point("pull.before_commit")
        crash_point("pull.committed")
        self.pulled = after
        services.nudge("cases")
        for trouble in troubles:
            self.listeners.trouble(trouble)

    def _counted(self, batch: Batch, taken: list[Taken], troubles: list[Trouble]) -> Pulled:
        after = Pulled(**asdict(self.pulled))
        after.read += len(batch.cases) + len(batch.unread)
        after.refused += len(batch.unread)
        after.left_out += sum(not one.refused for one in troubles)
        after.left = batch.left
        for one in taken:
            setattr(after, one.outcome.value, getattr(after, one.outcome.value) + 1)
        return after

    async def _sleep(self, seconds: float) -> None:
        """As long as CommCare asks for, unless somebody stops it. Raises Stopped."""
        until = self.services.clock.now() + timedelta(seconds=seconds)
        async with self.services.db.tenant(self.workspace_id) as connection:
            await pull.waits(connection, self.source["id"], until)
        while seconds > 0:
            step = min(LOOK, seconds)
            await asyncio.sleep(step)
            seconds -= step
            async with self.services.db.tenant(self.workspace_id) as connection:
                if not await pull.running(connection, self.source["id"]):
                    raise Stopped

    async def _finish(self, state: str, error: str = "") -> None:
        async with self.services.db.tenant(self.workspace_id) as connection:
            await pull.finish(connection, self.source["id"], state, self.services.clock.now(), error)


def _types(documents: Iterable[dict[str, Any]]) -> list[str]:
    """Those that can be made; a case of another is refused by itself."""
    found = []
    for name in {one["type"] for one in documents}:
        try:
            found.append(type_name(name))
        except Invalid:
            continue
    return found


def _troubles(batch: Batch, taken: list[Taken]) -> Iterator[Trouble]:
    for unread in batch.unread:
        yield Trouble(unread.case_id, unread.why.where, unread.why.what, refused=True)
    for told, one in zip(batch.cases, taken, strict=True):
        case_id = str(told.document["external_id"])
        for problem in told.problems:
            yield Trouble(case_id, problem.where, problem.what)
        for finding in one.findings:
            yield Trouble(case_id, finding.field, finding.reason, finding.severity == "refused")
