"""Sequences: enrolling 1,000,000 people, and firing what is due among many who wait.

python -m benchmarks.following [--people 1000000] [--crowd 100000] [--few 1000]

Enrolling goes through everybody of a workspace for a sequence whose hours are random and cover a window. The
raw floor is the same rows written by one INSERT … SELECT into a table with the same indexes. Firing is timed
from the moment at which they are due until all are ready: a few of all who wait, the same few of a twentieth
of these, and a crowd while an old snapshot is open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import psycopg

from benchmarks import machine
from benchmarks.expansion import crowd
from clarion.domain.field import Field, FieldType
from clarion.domain.sequence import Sequence
from clarion.flow import fire, sequence
from clarion.flow.enroll import due
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.process import settle_memory
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import field
from tests.faults.scene import SECRET, TEXT, Scene
from tests.house import House

BEGIN = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CONTENT = {"variants": [{"content": TEXT}]}
WINDOW = {"from": "09:00", "to": "21:00", "strategy": "cover", "valued": {"12:00": 1, "18:00": 1, "20:00": 1}}
COVER = {
    "start": {"from": "field", "key": "registration_date"}, "time": WINDOW,
    "steps": [{"number": n + 1, "days": 3 * n} for n in range(4)],
    "repeat": {"every": 12, "count": 4},
}  # fmt: skip
FIXED = {
    "start": {"from": "field", "key": "registration_date"}, "time": "09:00",
    "steps": [{"number": 1}, {"number": 2, "days": 3}],
}  # fmt: skip


async def launched(scene: Scene, services: Services, schedule: dict[str, Any]) -> tuple[UUID, float]:
    """A sequence, with everybody enrolled; how many seconds that took."""
    definition = Sequence.model_validate(
        {"audience": {"include": {"everyone": True}}, "schedule": schedule, "contents": {"all": CONTENT}}
    )
    async with services.db.tenant(scene.workspace_id) as connection:
        campaign_id = await sequence.create(
            connection, services, name="bench", channel_id=scene.channel_id, definition=definition
        )
        run_id = await sequence.launch(connection, services, campaign_id)
    began = time.perf_counter()
    await fire.fire(services, scene.workspace_id, run_id)
    return campaign_id, time.perf_counter() - began


def _floor(scene: Scene) -> float:
    """Seconds in which PostgreSQL writes the same rows with the same indexes, and nothing else."""
    with psycopg.connect(scene.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE floor (LIKE enrollment INCLUDING ALL)")
        began = time.perf_counter()
        connection.execute("INSERT INTO floor SELECT * FROM enrollment")
        seconds = time.perf_counter() - began
        connection.execute("DROP TABLE floor")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    return seconds


async def fired(scene: Scene, services: Services, campaign_id: UUID, moment: datetime) -> float:
    """Seconds from a moment until all that is due then is ready."""
    services = replace(services, clock=FakeClock(moment))
    began = time.perf_counter()
    await due.fire(services, scene.workspace_id, campaign_id)
    return time.perf_counter() - began


def dates(scene: Scene, some: list[tuple[datetime, int]]) -> None:
    """Registration dates: so many people on each of these days, in the order of their ids, the rest later."""
    with psycopg.connect(scene.superuser_url, autocommit=True) as connection:
        first = 0
        for day, many in [*some, (BEGIN + timedelta(days=400), 10**9)]:
            connection.execute(
                """UPDATE contact c SET fields = jsonb_build_object('registration_date', %s::text)
                   FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM contact) o
                   WHERE o.id = c.id AND o.n > %s AND o.n <= %s""",
                (day.date().isoformat(), first, first + many),
            )
            first += many
        connection.execute("VACUUM ANALYZE")


async def _measure(scene: Scene, people: int, crowded: int, few: int) -> dict[str, Any]:
    async with Database(scene.url, size=6) as db:
        chosen = Settings(secret_key=SECRET, state_dir=scene.folder)
        services = Services(db, FakeClock(BEGIN), chosen, SecretBox([SECRET]))
        async with db.tenant(scene.workspace_id) as connection:
            await field.declare(connection, Field("registration_date", "Date", FieldType.DATE))
        _, random = await launched(scene, services, COVER)
        memory = machine.peak_memory(os.getpid())
        floor = await asyncio.to_thread(_floor, scene)
        campaign_id, fixed = await launched(scene, services, FIXED)
        first = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
        found: dict[str, Any] = {
            "enrolling": {
                "random_hours": round(people / random), "fixed_hour": round(people / fixed),
                "floor": round(people / floor), "ratio": round(floor / random, 3),
                "peak_memory_mb": round(memory / 1e6),
            },
            f"firing_{few}": [
                round(await fired(scene, services, campaign_id, first + timedelta(days=day)), 3)
                for day in range(3)
            ],
        }  # fmt: skip
        with psycopg.connect(scene.superuser_url) as old:
            old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            old.execute("SELECT count(*) FROM enrollment WHERE next_due IS NULL")
            seconds = await fired(scene, services, campaign_id, first + timedelta(days=30))
            again = await fired(scene, services, campaign_id, first + timedelta(days=30))
        found[f"firing_{crowded}"] = {"seconds": round(seconds, 2), "rate": round(crowded / seconds),
                                      "reckoned_again_seconds": round(again, 2)}  # fmt: skip
        return found


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--crowd", type=int, default=100_000)
    parser.add_argument("--few", type=int, default=1_000)
    given = parser.parse_args()
    settle_memory()  # as a worker does
    house = House(Path(tempfile.mkdtemp()))
    database = house.new_database()
    nobody = cast(Any, SimpleNamespace(url="http://127.0.0.1:9"))
    scene = Scene(house.url(database), house.superuser(database), nobody, Path(tempfile.mkdtemp()), 0)
    scene.set_up(launch=False)
    crowd(scene, given.people)
    day = datetime(2026, 6, 10, tzinfo=UTC)
    dates(
        scene,
        [*((day + timedelta(days=n), given.few) for n in range(3)), (day + timedelta(days=30), given.crowd)],
    )
    found = asyncio.run(_measure(scene, given.people, given.crowd, given.few))
    targets = {"enrolling": 40_000, "firing_1000_s": 0.5, "firing_100000_s": 5}
    print(
        json.dumps(
            {"benchmark": "following", "people": given.people, **found, "targets": targets,
             "machine": machine.facts()}
        )
    )  # fmt: skip
    house.close()


if __name__ == "__main__":
    main()
