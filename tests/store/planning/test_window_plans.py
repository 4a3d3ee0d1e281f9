"""What waits for somebody to write is found by who wrote, whatever the planner believes of the tables."""

from __future__ import annotations

from datetime import timedelta

from clarion.kit.db import Connection, Database, rows
from clarion.store import inbound, window
from clarion.store.inbound import Said
from tests.store.planning.plans import heard
from tests.store.planning.scene import BATCH, COHORT, NOW, Scene, by_key

A_DAY_AGO = NOW - timedelta(days=1)


async def _wait(connection: Connection, scene: Scene) -> None:
    places = [(w.lane_id, w.due_at, w.message_id, COHORT) for w in await scene.read(connection)]
    found = await window.outside(connection, places, scene.channel, A_DAY_AGO, "wait")
    assert found
    await window.wait(connection, [one for one in places if one[2] in found])


async def test_who_is_outside_is_looked_up_by_key(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        await connection.execute("UPDATE lane SET outside_window = 'wait' WHERE id = %s", (scene.lanes[0],))
        for _ in range(4):
            with heard(connection) as plans:
                await _wait(connection, scene)
                await connection.execute("SHOW server_version")
            by_key(plans, BATCH)


async def test_what_waits_is_found_by_who_wrote(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        await connection.execute("UPDATE lane SET outside_window = 'wait' WHERE id = %s", (scene.lanes[0],))
        for n in range(4):
            await _wait(connection, scene)
            waiting = await rows(
                connection,
                """SELECT a.value FROM queue q JOIN address a ON a.id = q.awaits
                   WHERE a.window_at IS NULL ORDER BY a.value LIMIT 10""",
            )
            wrote = [one["value"] for one in waiting]
            said = [Said(f"{n} {one}", f"whatsapp:{one}", one, "hello", NOW, "") for one in wrote]
            told = await inbound.hear(connection, scene.channel, ["whatsapp"], said, NOW, windowed=True)
            ids = [address_id for one in told for address_id in one.address_ids]
            with heard(connection) as plans:
                woken = await window.wake(connection, scene.channel, ids, A_DAY_AGO, NOW)
                await connection.execute("SHOW server_version")
            assert woken == 10
            by_key(plans, BATCH)
