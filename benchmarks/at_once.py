"""(v) Very many enrollments of one alert are due at one instant: they leave in order, without a stall.

    python -m benchmarks.at_once [--sizes 5000 200000]

Cases are enrolled beforehand; the schedule says one moment for all of them. From then on a worker with the
usual settings fires and sends, to the sandbox, whose record tells when each request came: the first after the
moment, the rate, the longest pause between two, and how many places a message came before or after its place
in the ledger's order (some are at the provider at once, and two streams fire). The floor sends the same
number in the same run. Prints one JSON line; seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.alerts import DEFINITION, visits
from benchmarks.end_to_end import CONCURRENCY, raw, usual, wait_for_worker
from benchmarks.expansion import crowd
from clarion.domain.alert import Alert
from clarion.domain.message import parse_reference
from clarion.flow import alert, fire
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.sandbox.client import SandboxProcess
from clarion.settings import Settings
from clarion.store import case_type
from tests.faults.scene import CONTENT, SECRET, Scene
from tests.house import House

EVERY_CASE = {"property": "visits", "op": "lt", "value": 5}


def _definition(moment: datetime) -> Alert:
    schedule = {"start": {"from": "moment", "moment": moment.isoformat()}, "steps": [{"number": 1}]}
    return Alert.model_validate(
        {**DEFINITION, "criteria": EVERY_CASE, "schedule": schedule, "contents": {"reminder": CONTENT}}
    )


async def _enrolled(scene: Scene, size: int) -> datetime:
    """So many are enrolled; the moment at which all are due."""
    clock = Clock()
    chosen = Settings(secret_key=SECRET, allow_private_addresses=True, state_dir=scene.folder / "state")
    async with Database(scene.url, size=6) as db:
        services = Services(db, clock, chosen, SecretBox([SECRET]))
        async with db.tenant(scene.workspace_id) as connection:
            type_id = await case_type.create(connection, "visit", clock.now())
        await asyncio.to_thread(visits, scene, type_id, clock.now())
        moment = clock.now().replace(microsecond=0) + timedelta(seconds=20 + math.ceil(size / 5_000))
        async with db.tenant(scene.workspace_id) as connection:
            campaign_id = await alert.create(
                connection, services, name="bench", channel_id=scene.channel_id,
                definition=_definition(moment),
            )  # fmt: skip
            run_id = await alert.launch(connection, services, campaign_id, confirm_all=True)
        await fire.fire(services, scene.workspace_id, run_id)
        if clock.now() > moment - timedelta(seconds=5):
            raise SystemExit("enrolling took too long: the moment has come before the worker")
    return moment


def _wait(scene: Scene, sandbox: SandboxProcess, size: int, moment: datetime, worker: Any) -> None:
    end = time.time() + (moment.timestamp() - time.time()) + 60 + size / 500
    while sandbox.summary()["accepted"] < size:
        if time.time() > end or worker.poll() is not None:
            raise TimeoutError(f"not everything was sent: {scene.states()}")
        time.sleep(0.25)


def _places(scene: Scene, requests: list[dict[str, Any]]) -> list[int]:
    """How many places each came before or after its own, which is that of its message's identifier."""
    rows = scene.query("SELECT id, message_id FROM attempt WHERE workspace_id = %s", scene.workspace_id)
    messages = {row["id"]: row["message_id"] for row in rows}
    came = [messages[parse_reference(one["reference"])[1]] for one in requests]
    place = {message: n for n, message in enumerate(sorted(came))}
    return sorted(abs(n - place[message]) for n, message in enumerate(came))


def sent(house: House, sandbox: SandboxProcess, size: int) -> dict[str, Any]:
    """So many, due at once: how they left."""
    database, folder = house.new_database(), Path(tempfile.mkdtemp())
    sandbox.reset()
    scene = Scene(house.url(database), house.superuser(database), sandbox, folder, 0,
                  options={"total_timeout": 30.0}, rate=100_000)  # fmt: skip
    scene.set_up(launch=False)
    crowd(scene, size)
    moment = asyncio.run(_enrolled(scene, size))
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "clarion.cli", "worker"], env=usual(scene), stdout=log, stderr=log
        )
    try:
        wait_for_worker(scene)
        _wait(scene, sandbox, size, moment, worker)
    finally:
        worker.terminate()
        worker.wait(30)
    requests = sorted(sandbox.requests(), key=lambda one: float(one["at"]))
    at, places = [float(one["at"]) for one in requests], _places(scene, requests)
    house.drop(database)
    return {
        "sent": len(at), "first_s": round(at[0] - moment.timestamp(), 3),
        "last_s": round(at[-1] - moment.timestamp(), 2),
        "rate": round(len(at) / max(at[-1] - at[0], 0.001)),
        "longest_pause_s": round(max((b - a for a, b in pairwise(at)), default=0.0), 3),
        "out_of_place": {"p99": places[int(len(places) * 0.99)], "most": places[-1]},
    }  # fmt: skip


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 200_000])
    sizes = parser.parse_args().sizes
    house = House(Path(tempfile.mkdtemp()))
    told: dict[str, Any] = {}
    with SandboxProcess.start(
        Path(tempfile.mkdtemp()), tokens=["sandbox"], window="open", receipts={"mode": "none"}
    ) as sandbox:
        for size in sizes:
            told[str(size)] = {**sent(house, sandbox, size), "floor": raw(house, sandbox, size)["rate"]}
    house.close()
    print(
        json.dumps(
            {
                "benchmark": "at_once", "at_the_provider_at_once": CONCURRENCY, "due": told,
                "targets": {"first_s": 1.0, "longest_pause_s": 0.5}, "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
