"""Reading ahead along lanes of the real queue: in order, each row once, and none is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.message import cohort_of
from clarion.flow.dispatch import lanes
from clarion.flow.dispatch.lanes import FROM_THE_START, LOOK_BACK, STALE, Lanes, Prepare
from clarion.kit.clock import FakeClock
from clarion.kit.db import Connection, Database
from clarion.kit.ids import uuid7
from clarion.store import campaign, queue
from clarion.store.queue import Waiting

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)


@dataclass
class Line:
    """A channel with lanes, everybody in them the same person: only the order matters here."""

    db: Database
    workspace: UUID
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    lanes: Lanes = field(default_factory=Lanes)
    channel: UUID = field(default_factory=lambda: uuid7(NOW))
    contact: UUID = field(default_factory=lambda: uuid7(NOW))
    address: UUID = field(default_factory=lambda: uuid7(NOW))
    campaigns: dict[UUID, UUID] = field(default_factory=dict)  # lane → campaign

    async def set_up(self) -> None:
        async with self.db.tenant(self.workspace) as connection:
            await connection.execute(
                "INSERT INTO contact (id, workspace_id, created_at, modified_at) VALUES (%s, %s, %s, %s)",
                (self.contact, self.workspace, NOW, NOW),
            )
            await connection.execute(
                """INSERT INTO address (id, workspace_id, contact_id, scheme, value, consent_key, created_at)
                   VALUES (%s, %s, %s, 'whatsapp', '+254712000001', 'key', %s)""",
                (self.address, self.workspace, self.contact, NOW),
            )

    async def lane(self, priority: int = 50, weight: int = 1) -> UUID:
        campaign_id = uuid7(NOW)
        async with self.db.tenant(self.workspace) as connection:
            lane = await campaign.open_lane(
                connection, uuid7(NOW), self.channel, campaign_id, priority, weight
            )
        self.campaigns[lane] = campaign_id
        return lane

    async def queue(self, lane: UUID, count: int, due: datetime = NOW) -> list[UUID]:
        """So many more messages, in the order in which they are due."""
        ids = sorted(uuid7(NOW) for _ in range(count))
        async with self.db.tenant(self.workspace) as connection:
            await connection.execute(
                """INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id,
                     address_id, consent_key, content_version_id, expires_at)
                   SELECT %s, %s, id, %s, %s, %s, %s, 'key', id, %s FROM unnest(%s::uuid[]) AS m(id)""",
                (
                    lane, due, cohort_of(NOW), self.workspace, self.contact, self.address,
                    NOW + timedelta(days=1), ids,
                ),
            )  # fmt: skip
        return ids

    async def put_back(self, waiting: Waiting, due: datetime) -> None:
        """As settling does, when a try came to nothing."""
        (again,) = await self.queue(waiting.lane_id, 1, due)
        async with self.db.tenant(self.workspace) as connection:
            await connection.execute(
                "UPDATE queue SET message_id = %s, again = lane_id WHERE message_id = %s",
                (waiting.message_id, again),
            )

    async def send(self, taken: Sequence[Waiting]) -> None:
        """Their rows leave the queue, and the desk forgets them."""
        async with self.db.tenant(self.workspace) as connection:
            await connection.execute(
                "DELETE FROM queue WHERE message_id = ANY (%s)", ([one.message_id for one in taken],)
            )
        for one in taken:
            self.lanes.forget(one.lane_id, one.message_id)

    async def look(self, connection: Connection, prepare: Prepare | None = None) -> None:
        """Learn which lanes are open, and read on."""
        lanes = await queue.open_lanes(connection, [self.channel])
        self.lanes.learn(lanes[self.channel], self.clock.monotonic())
        await self.lanes.refill(connection, self.clock, prepare)

    async def take(self, limit: int, seconds: float = 1.0) -> list[Waiting]:
        """Read on, a little later than before, and take."""
        self.clock.advance(seconds)
        async with self.db.tenant(self.workspace) as connection:
            await self.look(connection)
        return self.lanes.take(limit)

    async def drain(self, limit: int = 100) -> list[UUID]:
        """Take and send until nothing is left to be read."""
        sent: list[UUID] = []
        while taken := await self.take(limit):
            await self.send(taken)
            sent += [one.message_id for one in taken]
        return sent


@pytest.fixture
async def line(db: Database, workspace: UUID) -> Line:
    line = Line(db, workspace)
    await line.set_up()
    return line


@pytest.fixture
def few_ahead(line: Line) -> None:
    line.lanes.ahead = 10


def ids(taken: Sequence[Waiting]) -> list[UUID]:
    return [one.message_id for one in taken]


async def test_a_lane_is_read_in_order_and_everybody_once(line: Line) -> None:
    lane = await line.lane()
    later = await line.queue(lane, 4, NOW - timedelta(seconds=1))
    sooner = await line.queue(lane, 3, NOW - timedelta(seconds=5))
    assert await line.drain(2) == [*sooner, *later]


async def test_what_is_not_yet_due_is_not_read(line: Line) -> None:
    lane = await line.lane()
    (due,) = await line.queue(lane, 1)
    (later,) = await line.queue(lane, 1, NOW + timedelta(seconds=10))
    assert await line.drain() == [due]
    line.clock.advance(10)
    assert await line.drain() == [later]


async def test_what_was_put_back_waits_for_its_moment_and_not_behind_everybody(
    line: Line, few_ahead: None
) -> None:
    lane = await line.lane()
    everybody = await line.queue(lane, 100)
    first, second, *others = await line.take(10)
    await line.send([first, second, *others])
    await line.put_back(first, NOW + timedelta(seconds=3))
    await line.put_back(second, NOW + timedelta(seconds=60))
    sent: list[UUID] = []
    for _ in range(4):  # a second each
        taken = await line.take(10)
        await line.send(taken)
        sent += ids(taken)
    assert sent.index(first.message_id) <= 20
    assert sorted([*sent, *await line.drain(10)]) == sorted([*everybody[10:], first.message_id])
    line.clock.advance(60)
    assert await line.drain() == [second.message_id]


async def test_what_is_held_is_not_read_again(line: Line) -> None:
    lane = await line.lane()
    all_of_them = await line.queue(lane, 5)
    assert ids(await line.take(5)) == all_of_them
    for _ in range(5):
        assert await line.take(5) == []


async def test_what_was_not_granted_is_read_again(line: Line) -> None:
    lane = await line.lane()
    (one,) = await line.queue(lane, 1)
    (taken,) = await line.take(1)
    line.lanes.forget(taken.lane_id, taken.message_id)
    assert ids(await line.take(1)) == [one]


@pytest.mark.usefixtures("few_ahead")
async def test_a_row_that_appears_behind_the_cursor_is_found_at_the_lanes_end(line: Line) -> None:
    """A chunk of an expansion that committed late, or a try that was put back."""
    lane = await line.lane()
    first = await line.queue(lane, 25)
    await line.send(await line.take(10))
    (behind,) = await line.queue(lane, 1, NOW - LOOK_BACK + timedelta(seconds=1))
    assert set(await line.drain()) == {*first[10:], behind}


@pytest.mark.usefixtures("few_ahead")
async def test_a_row_far_behind_the_cursor_is_found_when_the_lane_is_read_from_its_start(line: Line) -> None:
    lane = await line.lane()
    await line.queue(lane, 25)
    await line.drain()
    (far,) = await line.queue(lane, 1, NOW - timedelta(days=1))
    assert await line.drain() == []
    line.clock.advance(FROM_THE_START)
    assert ids(await line.take(1)) == [far]


async def test_a_row_behind_the_cursor_is_found_although_something_always_waits(line: Line) -> None:
    lane = await line.lane()
    await line.queue(lane, 60)
    await line.send(await line.take(1))
    (behind,) = await line.queue(lane, 1, NOW - timedelta(seconds=20))
    sent: list[UUID] = []
    for _ in range(20):  # seconds
        taken = await line.take(1)
        await line.send(taken)
        sent += ids(taken)
    assert behind in line.lanes.readers[lane].held, "read after a while, and in its turn behind the others"
    assert behind not in sent


@pytest.mark.usefixtures("few_ahead")
async def test_what_was_forgotten_behind_the_cursor_is_read_again_when_asked(line: Line) -> None:
    lane = await line.lane()
    first = await line.queue(lane, 40)
    lost = await line.take(5)
    await line.send(await line.take(20))
    for one in lost:
        line.lanes.forget(one.lane_id, one.message_id)
    line.lanes.look_again(lane)
    assert set(await line.drain()) >= set(ids(lost))
    assert len(first) == 40


@pytest.mark.usefixtures("few_ahead")
async def test_looking_back_reads_no_more_than_what_waits(line: Line) -> None:
    """A thousand looks at an empty end read nobody twice."""
    lane = await line.lane()
    first = await line.queue(lane, 12)
    assert await line.drain() == first
    for _ in range(20):
        assert await line.take(10) == []
    (more,) = await line.queue(lane, 1, line.clock.now())
    assert await line.drain() == [more]


async def test_what_waits_here_is_not_read_again_while_anything_of_it_does(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    reading = queue.read_ahead

    async def counted(*place: Any) -> list[Waiting]:
        found = await reading(*place)
        read.append(len(found))
        return found

    monkeypatch.setattr(queue, "read_ahead", counted)
    lane = await line.lane()
    first = await line.queue(lane, 5)
    await line.send(await line.take(1))
    later = await line.queue(lane, 2, NOW + timedelta(seconds=1))
    line.lanes.hurry()
    await line.send(await line.take(1))
    assert read == [5, 2], "the new ones alone"
    assert await line.drain() == [*first[2:], *later]
    assert sum(read) == 7


async def test_an_empty_end_is_not_looked_at_more_often_than_it_should_be(line: Line) -> None:
    lane = await line.lane()
    await line.take(1)
    (one,) = await line.queue(lane, 1)
    assert await line.take(1, seconds=0.1) == [], "it was looked at a moment ago"
    assert ids(await line.take(1, seconds=0.2)) == [one]


async def test_a_paused_lane_is_dropped_and_read_anew_under_its_new_epoch(line: Line) -> None:
    lane = await line.lane()
    first = await line.queue(lane, 3)
    await line.take(1)
    before = line.lanes.epoch(lane)
    async with line.db.tenant(line.workspace) as connection:
        await campaign.set_lanes(connection, line.campaigns[lane], "paused")
    assert await line.take(10) == []
    assert (line.lanes.epoch(lane), line.lanes.waiting) == (0, 0), "what was read ahead is void"
    async with line.db.tenant(line.workspace) as connection:
        await campaign.set_lanes(connection, line.campaigns[lane], "open")
    assert ids(await line.take(10)) == first
    assert line.lanes.epoch(lane) == before + 2


async def test_a_lane_that_was_paused_and_resumed_between_two_looks_is_read_anew(line: Line) -> None:
    lane = await line.lane()
    first = await line.queue(lane, 3)
    await line.take(1)
    async with line.db.tenant(line.workspace) as connection:
        for state in ("paused", "open"):
            await campaign.set_lanes(connection, line.campaigns[lane], state)
    assert ids(await line.take(10)) == first


async def test_the_most_urgent_lane_goes_first(line: Line) -> None:
    slow, urgent = await line.lane(priority=50), await line.lane(priority=10)
    later, sooner = await line.queue(slow, 3, NOW - timedelta(hours=1)), await line.queue(urgent, 3)
    assert ids(await line.take(4)) == [*sooner, later[0]]


async def test_a_lane_behind_one_that_never_ends_is_not_forgotten(line: Line) -> None:
    """One in twenty-five: a little goes of what is less urgent, however much waits before it."""
    slow, urgent = await line.lane(priority=50), await line.lane(priority=10)
    await line.queue(slow, 20)
    await line.queue(urgent, 400)
    taken = [waiting for _ in range(10) for waiting in await line.take(25)]
    assert sum(waiting.lane_id == slow for waiting in taken) in (9, 10)


async def test_lanes_of_one_priority_share(line: Line) -> None:
    one, other = await line.lane(), await line.lane()
    await line.queue(one, 50)
    await line.queue(other, 50)
    taken = await line.take(20)
    assert [sum(w.lane_id == lane for w in taken) for lane in (one, other)] == [10, 10]


async def test_a_share_that_a_lane_cannot_fill_goes_to_the_others(line: Line) -> None:
    one, other = await line.lane(), await line.lane()
    await line.queue(one, 2)
    await line.queue(other, 50)
    taken = await line.take(20)
    assert len(taken) == 20
    assert sum(w.lane_id == one for w in taken) == 2


async def test_taking_one_at_a_time_starves_no_lane_of_the_same_priority(line: Line) -> None:
    one, other = await line.lane(), await line.lane()
    await line.queue(one, 20)
    await line.queue(other, 20)
    taken = [waiting for _ in range(10) for waiting in await line.take(1, seconds=0)]
    assert [sum(w.lane_id == lane for w in taken) for lane in (one, other)] == [5, 5]


async def test_contents_and_counts_are_of_what_is_read_and_not_taken(line: Line) -> None:
    lane = await line.lane()
    first = await line.queue(lane, 3)
    await line.take(1)
    assert line.lanes.waiting == 2
    assert line.lanes.contents() == set(first[1:])  # here each message is its own content


async def test_another_channels_lanes_are_not_read(line: Line, db: Database, workspace: UUID) -> None:
    stranger = Line(db, workspace, contact=line.contact, address=line.address)
    await stranger.queue(await stranger.lane(), 3)
    await line.lane()
    assert await line.take(10) == []


async def test_announcements_on_one_channel_share_it_by_their_weights(line: Line) -> None:
    heavy, light = await line.lane(weight=3), await line.lane()
    of_heavy, of_light = await line.queue(heavy, 40), await line.queue(light, 40)
    taken = ids(await line.take(40))
    assert (len(set(taken) & set(of_heavy)), len(set(taken) & set(of_light))) == (30, 10)


async def test_what_cannot_go_yet_stands_first_again_in_its_order(line: Line) -> None:
    lane = await line.lane()
    all_of_them = await line.queue(lane, 6)
    taken = await line.take(4)
    line.lanes.give_back(taken[1:])
    assert ids(taken[:1]) + ids(await line.take(6)) == all_of_them


async def test_what_was_given_back_was_not_a_turn(line: Line) -> None:
    """Who had to give everything back has had nothing yet."""
    first, second = await line.lane(), await line.lane()
    await line.queue(first, 20)
    await line.queue(second, 20)
    line.lanes.give_back(await line.take(20))
    taken = await line.take(20)
    assert [sum(one.lane_id == lane for one in taken) for lane in (first, second)] == [10, 10]


async def test_who_stands_aside_lets_others_go_and_stands_first_when_their_time_has_come(line: Line) -> None:
    lane = await line.lane()
    first, *others = await line.queue(lane, 4)
    (waiting,) = await line.take(1)
    line.lanes.park(waiting, line.clock.monotonic(), 6.0)
    assert (ids(await line.take(2)), line.lanes.parked) == (others[:2], 1)
    line.clock.advance(6)
    line.lanes.unpark(line.clock.monotonic())
    assert (ids(await line.take(2)), line.lanes.parked) == ([first, others[2]], 0)


async def test_who_stood_aside_for_long_is_read_anew(line: Line) -> None:
    """The person may have changed since: another name, another language."""
    lane = await line.lane()
    (one,) = await line.queue(lane, 1)
    (waiting,) = await line.take(1)
    line.lanes.park(waiting, line.clock.monotonic(), 2 * STALE)
    line.clock.advance(2 * STALE)
    line.lanes.unpark(line.clock.monotonic())
    assert line.lanes.waiting == 0
    assert ids(await line.take(1)) == [one]


async def test_a_lane_where_very_many_stand_aside_is_read_no_further(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day's different people are used up, and a million wait behind them."""
    monkeypatch.setattr(lanes, "MOST_PARKED", 10)
    lane = await line.lane()
    await line.queue(lane, 20)
    for waiting in await line.take(10):
        line.lanes.park(waiting, line.clock.monotonic(), 3600)
    line.lanes.readers[lane].buffer.clear()
    assert await line.take(10) == []


