"""What somebody heard is found by who they are, and what is held by its place, whatever the planner
believes."""

from __future__ import annotations

from datetime import timedelta

from clarion.kit.db import Database
from clarion.store import holding, spoken
from clarion.store.holding import Hold
from clarion.store.spoken import Word
from tests.store.planning.plans import heard
from tests.store.planning.scene import BATCH, COHORT, NOW, Scene, by_key


async def test_what_people_heard_is_looked_up_and_written_by_key(db: Database, scene: Scene) -> None:
    async with db.tenant(scene.workspace) as connection:
        waiting = await scene.read(connection)
        people = {one.contact_id: one.message_id for one in waiting}
        for n in range(4):
            with heard(connection) as plans:
                words = await spoken.lock(connection, people, NOW)
                assert all(len(found) == n for found in words.values())
                word = {who: Word(message, COHORT, NOW) for who, message in people.items()}
                await spoken.keep(connection, {who: [*words[who], word[who]] for who in people})
                await spoken.effective(connection, word.values())
                await connection.execute("SHOW server_version")
            by_key(plans, BATCH)


async def test_what_is_held_is_put_back_by_its_place(db: Database, scene: Scene) -> None:
    later = NOW
    async with db.tenant(scene.workspace) as connection:
        for _ in range(4):
            waiting = await scene.read(connection)
            later += timedelta(hours=1)
            places = [(w.lane_id, w.due_at, w.message_id, COHORT) for w in waiting]
            with heard(connection) as plans:
                await holding.hold(connection, [Hold(one, later, "enough_today") for one in places])
                await connection.execute("SHOW server_version")
            by_key(plans, BATCH)
