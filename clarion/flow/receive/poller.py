"""The poller: providers that call nobody are asked, and what they tell goes into the inbox as calls do.

One worker asks a channel at a time: it takes the channel's watch, asks with no connection held, and writes
what it was told and where the answer ended in one transaction, under its watch's number. Whoever dies or
dawdles in between has told nothing, and the next one asks from the same place.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from clarion.errors import ClarionError, Misconfigured
from clarion.flow.dispatch import account
from clarion.flow.services import Services
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY, Connection
from clarion.kit.http import Http
from clarion.kit.ids import ascending7
from clarion.kit.log import logger
from clarion.providers.abilities import Polling, Reread
from clarion.store import inbox, notice, polling
from clarion.store.inbox import Body
from clarion.store.polling import Watch

AT_ONCE = 20  # channels that one process asks at the same time
LEASE = timedelta(seconds=180)  # of a watch
PATIENCE = 150.0  # seconds for one answer, well within the lease
FIRST_WAIT, LONGEST_WAIT = 10.0, 900.0  # seconds after failures in a row, doubled each time
TELLING = 5  # failures in a row after which an operator is told
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """A sender, for as long as its channel stays as it is: it remembers what it told."""

    modified_at: datetime
    sender: Polling


class Poller:
    """One a process."""

    def __init__(self, services: Services, http: Http) -> None:
        self._services, self._http = services, http
        self._known: dict[UUID, _Known] = {}
        self.asking: dict[UUID, asyncio.Task[None]] = {}  # by channel

    async def round(self) -> int:
        """Begin to ask the channels that are due, as far as there are places; how many. A slow one keeps no
        other waiting."""
        places = AT_ONCE - len(self.asking)
        if places <= 0:
            return 0
        async with self._services.db.glance() as connection:
            due = await polling.due(connection, self._services.clock.now(), places)
        begun = [(workspace, channel) for workspace, channel in due if channel not in self.asking]
        for workspace_id, channel_id in begun:
            self.asking[channel_id] = asyncio.create_task(self._one(workspace_id, channel_id))
        return len(begun)

    async def settled(self) -> None:
        """Until nobody is being asked."""
        while self.asking:
            await asyncio.wait(list(self.asking.values()))

    async def close(self) -> None:
        """Ask nobody any more; what was not written down is told again."""
        for task in list(self.asking.values()):
            task.cancel()
        await asyncio.gather(*self.asking.values(), return_exceptions=True)

    async def _one(self, workspace_id: UUID, channel_id: UUID) -> None:
        try:
            await self.poll(workspace_id, channel_id)
        except AWAY as error:
            log.warning("polling waits for the database", error=type(error).__name__)
        except Exception:
            log.exception("a channel cannot be polled", channel=str(channel_id))
        finally:
            del self.asking[channel_id]

    async def poll(self, workspace_id: UUID, channel_id: UUID) -> Reread | None:
        """Ask one channel, if its watch is to be had; what was told and kept. Raises AWAY's errors."""
        now = self._services.clock.now()
        async with self._services.db.tenant(workspace_id) as connection:
            watch = await polling.claim(connection, channel_id, now, now + LEASE)
        if watch is None:
            return None
        told = await self._ask(workspace_id, channel_id, watch)
        crash_point("poll.asked")
        kept = await self._keep(workspace_id, channel_id, watch, told)
        if kept and told.calls:
            self._services.nudge("inbox")
        return told if kept else None

    async def _ask(self, workspace_id: UUID, channel_id: UUID, watch: Watch) -> Reread:
        try:
            sender = await self._sender(workspace_id, channel_id)
            async with asyncio.timeout(PATIENCE):
                return await sender.poll(watch.cursor)
        except TimeoutError:
            return Reread((), watch.cursor, None, "slow")
        except ClarionError as error:
            return Reread((), watch.cursor, None, error.code)
        except AWAY:
            raise
        except Exception:  # a provider's file that fails is asked again, ever more rarely
            log.exception("a provider could not be asked", channel=str(channel_id))
            return Reread((), watch.cursor, None, "failed")

    async def _sender(self, workspace_id: UUID, channel_id: UUID) -> Polling:
        channel = await account.load(self._services, workspace_id, channel_id)
        known = self._known.get(channel_id)
        if known is None or known.modified_at != channel.modified_at:
            sender = channel.provider.sender(channel.account, self._http)
            if not isinstance(sender, Polling):
                raise Misconfigured("this channel's provider cannot be asked what happened", where="channel")
            known = self._known[channel_id] = _Known(channel.modified_at, sender)
        return known.sender

    async def _keep(self, workspace_id: UUID, channel_id: UUID, watch: Watch, told: Reread) -> bool:
        """Write down what was told and where it ended, or neither; whether it was ours to write."""
        now = self._services.clock.now()
        failures = watch.failures + 1 if told.wait is None else 0
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 20)) if told.wait is None else told.wait
        async with self._services.db.tenant(workspace_id) as connection:
            ours = await polling.end(
                connection, channel_id, watch.watch, cursor=told.cursor, due_at=now + timedelta(seconds=wait),
                failures=failures, problem=told.problem or "",
            )  # fmt: skip
            if not ours:
                log.warning("a watch was taken over; what was told is told again", channel=str(channel_id))
                return False
            if told.calls:
                await inbox.put(connection, _bodies(channel_id, told, now))
            await self._tell(connection, workspace_id, channel_id, watch.failures, failures, told, now)
            crash_point("poll.before_commit")
        crash_point("poll.committed")
        return True

    async def _tell(
        self, connection: Connection, workspace_id: UUID, channel_id: UUID, before: int, failures: int,
        told: Reread, now: datetime,
    ) -> None:  # fmt: skip
        cause = f"channel:{channel_id}:polling"
        if failures == TELLING:
            await notice.put(
                connection, workspace_id, cause=cause, level="warning", now=now,
                text="A channel's provider does not answer what became of messages and what people wrote "
                f"({told.problem or 'no reason'}); it is asked again, ever more rarely.",
            )  # fmt: skip
        elif before >= TELLING and not failures:
            await notice.clear(connection, cause, now)


def _bodies(channel_id: UUID, told: Reread, now: datetime) -> list[Body]:
    return [
        Body(id, channel_id, now, call.body, call.method, call.url.partition("?")[2],
             call.headers.get("content-type", ""))
        for id, call in zip(ascending7(now), told.calls, strict=False)
    ]  # fmt: skip
