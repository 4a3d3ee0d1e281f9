"""What was due before a rehearsal begins and is not written yet: judged as firing judges it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from clarion.domain.schedule.subject import Occurrence


class Judged(NamedTuple):
    """An occurrence, whose `skip` is any reason of the ledger."""

    due: int
    iteration: int
    step: int
    moved: tuple[str, ...] = ()
    skip: str | None = None


Coming = Occurrence | Judged


@dataclass(frozen=True, slots=True)
class Lateness:
    """Seconds since 1970: `now`, and before which moment what fell due was `paused`. Seconds: how late it may
    be (`patience`), and how late it gives way to the next one that is due as well (`pressing`)."""

    now: int
    patience: float
    pressing: float
    paused: int = 0

    def judged(self, coming: Iterable[Coming]) -> Iterator[Coming]:
        """The same, with the reason of what would be skipped for being late."""
        rest = iter(coming)
        before = next(rest, None)
        while before is not None and before.due <= self.now:
            following = next(rest, None)
            yield self._one(before, following)
            before = following
        if before is not None:
            yield before
        yield from rest

    def _one(self, one: Coming, following: Coming | None) -> Coming:
        if one.due < self.paused:
            return Judged(*one[:4], "paused")
        if one.skip is not None:
            return one
        gives_way = following is not None and following.due <= self.now and following.skip is None
        if one.due < self.now - self.patience or (one.due < self.now - self.pressing and gives_way):
            return Judged(*one[:4], "missed")
        return one
