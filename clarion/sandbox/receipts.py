"""Receipts and inbound messages: what a provider posts to the callback address, when, and how often.

Statuses wait in a heap until their moment, are gathered for `batch_within` seconds and posted many to a
request, each number's on at most `concurrency` connections at once. A receiver that does not answer 2xx is
tried again with back-off, a bounded number of times.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clarion.sandbox.dialect import Dialect, Pushing, Told, Webhook
from clarion.sandbox.faults import Fault
from clarion.sandbox.receipt_plan import plan
from clarion.sandbox.record import ACCEPTED
from clarion.sandbox.world import Inbound, Number, World

if TYPE_CHECKING:
    import aiohttp


@dataclass(slots=True)
class Tally:
    """How the webhooks went."""

    posts: int = 0
    statuses: int = 0
    inbound: int = 0
    refused_posts: int = 0
    given_up: int = 0


class Outbox:
    """What waits for one number's callback."""

    def __init__(self) -> None:
        self.waiting: deque[Told | Inbound] = deque()
        self.posting = 0


class Receipts:
    """Schedules and posts for one world."""

    def __init__(self, world: World, dialects: Mapping[str, Dialect]) -> None:
        self._world = world
        self._dialects = dialects
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, int, str, Told]] = []
        self._sequence = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._outboxes: dict[str, Outbox] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._early = 0  # posts that go before the answers to their calls
        self._session: aiohttp.ClientSession | None = None
        self.tally = Tally()

    @property
    def pending(self) -> int:
        """Statuses and inbound messages that are not settled yet (posted, or given up)."""
        return (
            len(self._heap)
            + sum(len(box.waiting) for box in self._outboxes.values())
            + len(self._tasks)
            + self._early
        )

    def expect(self, number: Number, row: int, fault: Fault | None) -> Coroutine[Any, Any, None] | None:
        """Schedule an accepted message's receipts.

        Gives what must be awaited before the caller is answered, when receipts come early.
        """
        listened = self.listened(number) or row in self._world.callbacks
        early, planned = plan(self._world, row, fault, listened=listened)
        if early:
            self._early += 1
            return self._post_early(number, early, planned)
        self._schedule(number, planned)
        return None

    def tell(self, number: Number, told: Told, times: int = 1) -> None:
        """Post this status as soon as may be, so many times."""
        for _ in range(times):
            self._push(0.0, number, told)
        self._arm()

    def listened(self, number: Number) -> bool:
        """Whether there is somebody to tell of this number's messages."""
        return number.callback_url is not None or isinstance(self._dialects[number.provider], Pushing)

    def hear(self, number: Number, message: Inbound) -> None:
        """Post a message that a person wrote."""
        self._outbox(number.id).waiting.append(message)
        self._start(number.id)

    def reset(self) -> None:
        """Forget all that has not been posted."""
        self._heap.clear()
        self._outboxes.clear()
        for task in self._tasks:
            task.cancel()
        self.tally = Tally()

    async def close(self) -> None:
        self.reset()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, timeout: float) -> tuple[int, str]:
        """A GET to a callback address: the status and the body. Raises OSError or TimeoutError."""
        import aiohttp

        session = await self._open()
        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with session.get(url, allow_redirects=False, timeout=limit) as reply:
                return reply.status, await reply.text(errors="replace")
        except aiohttp.ClientError as error:
            raise OSError(str(error)) from error

    # --- posting at the right moment

    def _schedule(self, number: Number, planned: list[tuple[float, Told]]) -> None:
        for delay, told in planned:
            self._push(delay, number, told)
        if planned:
            self._arm()

    def _push(self, delay: float, number: Number, told: Told) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (self._loop.time() + delay, self._sequence, number.id, told))

    def _arm(self) -> None:
        """Wake when something is due, but gather for a moment first."""
        if not self._heap:
            return
        due = self._heap[0][0] + self._world.config.receipts.batch_within
        if self._timer is not None:
            if due >= self._due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(max(0.0, due - self._loop.time()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self._loop.time()
        touched: set[str] = set()
        while self._heap and self._heap[0][0] <= now:
            _, _, number_id, told = heapq.heappop(self._heap)
            self._world.record.tell(told.row, told.status)
            self._outbox(number_id).waiting.append(told)
            touched.add(number_id)
        for number_id in touched:
            self._start(number_id)
        self._arm()

    # --- posting

    def _outbox(self, number_id: str) -> Outbox:
        return self._outboxes.setdefault(number_id, Outbox())

    def _start(self, number_id: str) -> None:
        box = self._outbox(number_id)
        number = self._world.number(number_id)  # as the settings are now, not as when this was planned
        if number is None or not (self.listened(number) or self._world.callbacks):
            box.waiting.clear()
            return
        while box.waiting and box.posting < self._world.config.receipts.concurrency:
            task = self._loop.create_task(self._drain(number, box))
            box.posting += 1
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _drain(self, number: Number, box: Outbox) -> None:
        try:
            while box.waiting:
                await self._post(number, self._batch(number, box))
        finally:
            box.posting -= 1

    def _batch(self, number: Number, box: Outbox) -> list[Told | Inbound]:
        """The next of one kind, in order: statuses and people's messages are never in one request."""
        batches = self._dialects[number.provider].batches
        size = self._world.config.receipts.batch_size if batches else 1
        batch = [box.waiting.popleft()]
        while box.waiting and len(batch) < size and type(box.waiting[0]) is type(batch[0]):
            batch.append(box.waiting.popleft())
        return batch

    async def _post_early(self, number: Number, told: list[Told], planned: list[tuple[float, Told]]) -> None:
        """Post before the caller is answered: tried once, then left to the outbox. The others follow."""
        try:
            batches = self._dialects[number.provider].batches
            for part in [told] if batches else [[one] for one in told]:
                if not await self._try(number, part):
                    self._outbox(number.id).waiting.extend(part)
                    self._start(number.id)
            self._schedule(number, planned)
        finally:
            self._early -= 1

    async def _post(self, number: Number, batch: Sequence[Told | Inbound]) -> None:
        """Post one batch until it is taken or the tries are used up."""
        settings = self._world.config.receipts
        for attempt in range(settings.retries + 1):
            if attempt:
                await asyncio.sleep(min(settings.backoff * 2 ** (attempt - 1), settings.backoff_cap))
            if await self._try(number, batch):
                return
        self.tally.given_up += len(batch)

    async def _try(self, number: Number, batch: Sequence[Told | Inbound]) -> bool:
        """Post one batch once; true when it was taken, or there is nothing to tell any more."""
        record = self._world.record
        told = [item for item in batch if isinstance(item, Told) and record.outcomes[item.row] == ACCEPTED]
        heard = [item for item in batch if isinstance(item, Inbound)]
        if not (told or heard):
            return True
        for item in told:
            record.tell(item.row, item.status)
        dialect = self._dialects[number.provider]
        webhook = dialect.inbound(number, heard) if heard else dialect.statuses(number, told)
        if webhook is None:
            return True
        self.tally.posts += 1
        taken = await (
            dialect.push(number, webhook) if isinstance(dialect, Pushing) else self._deliver(webhook)
        )
        if taken:
            self.tally.statuses += len(told)
            self.tally.inbound += len(heard)
        else:
            self.tally.refused_posts += 1
        return taken

    async def _deliver(self, webhook: Webhook) -> bool:
        import aiohttp
        from yarl import URL

        session = await self._open()
        limit = aiohttp.ClientTimeout(total=self._world.config.receipts.timeout)
        try:
            url = URL(webhook.url, encoded=True)  # as it was given: whoever signs it signs these characters
            async with session.request(
                webhook.method, url, data=webhook.body or None, headers=webhook.headers,
                allow_redirects=False, timeout=limit,
            ) as reply:  # fmt: skip
                await reply.read()
                return 200 <= reply.status < 300
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp  # only a sandbox with a callback address pays for this import

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), headers={"User-Agent": "clarion-sandbox"}
            )
        return self._session
