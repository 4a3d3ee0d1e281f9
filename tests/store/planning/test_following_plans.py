"""How the statements that follow people find their rows: by key, whatever the planner believes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clarion.kit.db import Connection, Database, rows
from clarion.kit.ids import uuid7
from clarion.store import alike, choice, enrollment, entering, firing, intake
from clarion.store.expansion import Meant
from clarion.store.firing import Terms
from tests.house import House
from tests.store.planning.plans import heard
from tests.store.planning.scene import BATCH, BIG, BY_KEY, COHORT, NOW, PEOPLE, SCANS, Scene, by_key

EVERYBODY = Meant("c.status = 'active'", {})
START = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
LOOKING = {"keys": ("registration_date",), "schemes": ("whatsapp",)}


@pytest.fixture
async def plain(house: House, database: str, scene: Scene) -> AsyncIterator[Database]:
    """As the worker connects for what is not dispatch. Everybody of the scene is followed, and due."""
    async with Database(house.url(database), size=3, name="plans") as opened:
        async with opened.tenant(scene.workspace) as connection:
            await connection.execute(
                """UPDATE enrollment SET state = 'active', next_due = %s, began_at = %s, basis = '',
                     ahead = ARRAY[extract(epoch FROM %s::timestamptz)::bigint, 2, 1, 0,
                       extract(epoch FROM %s::timestamptz)::bigint, 3, 1, 0]""",
                (NOW, NOW, NOW, NOW + timedelta(days=1)),
            )
        yield opened


async def _terms(connection: Connection, made: Scene) -> Terms:
    (found,) = await rows(
        connection, "SELECT id, lane_id, content_version_id AS content FROM run ORDER BY id LIMIT 1"
    )
    return Terms(
        made.campaigns[0], found["id"], found["lane_id"], 0, {1: found["content"]}, ("whatsapp",), 86_400.0,
        600.0, None, None,
    )  # fmt: skip


async def test_firing_is_by_key(plain: Database, scene: Scene) -> None:
    async with plain.tenant(scene.workspace) as connection:
        await entering.by_key(connection)
        terms, place = await _terms(connection, scene), START
        for _ in range(4):  # from the third time on it is prepared
            with heard(connection) as plans:
                found = await firing.due(connection, terms, place, NOW, BATCH)
                fired = await firing.fire(connection, terms, [one.id for one in found], NOW)
                await connection.execute("SHOW server_version")
            assert (len(found), fired.people, fired.ready) == (BATCH, BATCH, BATCH)
            by_key(plans, BATCH)
            place = (found[-1].next_due, found[-1].id)


async def test_a_batch_is_joined_with_nothing_of_its_size(plain: Database, scene: Scene) -> None:
    async with plain.tenant(scene.workspace) as connection:
        await entering.by_key(connection)
        terms = await _terms(connection, scene)
        found = await firing.due(connection, terms, START, NOW, BATCH)
        with heard(connection) as plans:
            await firing.fire(connection, terms, [one.id for one in found], NOW)
        assert "Rows Removed by Join Filter" not in "".join(plan.text for plan in plans)


async def test_who_was_touched_is_looked_at_by_key(plain: Database, scene: Scene) -> None:
    async with plain.tenant(scene.workspace) as connection:
        await entering.by_key(connection)
        people = [one["id"] for one in await rows(connection, "SELECT id FROM contact ORDER BY id")]
        for turn in range(4):
            some = people[turn * BATCH : (turn + 1) * BATCH]
            with heard(connection) as plans:
                found = await entering.look(connection, scene.campaigns[0], EVERYBODY, some, **LOOKING)
                said = await entering.said(connection, [(one.id, COHORT, 1) for one in found if one.id])
                await connection.execute("SHOW server_version")
            assert (len(found), len(said)) == (BATCH, BATCH)
            by_key(plans, BATCH)


async def test_everybody_is_gone_through_by_key(plain: Database, scene: Scene) -> None:
    async with plain.tenant(scene.workspace) as connection:
        await entering.by_key(connection)
        after = UUID(int=0)
        for _ in range(4):
            with heard(connection) as plans:
                between = (after, UUID(int=(1 << 128) - 1))
                found = await entering.newcomers(
                    connection,
                    scene.campaigns[0],
                    EVERYBODY,
                    between,
                    BATCH,
                    **LOOKING,
                )
                await connection.execute("SHOW server_version")
            assert len(found) == BATCH
            by_key(plans, BATCH)
            after = found[-1].contact_id


async def test_who_enters_alike_is_looked_at_and_written_by_key(plain: Database, scene: Scene) -> None:
    async with plain.tenant(scene.workspace) as connection:
        campaign_id, after, entered = uuid7(NOW), UUID(int=0), 0
        for turn in range(4):
            await entering.by_key(connection)
            between = (after, UUID(int=(1 << 128) - 1))
            with heard(connection) as plans:
                found = await alike.look(connection, campaign_id, EVERYBODY, between, BATCH, **LOOKING)
                lines = {one.number: alike.line(one.number, "active", "", [1, 1, 1, 0]) for one in found.lots}
                bases = dict.fromkeys(lines, "")
                if turn % 2:
                    people = await alike.people(connection)
                    each = [alike.each_line(who, 0, lines[lot]) for who, lot in people]
                    entered += await alike.enter_each(connection, campaign_id, 1, bases, each, NOW)
                else:
                    entered += await alike.enter(connection, campaign_id, 1, bases, lines.values(), NOW)
                await connection.execute("SHOW server_version")
            assert (found.people, found.known, entered) == (BATCH, [], (turn + 1) * BATCH)
            by_key(plans, BATCH)
            assert found.last is not None
            after = found.last


async def test_what_awaits_a_follower_is_one_row_of_each_campaign(plain: Database, scene: Scene) -> None:
    async with plain.tenant(scene.workspace) as connection:
        await connection.execute("UPDATE campaign SET follows = true, state = 'running'")
        await connection.execute("UPDATE contact SET name = name || '!' WHERE folded_name = ''")
    async with plain.system() as connection:
        for _ in range(4):
            with heard(connection) as plans:
                found = await enrollment.awaited(connection, NOW)
            assert set(found) == {(scene.workspace, scene.campaigns[0]), (scene.workspace, None)}
            by_key(plans, 1)
    assert len(scene.lanes) == 1
    assert PEOPLE > BATCH


async def test_whose_a_time_is_that_somebody_wrote_is_found_by_key(plain: Database, scene: Scene) -> None:
    async with plain.tenant(scene.workspace) as connection:
        await scene.intend(connection, await scene.read(connection))
        await connection.execute(
            "UPDATE enrollment SET generation = 2"
        )  # so that months before are looked at
        told = await rows(
            connection,
            "SELECT d.consent_key, d.contact_id FROM attempt a JOIN address d ON d.id = a.address_id LIMIT 5",
        )
    async with plain.tenant(scene.workspace) as connection:
        await intake.take_turn(connection)
        since, until = NOW - timedelta(days=7), NOW + timedelta(seconds=1)
        for one in told:  # from the third time on a plan may be kept
            with heard(connection) as plans:
                found = await choice.spoken(
                    connection, scene.channel, [bytes(one["consent_key"])], ["whatsapp"], since, until
                )
                await connection.execute("SHOW server_version")
            assert [each.contact_id for each in found] == [one["contact_id"]]
            for node in [node for plan in plans for node in plan.of(*BIG) if node.kind in SCANS]:
                assert node.kind in BY_KEY, node
                assert node.condition, node
                assert node.read <= 4, node
