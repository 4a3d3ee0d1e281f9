"""Alerts: a rule is gone over 1,000,000 cases of which 30 % meet it, and again with nothing changed.

python -m benchmarks.alerts [--cases 1000000]

The rule has three criteria and a schedule from a date of the case. The raw floor is the same enrollments and
episodes written by INSERT … SELECT into tables with the same indexes.
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
from clarion.domain.alert import Alert
from clarion.flow import alert, fire
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.process import settle_memory
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import case_type, run
from tests.faults.scene import SECRET, TEXT, Scene
from tests.house import House

BEGIN = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CRITERIA = {
    "all": [
        {"property": "status", "op": "equal", "value": "scheduled"},
        {"property": "visits", "op": "lt", "value": 5},
        {"property": "appointment_date", "op": "gte", "value": {"days_from_today": 1}},
    ]
}
DEFINITION = {
    "case_type": "visit", "criteria": CRITERIA, "recipients": [{"to": "role", "role": "phone"}],
    "schedule": {
        "start": {"from": "property", "key": "appointment_date", "days": -2}, "time": "09:00",
        "steps": [{"number": 1}, {"number": 2, "days": 1}],
    },
    "contents": {"reminder": {"variants": [{"content": TEXT}]}},
}  # fmt: skip


def visits(scene: Scene, type_id: UUID, now: datetime = BEGIN) -> None:
    """One for each contact; three of ten are scheduled, of these all have a date to come."""
    with psycopg.connect(scene.superuser_url, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO "case" (id, workspace_id, type_id, external_id, name, properties, dates, numbers,
                 opened_at, modified_at, stored_at)
               SELECT clarion_uuid7_nth(%(now)s, n, gen_random_uuid()), workspace_id, %(type)s, 'V' || n,
                 'Visit',
                 jsonb_build_object('status', CASE WHEN n %% 10 < 3 THEN 'scheduled' ELSE 'done' END,
                   'visits', n %% 5, 'appointment_date', day),
                 jsonb_build_object('appointment_date', day), jsonb_build_object('visits', n %% 5),
                 %(now)s, %(now)s, %(now)s
               FROM (SELECT workspace_id, row_number() OVER (ORDER BY id) AS n,
                       to_char(%(now)s::date + 3 + (row_number() OVER (ORDER BY id) %% 60)::int,
                         'YYYY-MM-DD') AS day FROM contact) c""",
            {"now": now, "type": type_id},
        )
        connection.execute(
            """INSERT INTO case_contact (workspace_id, case_id, role, contact_id)
               SELECT k.workspace_id, k.id, 'phone', c.id
               FROM (SELECT workspace_id, id, row_number() OVER (ORDER BY id) AS n FROM "case") k
               JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM contact) c ON c.n = k.n"""
        )
        connection.execute("VACUUM ANALYZE")


def floor(scene: Scene) -> float:
    """Seconds in which PostgreSQL writes the same rows with the same indexes, and nothing else."""
    seconds = 0.0
    with psycopg.connect(scene.superuser_url, autocommit=True) as connection:
        for name in ("enrollment", "episode"):
            connection.execute(f"CREATE TABLE floor (LIKE {name} INCLUDING ALL)")
            began = time.perf_counter()
            connection.execute(f"INSERT INTO floor SELECT * FROM {name}")
            seconds += time.perf_counter() - began
            connection.execute("DROP TABLE floor")
    return seconds


async def gone_over(scene: Scene, services: Services, campaign_id: UUID) -> float:
    """Seconds in which all its cases are gone through once more."""
    async with services.db.tenant(scene.workspace_id) as connection:
        door, *_ = await run.of_campaign(connection, campaign_id)
        await run.again(connection, door["id"], services.clock.now())
    began = time.perf_counter()
    await fire.fire(services, scene.workspace_id, door["id"])
    return time.perf_counter() - began


async def _measure(scene: Scene, cases: int) -> dict[str, Any]:
    async with Database(scene.url, size=6) as db:
        chosen = Settings(secret_key=SECRET, state_dir=scene.folder)
        services = Services(db, FakeClock(BEGIN), chosen, SecretBox([SECRET]))
        async with db.tenant(scene.workspace_id) as connection:
            type_id = await case_type.create(connection, "visit", BEGIN)
        await asyncio.to_thread(visits, scene, type_id)
        async with db.tenant(scene.workspace_id) as connection:
            campaign_id = await alert.create(
                connection, services, name="bench", channel_id=scene.channel_id,
                definition=Alert.model_validate(DEFINITION),
            )  # fmt: skip
            run_id = await alert.launch(connection, services, campaign_id)
        began = time.perf_counter()
        await fire.fire(services, scene.workspace_id, run_id)
        first = time.perf_counter() - began
        enrolled = scene.query("SELECT count(*) AS n FROM enrollment WHERE case_id IS NOT NULL")[0]["n"]
        assert enrolled == cases * 3 // 10, enrolled
        again = [await gone_over(scene, services, campaign_id) for _ in range(2)]
        memory = machine.peak_memory(os.getpid())
        raw = await asyncio.to_thread(floor, scene)
        return {
            "enrolled": enrolled, "first": round(cases / first),
            "unchanged": [round(cases / seconds) for seconds in again],
            "floor": round(cases / raw), "ratio": round(raw / first, 3),
            "peak_memory_mb": round(memory / 1e6),
        }  # fmt: skip


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    given = parser.parse_args()
    settle_memory()  # as a worker does
    house = House(Path(tempfile.mkdtemp()))
    database = house.new_database()
    nobody = cast(Any, SimpleNamespace(url="http://127.0.0.1:9"))
    scene = Scene(house.url(database), house.superuser(database), nobody, Path(tempfile.mkdtemp()), 0)
    scene.set_up(launch=False)
    crowd(scene, given.cases)
    found = asyncio.run(_measure(scene, given.cases))
    targets = {"first": 80_000, "unchanged": 200_000}
    print(
        json.dumps(
            {"benchmark": "alerts", "cases": given.cases, **found, "targets": targets,
             "machine": machine.facts()}
        )
    )  # fmt: skip
    house.close()


if __name__ == "__main__":
    main()
