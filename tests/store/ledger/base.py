"""What all steps of the state machine share: its world, its transactions, and what must hold after each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, ClassVar, Self, TypeVar, cast
from uuid import UUID

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clarion.domain.message import Verdict
from clarion.kit.clock import FakeClock
from clarion.kit.ids import floor7
from tests.store.ledger.model import Model
from tests.store.ledger.provider import Provider, Worker
from tests.store.ledger.transactions import Bench, MustWait, Open, Work
from tests.store.ledger.verify import learn, verify
from tests.store.ledger.world import NOW, Campaign, Seen, make

T = TypeVar("T")
Step = TypeVar("Step", bound=Callable[..., None])
LONGEST = timedelta(seconds=40)  # that a transaction stays open: less than recovery's slack
WHICH = st.integers(0, 11)
SLOW = st.sampled_from([False, False, False, True])
AGAIN = st.sampled_from([False, False, False, True])


def gives_way(step: Step) -> Step:
    """A step that would have to wait for an open transaction is not done: it may come after it."""

    @wraps(step)
    def polite(self: Base, **drawn: Any) -> None:
        try:
            step(self, **drawn)
        except MustWait:
            event("had to wait: " + step.__name__.replace("_", " "))

    return cast(Step, polite)


class Base(RuleBasedStateMachine):
    """One world, two workers at a time, one provider."""

    bench: ClassVar[Bench]

    @classmethod
    def of(cls, bench: Bench) -> type[Self]:
        """The machine on a database of its own."""
        return type(cls.__name__, (cls,), {"bench": bench})

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(NOW)
        self.world = self.bench.run(make(self.bench.db))
        self.model = Model(self.world, NOW, NOW)
        self.provider = Provider()
        self.dead: dict[UUID, Worker] = {}
        self.open: list[Open] = []
        self.said: list[Verdict] = []
        self.before: Seen | None = None
        self.made = 0
        self.workers = [Worker(self.new_id()) for _ in range(2)]

    def new_id(self) -> UUID:
        """An identifier of now, later than those before: what is done again comes in the same order."""
        self.made += 1
        first, last = floor7(self.clock.now()).int, self.world.workspace.int & ((1 << 62) - 1)
        return UUID(int=first | self.made << 64 | last)

    def worker(self, which: int) -> Worker:
        return self.workers[which % len(self.workers)]

    def campaign(self, which: int) -> Campaign:
        return self.world.campaigns[which % len(self.world.campaigns)]

    # --- transactions

    def do(self, work: Work[T], done: Callable[[T], object], *, slow: bool = False, again: bool = False) -> T:
        """One transaction; `done` once it has committed. A slow one commits at some later step, or never.
        `again` does it a second time, which must change nothing. Raises MustWait."""
        if slow and len(self.open) < 3:
            result, stack = self.bench.begin(self.world.workspace, work)
            self.open.append(Open(stack, lambda: done(result), self.clock.now()))
            return result
        result = self.bench.once(self.world.workspace, work)
        done(result)
        if again:
            self.repeat(work)
        return result

    def repeat(self, work: Work[T]) -> None:
        before = self.look()
        try:
            self.bench.once(self.world.workspace, work)
        except MustWait:
            return
        assert self.look() == before, "the same thing done again changed something"

    def look(self) -> Seen:
        return self.bench.look(self.world.workspace)

    @invariant()
    def the_ledger_tells_the_truth(self) -> None:
        seen = self.look()
        learn(seen, self.model)
        verify(seen, self.before, self.model, self.provider)
        self.before = seen

    @precondition(lambda self: self.open)
    @rule(which=WHICH, commits=st.sampled_from([True, True, False]))
    def a_slow_transaction_ends(self, which: int, commits: bool) -> None:
        slow = self.open.pop(which % len(self.open))
        if commits:
            self.bench.commit(slow.stack)
            slow.done()
        else:
            self.bench.crash(slow.stack)

    @rule(seconds=st.sampled_from([0.2, 7, 100, 2500]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        limit = min((slow.began for slow in self.open), default=datetime.max.replace(tzinfo=UTC) - LONGEST)
        if self.clock.now() + timedelta(seconds=seconds) < limit + LONGEST:
            self.clock.advance(seconds)
            self.model.now = self.clock.now()
