"""Steps: what people wish, and what operators do meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from clarion.domain.message import State
from clarion.kit.db import Connection
from clarion.store import campaign, channel, consent, erasure, fallback, holding, moving, queue, run, tally
from clarion.store.holding import Hold
from clarion.store.queue import Waiting
from clarion.store.reopen import reopen_chunk
from tests.store.ledger.base import AGAIN, SLOW, WHICH, Base, gives_way
from tests.store.ledger.model import all_of
from tests.store.ledger.provider import Worker
from tests.store.ledger.world import COHORT, LASTS, Campaign, Person

OVER = frozenset({State.FAILED, State.EXPIRED, State.SKIPPED, State.UNDELIVERED})
STAYING = ("Selam", "Nuru")  # are never erased: somebody must be left


class Wishes(Base):
    """Stop and start, erasing, pausing, cancelling, what has expired, and housekeeping."""

    def person(self, which: int) -> Person:
        return self.world.people[which % len(self.world.people)]

    @rule(which=WHICH, wish=st.sampled_from(["out", "out", "in", "erase"]), slow=SLOW, again=AGAIN)
    @gives_way
    def somebody_wishes(self, which: int, wish: str, slow: bool, again: bool) -> None:
        person = self.person(which)
        if wish == "erase":
            self.erase(person, slow, again)
        elif key := person.sms if which % 2 else person.key:
            self.consent(key, wish, slow, again)

    def consent(self, key: bytes, wish: str, slow: bool = False, again: bool = False) -> None:
        effect, now = self.model.consent(key, wish), self.clock.now()
        say = consent.opt_out if wish == "out" else consent.opt_in
        self.do(lambda c: say(c, [key], now, how="reply"), lambda _: effect(), slow=slow, again=again)

    def erase(self, person: Person, slow: bool = False, again: bool = False) -> None:
        if person.name not in STAYING:
            effect, now = self.model.erase(person), self.clock.now()
            self.do(
                lambda c: erasure.erase(c, person.contact, now), lambda _: effect(), slow=slow, again=again
            )

    @rule(
        which=WHICH,
        what=st.sampled_from(["pause", "resume", "cancel", "pause channel", "resume channel", "fold"]),
        slow=SLOW,
        again=AGAIN,
    )
    @gives_way
    def an_operator_acts(self, which: int, what: str, slow: bool, again: bool) -> None:
        one = self.campaign(which)
        match what:
            case "pause" | "resume":
                self.set_lanes(one, "paused" if what == "pause" else "open", slow=slow, again=again)
            case "cancel":
                self.cancel(one, slow=slow, again=again)
            case "pause channel" | "resume channel":
                self.switch(what == "resume channel", slow=slow, again=again)
            case _:
                self.do(tally.fold, lambda _: None, slow=slow)

    def set_lanes(self, one: Campaign, state: str, *, slow: bool = False, again: bool = False) -> None:
        effect = self.model.set_lanes(one, state)
        self.do(lambda c: campaign.set_lanes(c, one.id, state), lambda _: effect(), slow=slow, again=again)

    def cancel(self, one: Campaign, *, slow: bool = False, again: bool = False) -> None:
        now = self.clock.now()
        effect = all_of(self.model.set_lanes(one, "cancelled"), partial(self.model.closed.add, one.run))

        async def work(connection: Connection) -> None:
            await campaign.lock(connection, one.id)
            await run.cancel(connection, one.id, now)
            await campaign.set_lanes(connection, one.id, "cancelled")

        self.do(work, lambda _: effect(), slow=slow, again=again)

    def switch(self, active: bool, *, slow: bool = False, again: bool = False) -> None:
        now, id = self.clock.now(), self.world.channel

        async def work(connection: Connection) -> None:
            if active:
                await channel.resume(connection, id, now)
            else:
                await channel.pause(connection, id, "a test", now)

        self.do(work, lambda _: self.model.switch(active), slow=slow, again=again)

    @precondition(lambda self: any(lane.state == "cancelled" for lane in self.model.lanes.values()))
    @rule(which=WHICH, limit=st.integers(1, 5), slow=SLOW)
    @gives_way
    def a_cancelled_lane_is_emptied(self, which: int, limit: int, slow: bool) -> None:
        cancelled = [id for id, lane in self.model.lanes.items() if lane.state == "cancelled"]
        self.empty(cancelled[which % len(cancelled)], limit, slow=slow)

    def empty(self, lane_id: UUID, limit: int, *, slow: bool = False) -> None:
        some = sorted(self.model.waiting(lane_id), key=lambda o: (o.queued, o.id))[:limit]
        effect, now = self.model.end(some, State.CANCELLED, None), self.clock.now()
        ended = self.do(
            lambda c: queue.empty_lane(c, lane_id, "cancelled", now, limit), lambda _: effect(), slow=slow
        )
        assert ended == len(some)

    @precondition(lambda self: any(owed.state in OVER for owed in self.model.owed.values()))
    @rule(which=WHICH, undelivered=st.booleans(), slow=SLOW, again=AGAIN)
    @gives_way
    def what_was_not_sent_is_tried_again(
        self, which: int, undelivered: bool, slow: bool, again: bool
    ) -> None:
        self.retry(self.campaign(which), undelivered=undelivered, slow=slow, again=again)

    def retry(self, one: Campaign, *, undelivered: bool, slow: bool = False, again: bool = False) -> None:
        now = self.clock.now()
        if self.model.lanes[one.lane].state == "cancelled":
            return
        states = OVER if undelivered else OVER - {State.UNDELIVERED}
        effect = self.model.reopen(one, states, now + LASTS)
        row = {"id": one.run, "campaign_id": one.id, "cohort": COHORT, "lane_id": one.lane}
        ways = [(one.lane, "whatsapp"), (one.further, "tel")]

        async def work(connection: Connection) -> None:
            await campaign.lock(connection, one.id)
            await reopen_chunk(
                connection, row, states=[*states], ways=ways,
                once_an_address=one.once, after=None, expires_at=now + LASTS, limit=100, now=now,
                detail="a test",
            )  # fmt: skip

        self.do(work, lambda _: effect(), slow=slow, again=again)

    @precondition(lambda self: any(owed.noted for owed in self.model.owed.values()))
    @rule(which=WHICH, slow=SLOW, again=AGAIN)
    @gives_way
    def what_did_not_arrive_goes_on(self, which: int, slow: bool, again: bool) -> None:
        self.fall(self.campaign(which), slow=slow, again=again)

    def fall(self, one: Campaign, *, slow: bool = False, again: bool = False) -> None:
        now = self.clock.now()
        expected, effect = self.model.fall(one, self.noted(one))

        async def work(connection: Connection) -> set[UUID]:
            await campaign.lock(connection, one.id)
            found = [f for f in await fallback.due(connection, now, 100) if f.lane_id == one.lane]
            if not found:
                return set()
            cancelled = self.model.lanes[one.lane].state == "cancelled"
            onward = [] if cancelled else [(one.further, "tel")]
            locked = await moving.lock(connection, found)
            moved = await moving.move(connection, found, locked, onward, now, once_an_address=one.once)
            await moving.seen(connection, found, locked, now)
            return {gone.message_id for gone in moved}

        gone = self.do(work, lambda _: effect(), slow=slow, again=again)
        surmised = {owed.id for owed in self.model.owed.values() if owed.surmised}
        assert gone - surmised == expected - surmised

    def noted(self, one: Campaign) -> set[UUID]:
        """What is committed to be seen to now."""
        now = self.clock.now()
        return {
            UUID(row["message_id"])
            for row in self.look()["noted"]
            if row["lane_id"] == str(one.lane) and datetime.fromisoformat(row["due_at"]) <= now
        }

    @rule(which=WHICH, slow=SLOW, again=AGAIN)
    @gives_way
    def a_worker_ends_what_may_not_be_sent(self, which: int, slow: bool, again: bool) -> None:
        """As it was when read, which may be long ago."""
        self.end(self.workers[which % len(self.workers)], slow=slow, again=again)

    def end(self, worker: Worker, *, slow: bool = False, again: bool = False) -> None:
        now = self.clock.now()
        kinds: dict[tuple[State, str], list[Waiting]] = {}
        for one in worker.buffer:
            if one.expires_at <= now:
                kinds.setdefault((State.EXPIRED, "expired"), []).append(one)
            elif one.erased or one.opted_out:
                kinds.setdefault((State.SKIPPED, "erased" if one.erased else "opted_out"), []).append(one)
        for (state, reason), rows in kinds.items():
            worker.buffer = [one for one in worker.buffer if one not in rows]
            self.end_some(rows, state, reason, now, slow=slow, again=again)

    @precondition(lambda self: any(worker.buffer for worker in self.workers))
    @rule(which=WHICH, count=st.integers(1, 3), seconds=st.sampled_from([0.5, 90]), slow=SLOW, again=AGAIN)
    @gives_way
    def some_wait_for_their_morning(
        self, which: int, count: int, seconds: float, slow: bool, again: bool
    ) -> None:
        """They are due later, by their campaign's hours; of rows read just now, or long ago."""
        able = [one for one in self.workers if one.buffer]
        worker = able[which % len(able)]
        rows, worker.buffer = worker.buffer[:count], worker.buffer[count:]
        later = self.clock.now() + timedelta(seconds=seconds)
        places = list({(w.lane_id, w.due_at, w.message_id, w.cohort) for w in rows})
        due = {(w.message_id, w.due_at) for w in rows}
        some = [o for o in self.model.owed.values() if (o.id, o.queued) in due]
        effect = self.model.hold(some, later, "quiet_hours")
        holds = [Hold(place, later, "quiet_hours") for place in places]
        self.do(lambda c: holding.hold(c, holds), lambda _: effect(), slow=slow, again=again)

    def end_some(
        self, rows: Sequence[Waiting], state: State, reason: str, now: datetime, *, slow: bool, again: bool
    ) -> None:
        places = list({(w.lane_id, w.due_at, w.message_id, w.cohort) for w in rows})
        due = {(w.message_id, w.due_at) for w in rows}
        some = [o for o in self.model.owed.values() if (o.id, o.queued) in due]
        effect = self.model.end(some, state, reason)
        ended = self.do(
            lambda c: queue.end(c, places, state.value, reason, now),
            lambda _: effect(),
            slow=slow,
            again=again,
        )
        assert ended == len(some)
