"""(f) 1, 2 and 4 workers on 8 channels: messages a second over all.

python -m benchmarks.workers [--people 5000]   (a channel)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from clarion.sandbox.client import SandboxProcess
from tests.faults.scene import Scene
from tests.house import House

CHANNELS = 8


def run(
    house: House,
    sandbox: SandboxProcess,
    workers: int,
    people: int,
    channels: int = CHANNELS,
    **config: object,
) -> float:
    """Announcements to so many people over each of the channels, all at once: messages a second."""
    database = house.new_database()
    folder = Path(tempfile.mkdtemp())
    sandbox.reset()
    scenes = [
        Scene(house.url(database), house.superuser(database), sandbox, folder, people,
              options={"total_timeout": 30.0, **config}) for _ in range(channels)
    ]  # fmt: skip
    for scene in scenes:
        scene.set_up(launch=False)
    environment = {**os.environ, **scenes[0].environment, "CLARION_LEASE": "5", "CLARION_POLL": "0.2"}
    crew = [
        subprocess.Popen(
            [sys.executable, "-m", "clarion.cli", "worker"], env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) for _ in range(workers)
    ]  # fmt: skip
    try:
        while len(scenes[0].query("SELECT 1 FROM worker")) < workers:
            time.sleep(0.1)
        time.sleep(1.0)
        began = time.perf_counter()
        for scene in scenes:
            asyncio.run(scene.launch())
        while _accepted(scenes[0]) < people * channels:
            if time.perf_counter() - began > 300:
                raise TimeoutError("not everything was sent")
            time.sleep(0.1)
        return people * channels / (time.perf_counter() - began)
    finally:
        for worker in crew:
            worker.terminate()
        for worker in crew:
            worker.wait(30)
        house.drop(database)


def _accepted(scene: Scene) -> int:
    """Over all workspaces of the database."""
    found = scene.query("SELECT coalesce(sum(n), 0) AS n FROM tally WHERE state >= 'accepted'")
    return int(found[0]["n"])


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5_000)
    people = parser.parse_args().people
    house = House(Path(tempfile.mkdtemp()))
    with SandboxProcess.start(
        Path(tempfile.mkdtemp()), tokens=["sandbox"], window="open", receipts={"mode": "none"}
    ) as sandbox:
        rates = {workers: round(run(house, sandbox, workers, people)) for workers in (1, 2, 4)}
    house.close()
    print(
        json.dumps(
            {
                "benchmark": "workers", "channels": CHANNELS, "people_a_channel": people,
                "rate_by_workers": rates,
                "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
