"""How the hot statements find their rows: by key, whatever the planner believes of the tables.

Statistics are wrong just when it matters: a table that was empty a second ago, one that was analysed
while it was empty, one that grew to ten million. A look-up by key must stay one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from clarion.domain.message import Outcome, State, Verdict
from clarion.kit.db import Connection, Database, row
from clarion.kit.ids import uuid7
from clarion.store import (
    alias,
    attempt,
    campaign,
    event,
    fallback,
    inbox,
    moving,
    owner,
    queue,
    receipt,
    replay,
    subscription,
)
from clarion.store.alias import Alias
from clarion.store.inbox import Body
from clarion.store.queue import Waiting
from clarion.store.receipt import Said
from tests.store.planning.plans import Plan, heard
from tests.store.planning.scene import BATCH, BIG, COHORT, NOW, PEOPLE, SCANS, START, Scene, by_key, set_up

# --- the hot statements


async def test_reading_ahead_is_by_key(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        for _ in range(4):  # from the third time on it is prepared
            with heard(connection) as plans:
                found = await scene.read(connection)
            assert len(found) == BATCH
            by_key(plans, BATCH)


async def test_intent_is_by_key(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        for _ in range(4):
            waiting = await scene.read(connection)
            with heard(connection) as plans:
                await scene.intend(connection, waiting)
            by_key(plans, BATCH)


def _verdicts(ids: list[UUID]) -> list[Verdict]:
    """A third accepted, a third to be tried again, a third unknown."""
    ends = [
        (Outcome.ACCEPTED, State.ACCEPTED, None), (Outcome.UNSENT, State.READY, NOW),
        (Outcome.UNKNOWN, State.UNKNOWN, None),
    ]  # fmt: skip
    return [
        Verdict(id, outcome, state, retry_at=again)
        for n, id in enumerate(ids)
        for outcome, state, again in [ends[n % 3]]
    ]


async def test_settling_is_by_key(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        for _ in range(4):
            begun = await scene.intend(connection, await scene.read(connection))
            with heard(connection) as plans:
                assert await attempt.settle(connection, COHORT, _verdicts(begun), NOW) == BATCH
            by_key(plans, BATCH)


async def test_what_was_put_back_is_found_by_key_among_all_who_wait(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        begun = await scene.intend(connection, await scene.read(connection))
        assert await queue.read_again(connection, scene.lanes[0], NOW, BATCH) == []
        await attempt.settle(connection, COHORT, _verdicts(begun), NOW)
        for _ in range(4):
            with heard(connection) as plans:
                found = await queue.read_again(connection, scene.lanes[0], NOW, BATCH)
                await connection.execute("SHOW server_version")
            assert len(found) == len(begun) // 3
            by_key(plans, BATCH)


async def test_receipts_are_applied_by_key(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        for n in range(4):
            begun = await scene.intend(connection, await scene.read(connection))
            if n % 2:
                await attempt.settle(connection, COHORT, _verdicts(begun), NOW)
            for status in ("accepted", "delivered"):
                with heard(connection) as plans:
                    done = await receipt.apply(
                        connection, COHORT, [Said(id, status, NOW) for id in begun], NOW
                    )
                assert done.fresh == {status: BATCH}
                by_key(plans, BATCH)


async def test_ending_is_by_key(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        for _ in range(4):
            places = [(w.lane_id, w.due_at, w.message_id, w.cohort) for w in await scene.read(connection)]
            with heard(connection) as plans:
                assert await queue.end(connection, places, "expired", "expired", NOW) == BATCH
            by_key(plans, BATCH)


@pytest.mark.parametrize("listens", [True, False])
async def test_what_is_noted_for_subscribers_is_found_by_key_and_not_at_all_where_nobody_listens(
    db: Database, scene: Scene, listens: bool
) -> None:
    async with db.tenant(scene.workspace) as connection:
        if listens:
            types = [f"message.{state}" for state in State]
            await subscription.create(
                connection, uuid7(NOW), name="portal", url="", types=types, secret=b"", most=1, now=NOW
            )
        for _ in range(4):
            begun = await scene.intend(connection, await scene.read(connection))
            await attempt.settle(connection, COHORT, _verdicts(begun), NOW)
            with heard(connection) as plans:
                await event.of_attempts(connection, COHORT, begun, NOW)
            _noted(plans, BATCH if listens else 0)
            await receipt.apply(connection, COHORT, [Said(id, "delivered", NOW) for id in begun], NOW)
            with heard(connection) as plans:
                await event.of_receipts(connection, COHORT, [(id, "delivered") for id in begun], NOW)
            _noted(plans, BATCH if listens else 0)
            ended = await scene.read(connection)
            places = [(w.lane_id, w.due_at, w.message_id, w.cohort) for w in ended]
            await queue.end(connection, places, "expired", "expired", NOW)
            with heard(connection) as plans:
                await event.of_ends(connection, [(w.message_id, w.cohort) for w in ended], NOW)
            _noted(plans, BATCH if listens else 0)


def _noted(plans: list[Plan], batch: int) -> None:
    by_key(plans, batch)
    written = any(node.read for plan in plans for node in plan.of(*BIG))
    assert written == bool(batch)


async def test_aliases_and_the_bodies_that_wait_for_them_are_found_by_key(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        for turn in range(4):
            told = {f"{turn}-{n}": [uuid7(NOW)] for n in range(BATCH)}
            bodies = [Body(some[0], scene.channel, NOW, b"") for some in told.values()]
            await inbox.put(connection, bodies)
            await inbox.done(connection, [(body.id, None) for body in bodies], NOW)
            named = [Alias(scene.channel, name, uuid7(NOW), COHORT) for name in told]
            with heard(connection) as plans:
                assert await alias.find(connection, scene.channel, told, NOW) == {}
                assert await alias.note(connection, named, NOW) == BATCH
                assert len(await alias.find(connection, scene.channel, told, NOW)) == BATCH
                await connection.execute("SHOW server_version")
            by_key(plans, BATCH)


async def test_the_board_looks_at_one_row_of_a_lane(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        await owner.release(connection, scene.channel, scene.worker, 1)
    async with db.system() as connection:
        for _ in range(4):
            with heard(connection) as plans:
                board = await owner.board(connection, NOW, ["smpp"])
            assert [one.due for one in board if one.channel_id == scene.channel] == [True]
            by_key(plans, 1)


async def test_what_an_owner_left_is_found_by_when_it_began(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        begun = await scene.intend(connection, await scene.read(connection))
        with heard(connection) as plans:
            left = await attempt.abandoned(connection, [scene.channel], 2, NOW - timedelta(minutes=2))
        assert len(left) == len(begun)
    for plan in plans:
        for node in plan.of("attempt"):
            if node.kind in SCANS:
                assert node.kind != "Seq Scan", plan.text
                assert node.condition, plan.text


# --- what is written


async def _updates(connection: Connection, table: str) -> tuple[int, int]:
    """Updates of this connection that are not reported yet, and how many of them touched no index."""
    found = await row(
        connection,
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = %s",
        (f"{table}_{COHORT:%Y%m}",),
    )
    assert found is not None
    return found["n_tup_upd"], found["n_tup_hot_upd"]


async def test_what_is_accepted_and_what_receipts_say_touches_no_index(db: Database) -> None:
    """Half of each page is free for it, and no column that changes is in an index of `message`; an attempt
    that is accepted stays in the index of the effective ones."""
    scene = await set_up(db)
    async with db.tenant(scene.workspace) as connection:
        begun = await scene.intend(connection, await scene.read(connection, limit=PEOPLE))
    total, hot = 0, 0
    for start in range(0, PEOPLE, BATCH):
        some = begun[start : start + BATCH]
        async with db.tenant(scene.workspace) as connection:
            accepted = [Verdict(id, Outcome.ACCEPTED, State.ACCEPTED) for id in some]
            before = [await _updates(connection, table) for table in ("message", "attempt")]
            await attempt.settle(connection, COHORT, accepted, NOW)
            after = [await _updates(connection, table) for table in ("message", "attempt")]
        assert [_since(*pair) for pair in zip(before, after, strict=True)] == [(BATCH, BATCH)] * 2
        for status in ("delivered", "read"):
            async with db.tenant(scene.workspace) as connection:
                began = await _updates(connection, "message")
                await receipt.apply(connection, COHORT, [Said(id, status, NOW) for id in some], NOW)
                updated, untouched = _since(began, await _updates(connection, "message"))
            total, hot = total + updated, hot + untouched
    assert total == 2 * PEOPLE
    assert hot >= 0.9 * total


def _since(before: tuple[int, int], after: tuple[int, int]) -> tuple[int, int]:
    return after[0] - before[0], after[1] - before[1]


# --- what is in the way


async def _cost(connection: Connection, scene: Scene, after: tuple[datetime, UUID]) -> int:
    """Pages that reading on from a cursor touches."""
    with heard(connection) as plans:
        assert len(await scene.read(connection, after)) == BATCH
    return plans[-1].buffers


def _cursor(waiting: list[Waiting]) -> tuple[datetime, UUID]:
    return waiting[-1].due_at, waiting[-1].message_id


async def test_reading_on_costs_the_same_behind_thousands_that_an_old_snapshot_keeps(db: Database) -> None:
    """Rows that were sent stay in the index for as long as somebody's snapshot could see them."""
    scene = await set_up(db)
    async with db.tenant(scene.workspace) as connection:
        await scene.read(connection)
        fresh = await _cost(connection, scene, START)
    async with db.pool.connection() as old:
        await old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await old.execute("SELECT count(*) FROM channel")
        async with db.tenant(scene.workspace) as connection:
            sent = await scene.read(connection, limit=PEOPLE - 2 * BATCH)
            await scene.intend(connection, sent)
        async with db.tenant(scene.workspace) as connection:
            behind = await _cost(connection, scene, _cursor(sent))
            blind = await _cost(connection, scene, START)
        await old.execute("ROLLBACK")
    assert behind <= fresh * 1.5
    assert blind > behind, "without a cursor the dead rows would be read: the measure sees them"


