"""(u) Cases are saved over the API while an alert goes over all of them: how long until each is in step.

    python -m benchmarks.in_step [--cases 200000] [--rate 300] [--seconds 60]

API, worker and PostgreSQL are processes of their own. So many cases a second get another date, each once, at
moments that are fixed beforehand: what waits is late, and counts. A case is in step when its enrollment
counts from the new date, as another connection sees it (it looks every 10 ms, which is part of the figure).
Meanwhile the alert's hour is edited again as soon as the last re-run of it is done, so that each of them
writes three of ten cases anew. Beside it the same without any re-run (`quiet`), and the floor: at the same
rate one transaction each that writes the two rows, and nothing else. Prints one JSON line; milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, LiteralString, cast
from uuid import UUID

import aiohttp
import psycopg
from psycopg_pool import AsyncConnectionPool

from benchmarks import machine
from benchmarks.alerts import DEFINITION, visits
from benchmarks.end_to_end import usual, wait_for_worker
from benchmarks.expansion import crowd
from benchmarks.served import Served
from clarion.domain.scope import Scope
from clarion.flow import access
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.store import case_type
from tests.faults.scene import SECRET, Scene
from tests.house import House

LOOK = 0.01  # seconds
PATIENCE = 60.0
_FLOOR = """CREATE TABLE floor_case AS SELECT id, properties FROM "case";
ALTER TABLE floor_case ADD PRIMARY KEY (id);
CREATE TABLE floor AS SELECT * FROM enrollment WHERE case_id IS NOT NULL;
CREATE INDEX floor_by_case ON floor (case_id); ANALYZE floor; ANALYZE floor_case"""
_SEEN = """SELECT w.case_id FROM unnest(%s::uuid[], %s::text[]) AS w(case_id, day)
CROSS JOIN LATERAL (SELECT basis FROM {} e WHERE e.case_id = w.case_id LIMIT 1) e WHERE e.basis = w.day"""
Case = tuple[UUID, str]
Save = Callable[[Case, str], Awaitable[None]]


@dataclass
class Eye:
    """Looks from outside which cases are in step; `late` is how many seconds after the moment at which it
    should have been saved each of them was."""

    url: str
    table: LiteralString
    awaited: dict[UUID, tuple[str, float]] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)

    async def look(self) -> None:
        """Until it is cancelled."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute("SET enable_seqscan = off")
            while True:
                if self.awaited:
                    some = [(case_id, day) for case_id, (day, _) in self.awaited.items()]
                    ids, days = [one for one, _ in some], [day for _, day in some]
                    cursor = await connection.execute(_SEEN.format(self.table).encode(), (ids, days))
                    now = time.perf_counter()
                    for (case_id,) in await cursor.fetchall():
                        self.late.append(now - self.awaited.pop(case_id)[1])
                await asyncio.sleep(LOOK)

    async def told(self) -> None:
        """Wait until all are in step, or nobody believes it any more."""
        end = time.perf_counter() + PATIENCE
        while self.awaited and time.perf_counter() < end:  # noqa: ASYNC110 - the database tells, and no event
            await asyncio.sleep(LOOK)


async def saved(eye: Eye, cases: list[Case], days: list[str], rate: float, save: Save) -> dict[str, Any]:
    """Save these cases at this rate, and wait until they are in step; what that took."""
    looking = asyncio.create_task(eye.look())
    answered: list[float] = []
    begin = time.perf_counter() + 0.1

    async def one(case: Case, day: str, moment: float) -> None:
        eye.awaited[case[0]] = (day, moment)
        await save(case, day)
        answered.append(time.perf_counter() - moment)

    async with asyncio.TaskGroup() as saves:
        for n, (case, day) in enumerate(zip(cases, days, strict=True)):
            moment = begin + n / rate
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            saves.create_task(one(case, day, moment))
    await eye.told()
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    return {
        "saves": len(cases), "rate": round(len(cases) / (time.perf_counter() - begin)),
        "never_in_step": len(eye.awaited), "in_step": _spread(eye.late), "answered": _spread(answered),
    }  # fmt: skip


def _spread(seconds: list[float]) -> dict[str, float]:
    some = sorted(seconds) or [0.0]
    return {
        name: round(some[min(len(some) - 1, int(len(some) * share))] * 1000, 1)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0))
    }


