"""What an alert does, told a second time and plainly: every case by itself, hour by hour, from what happened.

No occurrence is kept ahead, nothing is hashed or noted: whatever happens, all is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOME = ZoneInfo("Africa/Nairobi")
STALE = timedelta(hours=48)
PRESSING = timedelta(minutes=10)
Due = tuple[int, datetime]
Said = tuple[str, str, int, int, datetime, str]
"""(case, person, generation, step, due, what became of it)"""


@dataclass(frozen=True)
class Rule:
    """An alert as the model knows it. `soon`: also the date must be within two days. `dated`: told two days
    and one day before the property `by`, else at once and 26 hours later."""

    soon: bool = False
    dated: bool = True
    by: str = "appointment_date"
    reentry: str | int = "again"
    restarts: bool = False

    def steps(self, began: datetime, value: str) -> list[Due]:
        if not self.dated:
            return [(3, began), (4, began + timedelta(hours=26))]
        day = read(value)
        if day is None:
            return []
        return [(1, nine(day - timedelta(days=2))), (2, nine(day - timedelta(days=1)))]


def read(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def nine(day: date) -> datetime:
    return datetime.combine(day, time(9), HOME).astimezone(UTC)


@dataclass
class Person:
    """A recipient of a case."""

    generation: int
    began: datetime
    basis: str
    status: str = "active"
    reason: str = ""
    next: list[Due] = field(default_factory=list)
    last: datetime | None = None  # when something last came, or fell due
    said: set[int] = field(default_factory=set)  # steps of this generation


@dataclass
class Case:
    """A case and where it stands. `times`: how often it has begun."""

    properties: dict[str, str]
    closed: bool = False
    people: tuple[str, ...] = ()
    phase: str = "none"
    reason: str = ""
    times: int = 0
    since: datetime | None = None
    began: datetime | None = None
    round: str = ""
    told: dict[str, Person] = field(default_factory=dict)


@dataclass
class Model:
    """One alert and its cases."""

    rule: Rule
    launched: datetime
    cases: dict[str, Case] = field(default_factory=dict)
    paused: bool = False
    resumed: datetime | None = None
    switched: bool = False  # since it was last looked at, it counts from another property
    messages: dict[tuple[str, str, int, int], tuple[datetime, str]] = field(default_factory=dict)

    def all(self) -> list[Said]:
        return sorted((*key, due, became) for key, (due, became) in self.messages.items())

    def look(self, now: datetime) -> None:
        """Everything is looked at, and what is due is said."""
        for name, case in self.cases.items():
            self._turn(case, now)
            for who in sorted({*case.people, *case.told}):
                self._settle(name, case, who, now)
            for who, person in case.told.items():
                self._fire(name, who, person, now)
        self.switched = False

    def _meets(self, case: Case, now: datetime) -> bool:
        if case.closed or case.properties.get("status") != "scheduled":
            return False
        day = read(case.properties.get("appointment_date", ""))
        today = now.astimezone(HOME).date()
        return not self.rule.soon or (day is not None and today <= day <= today + timedelta(days=2))

    def _turn(self, case: Case, now: datetime) -> None:
        said = case.properties.get("round", "") if self.rule.restarts else ""
        if not self._meets(case, now):
            if case.phase in ("on", "out") or (case.phase == "none" and self.rule.soon):
                case.phase, case.since = "off", now
            if case.phase == "off":
                case.reason = "closed" if case.closed else "no_match"
        elif case.phase in ("none", "off"):
            if case.phase == "off" and case.times and self._refused(case, now):
                case.phase, case.since, case.round = "out", now, said
            else:
                self._begin(case, said, now)
        elif said != case.round:
            self._begin(case, said, now)

    def _begin(self, case: Case, said: str, now: datetime) -> None:
        case.phase, case.since, case.began, case.round = "on", now, now, said
        case.times += 1

    def _refused(self, case: Case, now: datetime) -> bool:
        assert case.began is not None
        if isinstance(self.rule.reentry, int):
            return now < case.began + timedelta(days=self.rule.reentry)
        return self.rule.reentry == "once"

    def _settle(self, name: str, case: Case, who: str, now: datetime) -> None:
        basis = case.properties.get(self.rule.by, "") if self.rule.dated else ""
        person = case.told.get(who)
        if person is None:
            if case.phase == "on" and who in case.people:
                assert case.since is not None
                case.told[who] = person = Person(1, case.since, basis)
                self._reckon(person, basis, now)
            return
        if case.phase != "on":
            self._over(name, case, who, person, now)
        elif who not in case.people:
            if person.status != "stopped":
                self._stop(name, who, person, "left")
        elif case.since is not None and person.began < case.since:
            if person.status != "stopped":
                self._withdraw(name, who, "restarted")
            self._again(person, case.since, basis, now, anew=bool(person.said))
        elif person.status == "stopped":
            anew = bool(person.said) and basis != person.basis and not self.switched
            self._again(person, now if anew else person.began, basis, now, anew=anew)
        elif basis != person.basis and person.said and not self.switched:
            self._withdraw(name, who, "moved")
            self._again(person, now, basis, now, anew=True)
        else:
            self._reckon(person, basis, min(now, person.last or now))

    def _again(self, person: Person, began: datetime, basis: str, since: datetime, *, anew: bool) -> None:
        if anew:
            person.generation += 1
            person.said = set()
        person.began = began
        self._reckon(person, basis, since)

    def _reckon(self, person: Person, basis: str, since: datetime) -> None:
        person.basis, person.reason = basis, ""
        coming = [one for one in self.rule.steps(person.began, basis) if one[1] >= since]
        person.next = [one for one in coming if one[0] not in person.said]
        if person.next:
            person.status, person.last = "active", person.next[0][1]
            return
        person.last = None
        if self.rule.dated and read(basis) is None:
            person.status = "active"
        else:
            person.status = "finished" if person.said else "lapsed"

    def _over(self, name: str, case: Case, who: str, person: Person, now: datetime) -> None:
        if person.status == "active":
            self._stop(name, who, person, case.reason)
        elif person.status == "finished" and case.since == now:
            self._withdraw(name, who, case.reason)

    def _stop(self, name: str, who: str, person: Person, why: str) -> None:
        self._withdraw(name, who, why)
        person.status, person.reason, person.next, person.last = "stopped", why, [], None

    def _withdraw(self, name: str, who: str, why: str) -> None:
        """Nothing is ever sent here, so all that was written and not skipped still waits."""
        for key, (due, became) in self.messages.items():
            if key[:2] == (name, who) and became == "ready":
                self.messages[key] = (due, why)

    def _fire(self, name: str, who: str, person: Person, now: datetime) -> None:
        while person.status == "active" and not self.paused and person.next and person.next[0][1] <= now:
            (step, due), *person.next = person.next
            became = "ready"
            if self.resumed is not None and due < self.resumed:
                became = "paused"
            elif due < now - STALE or (due < now - PRESSING and person.next and person.next[0][1] <= now):
                became = "missed"
            self.messages[name, who, person.generation, step] = (due, became)
            person.said.add(step)
            person.last = person.next[0][1] if person.next else due
            if not person.next:
                person.status = "finished"