async def test_what_expires_before_it_was_taken_is_found(line: Line) -> None:
    lane = await line.lane()
    all_of_them = await line.queue(lane, 3)
    (first,) = await line.take(1)
    line.lanes.park(first, line.clock.monotonic(), 60)
    assert line.lanes.expired(NOW) == []
    assert ids(line.lanes.expired(NOW + timedelta(days=1))) == [*all_of_them[1:], all_of_them[0]]
    assert (line.lanes.waiting, line.lanes.parked) == (0, 0)


async def test_a_second_look_that_was_asked_for_during_a_read_is_taken(line: Line) -> None:
    """The read under way ends further on, and must not put the cursor there."""
    lane = await line.lane()
    (first,) = await line.queue(lane, 1, NOW - timedelta(hours=1))
    others = await line.queue(lane, 4)
    (lost,) = await line.take(1)

    async def meanwhile(connection: object, some: Sequence[Waiting]) -> None:
        line.lanes.forget(lost.lane_id, lost.message_id)
        line.lanes.look_again(lane)

    more = await line.queue(lane, 3, NOW + timedelta(seconds=1))
    line.clock.advance(5)
    async with line.db.tenant(line.workspace) as connection:
        await line.look(connection, meanwhile)
    taken = [*ids(line.lanes.take(10)), *ids(await line.take(10))]
    assert (lost.message_id, set(taken)) == (first, {first, *others, *more})
