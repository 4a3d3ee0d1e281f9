"""Frees what is over: by evidence, which may reach any machine, and after a long silence by asking.

A receipt is written to the ledger by whoever reads it, and a nudge tells the owner to look; without the
nudge the owner looks every few seconds. A look costs what is outstanding, so it is taken seldom while there
is room for as much again. What has been outstanding for long without a word is asked about
where the provider can be asked, and is outstanding no longer where it cannot: a receipt that never comes
must not hold a place for ever.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from clarion.domain.message import reference
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.broker import Broker, Out
from clarion.flow.dispatch.shared import Shared
from clarion.kit.db import AWAY, fit
from clarion.kit.log import logger
from clarion.providers.contract import Evidence, Found, Sender
from clarion.store import event, receipt, recent
from clarion.store.receipt import Contended, Said

EVERY = 2.0  # seconds between looks without a nudge
CALM = 10.0  # seconds between looks while half of the places are free, and nobody waits for more
AT_ONCE = 10  # questions under way
QUESTIONS = 3  # about one message; then it is outstanding no longer
OVER = frozenset((Evidence.DELIVERED, Evidence.READ, Evidence.FAILED))
log = logger(__name__)


@dataclass(slots=True)
class Collector:
    """Of one owned channel. `freed` is called when there is room again."""

    shared: Shared
    channel: Channel
    sender: Sender
    broker: Broker
    freed: Callable[[], None]
    _nudged: asyncio.Event = field(default_factory=asyncio.Event)
    _over: bool = False
    _looked_at: float = 0.0  # monotonic

    def nudge(self) -> None:
        """Something of this channel's may be over."""
        self._nudged.set()

    def stop(self) -> None:
        """Look no more."""
        self._over = True
        self._nudged.set()

    async def run(self) -> None:
        """Look at every nudge and now and then, until stopped."""
        while not self._over:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), EVERY)
            self._nudged.clear()
            began = self.shared.clock.monotonic()
            if not self.broker.pressed and began - self._looked_at < CALM:
                continue
            self._looked_at = began
            try:
                await self.look()
                # receipts come in by the dozen: the longer a look takes, the more seldom it is taken
                await asyncio.sleep(min(0.25, 10 * (self.shared.clock.monotonic() - began)))
            except (*AWAY, Contended) as error:
                log.warning("what is over cannot be looked up", error=type(error).__name__)

    async def look(self) -> None:
        """Free what the ledger says is over, and ask about what has been silent for long."""
        if not self.broker.out:
            return
        attempts: dict[date, list[UUID]] = defaultdict(list)
        for attempt_id, out in self.broker.out.items():
            attempts[out.cohort].append(attempt_id)
        async with self.shared.db.tenant(self.channel.workspace_id) as connection:
            ended = await recent.over(connection, attempts)
        self._free(ended)
        if silent := self._silent():
            await self._ask(silent)

    def _silent(self) -> list[UUID]:
        oldest = self.shared.clock.monotonic() - self.channel.config.collect_after
        return [id for id, out in self.broker.out.items() if out.asked_at <= oldest]

    async def _ask(self, silent: list[UUID]) -> None:
        """A few at a time; what the provider still has, or could not say, is asked about again later."""
        if not self.channel.can_look_up:
            log.warning("no word came of some messages; they are outstanding no longer", count=len(silent))
            self._free(silent)
            return
        for start in range(0, len(silent), AT_ONCE):
            some = {id: out for id in silent[start : start + AT_ONCE] if (out := self.broker.out.get(id))}
            told = await asyncio.gather(
                *(self.sender.look_up(reference(out.cohort, id)) for id, out in some.items())
            )
            found = dict(zip(some, told, strict=True))
            await self._believe(found)
            self._free([id for id, one in found.items() if one is not None and _over(one)])
            self._give_up(some)

    def _give_up(self, some: dict[UUID, Out]) -> None:
        """What the provider has had for long, whatever it says of it, holds its place no longer: there are
        some that never tell the end."""
        now = self.shared.clock.monotonic()
        for out in some.values():
            out.asked_at = now
        patience = QUESTIONS * self.channel.config.collect_after
        self._free([id for id, out in some.items() if now - out.left_at >= patience])

    async def _believe(self, found: dict[UUID, Found | None]) -> None:
        """What the provider says is evidence as good as a receipt."""
        now = self.shared.clock.now()
        said: dict[date, list[Said]] = defaultdict(list)
        for attempt_id, one in found.items():
            if one is not None and one.evidence is not None and one.evidence in OVER:
                cohort = self.broker.out[attempt_id].cohort
                name = one.provider_id and fit(one.provider_id)
                said[cohort].append(Said(attempt_id, one.evidence.value, now, None, name))
        async with self.shared.db.tenant(self.channel.workspace_id) as connection:
            for cohort, some in sorted(said.items()):
                await receipt.apply(connection, cohort, some, now)
                await event.of_receipts(connection, cohort, [(s.attempt_id, s.status) for s in some], now)

    def _free(self, attempt_ids: list[UUID]) -> None:
        if self.broker.freed(attempt_ids):
            self.freed()


def _over(found: Found) -> bool:
    """Whether the provider is busy with it no longer: it has ended, or there is nothing of it."""
    return not found.known or found.evidence in OVER
