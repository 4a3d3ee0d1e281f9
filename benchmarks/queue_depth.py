"""(g) Reading ahead, intent and settling: with a short queue, a million queued, an old snapshot held
open, and behind a paused campaign of a million. µs a message, and the ratio to the short queue.

    python -m benchmarks.queue_depth [--queued 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import psycopg

from benchmarks import machine
from clarion.domain.message import Outcome, State, Verdict
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.store import attempt, intent, owner, queue
from clarion.store.queue import PLANNER
from tests.faults.scene import Scene
from tests.house import House

BATCH, MESSAGES = 250, 10_000


async def _send(scene: Scene, messages: int, cursor: list[Any]) -> float:
    """Take so many messages through the ledger; µs each."""
    clock = Clock()
    async with Database(scene.url, size=1, planner=PLANNER) as db:
        worker = uuid7(clock.now())
        async with db.system() as connection:
            board = await owner.board(connection, clock.now())
        mine = next(held for held in board if held.channel_id == scene.channel_id)
        async with db.tenant(scene.workspace_id) as connection:
            taken = await owner.take(connection, mine, worker, clock.now())
            assert taken is not None
            lanes = (await queue.open_lanes(connection, [scene.channel_id]))[scene.channel_id]
        lane, began, done = lanes[0], time.perf_counter(), 0
        while done < messages:
            async with db.tenant(scene.workspace_id) as connection:
                rows = await queue.read_ahead(connection, lane.id, (cursor[0], cursor[1]), clock.now(), BATCH)
            assert rows, "the queue is empty"
            cursor[:] = rows[-1].due_at, rows[-1].message_id
            tries = [intent.Intended(row, lane.epoch, uuid7(clock.now()), None) for row in rows]
            async with db.tenant(scene.workspace_id) as connection:
                wanted = [intent.Intent(scene.channel_id, taken[0], tries)]
                granted = await intent.intend(connection, worker_id=worker, intents=wanted, now=clock.now())
            assert len(granted) == len(rows)
            verdicts = [
                Verdict(t.attempt_id, Outcome.ACCEPTED, State.ACCEPTED, provider_id="x") for t in tries
            ]
            async with db.tenant(scene.workspace_id) as connection:
                await attempt.settle(connection, rows[0].cohort, verdicts, clock.now())
            done += len(rows)
        return (time.perf_counter() - began) / done * 1e6


def _measure(scene: Scene, cursor: list[Any] | None = None) -> float:
    start = cursor if cursor is not None else [datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0)]
    return asyncio.run(_send(scene, MESSAGES, start))


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, default=1_000_000)
    queued = parser.parse_args().queued
    house = House(Path(tempfile.mkdtemp()))
    nobody = cast(Any, SimpleNamespace(url="http://127.0.0.1:9"))

    def scene(people: int) -> Scene:
        database = house.new_database()
        made = Scene(house.url(database), house.superuser(database), nobody, Path(tempfile.mkdtemp()), people)
        made.set_up()
        return made

    few = scene(MESSAGES * 4)
    many = scene(queued)
    found = {"short": [_measure(few)], "queued": [_measure(many)]}
    place: list[Any] = [datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0)]
    with psycopg.connect(many.superuser_url) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM run").fetchone()
        for _ in range(6):  # what was sent stays visible to the old snapshot: dead rows pile up
            found.setdefault("old_snapshot", []).append(_measure(many, place))
            found["short"].append(_measure(few) if len(found["short"]) < 4 else found["short"][-1])
    many.alter("UPDATE lane SET state = 'paused', epoch = epoch + 1")
    behind = few.__class__(many.url, many.superuser_url, nobody, many.folder, MESSAGES)
    behind.set_up()
    found["behind_a_paused_million"] = [_measure(behind)]
    told = {name: round(min(values), 1) for name, values in found.items()}
    told["old_snapshot"] = round(found["old_snapshot"][-1], 1)  # with the most dead rows
    print(
        json.dumps(
            {
                "benchmark": "queue_depth", "queued": queued, "us_a_message": told,
                "ratio": {name: round(value / told["short"], 2) for name, value in told.items()},
                "targets": {"ratio": 1.5}, "machine": machine.facts(),
            }
        )
    )  # fmt: skip
    house.close()


if __name__ == "__main__":
    main()
