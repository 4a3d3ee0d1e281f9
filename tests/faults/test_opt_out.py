"""Opting out takes effect at once: nothing waits for the address any more when the transaction is over."""

from __future__ import annotations

import asyncio

import pytest

from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.store import consent, withdraw
from tests.faults.conftest import World
from tests.faults.scene import Scene
from tests.faults.story import Story, play

STORY = Story(seed=30_000, people=20, workers=1, rate=100.0, look_up=False, faults={}, crashes=())


async def _opt_out_half(scene: Scene) -> set[bytes]:
    async with Database(scene.url, size=1) as db, db.tenant(scene.workspace_id) as connection:
        found = await connection.execute("SELECT consent_key FROM address ORDER BY value LIMIT 10")
        keys = {bytes(row[0]) for row in await found.fetchall()}
        await consent.opt_out(connection, sorted(keys), Clock().now(), how="reply")
    return keys


def _still_waiting(scene: Scene, keys: set[bytes]) -> int:
    waiting = scene.query("SELECT consent_key FROM queue WHERE workspace_id = %s", scene.workspace_id)
    return sum(1 for row in waiting if bytes(row["consent_key"]) in keys)


def test_an_opt_out_leaves_nothing_waiting_and_the_others_hear_it(worlds: list[World]) -> None:
    scene = worlds[0].scene(STORY)
    keys = asyncio.run(_opt_out_half(scene))
    assert _still_waiting(scene, keys) == 0
    assert play(STORY, scene) == []
    assert scene.states() == {"skipped": 10, "accepted": 10}


def test_an_opt_out_that_only_inserts_a_row_is_found(
    worlds: list[World], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> int:
        return 0

    monkeypatch.setattr(withdraw, "from_addresses", nothing)
    scene = worlds[0].scene(STORY)
    keys = asyncio.run(_opt_out_half(scene))
    assert _still_waiting(scene, keys) == 10
    worlds[0].fresh()


def test_even_a_row_that_was_left_waiting_is_not_sent_after_an_opt_out(
    worlds: list[World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second line: the intent looks at the consent itself."""

    async def nothing(*_: object) -> int:
        return 0

    monkeypatch.setattr(withdraw, "from_addresses", nothing)
    scene = worlds[0].scene(STORY)
    asyncio.run(_opt_out_half(scene))
    assert play(STORY, scene) == []
    assert scene.states() == {"skipped": 10, "accepted": 10}
