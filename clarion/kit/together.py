"""Work that is cheaper for many at once: whoever asks while it goes on is served by the next time together.

Who asks after a while in which nobody did is served at once, alone. The busier it is, the more are served by
one time, which then begins a little after the one before, so that few come to be many. What serves somebody
has always begun after they asked, so that it knows whatever was done before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
R = TypeVar("R")
Serve = Callable[[Sequence[T]], Awaitable[Sequence[R]]]


class _Asked(NamedTuple, Generic[T, R]):
    wish: T
    told: asyncio.Future[R]


class Together(Generic[K, T, R]):
    """Wishes of one kind. Those under one key are served together; those of another key beside them."""

    def __init__(self, *, most: int = 1_000, apart: float = 0.0) -> None:
        """`most` wishes are served at once; between the beginnings of two times there are `apart` seconds."""
        self._most, self._apart = most, apart
        self._waiting: dict[K, list[_Asked[T, R]]] = {}
        self._serving: dict[K, asyncio.Task[None]] = {}

    async def ask(self, key: K, wish: T, serve: Serve[T, R]) -> R:
        """What `serve` answers to this wish: it is given the wishes of everybody who waits, in the order in
        which they came, and answers each, in that order. Raises what it raises, which all of them hear. Who
        goes away meanwhile is served nevertheless."""
        mine = _Asked[T, R](wish, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(key, []).append(mine)
        if key not in self._serving:
            task = asyncio.create_task(self._serve(key, serve))
            self._serving[key] = task
            task.add_done_callback(partial(self._ended, key))
        return await mine.told

    async def _serve(self, key: K, serve: Serve[T, R]) -> None:
        waiting, ticks = self._waiting[key], asyncio.get_running_loop().time
        while waiting:  # when there are none left it has ended, for whoever asks next
            next_at = ticks() + self._apart
            some, waiting[: self._most] = waiting[: self._most], []
            try:
                told = list(zip(some, await serve([one.wish for one in some]), strict=True))
            except Exception as error:
                _fail(some, error)
            except BaseException:
                _fail(some, asyncio.CancelledError())  # ended from outside
                raise
            else:
                for one, answer in told:
                    if not one.told.done():  # else who asked has gone
                        one.told.set_result(answer)
            if (pause := next_at - ticks()) > 0:
                await asyncio.sleep(pause)
        del self._serving[key], self._waiting[key]

    def _ended(self, key: K, task: asyncio.Task[None]) -> None:
        if self._serving.get(key) is task:  # from outside
            del self._serving[key]
            _fail(self._waiting.pop(key), asyncio.CancelledError())


def _fail(some: Sequence[_Asked[T, R]], error: BaseException) -> None:
    for one in some:
        if not one.told.done():
            one.told.set_exception(error)
