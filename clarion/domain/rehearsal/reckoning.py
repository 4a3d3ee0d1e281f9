"""What falls due in a rehearsal: counted, and never kept one by one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from clarion.domain.rehearsal.late import Coming

MOST = 400_000  # moments that are told apart; beyond that they are counted more coarsely
GRAINS = (1, 60, 300, 900, 3_600, 86_400)  # seconds

Counts = defaultdict[int, int]


class Lot(NamedTuple):
    """People who are alike to a channel: which one it is, by whose clock its hours are (empty where there
    are none), and their language (empty where all are told the same)."""

    channel: UUID
    zone: str
    language: str


class Due(NamedTuple):
    """So many messages of one step to people of one lot, due at one moment (seconds since 1970)."""

    lot: Lot
    step: int
    due: int
    many: int


class Heard(NamedTuple):
    """What one person has of it: messages that they hear, messages that are skipped, and whether something
    comes later than is counted."""

    messages: int
    skipped: int
    later: bool


class Reckoning:
    """What falls due before `until` (seconds since 1970).

    `due`: lot → step → moment → messages. `sold`: (lot, how the number begins) → step → messages, for what
    they cost. `skipped` by reason, `moved` by what moved them. `beyond`: something comes after `until`.
    `grain`: seconds that are counted together.
    """

    def __init__(self, until: int, most: int = MOST) -> None:
        self.until, self.grain, self.beyond = until, GRAINS[0], False
        self.due: dict[Lot, dict[int, Counts]] = {}
        self.sold: dict[tuple[Lot, str], Counts] = {}
        self.skipped: Counter[str] = Counter()
        self.moved: Counter[tuple[str, ...]] = Counter()
        self._most = most

    def count(self, coming: Iterable[Coming], lot: Lot, begins: str, many: int = 1) -> Heard:
        """What comes of so many people who are alike, in order; what each of them has of it."""
        steps, sold = self._steps(lot), self.sold.setdefault((lot, begins), defaultdict(int))
        until, grain = self.until, self.grain
        heard, skipped, later = 0, 0, False
        for due, _, step, moved, skip in coming:
            if due >= until:
                self.beyond = later = True
                break
            if skip is not None:
                self.skipped[skip] += many
                skipped += 1
                continue
            if moved:
                self.moved[moved] += many
            steps[step][due - due % grain] += many
            sold[step] += many
            heard += 1
        return Heard(heard, skipped, later)

    def skip(self, coming: Iterable[Coming], reason: str, many: int = 1) -> Heard:
        """What comes of so many people to whom nothing can be sent. What the schedule itself leaves out keeps
        its own reason."""
        skipped, later = 0, False
        for one in coming:
            if one.due >= self.until:
                self.beyond = later = True
                break
            self.skipped[reason if one.skip is None else one.skip] += many
            skipped += 1
        return Heard(0, skipped, later)

    def thin(self) -> None:
        """Count more coarsely, where there are more moments than may be kept apart."""
        while self._moments() > self._most and self.grain != GRAINS[-1]:
            self.grain = GRAINS[GRAINS.index(self.grain) + 1]
            for steps in self.due.values():
                for step in list(steps):
                    steps[step] = self._coarser(steps[step])

    def __iter__(self) -> Iterator[Due]:
        for lot, steps in self.due.items():
            for step, moments in steps.items():
                for due, many in moments.items():
                    yield Due(lot, step, due, many)

    def by_minute(self) -> Counter[int]:
        """How many messages are due in each minute (its beginning, seconds since 1970)."""
        found: Counter[int] = Counter()
        for one in self:
            found[one.due - one.due % 60] += one.many
        return found

    def _steps(self, lot: Lot) -> dict[int, Counts]:
        found = self.due.get(lot)
        if found is None:
            found = self.due[lot] = defaultdict(_nothing)
        return found

    def _moments(self) -> int:
        return sum(len(moments) for steps in self.due.values() for moments in steps.values())

    def _coarser(self, moments: Counts) -> Counts:
        found = _nothing()
        for due, many in moments.items():
            found[due - due % self.grain] += many
        return found


def _nothing() -> Counts:
    return defaultdict(int)
