"""What becomes of one submitted message: faults, the provider's own objections, the record, the answer.

The same for every provider; a provider's file says the words (`dialect.Dialect`). Whatever the caller sees,
the record holds what is true: a fault of the kind "after accept" has its message accepted.
"""

from __future__ import annotations

import asyncio
import time

from clarion.sandbox.dialect import Caller, Dialect, Pushing, Refusal, Submission
from clarion.sandbox.faults import FAULT_NUMBER, Fault
from clarion.sandbox.receipts import Receipts
from clarion.sandbox.record import ACCEPTED, DROPPED, INVALID, REFUSED, WAITING
from clarion.sandbox.world import World


class Calls:
    """Takes submissions for one world."""

    def __init__(self, world: World, receipts: Receipts) -> None:
        self._world = world
        self._receipts = receipts
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def invalid(self, dialect: Dialect, refusal: Refusal, to: str = "", reference: str = "", text: str = "",
                sender: int = 0) -> bytes:  # fmt: skip
        """Record a request that is no valid submission, and give its answer."""
        self._append(to, reference, text, 2, INVALID, sender, code=refusal.code)
        return dialect.refused(refusal)

    def submit(self, exchange: Caller, dialect: Dialect, what: Submission) -> bytes | None:
        """Decide, record, and give the answer; None when the answer comes later or never."""
        world = self._world
        call = told = None
        if world.faults.active:
            call, told = world.faults.choose(what.to, what.reference, len(world.record))
            if call is not None and not call.kind.accepts:
                return self._turn_away(exchange, dialect, what, call)
        mono = time.monotonic()
        now = world.clock.now()
        refusal = dialect.objection(what, now, mono)
        if refusal is not None:
            self._append(what.to, what.reference, what.text, what.kind, REFUSED, what.number.sender,
                         code=refusal.code)  # fmt: skip
            return dialect.refused(refusal)
        if call is not None or told is not None:
            return self._accept_oddly(exchange, dialect, what, call, told)
        row = world.record.append(now, mono, what.to, what.reference, what.text, what.kind,
                                  sender=what.number.sender)  # fmt: skip
        if world.sync and world.journal is not None:
            world.journal.flush()
        raw = dialect.accepted(what, world.record.wamid(row))
        if what.choices:
            world.offer(what.number, what.to, row, what.choices)
        if what.callback:
            world.callbacks[row] = what.callback
        elif what.number.callback_url is None and not isinstance(dialect, Pushing):
            return raw
        return self._answer_with_receipts(exchange, what, row, None, None, raw)

    def _append(self, to: str, reference: str, text: str, kind: int, outcome: int, sender: int, *,
                code: int = 0, call: Fault | None = None, told: Fault | None = None) -> int:  # fmt: skip
        world = self._world
        row = world.record.append(
            world.clock.now(), time.monotonic(), to, reference, text, kind, outcome, code,
            FAULT_NUMBER[call.name] if call else 0, FAULT_NUMBER[told.name] if told else 0, sender,
        )  # fmt: skip
        if world.sync and world.journal is not None:
            world.journal.flush()
        return row

    def _turn_away(self, exchange: Caller, dialect: Dialect, what: Submission, call: Fault) -> bytes | None:
        """The faults after which nothing was accepted."""
        refusal: Refusal | None = None
        if call.name == "throttle":
            refusal = dialect.throttled(call.parameter)
        elif call.name == "throttle_bare":
            refusal = dialect.throttled(None)
        elif call.name == "not_processed_503":
            refusal = dialect.not_processed(int(call.parameter))
        elif call.name == "refuse_permanent":
            refusal = Refusal(int(call.parameter))
        outcome = DROPPED if call.name == "drop_before_accept" else REFUSED
        self._append(what.to, what.reference, what.text, what.kind, outcome, what.number.sender,
                     code=refusal.code if refusal else 0, call=call)  # fmt: skip
        if refusal is not None:
            return dialect.refused(refusal)
        if outcome == DROPPED:
            exchange.hang_up()
            return None
        return dialect.broken()

    def _accept_oddly(self, exchange: Caller, dialect: Dialect, what: Submission, call: Fault | None,
                      told: Fault | None) -> bytes | None:  # fmt: skip
        """Accepted, but the caller is told late, wrongly or never; or the receipts will be odd."""
        late = call is not None and call.name == "accept_late"
        row = self._append(what.to, what.reference, what.text, what.kind, WAITING if late else ACCEPTED,
                           what.number.sender, call=call, told=told)  # fmt: skip
        raw = dialect.accepted(what, self._world.record.wamid(row))
        if what.choices:
            self._world.offer(what.number, what.to, row, what.choices)
        if what.callback:
            self._world.callbacks[row] = what.callback
        if call is not None:
            if late:
                self._loop.call_later(
                    call.parameter, self._accept_late, exchange, what, row, told, raw, self._world.record.run
                )
                return None
            if call.name == "error_after_accept":
                raw = dialect.broken()
            elif call.name == "malformed_json":
                raw = dialect.malformed()
        return self._answer_with_receipts(exchange, what, row, call, told, raw)

    def _accept_late(self, exchange: Caller, what: Submission, row: int, told: Fault | None, raw: bytes,
                     run: str) -> None:  # fmt: skip
        world = self._world
        if world.record.run != run:
            return  # the record was cleared meanwhile: this message belongs to what is forgotten
        world.record.accept(row, world.clock.now())
        if world.sync and world.journal is not None:
            world.journal.flush()
        answer = self._answer_with_receipts(exchange, what, row, None, told, raw)
        if answer is not None:
            exchange.answer(answer)

    def _answer_with_receipts(self, exchange: Caller, what: Submission, row: int, call: Fault | None,
                              told: Fault | None, raw: bytes) -> bytes | None:  # fmt: skip
        before = self._receipts.expect(what.number, row, told)
        if before is None:
            return _conclude(exchange, call, raw, self._loop)

        async def receipts_first() -> None:
            await before
            answer = _conclude(exchange, call, raw, self._loop)
            if answer is not None:
                exchange.answer(answer)

        task = self._loop.create_task(receipts_first())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return None


def _conclude(
    exchange: Caller, call: Fault | None, raw: bytes, loop: asyncio.AbstractEventLoop
) -> bytes | None:
    """How an accepted message's answer reaches the caller, or does not."""
    name = call.name if call is not None else ""
    if call is not None and name in ("slow", "answer_late"):
        loop.call_later(call.parameter, exchange.answer, raw)
    elif name == "drop_after_accept":
        exchange.hang_up()
    elif name == "reset":
        exchange.reset()
    elif name == "half_close":
        exchange.half_close()
    else:
        return raw
    return None