@dataclass
class Api:
    """The API, called over connections that are kept. `gone_over`: cases, by re-runs that are done."""

    session: aiohttp.ClientSession
    base: str
    alert_id: str = ""
    gone_over: int = 0

    async def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        async with self.session.request(method, f"{self.base}/{path}", json=body) as reply:
            told: dict[str, Any] = await reply.json(content_type=None)
            if reply.status >= 400:
                raise RuntimeError(f"{method} {path}: {reply.status} {told}")
            return told

    async def save(self, case: Case, day: str) -> None:
        word = {"type": "visit", "external_id": case[1], "properties": {"appointment_date": day}}
        await self.call("POST", "cases", word)

    async def done(self) -> int:
        """Wait until its cases are gone over; how many."""
        while True:
            far = (await self.call("GET", f"alerts/{self.alert_id}"))["rerun"]
            if far["state"] == "done":
                return int(far["done"])
            await asyncio.sleep(0.25)

    async def keep_editing(self) -> None:
        """Another hour, as soon as all cases are gone over by the last; until it is cancelled."""
        hour = 9
        while True:
            hour = 19 - hour
            schedule = {**cast(dict[str, Any], DEFINITION["schedule"]), "time": f"{hour:02}:00"}
            await self.call("PATCH", f"alerts/{self.alert_id}", {"schedule": schedule})
            self.gone_over += await self.done()


async def _key(db: Database, scene: Scene) -> str:
    async with db.tenant(scene.workspace_id) as connection:
        made = await access.create_key(
            connection, scene.workspace_id, name="bench", scopes=[Scope.ADMIN], now=Clock().now()
        )
        return made.shown()


async def _floor(scene: Scene, cases: list[Case], days: list[str], rate: float) -> dict[str, Any]:
    async with AsyncConnectionPool(scene.superuser_url, min_size=8, max_size=8, open=False) as pool:

        async def save(case: Case, day: str) -> None:
            async with pool.connection() as connection:
                await connection.execute(
                    """UPDATE floor_case SET properties = properties || jsonb_build_object('d', %s::text)
                       WHERE id = %s""",
                    (day, case[0]),
                )
                await connection.execute("UPDATE floor SET basis = %s WHERE case_id = %s", (day, case[0]))

        return await saved(Eye(scene.superuser_url, "floor"), cases, days, rate, save)


async def measure(scene: Scene, chosen: argparse.Namespace, served: Served, key: str) -> dict[str, Any]:
    """All three, each with cases and dates of its own."""
    found = scene.query("""SELECT id, external_id FROM "case" WHERE properties->>'status' = 'scheduled'""")
    cases = [(row["id"], row["external_id"]) for row in found]
    Random(7).shuffle(cases)
    many = min(int(chosen.rate * chosen.seconds), len(cases))
    today = Clock().now().date()
    days = [(today + timedelta(days=100 + n % 200)).isoformat() for n in range(many)]
    later = [(today + timedelta(days=400 + n % 200)).isoformat() for n in range(many)]
    told: dict[str, Any] = {}
    connector, headers = aiohttp.TCPConnector(limit=64), {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        api = Api(session, f"http://127.0.0.1:{served.port}/api/v1")
        body = {"name": "Bench", "channel_id": str(scene.channel_id), **DEFINITION, "launch": True}
        api.alert_id = (await api.call("POST", "alerts", body))["id"]
        told["cases"] = await api.done()
        quiet, busy = Eye(scene.superuser_url, "enrollment"), Eye(scene.superuser_url, "enrollment")
        told["quiet"] = await saved(quiet, cases[:many], days, chosen.rate, api.save)
        began, editing = time.perf_counter(), asyncio.create_task(api.keep_editing())
        told["while_gone_over"] = await saved(busy, cases[:many], later, chosen.rate, api.save)
        editing.cancel()
        with suppress(asyncio.CancelledError):
            await editing
        api.gone_over += (await api.call("GET", f"alerts/{api.alert_id}"))["rerun"]["done"]
        told["gone_over_a_second"] = round(api.gone_over / (time.perf_counter() - began))
    with psycopg.connect(scene.superuser_url, autocommit=True) as connection:
        connection.execute(_FLOOR.encode())
    told["floor"] = await _floor(scene, cases[:many], days, chosen.rate)
    return told


async def _prepared(scene: Scene) -> str:
    async with Database(scene.url, size=2) as db:
        async with db.tenant(scene.workspace_id) as connection:
            type_id = await case_type.create(connection, "visit", Clock().now())
        await asyncio.to_thread(visits, scene, type_id, Clock().now())
        return await _key(db, scene)


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    house, folder = House(Path(tempfile.mkdtemp())), Path(tempfile.mkdtemp())
    database = house.new_database()
    nobody = cast(Any, SimpleNamespace(url="http://127.0.0.1:9"))
    scene = Scene(house.url(database), house.superuser(database), nobody, folder, 0)
    scene.set_up(launch=False)
    crowd(scene, chosen.cases)
    key = asyncio.run(_prepared(scene))
    served = Served(scene.url, folder, SECRET)
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "clarion.cli", "worker"], env=usual(scene), stdout=log, stderr=log
        )
    try:
        wait_for_worker(scene)
        told = asyncio.run(measure(scene, chosen, served, key))
    finally:
        worker.terminate()
        worker.wait(30)
        served.stop()
    house.close()
    print(
        json.dumps(
            {"benchmark": "in_step", **told, "targets": {"rate": 300, "p99_ms": 100},
             "machine": machine.facts()}
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
