"""What is due among very many who wait costs what it costs among few.

python -m benchmarks.waiting [--few 1000] [--among 50000] [--waiting 5000000]

A sequence follows `among` people, of whom `few` are due on each of some days. These days are fired, one after
the other, and each is timed until all of it is ready. Then so many more wait for other days that there are
`waiting`, and as many days again are fired. Everything is the same but for who waits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg

from benchmarks import machine
from benchmarks.expansion import crowd
from benchmarks.following import BEGIN, FIXED, dates, fired, launched
from clarion.domain.field import Field, FieldType
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import field
from tests.faults.scene import SECRET, Scene
from tests.house import House

FIRST = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
DAYS = 7  # fired among few, and as many among all
APART = timedelta(days=10)
ONCE = {**FIXED, "steps": [{"number": 1}]}
CHUNK = 500_000  # rows of one statement


def _days(part: int) -> list[datetime]:
    return [FIRST + part * APART + timedelta(days=day) for day in range(DAYS)]


def _fill(scene: Scene, waiting: int) -> None:
    """So many enrollments in all, of people who wait for a day that does not come here."""
    with psycopg.connect(scene.superuser_url, autocommit=True) as connection:
        found = connection.execute(
            """SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
               WHERE table_name = 'enrollment' AND column_name NOT IN ('id', 'subject_id', 'next_due')"""
        ).fetchone()
        assert found is not None
        others = found[0]
        there = connection.execute("SELECT count(*) FROM enrollment").fetchone()
        assert there is not None
        for done in range(there[0], waiting, CHUNK):
            connection.execute(
                f"""INSERT INTO enrollment (id, subject_id, next_due, {others})
                    SELECT clarion_uuid7(%s), gen_random_uuid(), %s + n * interval '7 s', {others}
                    FROM (SELECT * FROM enrollment ORDER BY id LIMIT 1) e,
                      generate_series(1, %s) n""".encode(),
                (BEGIN, BEGIN + timedelta(days=500), min(CHUNK, waiting - done)),
            )
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


async def _times(scene: Scene, services: Services, campaign_id: Any, part: int) -> list[float]:
    return [await fired(scene, services, campaign_id, day) for day in _days(part)]


async def _measure(scene: Scene, few: int, waiting: int) -> dict[str, Any]:
    async with Database(scene.url, size=6) as db:
        chosen = Settings(secret_key=SECRET, state_dir=scene.folder)
        services = Services(db, FakeClock(BEGIN), chosen, SecretBox([SECRET]))
        async with db.tenant(scene.workspace_id) as connection:
            await field.declare(connection, Field("registration_date", "Date", FieldType.DATE))
        campaign_id, _ = await launched(scene, services, ONCE)
        among_few = await _times(scene, services, campaign_id, 0)
        began = time.perf_counter()
        await asyncio.to_thread(_fill, scene, waiting)
        filled = time.perf_counter() - began
        among_all = await _times(scene, services, campaign_id, 1)
    before, after = statistics.median(among_few), statistics.median(among_all)
    return {
        "seconds_among_few": [round(one, 3) for one in among_few],
        "seconds_among_all": [round(one, 3) for one in among_all],
        "slowest": round(max(among_all), 3), "ratio": round(after / before, 3),
        "rate": round(few / after), "filled_in_seconds": round(filled),
    }  # fmt: skip


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--among", type=int, default=50_000)
    parser.add_argument("--waiting", type=int, default=5_000_000)
    given = parser.parse_args()
    house = House(Path(tempfile.mkdtemp()))
    database = house.new_database()
    nobody = cast(Any, SimpleNamespace(url="http://127.0.0.1:9"))
    scene = Scene(house.url(database), house.superuser(database), nobody, Path(tempfile.mkdtemp()), 0)
    scene.set_up(launch=False)
    crowd(scene, given.among)
    dates(scene, [(day, given.few) for part in (0, 1) for day in _days(part)])
    found = asyncio.run(_measure(scene, given.few, given.waiting))
    print(
        json.dumps(
            {"benchmark": "waiting", "few": given.few, "among": given.among, "waiting": given.waiting,
             **found, "targets": {"ratio": 1.3, "slowest": 0.5}, "machine": machine.facts()}
        )
    )  # fmt: skip
    scene.looking.close()
    house.close()


if __name__ == "__main__":
    main()
