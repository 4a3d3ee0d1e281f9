"""The state machine: everything that may happen to a ledger, in any order, some of it at once; and in the
end everybody has heard it or has a reason why not."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from clarion.domain.message import State
from tests.store.ledger.base import WHICH, gives_way
from tests.store.ledger.plots import Plots
from tests.store.ledger.provider import verdict

ENDS = frozenset(State) - {State.READY, State.UNKNOWN}


class Ledger(Plots):
    """All steps together."""

    @initialize(start=st.sampled_from(["called", "begun", "owned", "planned"]))
    def it_may_be_under_way_already(self, start: str) -> None:
        """Most of what can go wrong needs a channel that is owned, and something that waits."""
        if start == "planned":
            return
        self.expand(self.world.campaigns[0], 10)
        self.the_ledger_tells_the_truth()
        worker = self.workers[0]
        self.take(worker, self.holding())
        self.recover(worker, provable=True)
        self.read(worker, self.world.campaigns[0], fresh=True, restart=True, limit=12)
        if start in ("begun", "called"):
            self.intend(worker, 4)
        if start == "called":
            self.call(worker, worker.hands.pop(), "accepts")
            self.call(worker, worker.hands.pop(), "accepts", heard=False)
            self.call(worker, worker.hands.pop(), "later")

    @rule(
        which=WHICH,
        count=st.integers(1, 6),
        answer=st.sampled_from(["accepts", "accepts", "refuses", "later"]),
    )
    @gives_way
    def a_worker_works_as_it_should(self, which: int, count: int, answer: str) -> None:
        self.work(which, count, answer)

    def work(self, which: int, count: int, answer: str) -> None:
        """Take the channel if need be, read, end what may not be sent, commit, call, settle."""
        worker = self.owner(which)
        self.read_all(worker, count)
        self.end(worker)
        if worker.buffer:
            self.intend(worker, count)
        while worker.hands:
            self.call(worker, worker.hands.pop(), answer)
        if worker.answers:
            self.settle_own(worker, len(worker.answers))

    # --- the end

    def teardown(self) -> None:
        try:
            self.everybody_is_told_in_the_end()
        finally:
            for slow in self.open:
                self.bench.crash(slow.stack)
            self.bench.run(self._forget())

    def everybody_is_told_in_the_end(self) -> None:
        """All transactions end, a fresh worker goes on, and nothing is left undecided."""
        while self.open:
            self.a_slow_transaction_ends(0, True)
        for worker in list(self.workers):
            self.kill(worker, mark=False)
        self.clock.advance(90)
        self.model.now = self.clock.now()
        self.switch(True)
        for one in self.world.campaigns:
            self.set_lanes(one, "open")
            while one.run not in self.model.closed:
                self.expand(one, 3)
        self._drain()
        self.the_ledger_tells_the_truth()
        assert not self.look()["noted"], "something is noted for ever"
        assert len(self.model.owed) == sum(self.model.reached.values())
        for owed in self.model.owed.values():
            assert owed.state in ENDS, f"{owed} was never brought to an end"

    def _drain(self) -> None:
        for _ in range(20):
            self.the_ledger_tells_the_truth()
            self.work(0, 12, "accepts")
            for tried in self.unknowns():
                answer = "accepts" if self.provider.accepted(tried.id) else "later"
                self.settle([verdict(tried.id, answer, self.clock.now())])
            for one in self.world.campaigns:
                if self.model.lanes[one.lane].state == "cancelled":
                    for lane in one.lanes:
                        self.empty(lane, 12)
                self.fall(one)
            if not self.model.waiting() and not self.unknowns() and not self.look()["noted"]:
                return
            self.pass_time(70)  # until what was under way is looked at again

    async def _forget(self) -> None:
        """The board is over all workspaces: what this one shows on it goes."""
        async with self.bench.db.tenant(self.world.workspace) as connection:
            await connection.execute("DELETE FROM channel_owner")
            await connection.execute("DELETE FROM channel")
