"""Who wins when two meet: every race that the ledger promises to decide, one sentence each."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from clarion.domain.message import Outcome
from clarion.kit.db import Connection, Database
from clarion.kit.ids import uuid7
from clarion.store import attempt, campaign, channel, consent, holding, intent, owner, queue, receipt
from clarion.store.holding import Hold
from clarion.store.intent import Intended, Intent
from clarion.store.owner import Holding
from clarion.store.queue import Waiting
from clarion.store.receipt import Contended, Said
from tests.store.ledger.meeting import meet
from tests.store.ledger.transactions import Crash
from tests.store.people import ABEBE, AMINA, NOW, ROSA
from tests.store.sent import Sent, announce

START = (NOW - timedelta(days=1), UUID(int=0))
EVERYBODY = (AMINA, ABEBE, ROSA)


class Scene:
    """An announcement that waits for three people; its channel is owned by a worker."""

    def __init__(self, db: Database, workspace: UUID, sent: Sent, waiting: list[Waiting]) -> None:
        self.db, self.workspace, self.sent, self.waiting = db, workspace, sent, waiting

    async def intend(self, connection: Connection) -> set[UUID]:
        """Commit to trying everybody, as read when the scene was set."""
        tries = [Intended(one, 1, uuid7(NOW), None) for one in self.waiting]
        wanted = [Intent(self.sent.channel_id, self.sent.epoch, tries)]
        return await intent.intend(connection, worker_id=self.sent.worker_id, intents=wanted, now=NOW)

    async def take(self, connection: Connection) -> int | None:
        """Another worker takes the channel over from what the board shows."""
        seen = Holding(self.workspace, self.sent.channel_id, self.sent.worker_id, 1, 1, False)
        taken = await owner.take(connection, seen, uuid7(NOW), NOW)
        return taken[0] if taken else None

    async def beat(self, connection: Connection) -> bool:
        return await owner.beat(connection, self.sent.channel_id, self.sent.worker_id, 1, NOW)

    async def stop(self, connection: Connection) -> int:
        """All three say stop."""
        keys = [one.consent_key for one in self.waiting]
        return await consent.opt_out(connection, keys, NOW, how="reply")

    async def hold(self, connection: Connection) -> None:
        """Nobody is told in the night."""
        places = [(one.lane_id, one.due_at, one.message_id, one.cohort) for one in self.waiting]
        await holding.hold(
            connection, [Hold(place, NOW + timedelta(hours=6), "quiet_hours") for place in places]
        )

    async def pause(self, connection: Connection) -> list[UUID]:
        return await campaign.set_lanes(connection, self.sent.campaign_id, "paused")

    async def cancel(self, connection: Connection) -> list[UUID]:
        return await campaign.set_lanes(connection, self.sent.campaign_id, "cancelled")

    async def pause_channel(self, connection: Connection) -> bool:
        return await channel.pause(connection, self.sent.channel_id, "a test", NOW)

    async def settle(self, connection: Connection, outcome: Outcome = Outcome.UNSENT) -> None:
        """How the first try ended."""
        await self.sent.settle(connection, self.sent.attempts[0], outcome)

    async def read(self, *statuses: str) -> None:
        async with self.db.tenant(self.workspace) as connection:
            await self.receive(connection, *statuses)

    async def receive(self, connection: Connection, *statuses: str) -> None:
        said = [Said(self.sent.attempts[0], status, NOW) for status in statuses]
        await receipt.apply(connection, self.sent.cohort, said, NOW)

    async def states(self) -> list[tuple[str, str | None]]:
        async with self.db.tenant(self.workspace) as connection:
            assert await self.sent.tally_agrees(connection)
            return [(row["state"], row["reason"]) for row in await self.sent.messages(connection)]

    async def tries(self) -> list[tuple[str, bool]]:
        async with self.db.tenant(self.workspace) as connection:
            return [(row["state"], row["effective"]) for row in await self.sent.tries(connection)]

    async def left(self) -> int:
        async with self.db.tenant(self.workspace) as connection:
            return await self.sent.waiting(connection)


async def _scene(db: Database, workspace: UUID, numbers: tuple[str, ...]) -> Scene:
    async with db.tenant(workspace) as connection:
        sent = await announce(connection, workspace, NOW, numbers)
        waiting = await queue.read_ahead(connection, sent.lane_id, START, NOW, 10)
    return Scene(db, workspace, sent, waiting)


@pytest.fixture
async def scene(db: Database, workspace: UUID) -> Scene:
    return await _scene(db, workspace, EVERYBODY)


@pytest.fixture
async def tried(db: Database, workspace: UUID) -> Scene:
    """One person, and one try that is in flight."""
    scene = await _scene(db, workspace, (AMINA,))
    async with db.tenant(workspace) as connection:
        await scene.sent.begin(connection)
    return scene


# --- an opt-out and an intent


async def test_an_opt_out_that_came_first_stops_the_intent(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        await scene.stop(connection)
    async with db.tenant(scene.workspace) as connection:
        assert await scene.intend(connection) == set()
    assert await scene.states() == [("skipped", "opted_out")] * 3


async def test_an_opt_out_under_way_makes_the_intent_wait_and_stops_it(db: Database, scene: Scene) -> None:
    met = await meet(db, scene.workspace, scene.stop, scene.intend)
    assert met.waited
    assert met.second == set()
    assert await scene.states() == [("skipped", "opted_out")] * 3


async def test_an_intent_under_way_makes_the_opt_out_wait_and_stands(db: Database, scene: Scene) -> None:
    met = await meet(db, scene.workspace, scene.intend, scene.stop)
    assert met.waited
    assert len(met.first) == met.second == 3
    assert await scene.tries() == [("in_flight", True)] * 3
    assert await scene.states() == [("ready", None)] * 3


async def test_an_opt_out_that_is_taken_back_before_its_commit_stops_nothing(
    db: Database, scene: Scene
) -> None:
    async def never_commits() -> None:
        async with db.tenant(scene.workspace) as connection:
            await scene.stop(connection)
            raise Crash

    with pytest.raises(Crash):
        await never_commits()
    async with db.tenant(scene.workspace) as connection:
        assert len(await scene.intend(connection)) == 3


async def test_who_opts_out_while_their_try_is_put_back_is_not_tried_again(
    db: Database, tried: Scene
) -> None:
    await meet(db, tried.workspace, tried.settle, tried.stop)
    assert await tried.left() == 1, "the opt-out could not see the row that was being written"
    async with db.tenant(tried.workspace) as connection:
        assert await tried.intend(connection) == set()
        (found,) = await queue.read_ahead(connection, tried.sent.lane_id, START, NOW, 10)
        assert found.opted_out


async def test_who_opts_out_while_they_are_held_for_the_morning_hears_nothing_then(
    db: Database, scene: Scene
) -> None:
    met = await meet(db, scene.workspace, scene.hold, scene.stop)
    assert (met.waited, met.second) == (True, 3)
    assert await scene.states() == [("skipped", "opted_out")] * 3
    assert await scene.left() == 0


async def test_who_opted_out_is_not_held(db: Database, scene: Scene) -> None:
    met = await meet(db, scene.workspace, scene.stop, scene.hold)
    assert (met.waited, met.first) == (True, 3)
    assert await scene.states() == [("skipped", "opted_out")] * 3
    assert await scene.left() == 0


# --- a takeover and an intent


async def test_an_intent_under_way_makes_a_takeover_wait(db: Database, scene: Scene) -> None:
    met = await meet(db, scene.workspace, scene.intend, scene.take)
    assert met.waited
    assert (len(met.first), met.second) == (3, 2)
    async with db.tenant(scene.workspace) as connection:
        left = await attempt.abandoned(connection, [scene.sent.channel_id], 2, NOW - timedelta(minutes=2))
    assert {one.id for one in left} == met.first, "the new owner sees what the old one began"


async def test_a_takeover_under_way_makes_the_old_owners_intent_wait_and_fail(
    db: Database, scene: Scene
) -> None:
    met = await meet(db, scene.workspace, scene.take, scene.intend)
    assert met.waited
    assert (met.first, met.second) == (2, set())
    assert await scene.left() == 3


async def test_a_zombie_commits_to_nothing(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        assert await scene.take(connection) == 2
    async with db.tenant(scene.workspace) as connection:
        assert await scene.intend(connection) == set()
        assert not await scene.beat(connection)


async def test_a_released_channel_is_nobodys_until_it_is_taken(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        await owner.release(connection, scene.sent.channel_id, scene.sent.worker_id, 1)
    async with db.tenant(scene.workspace) as connection:
        assert await scene.intend(connection) == set()
        assert not await scene.beat(connection)


async def test_a_beat_passes_an_intent_under_way(db: Database, scene: Scene) -> None:
    met = await meet(db, scene.workspace, scene.intend, scene.beat)
    assert not met.waited
    assert met.second


async def test_an_intent_passes_a_beat_under_way(db: Database, scene: Scene) -> None:
    met = await meet(db, scene.workspace, scene.beat, scene.intend)
    assert not met.waited
    assert len(met.second) == 3


async def test_of_two_who_take_a_channel_at_once_one_gets_it(db: Database, scene: Scene) -> None:
    met = await meet(db, scene.workspace, scene.take, scene.take)
    assert met.waited
    assert (met.first, met.second) == (2, None)


async def test_of_two_who_take_a_channel_for_the_first_time_one_gets_it(
    db: Database, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        sent = await announce(connection, workspace, NOW)
        await connection.execute("DELETE FROM channel_owner")
    free = Holding(workspace, sent.channel_id, None, 0, 0, True)

    async def take(connection: Connection) -> int | None:
        taken = await owner.take(connection, free, uuid7(NOW), NOW)
        return taken[0] if taken else None

    met = await meet(db, workspace, take, take)
    assert met.waited
    assert (met.first, met.second) == (1, None)


async def test_a_takeover_from_an_owner_who_beat_meanwhile_fails(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        assert await scene.beat(connection)
    async with db.tenant(scene.workspace) as connection:
        assert await scene.take(connection) is None
        assert len(await scene.intend(connection)) == 3


# --- a pause and an intent


@pytest.mark.parametrize("halt", ["pause", "cancel", "pause_channel"])
async def test_a_halt_under_way_makes_the_intent_wait_and_stops_it(
    db: Database, scene: Scene, halt: str
) -> None:
    met = await meet(db, scene.workspace, getattr(scene, halt), scene.intend)
    assert met.waited
    assert met.second == set()
    assert await scene.left() == 3


@pytest.mark.parametrize("halt", ["pause", "cancel", "pause_channel"])
async def test_an_intent_under_way_makes_a_halt_wait(db: Database, scene: Scene, halt: str) -> None:
    met = await meet(db, scene.workspace, scene.intend, getattr(scene, halt))
    assert met.waited
    assert len(met.first) == 3
    assert met.second


async def test_what_was_read_before_a_pause_is_void_after_the_resumption(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        await scene.pause(connection)
        await campaign.set_lanes(connection, scene.sent.campaign_id, "open")
    async with db.tenant(scene.workspace) as connection:
        assert await scene.intend(connection) == set()
        assert len(await scene.sent.begin(connection)) == 3, "what is read again is not"


# --- two intents


async def test_two_intents_for_the_same_people_grant_each_once(db: Database, scene: Scene) -> None:
    met = await meet(db, scene.workspace, scene.intend, scene.intend)
    assert met.waited
    assert (len(met.first), met.second) == (3, set())
    assert await scene.tries() == [("in_flight", True)] * 3


async def test_one_person_twice_in_one_intent_is_granted_once(db: Database, scene: Scene) -> None:
    scene.waiting *= 2
    async with db.tenant(scene.workspace) as connection:
        assert len(await scene.intend(connection)) == 3
    assert await scene.tries() == [("in_flight", True)] * 3


async def test_an_intent_whose_process_died_before_the_commit_took_nothing(
    db: Database, scene: Scene
) -> None:
    async with db.pool.connection() as dying:
        await dying.execute("BEGIN")
        await dying.execute("SELECT set_config('clarion.workspace', %s, true)", (str(scene.workspace),))
        assert len(await scene.intend(dying)) == 3
        dying.pgconn.finish()  # the socket closes; the server is told nothing
    async with db.tenant(scene.workspace) as connection:
        assert len(await scene.intend(connection)) == 3, "it waits until the server has seen the end"


@pytest.mark.parametrize(
    ("moment", "granted"),
    [(timedelta(microseconds=-1), 0), (timedelta(0), 3), (timedelta(days=1, microseconds=-1), 3),
     (timedelta(days=1), 0)],
)  # fmt: skip
async def test_nothing_is_granted_before_it_is_due_or_once_it_has_expired(
    db: Database, scene: Scene, moment: timedelta, granted: int
) -> None:
    tries = [Intended(one, 1, uuid7(NOW), None) for one in scene.waiting]
    async with db.tenant(scene.workspace) as connection:
        wanted, now = [Intent(scene.sent.channel_id, 1, tries)], NOW + moment
        got = await intent.intend(connection, worker_id=scene.sent.worker_id, intents=wanted, now=now)
    assert len(got) == granted


# --- settling


async def test_of_two_who_settle_a_try_the_first_is_believed(db: Database, tried: Scene) -> None:
    async def unanswered(connection: Connection) -> None:
        await tried.settle(connection, Outcome.REFUSED)

    async def accepted(connection: Connection) -> None:
        await tried.settle(connection, Outcome.ACCEPTED)

    met = await meet(db, tried.workspace, accepted, unanswered)
    assert met.waited
    assert await tried.states() == [("accepted", None)]
    assert await tried.tries() == [("accepted", True)]


async def test_a_receipt_under_way_makes_settling_wait_and_wins(db: Database, tried: Scene) -> None:
    async def delivered(connection: Connection) -> None:
        await tried.receive(connection, "delivered")

    async def unknown(connection: Connection) -> None:
        await tried.settle(connection, Outcome.UNKNOWN)

    assert (await meet(db, tried.workspace, delivered, unknown)).waited
    assert await tried.states() == [("delivered", None)]
    assert await tried.tries() == [("accepted", True)]


async def test_a_receipt_that_comes_while_unknown_is_written_raises_it(db: Database, tried: Scene) -> None:
    async def delivered(connection: Connection) -> None:
        await tried.receive(connection, "delivered")

    async def unknown(connection: Connection) -> None:
        await tried.settle(connection, Outcome.UNKNOWN)

    assert (await meet(db, tried.workspace, unknown, delivered)).waited
    assert await tried.states() == [("delivered", None)]
    assert await tried.tries() == [("accepted", True)]


async def test_a_late_receipt_that_meets_the_next_try_is_asked_to_come_again(
    db: Database, tried: Scene
) -> None:
    """The first try was held for unsent, and was not: whoever is second sees the other."""
    async with db.tenant(tried.workspace) as connection:
        await tried.settle(connection, Outcome.UNSENT)

    async def again(connection: Connection) -> list[UUID]:
        return await tried.sent.begin(connection)

    async def delivered(connection: Connection) -> None:
        await tried.receive(connection, "delivered")

    with pytest.raises(Contended):
        await meet(db, tried.workspace, again, delivered)
    async with db.tenant(tried.workspace) as connection:
        await delivered(connection)
    assert await tried.states() == [("delivered", None)]
    assert sorted(await tried.tries()) == [("accepted", False), ("in_flight", True)]


async def test_a_late_receipt_under_way_stops_the_next_try(db: Database, tried: Scene) -> None:
    async with db.tenant(tried.workspace) as connection:
        await tried.settle(connection, Outcome.UNSENT)
        tried.waiting = await queue.read_ahead(connection, tried.sent.lane_id, START, NOW, 10)

    async def delivered(connection: Connection) -> None:
        await tried.receive(connection, "delivered")

    met = await meet(db, tried.workspace, delivered, tried.intend)
    assert met.waited
    assert met.second == set()
    assert await tried.states() == [("delivered", None)]
    assert (await tried.tries(), await tried.left()) == ([("accepted", True)], 0)


async def test_a_try_put_back_while_its_campaign_is_cancelled_is_cancelled(
    db: Database, tried: Scene
) -> None:
    assert (await meet(db, tried.workspace, tried.cancel, tried.settle)).waited
    assert await tried.states() == [("cancelled", None)]
    assert await tried.left() == 0


async def test_a_try_that_was_put_back_just_before_a_cancellation_is_cancelled_with_the_lane(
    db: Database, tried: Scene
) -> None:
    assert (await meet(db, tried.workspace, tried.settle, tried.cancel)).waited
    async with db.tenant(tried.workspace) as connection:
        assert await queue.empty_lane(connection, tried.sent.lane_id, "cancelled", NOW, 10) == 1
        assert await queue.empty_lane(connection, tried.sent.lane_id, "cancelled", NOW, 10) == 0
    assert await tried.states() == [("cancelled", None)]