async def test_reading_on_and_the_board_do_not_look_at_a_paused_lane(db: Database) -> None:
    alone = await set_up(db)
    async with db.tenant(alone.workspace) as connection:
        await alone.read(connection)
        before = await _cost(connection, alone, START)
    scene = await set_up(db, lanes=3)
    async with db.tenant(scene.workspace) as connection:
        for paused in scene.campaigns[1:]:
            await campaign.set_lanes(connection, paused, "paused")
        (lane,) = (await queue.open_lanes(connection, [scene.channel]))[scene.channel]
        assert lane.id == scene.lanes[0]
        assert await _cost(connection, scene, START) <= before * 1.5
        ended = await scene.read(connection, limit=PEOPLE)
        await queue.end(
            connection, [(w.lane_id, w.due_at, w.message_id, w.cohort) for w in ended], "expired", None, NOW
        )
        await owner.release(connection, scene.channel, scene.worker, 1)
    async with db.system() as connection:
        with heard(connection) as plans:
            board = await owner.board(connection, NOW)
    assert [one.due for one in board if one.channel_id == scene.channel] == [False]
    looked = sum(node.read for plan in plans for node in plan.of("queue"))
    assert looked <= 4, "nothing of the paused lanes, and of each open one at most one row"


# --- falling back


async def _noted_late(db: Database, scene: Scene, count: int) -> None:
    """So many that are watched, of another campaign's lane, and due long from now."""
    async with db.tenant(scene.workspace) as connection:
        await connection.execute(
            """INSERT INTO fallback (message_id, lane_id, cohort, workspace_id, due_at, late)
               SELECT clarion_uuid7(%(now)s), %(lane)s, %(cohort)s, clarion_workspace(), %(due)s, true
               FROM generate_series(1, %(count)s)""",
            {
                "now": NOW, "lane": scene.lanes[0], "cohort": COHORT, "due": NOW + timedelta(hours=4),
                "count": count,
            },
        )  # fmt: skip


