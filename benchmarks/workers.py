"""(f) 1, 2 and 4 workers on 8 channels: messages a second over all.

python -m benchmarks.workers [--people 5000]   (a channel)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from benchmarks import machine
from benchmarks.end_to_end import usual
from clarion.kit.db import Database
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
    *,
    together: bool = False,
    **config: object,
) -> float:
    """Announcements to so many people over each of the channels, all at once: messages a second. Each channel
    is of a workspace of its own, or all are of one (`together`), to the same people."""
    database = house.new_database()
    folder = Path(tempfile.mkdtemp())
    sandbox.reset()
    scenes: list[Scene] = []
    for _ in range(channels):
        scene = Scene(
            house.url(database), house.superuser(database), sandbox, folder, people,
            options={"total_timeout": 30.0, **config}, beside=scenes[0] if together and scenes else None,
        )  # fmt: skip
        scene.set_up(launch=False)
        scenes.append(scene)
    environment = usual(scenes[0])
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
        asyncio.run(_launch(scenes))
        _wait(scenes[0], people * channels)
        return people * channels / (time.perf_counter() - began)
    finally:
        for worker in crew:
            worker.terminate()
        for worker in crew:
            worker.wait(30)
        house.drop(database)


async def _launch(scenes: list[Scene]) -> None:
    """All at once, over connections that are there: what is measured is the worker."""
    async with Database(scenes[0].url, size=2) as db:
        for scene in scenes:
            await scene.launch(db)


def _wait(scene: Scene, wanted: int) -> None:
    """Until so many are accepted, over all workspaces of the database. By one connection: a new one at each
    look would take a fifth of a core from those who are measured."""
    end = time.perf_counter() + 300
    with psycopg.connect(scene.superuser_url, autocommit=True) as connection:
        while time.perf_counter() < end:
            found = connection.execute("SELECT coalesce(sum(n), 0) FROM tally WHERE state >= 'accepted'")
            if (row := found.fetchone()) is not None and row[0] >= wanted:
                return
            time.sleep(0.1)
    raise TimeoutError("not everything was sent")


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
