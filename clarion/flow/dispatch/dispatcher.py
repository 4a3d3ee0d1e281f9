"""The dispatch of one process: takes accounts, sends for their channels, beats, gives them up in order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from clarion import __version__
from clarion.errors import ClarionError
from clarion.flow.compose import Composer
from clarion.flow.dispatch import account, deaths
from clarion.flow.dispatch.beyond import Beyonder
from clarion.flow.dispatch.ownership import Watch
from clarion.flow.dispatch.recover import recover
from clarion.flow.dispatch.settler import Settler
from clarion.flow.dispatch.shared import Ear, Shared, deaf
from clarion.flow.dispatch.tree import Tree
from clarion.flow.services import Services
from clarion.kit import process
from clarion.kit.clock import ClockGuard
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY, Connection
from clarion.kit.flight import FlightRecorder
from clarion.kit.http import Http
from clarion.kit.ids import uuid7
from clarion.kit.log import logger
from clarion.providers import registry
from clarion.store import health, owner
from clarion.store import worker as workers
from clarion.store.owner import Holding
from clarion.store.worker import Worker

IDLE = 60.0  # an account with nothing to send is given up after this many seconds
CLOCK_EVERY = 5.0
SETTLED_WITHIN = 5.0  # after its calls ended, a desk waits this long for their verdicts to be durable
log = logger(__name__)


@dataclass(slots=True)
class Dispatcher:
    """Run it until `stop`; then it drains within the settings' `drain` and gives its accounts up."""

    services: Services
    http: Http
    ear: Ear = deaf
    worker_id: UUID = field(init=False)
    held: dict[UUID, Tree] = field(default_factory=dict)
    suspicion: str | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _watch: Watch = field(init=False)
    _guard: ClockGuard = field(init=False)
    _shared: Shared = field(init=False)
    _beyonder: Beyonder = field(init=False)
    _clock_due: float = 0.0
    _dead: set[UUID] = field(default_factory=set)
    _alive: int = 1
    _board: list[Holding] = field(default_factory=list)
    _crew_due: float = 0.0

    def __post_init__(self) -> None:
        services = self.services
        self.worker_id = uuid7(services.clock.now())
        self._watch = Watch(services.settings.lease)
        self._guard = ClockGuard(services.clock, services.settings.clock_tolerance)
        self._beyonder = Beyonder(services)

    def stop(self) -> None:
        """Begin no further call; end when those under way have ended."""
        self._stop.set()
        self._woken.set()
        for tree in self.held.values():
            tree.stop()

    def wake(self) -> None:
        """Something new is due: look at once."""
        self._woken.set()
        for tree in self.held.values():
            tree.wake()

    def freed(self, word: str) -> None:
        """What a channel holds may be over: its identifier, and how many came in (`flow.services.Nudge`)."""
        for tree in self.held.values():
            tree.nudge(*word.split())

    async def run(self) -> None:
        """Until stopped. Raises only what a supervisor should restart the process for."""
        services, settings = self.services, self.services.settings
        path = settings.state_dir.absolute() / "flight" / f"{self.worker_id.hex}.flight"
        recorder = FlightRecorder(path, settings.max_in_flight * 4)
        settler = Settler(services.db, services.clock, services.listening, services.nudge)
        self._shared = Shared(
            services.db, services.clock, self.worker_id, recorder, settler, Composer(services),
            settings.max_in_flight, self._beyonder.put, services.metrics, settings.clock_tolerance,
            services.listening, self.ear,
        )  # fmt: skip
        settling = asyncio.create_task(settler.run())
        beyond = asyncio.create_task(self._beyonder.run())
        try:
            await self._enter(path)
            while not self._stop.is_set():
                await self._tick()
                if settling.done():
                    settling.result()
                with suppress(TimeoutError):  # whoever owns nothing looks less often: what begins wakes it
                    await asyncio.wait_for(self._woken.wait(), settings.poll * (1 if self.held else 2))
                self._woken.clear()
        finally:
            await self._leave(settler, settling, beyond, recorder)

    async def _enter(self, path: Path) -> None:
        host, pid, boot, born = process.me()
        now = self.services.clock.now()
        me = Worker(self.worker_id, host, pid, boot, born, str(path), __version__, now, now, None, {})
        while not self._stop.is_set():
            try:
                async with self.services.db.system() as connection:
                    await workers.enter(connection, me)
                return
            except AWAY as error:
                log.warning("a worker waits for the database", error=type(error).__name__)
                await asyncio.sleep(1.0)

    # --- one look at the board

    async def _tick(self) -> None:
        try:
            await self._check_clock()
            await self._beat()
            await self._share_out()
        except AWAY as error:
            log.warning("the database is away", error=type(error).__name__)
            await asyncio.sleep(0.5)

    async def _check_clock(self) -> None:
        ticks = self.services.clock.monotonic()
        database_now = None
        if ticks >= self._clock_due:
            async with self.services.db.glance() as connection:
                database_now = await health.database_clock(connection)
            self._clock_due = ticks + CLOCK_EVERY
        suspicion = self._guard.suspicion(database_now)
        if suspicion and suspicion != self.suspicion:
            log.error("the clock is suspect; nothing is sent", why=suspicion)
        self.suspicion = suspicion
        self.services.metrics.clock_suspect.set(suspicion is not None)
        if suspicion and database_now is None:
            self._clock_due = 0.0

    async def _beat(self) -> None:
        """Tell that we live; a tree whose beat fails owns its account no longer."""
        services = self.services
        for account_id, tree in list(self.held.items()):
            began = services.clock.monotonic()
            async with services.db.tenant(tree.workspace_id) as connection:
                now = services.clock.now()
                told = tree.settled_through(now), tree.sights(now), tree.asks_until(now)
                ours = await owner.beat(connection, account_id, self.worker_id, tree.epoch, *told)
                news = tree.news(now) if ours else []
                for channel, health in news:
                    await self._beyonder.tell_health(connection, channel, health)
                crash_point("beat.before_commit")
            crash_point("beat.committed")
            for _, health in news:
                health.was_told()
            if ours and self.suspicion is None:
                # Others wait for a lease after they see this beat; we stop well before.
                tree.extend(began + services.settings.lease * 0.6)
            if not ours or tree.failed:
                self._give_up(tree, ours=ours)
        await self._meet_crew()

    async def _meet_crew(self) -> None:
        """A few times a lease: say that we live, and look who else does."""
        services, ticks = self.services, self.services.clock.monotonic()
        if ticks < self._crew_due:
            return
        async with services.db.system() as connection:
            channels = sum(len(tree.working) for tree in self.held.values())
            in_flight = sum(tree.in_flight for tree in self.held.values())
            state = {"channels": channels, "in_flight": in_flight, "suspicion": self.suspicion}
            await workers.see(connection, self.worker_id, services.clock.now(), state)
            await self._learn(connection)
        self._crew_due = ticks + services.settings.lease / 4

    async def _share_out(self) -> None:
        """Take what is free, up to our share; give up what is idle, paused or above it."""
        services = self.services
        ticks = services.clock.monotonic()
        async with services.db.glance() as connection:
            self._board = board = await owner.board(connection, services.clock.now(), registry.heard())
        self._watch.look(board, ticks)
        share = self._watch.share(board, self._alive)
        staying = [tree for tree in self.held.values() if tree.leaving is None]
        for tree in staying:
            idle = ticks - tree.idle_since > IDLE and not tree.busy
            if idle or not await self._unchanged(tree):
                self._give_up(tree, ours=True)
        if len(staying) > share:
            self._give_up(staying[-1], ours=True)
        if self.suspicion is not None:
            return
        for holding in self._watch.free(board, ticks, self._dead.__contains__):
            orphan = holding.worker_id is not None
            if holding.channel_id not in self.held and (len(self.held) < share or orphan):
                await self._take(holding)

    async def _learn(self, connection: Connection) -> None:
        """Which of the other workers are certainly dead, and how many live; by the last board read."""
        recent = timedelta(seconds=self.services.settings.lease * 2)
        lately = await workers.lately(connection, self.services.clock.now() - recent)
        known = {worker.id: worker for worker in lately}
        silent = {h.worker_id for h in self._board if h.worker_id is not None} - known.keys()
        if silent:
            known |= await workers.some(connection, list(silent))
        self._dead = set(await deaths.ended(connection, known.values(), self.services.clock.now()))
        self._alive = sum(1 for worker in lately if worker.id not in self._dead)

    async def _unchanged(self, tree: Tree) -> bool:
        """Whether the tree may go on with its account as that is now."""
        members = await account.siblings(self.services, tree.workspace_id, tree.account_id)
        goes_on = await tree.adopt(members)
        await self._tell_broken(tree.workspace_id, members.broken + tree.broken)
        tree.broken.clear()
        return goes_on

    async def _tell_broken(self, workspace_id: UUID, broken: list[tuple[UUID, ClarionError]]) -> None:
        for channel_id, error in broken:
            await self._beyonder.misconfigured(workspace_id, channel_id, error)

    async def _take(self, holding: Holding) -> None:
        services = self.services
        members = await account.siblings(services, holding.workspace_id, holding.channel_id)
        await self._tell_broken(holding.workspace_id, members.broken)
        if not members.active:
            return
        began = services.clock.monotonic()
        async with services.db.tenant(holding.workspace_id) as connection:
            taken = await owner.take(connection, holding, self.worker_id, services.clock.now())
            crash_point("take.before_commit")
        crash_point("take.committed")
        if taken is None:
            return
        if holding.worker_id is not None:
            for channel in members.active:
                services.metrics.takeovers.labels(str(channel.id)).inc()
        epoch, settled_through = taken
        await recover(services, holding.workspace_id, members.ids, epoch, settled_through)
        until = began + services.settings.lease * 0.6
        tree = self.held[holding.channel_id] = Tree.open(self._shared, self.http, members, epoch, until)
        await self._tell_broken(holding.workspace_id, tree.broken)
        tree.broken.clear()
        log.info("took an account", account=str(holding.channel_id), epoch=epoch, channels=len(tree.working))

    def _give_up(self, tree: Tree, *, ours: bool) -> asyncio.Task[None]:
        """Stop a tree and release its account when its calls have ended; the others go on meanwhile."""
        tree.stop()
        if tree.leaving is None:
            tree.leaving = asyncio.create_task(self._release(tree, ours))
        return tree.leaving

    async def _release(self, tree: Tree, ours: bool) -> None:
        try:
            ended = await tree.end(self.services.settings.drain if ours else 0.0, SETTLED_WITHIN)
            if ours and ended:
                async with self.services.db.tenant(tree.workspace_id) as connection:
                    asks = tree.asks_until(self.services.clock.now())
                    await owner.release(connection, tree.account_id, self.worker_id, tree.epoch, asks)
                    crash_point("release.before_commit")
                crash_point("release.committed")
        except AWAY as error:  # its beat stops here, so another worker takes it over after a lease
            log.warning("an account could not be released", error=type(error).__name__)
        finally:
            self.held.pop(tree.account_id, None)
            tree.forget()

    async def _leave(
        self, settler: Settler, settling: asyncio.Task[None], beyond: asyncio.Task[None],
        recorder: FlightRecorder,
    ) -> None:  # fmt: skip
        """Drain: calls under way end or become unknown, everything known is written, channels are free."""
        try:
            async with asyncio.timeout(self.services.settings.drain + 2 * SETTLED_WITHIN):
                leaving = [self._give_up(tree, ours=True) for tree in self.held.values()]
                await asyncio.gather(*leaving, return_exceptions=True)
                settler.close()
                await settling
                async with self.services.db.system() as connection:
                    await workers.leave(connection, self.worker_id, self.services.clock.now())
            recorder.close(remove=True)
        except (TimeoutError, *AWAY) as error:
            log.error("left without settling everything; the next owner will", error=type(error).__name__)
            recorder.close(remove=False)
        finally:
            settling.cancel()
            beyond.cancel()
