"""What can go wrong at a provider, by name, and who decides that it does: the queue, the roster, the seed.

A fault of the call changes what becomes of one request; a fault of the receipts changes what is told
afterwards. A call may have one of each. The queue (`POST /sandbox/faults`) goes before the roster (this
person's phone), the roster before chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Takes = Literal["seconds", "code", "nothing"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One named fault: whether the message is accepted all the same, and what its parameter means."""

    name: str
    accepts: bool
    takes: Takes = "nothing"
    default: float = 0.0
    receipts: bool = False


_KINDS = (
    Kind("slow", accepts=True, takes="seconds", default=2.0),
    Kind("answer_late", accepts=True, takes="seconds", default=60.0),
    Kind("accept_late", accepts=True, takes="seconds", default=60.0),
    Kind("drop_after_accept", accepts=True),
    Kind("error_after_accept", accepts=True),
    Kind("malformed_json", accepts=True),
    Kind("half_close", accepts=True),
    Kind("reset", accepts=True),
    Kind("drop_before_accept", accepts=False),
    Kind("refuse_500", accepts=False),
    Kind("not_processed_503", accepts=False, takes="code", default=133016),
    Kind("throttle", accepts=False, takes="seconds", default=1.0),
    Kind("throttle_bare", accepts=False),
    Kind("refuse_permanent", accepts=False, takes="code", default=131026),
    Kind("receipts_early", accepts=True, receipts=True),
    Kind("receipts_late", accepts=True, takes="seconds", default=30.0, receipts=True),
    Kind("receipts_five_times", accepts=True, receipts=True),
    Kind("receipts_reversed", accepts=True, receipts=True),
    Kind("receipts_missing", accepts=True, receipts=True),
    Kind("receipts_failed", accepts=True, takes="code", default=131026, receipts=True),
)
FAULTS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}
# In the record a fault is one byte: 0 is none.
FAULT_NAMES = ("", *FAULTS)
FAULT_NUMBER: Mapping[str, int] = {name: number for number, name in enumerate(FAULT_NAMES)}


def check_fault(name: str) -> Kind:
    """The fault of this name. Raises ValueError that lists the names there are."""
    kind = FAULTS.get(name)
    if kind is None:
        raise ValueError(f"no fault is named {name!r}; there are {', '.join(FAULTS)}")
    return kind


def check_parameter(name: str, parameter: float) -> None:
    """Raises ValueError when this fault takes no such parameter."""
    kind = check_fault(name)
    if kind.takes == "nothing":
        raise ValueError(f"{name} takes no parameter, but was given {parameter:g}")
    if kind.takes == "seconds" and not 0 <= parameter <= 86_400:
        raise ValueError(f"{name} takes seconds from 0 to 86400, not {parameter:g}")
    if kind.takes == "code" and not (0 <= parameter <= 9_999_999 and parameter == int(parameter)):
        raise ValueError(f"{name} takes the code of an error, not {parameter:g}")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that strikes one call."""

    kind: Kind
    parameter: float

    @property
    def name(self) -> str:
        return self.kind.name


def fault(name: str, parameter: float | None = None) -> Fault:
    """A fault with its parameter or its default one. Raises ValueError."""
    kind = check_fault(name)
    if parameter is None:
        return Fault(kind, kind.default)
    check_parameter(name, parameter)
    return Fault(kind, parameter)


@dataclass(slots=True)
class Queued:
    """A fault for the next `left` calls (None: all) for this person and with references that begin so."""

    fault: Fault
    left: int | None = 1
    to: str | None = None
    reference: str | None = None

    def fits(self, to: str, reference: str) -> bool:
        return (self.to is None or self.to == to) and (
            self.reference is None or reference.startswith(self.reference)
        )


class RosterEntry(Protocol):
    """A line of the roster, as the settings hold it."""

    @property
    def number(self) -> str: ...
    @property
    def behaviour(self) -> str: ...
    @property
    def parameter(self) -> float | None: ...
    @property
    def times(self) -> int | None: ...


class Faults:
    """Decides for each call. `active` is false while nothing is set, which keeps the common call cheap."""

    def __init__(self) -> None:
        self.queue: list[Queued] = []
        self._roster: dict[str, list[Queued]] = {}
        self._seed = 0
        self._by_ordinal = False
        self._chances: tuple[list[tuple[float, Fault]], list[tuple[float, Fault]]] = ([], [])
        self._calls: dict[str, int] = {}
        self.active = False

    def configure(
        self,
        roster: Iterable[RosterEntry],
        seed: int,
        by_ordinal: bool,
        probabilities: Mapping[str, float],
        parameters: Mapping[str, float],
    ) -> None:
        """Take new settings. A roster line with `times` starts counting again."""
        self._roster = {}
        for line in roster:
            entry = Queued(fault(line.behaviour, line.parameter), line.times)
            self._roster.setdefault(line.number, []).append(entry)
        self._seed, self._by_ordinal = seed, by_ordinal
        self._chances = ([], [])
        for receipts in (False, True):
            edge = 0.0
            for name in FAULTS:  # the fixed order of the table, so that a document's order means nothing
                share = probabilities.get(name, 0.0)
                if share > 0 and FAULTS[name].receipts is receipts:
                    edge += share
                    self._chances[receipts].append((edge, fault(name, parameters.get(name))))
        self._refresh()

    def add(self, queued: Queued) -> None:
        self.queue.append(queued)
        self._refresh()

    def clear_queue(self) -> None:
        self.queue.clear()
        self._refresh()

    def reset(self) -> None:
        """Forget the queue and how often each reference has called; the settings stay."""
        self.queue.clear()
        self._calls.clear()
        self._refresh()

    def choose(self, to: str, reference: str, ordinal: int) -> tuple[Fault | None, Fault | None]:
        """The fault of the call and the fault of the receipts for one request, and count them as used."""
        call = self._next(self.queue, to, reference, receipts=False)
        told = self._next(self.queue, to, reference, receipts=True)
        person = self._roster.get(to)
        if person is not None:
            call = call or self._next(person, to, reference, receipts=False)
            told = told or self._next(person, to, reference, receipts=True)
        if self._chances[0] or self._chances[1]:
            key = self._key(reference, ordinal)
            call = call or self._draw(self._chances[0], key, "call")
            told = told or self._draw(self._chances[1], key, "receipts")
        return call, told

    def _refresh(self) -> None:
        self.active = bool(self.queue or self._roster or self._chances[0] or self._chances[1])

    def _next(self, entries: list[Queued], to: str, reference: str, *, receipts: bool) -> Fault | None:
        for entry in entries:
            if entry.fault.kind.receipts is not receipts or not entry.fits(to, reference):
                continue
            if entry.left is not None:
                entry.left -= 1
                if entry.left <= 0:
                    entries.remove(entry)
                    self._refresh()
            return entry.fault
        return None

    def _key(self, reference: str, ordinal: int) -> str:
        if self._by_ordinal or not reference:
            return f"{self._seed}/{ordinal}"
        # The same reference may call again (a retry): its second call draws its own lot.
        nth = self._calls[reference] = self._calls.get(reference, 0) + 1
        return f"{self._seed}/{reference}/{nth}"

    @staticmethod
    def _draw(chances: list[tuple[float, Fault]], key: str, what: str) -> Fault | None:
        digest = hashlib.blake2b(f"{key}/{what}".encode(), digest_size=8).digest()
        lot = int.from_bytes(digest, "big") / 2**64
        return next((struck for edge, struck in chances if lot < edge), None)
