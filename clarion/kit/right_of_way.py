"""Long work of a process gives way to what somebody waits for, piece by piece, and neither waits for long.

The two take turns: a piece of the long work begins when what presses has ended, and what came to press
meanwhile begins when that piece has ended. Nobody is kept back for longer than `PATIENCE`, whatever the other
does, so that nothing can hang and nothing starves. Where nothing presses, the long work does as much at once
as it likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

PATIENCE = 0.1  # seconds
CALM = 1.0  # seconds since something pressed, after which nothing does
_Kept = list[asyncio.Future[None]]


class RightOfWay:
    """One a process."""

    def __init__(self) -> None:
        self._pressing, self._pressed_at = 0, -CALM
        self._a_piece = False  # goes on, or is the next
        self._one_piece = asyncio.Lock()
        self._kept: _Kept = []  # what presses, by a piece
        self._next: _Kept = []  # the piece, by what presses

    @asynccontextmanager
    async def pressing(self) -> AsyncIterator[None]:
        """Somebody waits for what is done within. Several may press at once."""
        self._pressed_at = asyncio.get_running_loop().time()
        if self._a_piece:
            await _keep(self._kept)
        self._pressing += 1
        try:
            yield
        finally:
            self._pressing -= 1
            self._pressed_at = asyncio.get_running_loop().time()
            if not self._pressing:
                _let_go(self._next)

    @asynccontextmanager
    async def yielding(self) -> AsyncIterator[None]:
        """A piece of long work is done within: one at a time, while anything presses."""
        if asyncio.get_running_loop().time() - self._pressed_at > CALM and not self._pressing:
            yield
            return
        async with self._one_piece:
            self._a_piece = True
            try:
                if self._pressing:
                    await _keep(self._next)
                yield
            finally:
                self._a_piece = False
                if _let_go(self._kept):
                    await asyncio.sleep(0)  # they begin before the next piece is the next


async def _keep(kept: _Kept) -> None:
    """Wait to be let go, at most for `PATIENCE`."""
    loop = asyncio.get_running_loop()
    turn: asyncio.Future[None] = loop.create_future()
    kept.append(turn)
    late = loop.call_later(PATIENCE, _let_go, (turn,))
    try:
        await turn
    finally:
        late.cancel()
        kept.remove(turn)


def _let_go(kept: Iterable[asyncio.Future[None]]) -> bool:
    """Let all go; whether there were any."""
    some = [one for one in kept if not one.done()]
    for one in some:
        one.set_result(None)
    return bool(some)
