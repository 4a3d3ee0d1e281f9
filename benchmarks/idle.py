"""(e) What a worker with nothing to do costs: its own processor time and PostgreSQL's, of one core.

python -m benchmarks.idle [--seconds 30]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from benchmarks import machine
from tests.faults.scene import Scene
from tests.house import House


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    house = House(Path(tempfile.mkdtemp()))
    assert house.embedded is not None
    database = house.new_database()
    nobody = cast(Any, SimpleNamespace(url="http://127.0.0.1:9"))
    scene = Scene(house.url(database), house.superuser(database), nobody, Path(tempfile.mkdtemp()), 100)
    scene.set_up(launch=False)
    settings = {
        name: value
        for name, value in scene.environment.items()
        if name not in ("CLARION_POLL", "CLARION_LEASE")
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "clarion.cli", "worker"], env={**os.environ, **settings},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    server = house.embedded.status().pid
    assert server is not None
    time.sleep(10)
    own, theirs = machine.cpu_seconds(worker.pid), machine.family_cpu_seconds(server)
    time.sleep(seconds)
    own, theirs = machine.cpu_seconds(worker.pid) - own, machine.family_cpu_seconds(server) - theirs
    worker.terminate()
    worker.wait(30)
    house.close()
    print(
        json.dumps(
            {
                "benchmark": "idle", "seconds": seconds, "worker_percent": round(own / seconds * 100, 2),
                "postgres_percent": round(theirs / seconds * 100, 2), "targets": {"percent": 1.0},
                "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
