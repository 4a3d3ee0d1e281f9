"""The database goes away, in every way it can, and comes back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.house import House


def _fast(house: House) -> None:
    assert house.embedded is not None
    house.embedded.stop("fast")


def _immediate(house: House) -> None:
    assert house.embedded is not None
    house.embedded.stop("immediate")


def _kill(house: House) -> None:
    assert house.embedded is not None
    pid = house.embedded.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


WAYS: dict[str, Callable[[House], None]] = {"fast": _fast, "immediate": _immediate, "kill -9": _kill}


@dataclass(frozen=True)
class Outage:
    """One of a story: it begins when the provider has heard of a share `after` of the people, and lasts
    `seconds`."""

    way: str
    after: float
    seconds: float


class Weather:
    """Brings a story's outage about, on a server that belongs to this story alone while it plays.

    Whoever looks into the database does so from the thread that steps the weather, and not while it is
    `away`; so the story's own connections never break, and none of its errors has to be passed over.
    """

    def __init__(
        self, house: House | None, outage: Outage | None, people: int, heard: Callable[[], int]
    ) -> None:
        self._house = house
        ours = house is not None and house.embedded is not None  # nobody else's server is stopped
        self._coming = outage if ours else None
        self._people = people
        self._heard = heard
        self._back_at = 0.0
        self.away = False

    def step(self) -> None:
        """Let it begin or end when that is due. A story passes in a moment, so it is looked at closely."""
        if self.away and time.monotonic() >= self._back_at:
            self.clear_up()
        for _ in range(5):
            if self._coming is None or self.away:
                return
            if self._heard() >= self._coming.after * self._people:
                self._strike(self._coming)
            time.sleep(0.01)

    @property
    def nearly_over(self) -> bool:
        """Whether the database comes back with the next step."""
        return self.away and time.monotonic() >= self._back_at

    def clear_up(self) -> None:
        """The database is there again, however long its recovery takes."""
        if self.away:
            assert self._house is not None
            assert self._house.embedded is not None
            self._house.embedded.start()
            self.away = False

    def _strike(self, outage: Outage) -> None:
        assert self._house is not None
        self._coming, self.away = None, True
        WAYS[outage.way](self._house)
        self._back_at = time.monotonic() + outage.seconds