def _read_of_notes(plans: list[Plan]) -> float:
    return sum(node.read for plan in plans for node in plan.of("fallback") if node.kind in SCANS)


async def _next_lane(connection: Connection, scene: Scene) -> UUID:
    """A second channel, on which what does not arrive goes on; its lane."""
    channel, lane = uuid7(NOW), uuid7(NOW)
    await connection.execute(
        """INSERT INTO channel (id, workspace_id, name, provider, created_at, modified_at)
           VALUES (%s, clarion_workspace(), 'SMS', 'kannel', %s, %s)""",
        (channel, NOW, NOW),
    )
    await campaign.open_lane(connection, lane, channel, scene.campaigns[0], 50)
    await campaign.open_lane(
        connection, uuid7(NOW), scene.channel, scene.campaigns[0], 50, onward=lane, after=3600
    )
    return lane


async def test_what_fell_is_noted_found_and_moved_by_key(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        lane = await _next_lane(connection, scene)
        for _ in range(4):
            begun = await scene.intend(connection, await scene.read(connection))
            refused = [Verdict(id, Outcome.REFUSED, State.FAILED, reason="refused") for id in begun]
            with heard(connection) as plans:
                assert await attempt.settle(connection, COHORT, refused, NOW) == BATCH
            by_key(plans, BATCH)
            found = await fallback.due(connection, NOW, PEOPLE)
            with heard(connection) as plans:
                locked = await moving.lock(connection, found)
                moved = await moving.move(
                    connection, found, locked, [(lane, "whatsapp")], NOW, once_an_address=False
                )
                await moving.seen(connection, found, locked, NOW)
            assert len(moved) == BATCH
            by_key(plans, BATCH)
            assert _read_of_notes(plans) <= 4 * BATCH
            assert await fallback.due(connection, NOW, PEOPLE) == []


async def test_nobody_reads_what_is_watched_until_it_is_due(db: Database, scene: Scene) -> None:
    """A campaign that goes on after four hours writes as many notes as it has people."""
    await _noted_late(db, scene, 20_000)
    async with db.tenant(scene.workspace) as connection:
        for _ in range(4):
            with heard(connection) as plans:
                assert await fallback.due(connection, NOW, 2000) == []
                assert not await fallback.pending(connection, scene.campaigns[0])
                await connection.execute("SHOW server_version")
            assert _read_of_notes(plans) <= 10
    async with db.glance() as connection:
        with heard(connection) as plans:
            assert await fallback.workspaces(connection, NOW) == []
            await connection.execute("SHOW server_version")
        assert _read_of_notes(plans) <= 10


async def test_what_may_be_asked_again_is_found_among_thousands_without_looking_at_all_their_people(
    db: Database, scene: Scene
) -> None:
    async with db.tenant(scene.workspace) as connection:
        begun = await scene.intend(connection, await scene.read(connection, limit=PEOPLE))
        unknown = [Verdict(id, Outcome.UNKNOWN, State.UNKNOWN, code="unanswered") for id in begun]
        assert await attempt.settle(connection, COHORT, unknown, NOW) == PEOPLE
        for _ in range(4):
            with heard(connection) as plans:
                found = await replay.unanswered(connection, scene.channel, NOW - timedelta(hours=1), NOW, 10)
                await connection.execute("SHOW server_version")
            assert len(found) == 10
            for plan in plans:
                for node in plan.of("message", "contact", "address"):
                    assert node.read <= 400, (node, plan.text)
