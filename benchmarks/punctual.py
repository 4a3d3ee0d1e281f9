"""(h) Scheduled announcements: how long after its moment the first request of each reaches the provider.

    python -m benchmarks.punctual [--announcements 20]

Written and launched by the API for moments spread over half a minute, to one person each, over channels
that nobody owns yet; one worker with the usual settings. Prints one JSON line; seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks import machine
from benchmarks.end_to_end import usual, wait_for_worker, written
from benchmarks.served import Served
from clarion.kit.clock import Clock
from clarion.sandbox.client import SandboxProcess
from tests.faults.scene import SECRET, Scene
from tests.house import House

SPREAD = 30.0


def measure(house: House, sandbox: SandboxProcess, announcements: int) -> list[float]:
    """Seconds from the moment of each to its request, which never comes before it."""
    database, folder = house.new_database(), Path(tempfile.mkdtemp())
    scenes = [
        Scene(house.url(database), house.superuser(database), sandbox, folder, 1)
        for _ in range(announcements)
    ]
    for scene in scenes:
        scene.set_up(launch=False)
    served = Served(scenes[0].url, folder, SECRET)
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "clarion.cli", "worker"], env=usual(scenes[0]), stdout=log, stderr=log
        )
    try:
        wait_for_worker(scenes[0])
        drafts = [written(served, scene) for scene in scenes]
        begin, draw = Clock().now() + timedelta(seconds=5), random.Random(7)
        moments = {}
        for scene, (key, draft) in zip(scenes, drafts, strict=True):
            moment = begin + timedelta(seconds=draw.uniform(0, SPREAD))
            served.post(key, f"announcements/{draft}/launch", {"send_at": moment.isoformat()})
            moments[f"2547{scene.first_number + 1}"] = moment.timestamp()
        end = time.monotonic() + SPREAD + 60
        while sandbox.summary()["accepted"] < announcements:
            if time.monotonic() > end:
                raise TimeoutError(f"not everything was sent: {sandbox.summary()}")
            time.sleep(0.2)
        return sorted(one["at"] - moments[one["to"]] for one in sandbox.requests())
    finally:
        worker.terminate()
        worker.wait(30)
        served.stop()
        house.drop(database)


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--announcements", type=int, default=20)
    chosen = parser.parse_args()
    house = House(Path(tempfile.mkdtemp()))
    with SandboxProcess.start(
        Path(tempfile.mkdtemp()), tokens=["sandbox"], window="open", receipts={"mode": "none"}
    ) as sandbox:
        late = measure(house, sandbox, chosen.announcements)
    house.close()
    print(
        json.dumps(
            {
                "benchmark": "punctual", "announcements": chosen.announcements,
                "earliest_s": round(late[0], 3), "median_s": round(late[len(late) // 2], 3),
                "latest_s": round(late[-1], 3), "targets": {"earliest_s": 0.0, "latest_s": 1.0},
                "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
