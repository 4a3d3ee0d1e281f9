"""A provider's library that blocks: its calls in threads, for a bounded time, and what it logs of each.

A thread cannot be stopped. So a call that is out of time ends as unknown, and its place is free only when its
thread has ended; the try is marked before the thread begins, since nobody there tells of the first byte.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from clarion.kit.http import departing
from clarion.providers.contract import Answered, Fault, Told


class Threads:
    """As many calls at once, of one channel."""

    def __init__(self, name: str, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(at_once, name)
        self._places = asyncio.Semaphore(at_once)

    async def run(self, call: Callable[[], Told], timeout: float) -> Told:
        """Make this call, in at most so many seconds. Raises what the departure does, and then nothing left;
        whatever the call raises, it may have."""
        begun = False
        try:
            async with asyncio.timeout(timeout):
                await self._places.acquire()
                try:
                    departure = departing.get()
                    if departure is not None:
                        departure.check()
                        departure.leave()
                except BaseException:
                    self._places.release()
                    raise
                running = asyncio.wrap_future(self._pool.submit(_whole, call))
                running.add_done_callback(lambda _: self._places.release())
                begun = True
                return await asyncio.shield(running)
        except TimeoutError:
            how = Answered.UNKNOWN if begun else Answered.LATER
            return Told(how, fault=Fault.NETWORK, code="unanswered")


class Overheard(logging.Handler):
    """What a library logs, by thread, for who asks there. Nobody else hears it: there may be secrets and
    people's texts in it."""

    def __init__(self, library: str, wanted: Callable[[logging.LogRecord, str], bool]) -> None:
        super().__init__(logging.DEBUG)
        self._here, self._wanted = threading.local(), wanted
        source = logging.getLogger(library)
        source.propagate = False
        source.setLevel(logging.DEBUG)
        source.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, for who has begun to listen in this thread."""
        words = record.getMessage()
        kept: list[str] | None = getattr(self._here, "words", None)
        if kept is not None and self._wanted(record, words):
            kept.append(words)

    def listen(self) -> list[str]:
        """What is logged in this thread from now on."""
        self._here.words = words = list[str]()
        return words


def _whole(call: Callable[[], Told]) -> Told:
    try:
        return call()
    except Exception as error:
        return Told(Answered.UNKNOWN, fault=Fault.PROVIDER, code="fault", detail=type(error).__name__)
