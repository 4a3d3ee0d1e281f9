"""What the ledger ought to say: a model in plain Python, without locks, transactions or SQL.

Each verb plans what a statement will do, from what was committed when the statement runs, and answers
a function that makes it so: called when the transaction commits, and never when it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from clarion.domain.message import Outcome, State, Verdict, raised
from clarion.store.intent import Intended
from tests.store.ledger.world import LASTS, Campaign, Person, World

Effect = Callable[[], None]
EVIDENCE = {
    "accepted": State.ACCEPTED,
    "failed": State.UNDELIVERED,
    "delivered": State.DELIVERED,
    "read": State.READ,
}
CODE = "131026"  # with which the provider says that it could not deliver
_RISEN = frozenset(EVIDENCE.values())


@dataclass(slots=True, eq=False)
class Owed:
    """One message. `queued` is when it is due, while it waits. `surmised`: somebody decided about it
    and was wrong; from then on only what holds for every message is asked of it."""

    person: Person
    campaign: Campaign
    state: State
    reason: str | None
    queued: datetime | None
    expires_at: datetime
    once_key: bytes | None = None  # held by whoever was to have it, where a campaign is one an address
    id: UUID | None = None
    counted: int = 0
    surmised: bool = False
    further: bool = False  # it is on the second channel
    noted: bool = False  # that it is to go on

    @property
    def lane(self) -> UUID:
        return self.campaign.further if self.further else self.campaign.lane

    @property
    def key(self) -> bytes | None:
        """Of the address that it goes to."""
        return self.person.sms if self.further else self.person.key

    @property
    def falls(self) -> bool:
        """Whether it is known that it did not arrive, and there is another channel."""
        if self.further:
            return False
        return self.state is State.UNDELIVERED or self.reason in ("refused", "attempts_used_up", "no_address")

    def note(self) -> None:
        self.noted |= self.falls

    def reopen(self, once: bool, further: bool, due: datetime, expires_at: datetime) -> None:
        # what the provider said did not arrive may have: then nothing is certain any more
        self.surmised |= self.state is State.UNDELIVERED
        self.state, self.reason, self.further, self.noted = State.READY, None, further, False
        self.queued, self.expires_at, self.counted = due, expires_at, 0
        self.once_key = self.key if once else None

    def know(self, id: str) -> None:
        self.id = UUID(id)


@dataclass(slots=True, eq=False)
class Tried:
    """One attempt. `outcome` is None while it is in flight."""

    id: UUID
    owed: Owed
    worker: UUID
    epoch: int
    number: int
    outcome: Outcome | None = None
    told: set[str] = field(default_factory=set)

    @property
    def effective(self) -> bool:
        return self.outcome in (None, Outcome.ACCEPTED, Outcome.UNKNOWN)


@dataclass(slots=True)
class Lane:
    state: str = "open"
    epoch: int = 1


@dataclass(slots=True)
class Owner:
    worker: UUID | None = None
    epoch: int = 0
    beat: int = 0


@dataclass(slots=True)
class Model:
    """The committed state. `began` is when both announcements are due, `now` the present."""

    world: World
    began: datetime
    now: datetime
    owner: Owner = field(default_factory=Owner)
    active: bool = True
    out: set[bytes] = field(default_factory=set)
    lanes: dict[UUID, Lane] = field(default_factory=dict)
    reached: dict[UUID, int] = field(default_factory=dict)  # run → how many people were read
    closed: set[UUID] = field(default_factory=set)  # runs that expand no further
    owed: dict[tuple[UUID, UUID], Owed] = field(default_factory=dict)  # by run and contact
    tries: dict[UUID, Tried] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.world.campaigns:
            self.lanes |= {lane: Lane() for lane in one.lanes}
            self.reached[one.run] = 0

    @property
    def expires_at(self) -> datetime:
        return self.began + LASTS

    def waiting(self, lane: UUID | None = None) -> list[Owed]:
        """Messages in the queue."""
        return [o for o in self.owed.values() if o.queued and lane in (None, o.lane)]

    # --- who is meant

    def expand(self, campaign: Campaign, limit: int) -> Effect:
        """The next people of a run each get a message, or a reason why not."""
        done = self.reached[campaign.run]
        people = self.world.people[done : done + limit]
        said = self._said(campaign)
        fresh: list[Owed] = []
        for person in people:
            reason = self._why_not(person, person.key, said)
            state, due = (State.SKIPPED, None) if reason else (State.READY, max(self.now, self.began))
            key = person.key if campaign.once and not reason else None
            fresh.append(Owed(person, campaign, state, reason, due, self.expires_at, key))
            fresh[-1].note()
            said.add(key)

        def apply() -> None:
            for owed in fresh:
                self.owed[campaign.run, owed.person.contact] = owed
            self.reached[campaign.run] = done + len(people)
            if len(people) < limit:
                self.closed.add(campaign.run)

        return apply

    def _why_not(self, person: Person, key: bytes | None, said: Collection[bytes | None]) -> str | None:
        if person.erased:
            return "erased"
        if key is None:
            return "no_address"
        if key in self.out:
            return "opted_out"
        return "duplicate_address" if key in said else None

    def _said(self, campaign: Campaign) -> set[bytes | None]:
        return {o.once_key for o in self.owed.values() if o.campaign is campaign}

    def reopen(self, campaign: Campaign, states: Collection[State], expires_at: datetime) -> Effect:
        """What ended without having been sent is judged again, and tried again where it may be."""
        said, effects = self._said(campaign), list[Effect]()
        ended = [o for o in self.owed.values() if o.campaign is campaign and o.state in states]
        for owed in sorted(ended, key=lambda o: o.person.contact):
            further = owed.person.key is None
            key = owed.person.sms if further else owed.person.key
            why = self._why_not(owed.person, key, said - {owed.once_key} if owed.once_key == key else said)
            if why is None:
                effects.append(partial(owed.reopen, campaign.once, further, self.now, expires_at))
                said.add(key if campaign.once else None)
            elif owed.state is State.SKIPPED:
                effects.append(partial(setattr, owed, "reason", why))
        return all_of(*effects)

    def fall(self, campaign: Campaign, noted: Collection[UUID]) -> tuple[set[UUID], Effect]:
        """What did not arrive goes on over the next channel; which messages."""
        some = [o for o in self.owed.values() if o.campaign is campaign and o.id in noted]
        said, going = self._said(campaign), list[Owed]()
        given: set[bytes | None] = set()
        for owed in sorted(some, key=lambda o: str(o.id)):
            if not self._goes_on(owed):
                continue
            first = owed.person.sms not in given
            given.add(owed.person.sms)
            if not campaign.once or (first and owed.person.sms not in said - {owed.once_key}):
                going.append(owed)
        there, now = [owed for owed in some if owed.state is not State.READY], self.now

        def apply() -> None:
            for owed in there:
                owed.noted = False
            for owed in going:
                owed.reopen(campaign.once, True, now, owed.expires_at)

        return {owed.id for owed in going if owed.id}, apply

    def _goes_on(self, owed: Owed) -> bool:
        person = owed.person
        return (
            owed.falls
            and owed.expires_at > self.now
            and not person.erased
            and person.sms is not None
            and not {owed.key, person.sms} & self.out
            and self.lanes[owed.lane].state != "cancelled"
        )

    # --- who may send

    def take(self, worker: UUID, seen: tuple[UUID | None, int, int]) -> tuple[bool, Effect]:
        """Whether a takeover succeeds that was decided on what was `seen`: (worker, epoch, beat)."""
        owner = self.owner
        if seen != (owner.worker, owner.epoch, owner.beat):
            return False, _nothing
        return True, lambda: setattr(self, "owner", Owner(worker, owner.epoch + 1, owner.beat + 1))

    def owns(self, worker: UUID, epoch: int) -> bool:
        return (self.owner.worker, self.owner.epoch) == (worker, epoch)

    def beat(self, ours: bool) -> None:
        self.owner.beat += ours

    def release(self, worker: UUID, epoch: int) -> Effect:
        if not self.owns(worker, epoch):
            return _nothing
        return lambda: setattr(self.owner, "worker", None)

    # --- trying

    def intend(self, worker: UUID, epoch: int, tries: Sequence[Intended]) -> tuple[set[UUID], Effect]:
        """Which of the tries are granted."""
        granted: dict[UUID, Tried] = {}
        by_id = {owed.id: owed for owed in self.owed.values()}
        for one in tries:
            owed = by_id[one.waiting.message_id]
            if self._may(worker, epoch, one, owed):
                tried = Tried(one.attempt_id, owed, worker, epoch, owed.counted + 1)
                granted[one.attempt_id] = tried

        def apply() -> None:
            self.tries |= granted
            for tried in granted.values():
                tried.owed.queued = None

        return set(granted), apply

    def _may(self, worker: UUID, epoch: int, one: Intended, owed: Owed) -> bool:
        lane = self.lanes[owed.lane]
        return (
            self.owns(worker, epoch)
            and (self.active or owed.further)
            and lane.state == "open"
            and lane.epoch == one.lane_epoch
            and owed.queued == one.waiting.due_at
            and owed.queued <= self.now < owed.expires_at
            and owed.lane == one.waiting.lane_id
            and owed.key not in self.out
        )

    def settle(self, verdicts: Iterable[Verdict]) -> Effect:
        """How attempts ended."""
        return all_of(*[self._settle(verdict) for verdict in verdicts])

    def _settle(self, verdict: Verdict) -> Effect:
        tried = self.tries[verdict.attempt_id]
        owed = tried.owed
        state, reason, queued = verdict.state, verdict.reason, None
        if tried.outcome not in (None, Outcome.UNKNOWN):
            return owed.note if state is State.FAILED and owed.falls else _nothing
        if state is State.READY and owed.person.erased:
            state, reason = State.SKIPPED, "erased"
        elif state is State.READY and self.lanes[owed.lane].state == "cancelled":
            state = State.CANCELLED
        elif state is State.READY:
            queued = verdict.retry_at

        def apply() -> None:
            tried.outcome = verdict.outcome
            if state is State.READY:
                owed.counted = tried.number if verdict.counts else tried.number - 1
            if owed.state not in _RISEN:
                owed.state, owed.reason, owed.queued = state, reason, queued
            if state is State.FAILED:
                owed.note()

        return apply

    def receive(self, told: dict[UUID, set[str]]) -> Effect:
        """What the provider says of attempts that it accepted."""
        news = {self.tries[id]: statuses - self.tries[id].told for id, statuses in told.items()}
        failed = [self.tries[id].owed for id, statuses in told.items() if "failed" in statuses]
        fell = [owed for owed in failed if owed.falls]

        def apply() -> None:
            for tried, statuses in news.items():
                if not statuses:
                    continue
                owed = tried.owed
                before, tried.outcome = owed.state, Outcome.ACCEPTED
                tried.told |= statuses
                for status in statuses:
                    owed.state = raised(owed.state, EVIDENCE[status])
                if owed.state is not before:
                    owed.queued = None
                    owed.reason = CODE if owed.state is State.UNDELIVERED else None
                if "failed" in statuses:
                    owed.note()
            for owed in fell:
                owed.note()

        return apply

    # --- taking back

    def end(self, some: Iterable[Owed], state: State, reason: str | None) -> Effect:
        """Those of them that wait now end so."""
        waiting = [owed for owed in some if owed.queued]

        def apply() -> None:
            for owed in waiting:
                waited_for = owed.reason if state is State.EXPIRED else None
                owed.state, owed.reason, owed.queued = state, waited_for or reason, None

        return apply

    def hold(self, some: Iterable[Owed], later: datetime, reason: str) -> Effect:
        """Those of them that wait now are due later, and say why."""
        waiting = [owed for owed in some if owed.queued]

        def apply() -> None:
            for owed in waiting:
                owed.queued, owed.reason = later, reason

        return apply

    def consent(self, key: bytes, state: str) -> Effect:
        """Somebody says stop, or start."""
        if state == "in":
            return lambda: self.out.discard(key)
        # who was erased is nobody's contact any more: what waits for them is ended as erased
        some = [o for o in self.waiting() if o.key == key and not o.person.erased]
        ended = self.end(some, State.SKIPPED, "opted_out")
        return all_of(lambda: self.out.add(key), ended)

    def erase(self, person: Person) -> Effect:
        ended = self.end([o for o in self.waiting() if o.person is person], State.SKIPPED, "erased")
        return all_of(person.forget, ended)

    def switch(self, active: bool) -> None:
        self.active = active

    def set_lanes(self, campaign: Campaign, state: str) -> Effect:
        return all_of(*[self._set_lane(lane, state) for lane in campaign.lanes])

    def _set_lane(self, lane_id: UUID, state: str) -> Effect:
        lane = self.lanes[lane_id]
        if lane.state in (state, "cancelled"):
            return _nothing
        return lambda: self.lanes.update({lane_id: Lane(state, lane.epoch + 1)})


def all_of(*effects: Effect) -> Effect:
    """One after the other."""

    def apply() -> None:
        for effect in effects:
            effect()

    return apply


def _nothing() -> None:
    """The statement changes nothing."""
