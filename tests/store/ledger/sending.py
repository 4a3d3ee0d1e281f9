"""Steps: reading ahead, intent, the call, and how calls end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from clarion.domain.message import Outcome, Verdict
from clarion.kit.db import Connection
from clarion.store import attempt, intent, queue, receipt
from clarion.store.intent import Intended, Intent
from clarion.store.queue import Waiting
from clarion.store.receipt import Said
from tests.store.ledger.base import AGAIN, SLOW, WHICH, Base, gives_way
from tests.store.ledger.model import CODE, EVIDENCE, Owed, Tried, all_of
from tests.store.ledger.provider import ANSWERS, Worker, decision, not_begun, verdict
from tests.store.ledger.world import COHORT, NOW, Campaign

START = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
SOME = st.integers(1, 12)
STEP = timedelta(seconds=1)
DECISION = st.sampled_from(["sent", "not", "again"])
WAIT = st.sampled_from([0, 5, 90])


class Sending(Base):
    """Read ahead → intent committed → the call → its end written down; with all that may come between."""

    def one_of(self, which: int, able: Callable[[Worker], object]) -> Worker:
        """A worker that has something to do."""
        some = [worker for worker in self.workers if able(worker)]
        return some[which % len(some)]

    @precondition(lambda self: any(worker.epoch is not None for worker in self.workers))
    @rule(
        which=WHICH, fresh=st.sampled_from([True, True, False]), restart=st.booleans(), limit=SOME,
        further=st.booleans(),
    )  # fmt: skip
    def a_worker_reads_ahead(self, which: int, fresh: bool, restart: bool, limit: int, further: bool) -> None:
        worker = self.one_of(which, lambda w: w.epoch is not None)
        lane = self.campaign(which // 3).lanes[further]
        self.read_lane(worker, lane, fresh=fresh, restart=restart, limit=limit)

    def read(self, worker: Worker, one: Campaign, *, fresh: bool, restart: bool, limit: int) -> None:
        """Over both channels."""
        for lane in one.lanes:
            self.read_lane(worker, lane, fresh=fresh, restart=restart, limit=limit)

    def read_lane(self, worker: Worker, lane_id: UUID, *, fresh: bool, restart: bool, limit: int) -> None:
        if restart:
            worker.cursors.pop(lane_id, None)
        after, now = worker.cursors.get(lane_id, START), self.clock.now()

        async def work(connection: Connection) -> list[Waiting]:
            if fresh:
                worker.lanes = {
                    lane.id: lane.epoch
                    for channel in (self.world.channel, self.world.sms)
                    for lane in (await queue.open_lanes(connection, [channel]))[channel]
                }
            return await queue.read_ahead(connection, lane_id, after, now, limit)

        found = self.do(work, lambda _: None)
        assert [w.message_id for w in found] == self._due(lane_id, after, now)[:limit]
        for waiting in found:
            owed = self.owed(waiting)
            assert (waiting.opted_out, waiting.erased) == (owed.key in self.model.out, owed.person.erased)
            assert waiting.consent_key == owed.key
        worker.buffer += found
        if found:
            worker.cursors[lane_id] = (found[-1].due_at, found[-1].message_id)

    def _due(self, lane_id: UUID, after: tuple[datetime, UUID], now: datetime) -> list[UUID]:
        places = sorted((o.queued, o.id) for o in self.model.waiting(lane_id) if o.queued and o.id)
        return [id for due, id in places if (due, id) > after and due <= now]

    def owed(self, waiting: Waiting) -> Owed:
        return next(o for o in self.model.owed.values() if o.id == waiting.message_id)

    @precondition(lambda self: any(worker.buffer for worker in self.workers))
    @rule(which=WHICH, count=SOME, keep=st.booleans(), slow=SLOW, again=AGAIN)
    @gives_way
    def a_worker_commits_to_trying(self, which: int, count: int, keep: bool, slow: bool, again: bool) -> None:
        worker = self.one_of(which, lambda w: w.buffer)
        self.intend(worker, count, keep=keep, slow=slow, again=again)

    def intend(
        self, worker: Worker, count: int, *, keep: bool = False, slow: bool = False, again: bool = False
    ) -> None:
        """By the owner, or by one that believes to be; of rows read just now, or long ago."""
        assert worker.epoch is not None
        now, epoch = self.clock.now(), worker.epoch
        onward = {one.further for one in self.world.campaigns}
        taken = worker.buffer[:count]
        some = {w.message_id: w for w in taken}.values()
        tries = [Intended(w, worker.lanes.get(w.lane_id, 0), self.new_id(), w.variables) for w in some]
        expected, effect = self.model.intend(worker.id, epoch, tries)
        intents = [
            Intent(channel, epoch, theirs)
            for channel, further in ((self.world.channel, False), (self.world.sms, True))
            if (theirs := [one for one in tries if (one.waiting.lane_id in onward) == further])
        ]

        async def work(connection: Connection) -> set[UUID]:
            return await intent.intend(connection, worker_id=worker.id, intents=intents, now=now)

        def done(granted: set[UUID]) -> None:
            effect()
            if worker.alive:
                worker.hands += [self.model.tries[id] for id in sorted(granted)]
                worker.begun |= dict.fromkeys(granted, now)

        granted = self.do(work, done, slow=slow, again=again)
        assert granted == expected
        if not keep:
            worker.buffer = [w for w in worker.buffer if not any(w is one for one in taken)]

    # --- the call and its end

    @precondition(lambda self: any(worker.hands for worker in self.workers))
    @rule(which=WHICH, answer=st.sampled_from((*ANSWERS, *["accepts"] * 4)), heard=st.booleans(), wait=WAIT)
    def a_worker_calls_the_provider(self, which: int, answer: str, heard: bool, wait: int) -> None:
        worker = self.one_of(which, lambda w: w.hands)
        self.call(worker, worker.hands.pop(which % len(worker.hands)), answer, heard, wait)

    def call(self, worker: Worker, tried: Tried, answer: str, heard: bool = True, wait: int = 0) -> None:
        now = self.clock.now()
        if now >= tried.owed.expires_at:
            worker.answers[tried.id] = not_begun(tried.id, now)
            return
        worker.marks.add(tried.id)
        self.provider.call(tried.id, answer)
        worker.answers[tried.id] = verdict(tried.id, answer if heard else "", now, wait)

    @precondition(lambda self: any(worker.answers for worker in self.workers))
    @rule(which=WHICH, count=SOME, slow=SLOW, again=AGAIN)
    @gives_way
    def a_worker_settles(self, which: int, count: int, slow: bool, again: bool) -> None:
        self.settle_own(self.one_of(which, lambda w: w.answers), count, slow=slow, again=again)

    def settle_own(self, worker: Worker, count: int, *, slow: bool = False, again: bool = False) -> None:
        some = list(worker.answers.values())[:count]

        def durable() -> None:
            for one in some:
                worker.answers.pop(one.attempt_id, None)
                worker.begun.pop(one.attempt_id, None)
                worker.marks.discard(one.attempt_id)

        self.settle(some, durable, slow=slow, again=again)

    def settle(
        self,
        some: Sequence[Verdict],
        durable: Callable[[], None] = lambda: None,
        *,
        slow: bool = False,
        again: bool = False,
    ) -> None:
        """Written by whoever has the evidence: no epoch is asked for."""
        now, effect = self.clock.now(), self.model.settle(some)
        counted = [v for v in some if self._is_news(v)]

        async def work(connection: Connection) -> int:
            return await attempt.settle(connection, COHORT, some, now)

        settled = self.do(work, lambda _: all_of(effect, durable)(), slow=slow, again=again)
        assert settled == len(counted)
        self.said += some

    def _is_news(self, verdict: Verdict) -> bool:
        """Nobody knew; or it was held for not sent, and was accepted all the same."""
        outcome = self.model.tries[verdict.attempt_id].outcome
        if verdict.outcome is Outcome.ACCEPTED:
            return outcome is not Outcome.ACCEPTED
        return outcome in (None, Outcome.UNKNOWN)

    @precondition(lambda self: self.said)
    @rule(which=st.lists(st.integers(0, 40), min_size=1, max_size=4), slow=SLOW)
    @gives_way
    def old_evidence_comes_again(self, which: list[int], slow: bool) -> None:
        some = {v.attempt_id: v for v in (self.said[n % len(self.said)] for n in which)}
        self.settle(list(some.values()), slow=slow)

    # --- what nobody knows

    def unknowns(self) -> list[Tried]:
        return [t for t in self.model.tries.values() if t.outcome is Outcome.UNKNOWN]

    def may_still_call(self, tried: Tried) -> bool:
        """Whether a process lives that committed to this try and has not made the call."""
        return any(tried in worker.hands for worker in self.workers)

    @precondition(lambda self: self.unknowns())
    @rule(which=WHICH, wait=WAIT)
    @gives_way
    def the_provider_is_asked(self, which: int, wait: int) -> None:
        """A look-up; that it finds nothing says something only once nobody may call any more."""
        tried = self.unknowns()[which % len(self.unknowns())]
        if self.provider.accepted(tried.id):
            self.settle([verdict(tried.id, "accepts", self.clock.now())])
        elif not self.may_still_call(tried):
            self.settle([verdict(tried.id, "later", self.clock.now(), wait)])

    @precondition(lambda self: self.unknowns())
    @rule(
        which=WHICH, sure=st.sampled_from([True, True, False]), as_=st.sampled_from(["sent", "not", "again"])
    )
    @gives_way
    def a_person_decides(self, which: int, sure: bool, as_: str) -> None:
        """Rightly or, unless `sure`, wrongly."""
        tried = self.unknowns()[which % len(self.unknowns())]
        accepted = self.provider.accepted(tried.id)
        right = accepted == (as_ == "sent") and not (as_ != "sent" and self.may_still_call(tried))
        if sure and not right:
            return
        tried.owed.surmised |= not right
        self.settle([decision(tried.id, as_, self.clock.now())])

    @precondition(lambda self: any(self.provider.called.values()))
    @rule(
        which=st.lists(st.tuples(WHICH, st.sampled_from(list(EVIDENCE))), min_size=1, max_size=6),
        slow=SLOW,
        again=AGAIN,
    )
    @gives_way
    def receipts_come_in(self, which: list[tuple[int, str]], slow: bool, again: bool) -> None:
        accepted = [id for id, yes in self.provider.called.items() if yes]
        self.receive([(accepted[n % len(accepted)], status) for n, status in which], slow=slow, again=again)

    def receive(self, told: Sequence[tuple[UUID, str]], *, slow: bool = False, again: bool = False) -> None:
        now = self.clock.now()
        statuses: dict[UUID, set[str]] = {}
        for id, status in told:
            statuses.setdefault(id, set()).add(status)
        said = [
            Said(id, status, NOW + list(EVIDENCE).index(status) * STEP, CODE if status == "failed" else None)
            for id, status in told
        ]
        effect = self.model.receive(statuses)
        self.do(lambda c: receipt.apply(c, COHORT, said, now), lambda _: effect(), slow=slow, again=again)
