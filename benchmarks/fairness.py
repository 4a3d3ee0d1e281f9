"""(k) Reminders while an announcement to very many is under way on the same channel of 80 a second.

From the moment a reminder is due to the intent to send it, milliseconds before its first byte.

    python -m benchmarks.fairness [--people 1000000] [--reminders 200]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from psycopg.types.json import Jsonb

from benchmarks import machine
from benchmarks.end_to_end import usual, wait_for_worker
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.sandbox.client import SandboxProcess
from tests.faults.scene import DEFINITION, Scene
from tests.house import House
from tests.store.sent import announce

AHEAD = timedelta(seconds=3)
RATE, REMINDER = 80.0, 20  # a second; its priority, an announcement's is 50


async def _remind(scene: Scene, count: int) -> None:
    """So many reminders, each to one person, written down before they are due at any moments."""
    async with Database(scene.url, size=2) as db:
        for n in range(count):
            await asyncio.sleep(random.uniform(0.02, 0.2))
            async with db.tenant(scene.workspace_id) as connection:
                sent = await announce(
                    connection, scene.workspace_id, Clock().now() + AHEAD, [f"+255711{n:06}"],
                    scene.channel_id, epoch=1, priority=REMINDER,
                )  # fmt: skip
                await connection.execute(
                    "UPDATE content_version SET body = %s WHERE campaign_id = %s",
                    (Jsonb(DEFINITION["content"]), sent.campaign_id),
                )
                await connection.execute(
                    "UPDATE run SET state = 'expanded' WHERE campaign_id = %s", (sent.campaign_id,)
                )


def _lateness(scene: Scene, count: int) -> list[float]:
    """Seconds from the moment each reminder was due to its intent."""
    found = scene.query(
        """SELECT a.id, m.due_at FROM lane l JOIN attempt a ON a.lane_id = l.id
           JOIN message m ON m.id = a.message_id WHERE l.priority = %s""",
        REMINDER,
    )
    late = sorted(_moment(one["id"]) - one["due_at"].timestamp() for one in found)
    if len(late) < count:
        raise RuntimeError(f"only {len(late)} of {count} reminders have left")
    return late


def _moment(attempt_id: UUID) -> float:
    return (attempt_id.int >> 80) / 1000


def _run(house: House, sandbox: SandboxProcess, people: int, reminders: int) -> dict[str, object]:
    database = house.new_database()
    folder = Path(tempfile.mkdtemp())
    scene = Scene(house.url(database), house.superuser(database), sandbox, folder, people,
                  options={"total_timeout": 30.0}, rate=RATE)  # fmt: skip
    scene.set_up()
    worker = subprocess.Popen(
        [sys.executable, "-m", "clarion.cli", "worker"], env={**os.environ, **usual(scene)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for_worker(scene)
        while scene.accepted() < 2 * RATE:
            time.sleep(0.5)
        asyncio.run(_remind(scene, reminders))
        time.sleep(AHEAD.total_seconds() + 3)
        late = _lateness(scene, reminders)
        return {
            "queued": people, "reminders": len(late),
            "p50_s": round(late[len(late) // 2], 3), "p99_s": round(late[int(len(late) * 0.99)], 3),
            "most_s": round(late[-1], 3),
        }  # fmt: skip
    finally:
        worker.terminate()
        worker.wait(30)
        house.drop(database)


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--reminders", type=int, default=200)
    arguments = parser.parse_args()
    house = House(Path(tempfile.mkdtemp()))
    with SandboxProcess.start(
        Path(tempfile.mkdtemp()), tokens=["sandbox"], window="open", receipts={"mode": "none"}
    ) as sandbox:
        found = _run(house, sandbox, arguments.people, arguments.reminders)
    house.close()
    print(
        json.dumps({"benchmark": "fairness", **found, "targets": {"p99_s": 0.5}, "machine": machine.facts()})
    )


if __name__ == "__main__":
    main()
