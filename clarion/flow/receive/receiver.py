"""Reading the inbox: the loop of every worker, and the transaction that turns bodies into ledger.

Bodies are marked as read in the transaction that writes what they say, so a process that dies in
between leaves them waiting, and reading them again comes to the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from clarion.domain.channel import ChannelConfig
from clarion.domain.event import OF_RECEIPTS, EventType
from clarion.flow.dispatch import account as accounts
from clarion.flow.receive import consequences, ending
from clarion.flow.receive.choosing import Choosing
from clarion.flow.receive.consequences import Failure
from clarion.flow.receive.heeding import Heeding
from clarion.flow.receive.reading import Batch
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY, Connection
from clarion.kit.log import logger
from clarion.providers import registry
from clarion.providers.abilities import BothWays
from clarion.providers.contract import Account, Provider
from clarion.store import alias, event, inbound, inbox, receipt
from clarion.store import channel as channels
from clarion.store.alias import Alias
from clarion.store.receipt import Contended

BODIES, BYTES = 1000, 1024 * 1024  # of one transaction; some 2,500 receipts
AT_ONCE = 4000  # receipts of one statement
GATHER = 0.05  # seconds; receipts that come one by one are read together
SLICE = 0.005  # seconds of parsing without a pause
JUST_NOW = timedelta(seconds=5)  # providers tell whole seconds; what an outage kept counts no more
TROUBLED = 30.0  # seconds until a channel is read again whose inbox could not be
log = logger(__name__)


@dataclass(slots=True)
class Drained:
    """What one transaction did: bodies read, receipts in them, messages in, how many of these count against
    the channel's rate now, courtesies that wait for it, messages that waited for what somebody wrote, and
    counts by kind.

    `counts`: accepted, delivered, read, failed (not known before), repeated, stranger (of no attempt of
    ours), unreferenced, waiting (by a name that is nobody's yet), unreadable (bodies), contradicted.
    """

    bodies: int = 0
    receipts: int = 0
    inbound: int = 0
    reckoned: int = 0
    courtesies: int = 0
    woken: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


class Receiver:
    """One a process. Several processes read one inbox without waiting for each other."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._wake = asyncio.Event()
        self._troubled: dict[UUID, float] = {}

    def wake(self) -> None:
        """Something came in: look at once."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Read what comes in until `stop`; a transaction under way is ended first."""
        while not stop.is_set():
            self._wake.clear()  # before the look: what comes in during it is looked at next
            try:
                read = await self.round()
            except (*AWAY, Contended) as error:
                log.warning("receiving waits for the database", error=type(error).__name__)
                read = None
                await _pause(stop, 0.5)
            if read:
                await _pause(stop, GATHER if read < BODIES else 0.0)  # what comes meanwhile is read together
            elif read is not None:
                await self._rest(stop, self._services.settings.poll)

    async def round(self) -> int:
        """Read once from every channel that has something; how many bodies."""
        async with self._services.db.glance() as connection:
            waiting = await inbox.waiting(connection)
        ticks = self._services.clock.monotonic()
        total = 0
        for workspace_id, channel_id in waiting:
            if self._troubled.get(channel_id, 0.0) > ticks:
                continue
            try:
                total += (await self.drain_once(workspace_id, channel_id)).bodies
            except (*AWAY, Contended):
                raise
            except Exception:
                log.exception("a channel's inbox cannot be read", channel=str(channel_id))
                self._troubled[channel_id] = ticks + TROUBLED
        return total

    async def drain_once(self, workspace_id: UUID, channel_id: UUID) -> Drained:
        """Read one batch of a channel's inbox, and draw the consequences.

        A body that cannot be applied is set aside with its problem; the others are not kept by it.
        Raises AWAY's errors and Contended: nothing was read then.
        """
        try:
            drained = await self._transact(workspace_id, channel_id, BODIES)
        except (*AWAY, Contended):
            raise
        except Exception as error:
            log.warning("a batch is read body by body", channel=str(channel_id), error=type(error).__name__)
            drained = await self._one_by_one(workspace_id, channel_id)
        self._count(channel_id, drained)
        if drained.receipts or drained.reckoned:
            self._services.nudge("freed", f"{channel_id} {drained.reckoned}")
        if drained.courtesies or drained.woken:
            self._services.nudge("due")
        if drained.failures:
            async with self._services.db.tenant(workspace_id) as connection:
                now = self._services.clock.now()
                await consequences.halt(connection, workspace_id, channel_id, drained.failures, now)
        return drained

    async def _one_by_one(self, workspace_id: UUID, channel_id: UUID) -> Drained:
        whole = Drained()
        for _ in range(BODIES):
            one = await self._transact(workspace_id, channel_id, 1)
            if one.bodies == 0:
                break
            whole.bodies += one.bodies
            whole.receipts += one.receipts
            whole.inbound += one.inbound
            whole.reckoned += one.reckoned
            whole.courtesies += one.courtesies
            whole.woken += one.woken
            whole.counts += one.counts
            whole.failures += one.failures
        return whole

    async def _transact(self, workspace_id: UUID, channel_id: UUID, limit: int) -> Drained:
        now = self._services.clock.now()
        drained = Drained()
        async with self._services.db.tenant(workspace_id) as connection:
            bodies = await inbox.take(connection, channel_id, limit=limit, most_bytes=BYTES)
            if not bodies:
                return drained
            provider, account = await self._channel(connection, channel_id)
            batch = Batch()
            await self._read(batch, provider, account, bodies, now)
            drained.bodies = len(bodies)
            async with self._careful(connection, batch, drained, alone=limit == 1):
                await self._apply(connection, workspace_id, channel_id, provider, batch, drained, now)
            await inbox.done(connection, batch.read, now)
            crash_point("receive.before_commit")
        crash_point("receive.committed")
        return drained

    async def _read(
        self,
        batch: Batch,
        provider: Provider,
        account: Account,
        bodies: list[inbox.Waiting],
        now: datetime,
    ) -> None:
        """Parse, letting the rest of the process (the dispatch) go on in between."""
        clock = self._services.clock
        until = clock.monotonic() + SLICE
        for body in bodies:
            batch.add(provider, account, body, now)
            if clock.monotonic() > until:
                await asyncio.sleep(0)
                until = clock.monotonic() + SLICE

    @asynccontextmanager
    async def _careful(
        self, connection: Connection, batch: Batch, drained: Drained, *, alone: bool
    ) -> AsyncIterator[None]:
        """A body that is alone and cannot be applied is what is wrong: set aside, with the problem."""
        try:
            async with connection.transaction() if alone else nullcontext():
                yield
        except (*AWAY, Contended):
            raise
        except Exception as error:
            if not alone:
                raise
            log.exception("a body of the inbox cannot be applied")
            batch.read = [(id, f"it cannot be applied: {type(error).__name__}") for id, _ in batch.read]
            drained.receipts, drained.inbound, drained.courtesies, drained.failures = 0, 0, 0, []
            drained.reckoned = drained.woken = 0
            drained.counts = Counter({"unreadable": 1})

    async def _apply(
        self,
        connection: Connection,
        workspace_id: UUID,
        channel_id: UUID,
        provider: Provider,
        batch: Batch,
        drained: Drained,
        now: datetime,
    ) -> None:
        choosing = await Choosing.of(connection, channel_id, provider, batch.inbound)
        if batch.named or batch.unnamed:
            await self._name(connection, channel_id, batch, now)
        drained.counts += batch.counts
        contradicted: list[UUID] = []
        for cohort, said in sorted(batch.said.items()):
            for start in range(0, len(said), AT_ONCE):
                part = said[start : start + AT_ONCE]
                applied = await receipt.apply(connection, cohort, part, now)
                if applied.fresh and self._services.listening.wants(workspace_id, OF_RECEIPTS):
                    told = [(one.attempt_id, one.status) for one in part]
                    await event.of_receipts(connection, cohort, told, now)
                contradicted += applied.contradicted
                drained.receipts += len(part)
                drained.counts.update(applied.fresh)
                drained.counts["stranger"] += applied.strangers
                drained.counts["repeated"] += len(part) - sum(applied.fresh.values()) - applied.strangers
                drained.failures += [
                    Failure(batch.faults[id][0], cohort, batch.faults[id][1])
                    for id in applied.failed
                    if id in batch.faults
                ]
        await consequences.heed_provider(connection, provider.name, drained.failures)
        if contradicted:
            drained.counts["contradicted"] += len(contradicted)
            await consequences.contradiction(connection, workspace_id, channel_id, contradicted, now)
        if batch.inbound:
            words = await Heeding.of(connection, channel_id, provider)
            heard = await inbound.hear(
                connection, channel_id, provider.schemes, words.understood(batch.inbound), now,
                windowed=provider.has_window,
            )  # fmt: skip
            drained.inbound = len(heard)
            drained.woken = await consequences.wake(connection, channel_id, provider, heard, now)
            if isinstance(provider, BothWays):
                drained.reckoned = sum(now - one.at < JUST_NOW for one in heard)
            if self._services.listening.wants(workspace_id, {EventType.INBOUND_RECEIVED}):
                await event.of_inbound(connection, [(one.id, one.at) for one in heard], now)
            drained.courtesies = await words.heed(connection, heard, now)
            drained.courtesies += await choosing.choose(connection, heard, now)
            await ending.end(connection, channel_id, provider, batch.inbound, heard, words)
        await consequences.heed_opt_outs(connection, batch.opt_outs)

    async def _name(self, connection: Connection, channel_id: UUID, batch: Batch, now: datetime) -> None:
        """Whose receipts are that say only what the provider calls the try; before any try is locked."""
        if batch.named:
            heard = [Alias(channel_id, name, id, cohort) for name, (cohort, id) in batch.named.items()]
            await alias.note(connection, heard, now)
        if batch.unnamed:
            told = {name: list({one.body for one in some}) for name, some in batch.unnamed.items()}
            batch.know(await alias.find(connection, channel_id, told, now))

    async def _channel(self, connection: Connection, channel_id: UUID) -> tuple[Provider, Account]:
        """Who told, and the account as it is configured now; reading needs no credentials."""
        found = await channels.get(connection, channel_id)
        provider = registry.get(found["provider"])
        config = ChannelConfig.model_validate(found["config"])
        return provider, accounts.made(self._services, channel_id, provider, config)

    def _count(self, channel_id: UUID, drained: Drained) -> None:
        metrics, channel = self._services.metrics, str(channel_id)
        for status, n in drained.counts.items():
            if n:
                metrics.receipts.labels(channel, status).inc(n)
        if drained.inbound:
            metrics.inbound.labels(channel).inc(drained.inbound)

    async def _rest(self, stop: asyncio.Event, seconds: float) -> None:
        waiting = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
