"""(q) Rehearsing a sequence: 100,000 people who hear sixteen messages each in 45 days.

python -m benchmarks.rehearsal [--people 100000]

The raw floor is what no rehearsal can do without, in the same run: reading everybody's identifier, zone and
date, and for each message one draw and one local time made a moment (`benchmarks.occurrences`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import psycopg

from benchmarks import machine
from benchmarks.expansion import crowd
from benchmarks.following import CONTENT, WINDOW
from benchmarks.occurrences import ZONES, floor
from clarion.domain.field import Field, FieldType
from clarion.domain.sequence import Sequence
from clarion.flow import sequence
from clarion.flow.rehearse.rehearse import Rehearsal, Wish, rehearse
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import field
from tests.faults.scene import SECRET, Scene
from tests.house import House

BEGIN = datetime(2026, 6, 1, 0, 0, tzinfo=UTC)
DAYS = 45
SCHEDULE = {
    "start": {"from": "field", "key": "registration_date"}, "time": WINDOW,
    "steps": [{"number": n + 1, "days": 3 * n} for n in range(4)],
    "repeat": {"every": 11, "count": 4},
}  # fmt: skip


async def _draft(scene: Scene, services: Services) -> UUID:
    definition = Sequence.model_validate(
        {"audience": {"include": {"everyone": True}}, "schedule": SCHEDULE, "contents": {"all": CONTENT}}
    )
    async with services.db.tenant(scene.workspace_id) as connection:
        await field.declare(connection, Field("registration_date", "Date", FieldType.DATE))
        return await sequence.create(
            connection, services, name="bench", channel_id=scene.channel_id, definition=definition
        )


async def _rehearsed(scene: Scene) -> tuple[Rehearsal, float, float]:
    """What it came to, with its seconds and those of this process's processor."""
    async with Database(scene.url, size=4) as db:
        chosen = Settings(secret_key=SECRET, state_dir=scene.folder)
        services = Services(db, FakeClock(BEGIN), chosen, SecretBox([SECRET]))
        campaign_id = await _draft(scene, services)
        began, spent = time.perf_counter(), time.process_time()
        told = await rehearse(services, scene.workspace_id, campaign_id, Wish(days=DAYS))
        return told, time.perf_counter() - began, time.process_time() - spent


def _dates(scene: Scene) -> None:
    """Everybody registers on the first day or the second, in one of three zones."""
    with psycopg.connect(scene.superuser_url, autocommit=True) as connection:
        connection.execute(
            """UPDATE contact c SET timezone = (%s::text[])[1 + o.n %% 3],
                 fields = jsonb_build_object('registration_date', (%s::date + (o.n %% 2)::int)::text)
               FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM contact) o WHERE o.id = c.id""",
            (list(ZONES), BEGIN.date()),
        )
        connection.execute("VACUUM ANALYZE")


def _floor(scene: Scene, people: int) -> float:
    began = time.perf_counter()
    with psycopg.connect(scene.superuser_url) as connection:
        connection.execute(
            "SELECT id, timezone, fields->>'registration_date' FROM contact ORDER BY id"
        ).fetchall()
    floor(people)
    return time.perf_counter() - began


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    people = parser.parse_args().people
    house = House(Path(tempfile.mkdtemp()))
    database = house.new_database()
    nobody = cast(Any, SimpleNamespace(url="http://127.0.0.1:9"))
    scene = Scene(house.url(database), house.superuser(database), nobody, Path(tempfile.mkdtemp()), 0)
    scene.set_up(launch=False)
    crowd(scene, people)
    _dates(scene)
    told, seconds, spent = asyncio.run(_rehearsed(scene))
    memory = machine.peak_memory(os.getpid())
    assert told.messages == told.leave + told.expire == 16 * people, told.messages
    raw = _floor(scene, people)
    print(
        json.dumps(
            {
                "benchmark": "rehearsal", "people": people, "days": DAYS, "messages": told.messages,
                "seconds": round(seconds, 2), "processor_seconds": round(spent, 2),
                "microseconds_a_message": round(spent / told.messages * 1e6, 2),
                "peak_memory_mb": round(memory / 1e6), "floor_seconds": round(raw, 2),
                "ratio": round(raw / seconds, 2), "targets": {"seconds": 20, "peak_memory_mb": 300},
                "machine": machine.facts(),
            }
        )
    )  # fmt: skip
    house.close()


if __name__ == "__main__":
    main()
