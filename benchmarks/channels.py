"""(j) 20 channels at once with every limit active, beside the raw floor in the same run.

The limits are wide enough to stop nobody: what is measured is what it costs to ask them. One worker, since
the floor is one process too.

    python -m benchmarks.channels [--people 2500] [--pairs 3] [--apart]   (a channel)

All channels are of one workspace; with --apart each is of one of its own, and nothing is committed together.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from benchmarks import machine, workers
from benchmarks.end_to_end import raw
from clarion.sandbox.client import SandboxProcess
from tests.house import House

CHANNELS = 20
LIMITS = {
    "capacity": 1_000_000, "pair_interval": 6.0, "pair_burst": 45, "uniques": 1_000_000,
    "daily": 10_000_000, "account": {"rate": 100_000, "daily": 10_000_000},
}  # fmt: skip


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2_500)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--apart", action="store_true")
    arguments = parser.parse_args()
    everybody = arguments.people * CHANNELS
    house = House(Path(tempfile.mkdtemp()))
    ours, floor = [], []
    with SandboxProcess.start(
        Path(tempfile.mkdtemp()), tokens=["sandbox"], window="open", receipts={"mode": "none"}
    ) as sandbox:
        for _ in range(arguments.pairs):
            together = not arguments.apart
            ours.append(
                workers.run(house, sandbox, 1, arguments.people, CHANNELS, together=together, **LIMITS)
            )
            floor.append(raw(house, sandbox, everybody)["rate"])
    house.close()
    print(
        json.dumps(
            {
                "benchmark": "channels", "apart": arguments.apart, "channels": CHANNELS,
                "people_a_channel": arguments.people,
                "pairs": arguments.pairs, "rate": round(statistics.median(ours), 1),
                "floor": round(statistics.median(floor), 1),
                "ratio": round(statistics.median(o / f for o, f in zip(ours, floor, strict=True)), 3),
                "targets": {"ratio": 0.5},
                "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
