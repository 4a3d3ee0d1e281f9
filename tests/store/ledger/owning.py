"""Steps: who is meant, and who may send."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from clarion.domain.message import Verdict
from clarion.kit.db import Connection
from clarion.store import attempt, owner
from clarion.store.expansion import Chunk, Meant, expand_chunk
from clarion.store.owner import Holding
from tests.store.ledger.base import AGAIN, SLOW, WHICH, Base, gives_way
from tests.store.ledger.provider import Worker, not_begun, verdict
from tests.store.ledger.transactions import MustWait
from tests.store.ledger.world import COHORT, SCHEMES, Campaign

SLACK = timedelta(seconds=60)  # as flow.dispatch.recover has it
EVERYBODY = Meant("true", {})


class Owning(Base):
    """Expanding, taking over, recovering, beating, giving up, dying."""

    # --- who is meant

    @precondition(lambda self: len(self.model.closed) < len(self.world.campaigns))
    @rule(which=WHICH, limit=st.integers(1, 4), slow=SLOW)
    @gives_way
    def the_audience_is_expanded(self, which: int, limit: int, slow: bool) -> None:
        self.expand(self.campaign(which), limit, slow)

    def expand(self, one: Campaign, limit: int, slow: bool = False) -> None:
        self.clock.advance(0.001)  # chunks of one millisecond are in no order
        self.model.now = self.clock.now()
        effect, due = self.model.expand(one, limit), one.run not in self.model.closed
        now = self.clock.now()

        async def work(connection: Connection) -> Chunk | None:
            return await expand_chunk(
                connection,
                one.run,
                EVERYBODY,
                schemes=SCHEMES,
                once_an_address=one.once,
                limit=limit,
                now=now,
                falls=True,
            )  # fmt: skip

        chunk = self.do(work, lambda chunk: chunk and effect(), slow=slow)
        assert (chunk is not None) == due or self.open

    # --- who may send

    def holding(self) -> Holding:
        """The channel as the board shows it now; the board leaves out what is paused and nobody's."""
        board = self.bench.run(self._board())
        free = Holding(self.world.workspace, self.world.channel, None, self.model.owner.epoch, 0, False)
        return next((one for one in board if one.channel_id == self.world.channel), free)

    async def _board(self) -> list[Holding]:
        async with self.bench.db.system() as connection:
            return await owner.board(connection, self.clock.now())

    @rule(which=WHICH)
    def a_worker_looks_at_the_board(self, which: int) -> None:
        self.worker(which).seen = self.holding()

    @rule(which=WHICH, fresh=st.booleans(), slow=SLOW, again=AGAIN)
    @gives_way
    def a_worker_takes_the_channel(self, which: int, fresh: bool, slow: bool, again: bool) -> None:
        worker = self.worker(which)
        seen = worker.seen if worker.seen and not fresh else self.holding()
        self.take(worker, seen, slow=slow, again=again)

    def take(self, worker: Worker, seen: Holding, *, slow: bool = False, again: bool = False) -> None:
        expected, effect = self.model.take(worker.id, (seen.worker_id, seen.epoch, seen.beat))
        now = self.clock.now()

        def done(taken: tuple[int, datetime] | None) -> None:
            if taken is not None:
                effect()
                worker.own(*taken)

        taken = self.do(lambda c: owner.take(c, seen, worker.id, now), done, slow=slow, again=again)
        assert (taken is not None) == expected

    @precondition(lambda self: any(worker.epoch and not worker.recovered for worker in self.workers))
    @rule(which=WHICH, provable=st.booleans())
    @gives_way
    def the_new_owner_recovers(self, which: int, provable: bool) -> None:
        if self.worker(which).epoch is not None:
            self.recover(self.worker(which), provable=provable)

    def recover(self, worker: Worker, *, provable: bool) -> None:
        if worker.epoch is None:
            raise MustWait
        now, epoch = self.clock.now(), worker.epoch
        since = worker.settled_through - SLACK

        async def work(connection: Connection) -> list[Verdict]:
            left = await attempt.abandoned(connection, [self.world.channel, self.world.sms], epoch, since)
            verdicts = [self.post_mortem(one.id, one.worker_id, provable) for one in left]
            await attempt.settle(connection, COHORT, verdicts, now)
            return verdicts

        self.said += self.do(work, lambda verdicts: self.model.settle(verdicts)())
        worker.recovered = True
        left = [t for t in self.model.tries.values() if t.outcome is None and t.epoch < epoch]
        assert not left, "an attempt of an earlier owner is lost from sight"

    def post_mortem(self, attempt_id: UUID, worker_id: UUID, provable: bool) -> Verdict:
        dead = self.dead.get(worker_id)
        if dead is not None and provable and attempt_id not in dead.marks:
            return not_begun(attempt_id, self.clock.now())
        return verdict(attempt_id, "", self.clock.now())

    @rule(
        which=WHICH, what=st.sampled_from(["beats", "gives up", "looks", "dies", "dies marked"]), again=AGAIN
    )
    @gives_way
    def a_worker_lives_or_dies(self, which: int, what: str, again: bool) -> None:
        worker = self.worker(which)
        match what:
            case "beats" if worker.recovered:
                self.beat(worker)
            case "gives up" if worker.recovered and not worker.begun:
                self.give_up(worker, again=again)
            case "looks":
                worker.seen = self.holding()
            case "dies" | "dies marked":
                self.kill(worker, mark=what == "dies marked")

    def beat(self, worker: Worker) -> None:
        assert worker.epoch is not None
        epoch, through = worker.epoch, min([self.clock.now(), *worker.begun.values()])
        expected, id = self.model.owns(worker.id, epoch), self.world.channel
        ours = self.do(lambda c: owner.beat(c, id, worker.id, epoch, through), self.model.beat)
        assert ours == expected, "only the owner's beat counts"

    def give_up(self, worker: Worker, *, again: bool) -> None:
        assert worker.epoch is not None
        epoch, id = worker.epoch, self.world.channel
        effect = self.model.release(worker.id, epoch)
        self.do(lambda c: owner.release(c, id, worker.id, epoch), lambda _: effect(), again=again)

    def kill(self, worker: Worker, *, mark: bool) -> None:
        if mark and worker.hands:
            worker.marks.add(worker.hands[0].id)  # between the mark and the first byte
        worker.die()
        self.dead[worker.id] = worker
        self.workers[self.workers.index(worker)] = Worker(self.new_id())
