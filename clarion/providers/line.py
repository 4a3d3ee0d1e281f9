"""A line to an SMSC: requests out, answers to who asked, what it tells to who listens, and signs of life."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

from clarion.errors import Unavailable
from clarion.kit.log import logger
from clarion.providers.pdus import (
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    HEADER,
    RESPONSE,
    SUBMIT_SM,
    UNBIND,
    Pdu,
    length,
    parsed,
)

LATE = 1000  # answers that are remembered to be missing
_UNKNOWN_COMMAND, _COME_AGAIN = 0x03, 0x64
log = logger(__name__)


class Broken(Exception):
    """The line ended while something on it was not answered."""


class Line:
    """One connection. `window` counts the submit_sm without an answer; `open` until it has `ended`.

    `every` is how many seconds of silence are followed by an enquire_link, `patience` how long its answer may
    take. `told(pdu, name, reference)` takes what the SMSC says by itself: a deliver_sm, or the answer to a
    submit_sm of this reference that nobody waits for any more; false where nobody listens.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        window: int,
        every: float,
        patience: float,
        told: Callable[[Pdu, str, str], Awaitable[bool]],
    ) -> None:
        self.window = asyncio.Semaphore(window)
        self.ended = asyncio.Event()
        self.name = secrets.token_hex(8)
        self._reader, self._writer = reader, writer
        self._every, self._patience, self._told = every, patience, told
        self._sequence = 0
        self._asked: dict[int, asyncio.Future[Pdu]] = {}
        self._late: dict[int, str] = {}
        self._heard = True
        self._hearing: set[asyncio.Task[None]] = set()
        self._own = [asyncio.ensure_future(one) for one in (self._read(), self._stay())]

    @property
    def open(self) -> bool:
        """Whether anything may be asked on it."""
        return not self.ended.is_set() and not self._writer.is_closing()

    async def ask(self, command: int, body: bytes = b"", reference: str = "") -> Pdu:
        """The answer to this request, written once. Raises Broken; whoever gives up is no longer asked about,
        but an answer under a `reference` is told when it comes."""
        if not self.open:
            raise Broken("the line has ended")
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        sequence = self._sequence
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._asked[sequence] = answer
        self._writer.write(Pdu(command, 0, sequence, body).raw)
        try:
            return await answer
        except asyncio.CancelledError:
            if reference and len(self._late) < LATE:
                self._late[sequence] = reference
            raise
        finally:
            self._asked.pop(sequence, None)

    def end(self) -> None:
        """Close it now; who waits for an answer hears that there will be none."""
        if self.ended.is_set():
            return
        self.ended.set()
        self._writer.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Broken("the line has ended"))
        for task in self._own:
            if task is not asyncio.current_task():
                task.cancel()

    async def leave(self) -> None:
        """Take leave: what was heard is acknowledged, and nothing on the way is lost."""
        if not self.open:
            return
        with suppress(Broken, TimeoutError, OSError):
            async with asyncio.timeout(self._patience):
                if self._hearing:
                    await asyncio.wait(set(self._hearing))
                await self.ask(UNBIND)
                sock = self._writer.get_extra_info("socket")
                if sock is not None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
        self.end()

    # --- inside

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(HEADER)
                pdu = parsed(head + await self._reader.readexactly(length(head) - HEADER))
                self._heard = True
                self._take(pdu)
        except (asyncio.IncompleteReadError, OSError, ValueError) as error:
            log.warning("the line to an SMSC ended", error=type(error).__name__, waiting=len(self._asked))
        finally:
            self.end()

    def _take(self, pdu: Pdu) -> None:
        if pdu.command & RESPONSE:
            answer = self._asked.get(pdu.sequence)
            if answer is not None and not answer.done():
                answer.set_result(pdu)
            elif reference := self._late.pop(pdu.sequence, ""):
                self._begin(self._answered_late(pdu, reference))
        elif pdu.command == DELIVER_SM:
            self._begin(self._delivered(pdu))
        elif pdu.command in (ENQUIRE_LINK, UNBIND):
            self._writer.write(pdu.answer().raw)
            if pdu.command == UNBIND:
                self.end()
        else:
            self._writer.write(Pdu(GENERIC_NACK, _UNKNOWN_COMMAND, pdu.sequence).raw)

    async def _delivered(self, pdu: Pdu) -> None:
        taken = await self._pass_on(pdu, "")
        if self.open:
            self._writer.write(pdu.answer(0 if taken else _COME_AGAIN, b"\0").raw)

    async def _answered_late(self, pdu: Pdu, reference: str) -> None:
        if pdu.command == SUBMIT_SM | RESPONSE and pdu.status == 0:
            await self._pass_on(pdu, reference)

    async def _pass_on(self, pdu: Pdu, reference: str) -> bool:
        try:
            return await self._told(pdu, self.name, reference)
        except Unavailable:
            return False
        except Exception:
            log.exception("what an SMSC told could not be kept")
            return False

    async def _stay(self) -> None:
        """Ask for a sign of life after each silence; end a line that gives none."""
        while True:
            self._heard = False
            await asyncio.sleep(self._every)
            if self._heard:
                continue
            try:
                async with asyncio.timeout(self._patience):
                    await self.ask(ENQUIRE_LINK)
            except (Broken, TimeoutError):
                log.warning("an SMSC gives no sign of life", waiting=len(self._asked))
                self.end()
                return
