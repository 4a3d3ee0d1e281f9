"""Steps that are made of others: what must go wrong is that something happens just in between."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.store.ledger.base import WHICH, gives_way
from tests.store.ledger.model import Tried
from tests.store.ledger.owning import Owning
from tests.store.ledger.provider import ANSWERS, Worker
from tests.store.ledger.sending import Sending
from tests.store.ledger.wishes import Wishes
from tests.store.ledger.world import Campaign, Person

WISHES = ("stop", "start", "erase")
ORDERS = ("pause", "pause and resume", "cancel", "channel", "retry", "fallback")
FATE = ("expiry", "takeover", "takeover and recovery", "death")
HAPPENS = st.sampled_from((*WISHES, *ORDERS, *FATE, "stop", "pause and resume", "takeover and recovery"))
# How a call ends; "" is an answer that nobody hears to a message that was accepted.
ENDS = (*ANSWERS, "later", "later", "")
A_WHILE = 4000  # seconds: longer than anything lasts


class Plots(Owning, Sending, Wishes):
    """Something happens between two steps of a worker that owns the channel, or thinks so."""

    def owner(self, which: int) -> Worker:
        """A worker that owns the channel; it takes it if it must."""
        worker = self.worker(which)
        if worker.epoch is None or not self.model.owns(worker.id, worker.epoch):
            self.take(worker, self.holding())
        if not worker.recovered:
            self.recover(worker, provable=True)
        return worker

    @rule(which=WHICH, what=HAPPENS)
    @gives_way
    def something_happens_before_an_intent(self, which: int, what: str) -> None:
        worker = self.owner(which)
        self.read_all(worker, 4)
        self.happen(what, which, worker, [self.owed(waiting).person for waiting in worker.buffer])
        if worker.alive and worker.buffer:
            self.intend(worker, 12, slow=which == 0)

    @rule(
        which=WHICH, what=HAPPENS, answer=st.sampled_from(ENDS), told=st.booleans(),
        goes_on=st.booleans(),
    )  # fmt: skip
    @gives_way
    def something_happens_before_settling(
        self, which: int, what: str, answer: str, told: bool, goes_on: bool
    ) -> None:
        worker = self.owner(which)
        self.read_all(worker, 2)
        if worker.buffer:
            self.intend(worker, 4)
        called: list[Tried] = []
        while worker.hands:
            called.append(worker.hands.pop())
            self.call(worker, called[-1], answer or "accepts", heard=bool(answer))
        self.happen(what, which, worker, [tried.owed.person for tried in called])
        if told:
            self.receive([(t.id, "delivered") for t in called if self.provider.accepted(t.id)])
        if worker.alive and worker.answers:
            self.settle_own(worker, 12, slow=which == 0)
        if goes_on:
            worker = self.owner(which)
            self.read_all(worker, 12)
            if worker.buffer:
                self.intend(worker, 12)

    def read_all(self, worker: Worker, limit: int) -> None:
        for one in self.world.campaigns:
            self.read(worker, one, fresh=True, restart=True, limit=limit)

    def happen(self, what: str, which: int, worker: Worker, people: list[Person]) -> None:
        if what in WISHES:
            self.wish(what, people[which % len(people)] if people else self.person(which))
        elif what in ORDERS:
            self.order(what, which, self.campaign(which))
        else:
            self.befall(what, which, worker)

    def wish(self, what: str, person: Person) -> None:
        if what == "erase":
            self.erase(person)
        elif key := person.key or person.sms:
            self.consent(key, "out" if what == "stop" else "in")

    def order(self, what: str, which: int, one: Campaign) -> None:
        match what:
            case "pause":
                self.set_lanes(one, "paused")
            case "pause and resume":
                self.set_lanes(one, "paused")
                self.set_lanes(one, "open")
            case "cancel" if which == 1:  # for good: not too often
                self.cancel(one)
            case "channel":
                self.switch(not self.model.active)
            case "retry":
                self.retry(one, undelivered=False)
            case "fallback":
                self.fall(one)

    def befall(self, what: str, which: int, worker: Worker) -> None:
        match what:
            case "expiry" if not self.open:
                self.pass_time(A_WHILE)
            case "death":
                self.kill(worker, mark=bool(which % 2))
            case "takeover" | "takeover and recovery":
                other = next(w for w in self.workers if w is not worker)
                self.take(other, self.holding())
                if what != "takeover":
                    self.recover(other, provable=True)
