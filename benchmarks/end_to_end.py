"""(a) An announcement end to end, beside the raw floor in the same run.

From the API's call that launches it to the last durable `accepted`, through a real worker process with
the usual settings and the sandbox on loopback; then the floor with the same sandbox, concurrency and
durability; five interleaved pairs, the medians.

    python -m benchmarks.end_to_end [--people 100000] [--pairs 5] [--receipts]

With `--receipts` the sandbox tells of every message that it was sent and delivered, signed, to the API
in a process of its own, while the sending goes on; the worker reads them. The floor has none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from benchmarks import machine
from benchmarks.served import Served
from clarion.domain.scope import Scope
from clarion.flow import access
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.sandbox.client import SandboxProcess
from tests.faults.scene import DEFINITION, SECRET, Scene
from tests.house import House

CONCURRENCY = 512


class Meter:
    """Processor time of the client and of PostgreSQL, and the WAL written, between two moments."""

    def __init__(self, house: House, database: str) -> None:
        assert house.embedded is not None
        self.server = int(house.embedded.start().pid)
        self.url = house.superuser(database)
        self.postgres = machine.family_cpu_seconds(self.server)
        self.wal = self._wal()

    def _wal(self) -> int:
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
            return int(found[0]) if found else 0

    def read(self, messages: int, seconds: float, client_cpu: float) -> dict[str, float]:
        """What one message cost."""
        postgres = machine.family_cpu_seconds(self.server) - self.postgres
        return {
            "rate": round(messages / seconds, 1),
            "client_us": round(client_cpu / messages * 1e6, 1),
            "postgres_us": round(postgres / messages * 1e6, 1),
            "wal_bytes": round((self._wal() - self.wal) / messages),
        }


def ours(house: House, sandbox: SandboxProcess, people: int, *, receipts: bool) -> dict[str, float]:
    """One announcement through a worker process."""
    database = house.new_database()
    folder = Path(tempfile.mkdtemp())
    sandbox.reset()
    scene = Scene(house.url(database), house.superuser(database), sandbox, folder, people,
                  options={"max_in_flight": CONCURRENCY, "total_timeout": 30.0}, rate=100_000)  # fmt: skip
    scene.set_up(launch=False)
    _settle_down(house, database)
    served = Served(scene.url, folder, SECRET)
    sandbox.configure(**_told(served if receipts else None, scene))
    key, draft = written(served, scene)
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "clarion.cli", "worker"], env=usual(scene), stdout=log, stderr=log
        )
    try:
        wait_for_worker(scene)
        meter = Meter(house, database)
        cpu = machine.cpu_seconds(worker.pid)
        began = time.perf_counter()
        served.post(key, f"announcements/{draft}/launch", {})
        while scene.accepted() < people:
            if worker.poll() is not None or time.perf_counter() - began > 300:
                raise RuntimeError(f"the worker ended or stalled: {scene.states()}")
            time.sleep(0.1)
        seconds = time.perf_counter() - began
        found = meter.read(people, seconds, machine.cpu_seconds(worker.pid) - cpu)
        if receipts:
            found["delivered_meanwhile"] = round(_delivered(scene) / people, 3)
            found["all_delivered_after_s"] = _wait_delivered(scene, people)
        return found
    finally:
        worker.terminate()
        worker.wait(30)
        served.stop()
        house.drop(database)


def usual(scene: Scene) -> dict[str, str]:
    """How the worker is started: where everything is, as many calls as the floor makes, no other setting."""
    places = ("DATABASE_URL", "STATE_DIR", "SECRET_KEY", "ALLOW_PRIVATE_ADDRESSES", "LOG_FORMAT")
    return {
        **os.environ, **{f"CLARION_{one}": scene.environment[f"CLARION_{one}"] for one in places},
        "CLARION_MAX_IN_FLIGHT": str(CONCURRENCY),
    }  # fmt: skip


def written(served: Served, scene: Scene) -> tuple[str, str]:
    """A key to the API, and the announcement as a draft."""

    async def key() -> str:
        async with Database(scene.url, size=2) as db, db.tenant(scene.workspace_id) as connection:
            made = await access.create_key(
                connection, scene.workspace_id, name="bench", scopes=[Scope.ADMIN], now=Clock().now()
            )
            return made.shown()

    shown = asyncio.run(key())
    draft = served.post(
        shown, "announcements", {"name": "Bench", "channel_id": str(scene.channel_id), **DEFINITION}
    )
    return shown, str(draft["id"])


def _told(served: Served | None, scene: Scene) -> dict[str, object]:
    """The sandbox's settings: whom it tells what becomes of the messages, and how."""
    if served is None:
        return {"callback_url": None, "receipts": {"mode": "none"}}
    receipts = {"mode": "normal", "sent_after": 0.05, "delivered_after": 0.3, "read_share": 0.0}
    return {"callback_url": f"http://127.0.0.1:{served.port}/hooks/{scene.channel_id}", "receipts": receipts}


