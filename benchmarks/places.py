"""(m) A channel that is full: from a receipt to the send that takes its place.

The receipt comes in at the API, which is another process than the worker that owns the channel. The time is
from the moment before the provider is asked to tell it until the next message's request has reached the
provider: a webhook, a commit, a notification, an intent and a call.

    python -m benchmarks.places [--receipts 200]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.end_to_end import usual, wait_for_worker
from benchmarks.served import Served
from clarion.kit.db import Database
from clarion.sandbox.client import SandboxProcess
from tests.faults.scene import SECRET, Scene
from tests.house import House


def _run(house: House, sandbox: SandboxProcess, receipts: int) -> list[float]:
    """Seconds from each receipt to the next message, in order."""
    database, folder = house.new_database(), Path(tempfile.mkdtemp())
    scene = Scene(
        house.url(database), house.superuser(database), sandbox, folder, receipts + 1,
        options={"total_timeout": 30.0, "capacity": 1}, rate=1_000.0,
    )  # fmt: skip
    scene.set_up(launch=False)
    served = Served(scene.url, folder, SECRET)
    sandbox.configure(callback_url=f"http://127.0.0.1:{served.port}/hooks/{scene.channel_id}")
    worker = subprocess.Popen(
        [sys.executable, "-m", "clarion.cli", "worker"], env=usual(scene),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for_worker(scene)
        asyncio.run(_launch(scene))
        told: list[float] = []
        for n in range(receipts):
            last = _nth(sandbox, n)
            time.sleep(random.uniform(0.0, 0.1))
            told.append(time.monotonic())
            sandbox.receipt("delivered", wamid=last)
        _nth(sandbox, receipts)
        came = [float(one["mono"]) for one in sandbox.accepted()]
        return [after - before for after, before in zip(came[1:], told, strict=True)]
    finally:
        worker.terminate()
        worker.wait(30)
        served.stop()
        house.drop(database)


async def _launch(scene: Scene) -> None:
    async with Database(scene.url, size=1) as db:
        await scene.launch(db)


def _nth(sandbox: SandboxProcess, n: int) -> str:
    """What the provider calls the nth message, once it is there."""
    end = time.monotonic() + 60
    while sandbox.summary()["accepted"] <= n:
        if time.monotonic() > end:
            raise TimeoutError(f"only {n} messages came")
        time.sleep(0.01)
    return str(sandbox.accepted()[n]["wamid"])


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receipts", type=int, default=200)
    receipts = parser.parse_args().receipts
    house = House(Path(tempfile.mkdtemp()))
    with SandboxProcess.start(
        Path(tempfile.mkdtemp()), tokens=["sandbox"], window="open",
        receipts={"mode": "none", "batch_within": 0.0},
    ) as sandbox:  # fmt: skip
        first, *took = _run(house, sandbox, receipts + 1)
    house.close()
    took.sort()
    print(
        json.dumps(
            {
                "benchmark": "places", "receipts": receipts,
                "first_s": round(first, 3),  # both processes load what they need for their first
                "p50_s": round(took[len(took) // 2], 3),
                "p99_s": round(took[int(len(took) * 0.99)], 3), "most_s": round(took[-1], 3),
                "targets": {"most_s": 0.2}, "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
