"""Order and repetition of receipts do not change the end, for any receipts at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.domain.message import Outcome, State, raised
from clarion.kit.db import Connection, Database, rows
from clarion.kit.ids import uuid7
from clarion.store import receipt
from clarion.store import workspace as workspaces
from clarion.store.receipt import Said
from tests.store.sent import Sent, announce

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
MEANS = {
    "accepted": State.ACCEPTED, "failed": State.UNDELIVERED, "delivered": State.DELIVERED, "read": State.READ,
}  # fmt: skip
FREELY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
T = TypeVar("T")

# One receipt: its status, the provider's moment (seconds before now), the code of a failure.
Told = tuple[str, int, str | None]
told = st.one_of(
    st.tuples(st.sampled_from(["accepted", "delivered", "read"]), st.integers(0, 3), st.none()),
    st.tuples(st.just("failed"), st.integers(0, 3), st.sampled_from([None, "131026", "131000"])),
)
# How a try ends by the answer of its call; None: no answer ever comes.
endings = st.sampled_from([None, Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.UNSENT])


class Undo(Exception):
    """What an example did is rolled back."""


class Somewhere:
    """A workspace; everything that is tried in it is undone."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.db = Database(url, size=1)
        self.workspace = uuid7(NOW)
        self.run(self._open())

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(what)

    def close(self) -> None:
        self.run(self.db.__aexit__())
        self.loop.close()

    async def _open(self) -> None:
        await self.db.__aenter__()
        async with self.db.tenant(self.workspace) as connection:
            await workspaces.create(connection, self.workspace, name="Somewhere", now=NOW)

    def told(self, batches: Sequence[Sequence[Told | Outcome | None]], tries: int = 1) -> End:
        """The end after these batches: receipts of the first try, and how the last one was settled."""
        return self.run(self._told(batches, tries))

    async def _told(self, batches: Sequence[Sequence[Told | Outcome | None]], tries: int) -> End:
        end = End()
        try:
            async with self.db.tenant(self.workspace) as connection:
                sent = await announce(connection, self.workspace, NOW)
                (one,) = await sent.begin(connection)
                if tries == 2:
                    await sent.settle(connection, one, Outcome.UNSENT)
                    await sent.begin(connection)
                for batch in batches:
                    await _apply(connection, sent, batch)
                await end.look(connection, sent)
                raise Undo
        except Undo:
            return end


async def _apply(connection: Connection, sent: Sent, batch: Sequence[Told | Outcome | None]) -> None:
    said = [_said(sent.attempts[0], event) for event in batch if isinstance(event, tuple)]
    await receipt.apply(connection, sent.cohort, said, NOW)
    for event in batch:
        if isinstance(event, Outcome):
            await sent.settle(connection, sent.attempts[-1], event)


def _said(attempt_id: UUID, event: Told) -> Said:
    return Said(attempt_id, event[0], NOW - timedelta(seconds=event[1]), event[2])


@dataclass
class End:
    """All that the ledger says in the end; two ends are the same or not."""

    message: dict[str, Any] = field(default_factory=dict)
    tries: list[tuple[str, bool]] = field(default_factory=list)
    receipts: list[tuple[Any, ...]] = field(default_factory=list)
    waiting: int = 0
    agrees: bool = False

    async def look(self, connection: Connection, sent: Sent) -> None:
        self.message = await sent.message(connection)
        del self.message["id"], self.message["settled_at"]
        self.tries = [(t["state"], t["effective"]) for t in await sent.tries(connection)]
        found = await rows(
            connection,
            "SELECT status, at, code FROM receipt WHERE attempt_id = ANY (%s) ORDER BY status",
            (sent.attempts,),
        )
        self.receipts = [tuple(one.values()) for one in found]
        self.waiting = await sent.waiting(connection)
        self.agrees = await sent.tally_agrees(connection)


@pytest.fixture(scope="module")
def somewhere(database_url: str) -> Iterator[Somewhere]:
    place = Somewhere(database_url)
    yield place
    place.close()


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Told], Outcome | None, list[list[Told | Outcome | None]]]:
    """Receipts, an ending, and both in any order, some of them repeated, cut into batches anywhere."""
    receipts = draw(st.lists(told, min_size=1, max_size=6))
    ending = draw(endings)
    again = draw(st.lists(st.sampled_from(receipts), max_size=4))
    events: list[Told | Outcome | None] = draw(st.permutations([*receipts, *again, ending]))
    cuts = sorted(draw(st.sets(st.integers(1, len(events)), max_size=4)))
    edges = [0, *cuts, len(events)]
    return receipts, ending, [events[a:b] for a, b in pairwise(edges)]


@FREELY
@given(histories())
def test_any_order_and_repetition_ends_where_the_evidence_says(
    somewhere: Somewhere, history: tuple[list[Told], Outcome | None, list[list[Told | Outcome | None]]]
) -> None:
    receipts, _, batches = history
    end = somewhere.told(batches)
    state = reduce(raised, (MEANS[status] for status, _, _ in receipts), State.READY)
    assert end.message["state"] == state
    assert end.message["delivered_at"] == _first(receipts, "delivered")
    assert end.message["read_at"] == _first(receipts, "read")
    failures = sorted((-ago, code or "") for status, ago, code in receipts if status == "failed")
    reason = (failures[0][1] or None) if state is State.UNDELIVERED else None
    assert end.message["reason"] == reason
    assert end.tries == [("accepted", True)]
    assert (end.waiting, end.agrees) == (0, True)
    assert len(end.receipts) == len({status for status, _, _ in receipts})


@FREELY
@given(histories())
def test_all_at_once_and_one_by_one_come_to_the_same(
    somewhere: Somewhere, history: tuple[list[Told], Outcome | None, list[list[Told | Outcome | None]]]
) -> None:
    receipts, ending, batches = history
    assert somewhere.told(batches) == somewhere.told([[*receipts, ending]])


@FREELY
@given(histories())
def test_evidence_of_an_earlier_try_only_raises_and_never_makes_two_stand(
    somewhere: Somewhere, history: tuple[list[Told], Outcome | None, list[list[Told | Outcome | None]]]
) -> None:
    receipts, _, batches = history
    without_end = [[event for event in batch if isinstance(event, tuple)] for batch in batches]
    end = somewhere.told(without_end, tries=2)
    proven = [MEANS[status] for status, _, _ in receipts if status != "failed"]
    assert end.message["state"] == reduce(raised, proven, State.READY)
    assert [stands for _, stands in end.tries] == [False, True]
    assert (end.waiting, end.agrees) == (0, True)


def _first(receipts: Sequence[Told], status: str) -> datetime | None:
    moments = [NOW - timedelta(seconds=ago) for told, ago, _ in receipts if told == status]
    return min(moments, default=None)
