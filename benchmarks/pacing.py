"""(l) A channel's rate in the provider's own record: no window holds more, and little of it is wasted.

Random rates over real workers; in every second run the rate is changed half way, in every third a worker is
killed. Sender and provider are two processes, and between them requests bunch, so the provider's windows are
of 0.95 s; where the sender releases them the tests of `domain.pace` hold every second exactly.

    python -m benchmarks.pacing [--runs 12] [--seconds 12]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from bisect import bisect_left
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import machine
from clarion.sandbox.client import SandboxProcess
from tests.faults.conftest import World
from tests.faults.crew import Crew
from tests.faults.scene import Scene
from tests.faults.story import Story
from tests.house import House

WINDOW = 0.95


def most_within(moments: list[float], seconds: float) -> int:
    """The most of these moments (in order) in any window of so long, its end not in it."""
    return max((bisect_left(moments, at + seconds) - n for n, at in enumerate(moments)), default=0)


def used(moments: list[float], rate: float) -> float:
    """The share of a rate that was used, from the second second on: the first may begin anywhere."""
    later = [at for at in moments if at >= moments[0] + 1.0]
    return (len(later) - 1) / (rate * (later[-1] - later[0])) if len(later) > 1 else 0.0


def _watch(scene: Scene, crew: Crew, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        crew.supervise()
        time.sleep(0.05)


def _run(world: World, seed: int, seconds: float) -> dict[str, Any]:
    rng = Random(seed)
    # Whole ones: of 2.9 a second no window may hold three, so that nobody could use more than two thirds.
    rates, kill = [float(rng.randint(5, 250)) for _ in range(1 + seed % 2)], seed % 3 == 0
    people = int(sum(rates) * seconds) + 500
    story = Story(seed=seed, people=people, workers=2, rate=rates[0], look_up=False, faults={}, crashes=())
    scene = world.scene(story)
    scene.sandbox.configure(faults=None, receipts={"mode": "none"}, callback_url=None)
    scene.sandbox.reset()
    crew = Crew(scene.environment, scene.folder)
    parts: list[list[float]] = []
    try:
        for _ in range(story.workers):
            crew.start()
        scene.wait(lambda: bool(scene.sandbox.requests()), 60, crew.supervise)
        for rate in rates:
            if rate != rates[0]:
                scene.alter(f"UPDATE channel SET rate = {rate}, modified_at = now()")
                _watch(scene, crew, 2.0)  # it applies to a broker at work within its next look
            before = len(scene.sandbox.requests())
            _watch(scene, crew, seconds / 2)
            if kill:
                crew.kill(rng.choice(crew.processes))
            _watch(scene, crew, seconds / 2)
            parts.append(sorted(one["mono"] for one in scene.sandbox.requests()[before:]))
    finally:
        crew.stop()
    most = [most_within(moments, WINDOW) for moments in parts]
    return {
        "seed": seed, "rates": rates, "killed": kill, "most": most,
        "above": sum(n > max(1.0, rate) for n, rate in zip(most, rates, strict=True)),
        "used": None if kill else [round(used(m, rate), 3) for m, rate in zip(parts, rates, strict=True)],
    }  # fmt: skip


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=12.0)
    arguments = parser.parse_args()
    house = House(Path(tempfile.mkdtemp()))
    with SandboxProcess.start(
        Path(tempfile.mkdtemp()), tokens=["sandbox"], window="open", receipts={"mode": "none"}
    ) as sandbox:
        world = World(house, sandbox, Path(tempfile.mkdtemp()))
        runs = []
        for seed in range(1, arguments.runs + 1):
            world.fresh()  # what still waits of another scene is not counted here
            runs.append(_run(world, seed, arguments.seconds))
        world.close()
    house.close()
    shares = [share for run in runs for share in run["used"] or []]
    print(
        json.dumps(
            {
                "benchmark": "pacing", "window_s": WINDOW, "above": sum(run["above"] for run in runs),
                "used_least": min(shares), "runs": runs, "targets": {"above": 0, "used_least": 0.96},
                "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