def _delivered(scene: Scene) -> int:
    found = scene.query(
        "SELECT coalesce(sum(n), 0) AS n FROM tally WHERE workspace_id = %s AND state >= 'delivered'",
        scene.workspace_id,
    )
    return int(found[0]["n"])


def _wait_delivered(scene: Scene, people: int) -> float:
    """Seconds until every receipt was read."""
    began = time.perf_counter()
    while _delivered(scene) < people:
        if time.perf_counter() - began > 120:
            raise RuntimeError(f"receipts were lost: {_delivered(scene)} of {people}: {scene.states()}")
        time.sleep(0.1)
    return round(time.perf_counter() - began, 2)


def raw(house: House, sandbox: SandboxProcess, people: int) -> dict[str, float]:
    """The floor, in a process of its own."""
    database = house.new_database()
    sandbox.reset()
    meter = Meter(house, database)
    before = os.times()
    done = subprocess.run(
        [
            sys.executable, "-m", "benchmarks.floor", house.url(database, owner=True), sandbox.url,
            str(people), str(CONCURRENCY),
        ],
        capture_output=True, check=True,
    )  # fmt: skip
    after = os.times()
    said = json.loads(done.stdout)
    client = after.children_user + after.children_system - before.children_user - before.children_system
    assert said["sent"] == people
    found = meter.read(people, said["seconds"], client)
    house.drop(database)
    return found


def wait_for_worker(scene: Scene) -> None:
    end = time.monotonic() + 30
    while not scene.query("SELECT 1 FROM worker LIMIT 1"):
        if time.monotonic() > end:
            raise TimeoutError("no worker came up")
        time.sleep(0.1)
    time.sleep(1.0)


def _settle_down(house: House, database: str) -> None:
    with psycopg.connect(house.superuser(database), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--receipts", action="store_true", help="two receipts a message come in meanwhile")
    chosen = parser.parse_args()
    house = House(Path(tempfile.mkdtemp()))
    rows: list[tuple[dict[str, float], dict[str, float]]] = []
    with SandboxProcess.start(
        Path(tempfile.mkdtemp()), tokens=["sandbox"], window="open", receipts={"mode": "none"}
    ) as sandbox:
        for _ in range(chosen.pairs):
            rows.append(
                (
                    ours(house, sandbox, chosen.people, receipts=chosen.receipts),
                    raw(house, sandbox, chosen.people),
                )
            )
            print(
                json.dumps({"pair": len(rows), "ours": rows[-1][0], "floor": rows[-1][1]}),
                file=sys.stderr,
                flush=True,
            )
    house.close()
    medians = [
        {key: statistics.median(pair[side][key] for pair in rows) for key in rows[0][side]} for side in (0, 1)
    ]
    targets = {"rate": 3500} if chosen.receipts else {"ratio": 0.6, "rate": 5000}
    ratio = statistics.median(pair[0]["rate"] / pair[1]["rate"] for pair in rows)
    print(
        json.dumps(
            {
                "benchmark": "end_to_end" + ("_with_receipts" if chosen.receipts else ""),
                "people": chosen.people, "pairs": chosen.pairs, "ours": medians[0], "floor": medians[1],
                "ratio": round(ratio, 3), "targets": targets, "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
