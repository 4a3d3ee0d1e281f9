"""Limits over kills, takeovers and changes: real workers, and the provider's record as the judge."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from tests.faults.conftest import World
from tests.faults.crew import Crew
from tests.faults.scene import Scene
from tests.faults.story import Story

pytestmark = pytest.mark.timeout(300)
SEEDS = range(30_000, 30_006)
SECONDS = 6.0
LATE = 1.0  # seconds that a request may have been on its way: what bunches is not what was sent at once


@dataclass
class Plan:
    """What a seed means: limits, when workers are killed, and to what the rate is changed in between."""

    seed: int
    workers: int
    rate: float
    changed: float
    limits: dict[str, Any]
    kills: list[float] = field(default_factory=list)

    @classmethod
    def drawn(cls, seed: int) -> Plan:
        rng = Random(seed)
        limits: dict[str, Any] = {}
        if rng.random() < 0.5:
            limits["uniques"] = rng.randint(20, 120)
        if rng.random() < 0.5:
            limits["daily"] = rng.randint(20, 120)
        if rng.random() < 0.5:
            limits |= {"capacity": rng.randint(5, 60), "collect_after": 0.5}
        return cls(
            seed, rng.randint(1, 3), float(rng.choice((10, 20, 40))), float(rng.choice((5, 10, 40))), limits,
            sorted(rng.uniform(0.3, SECONDS - 1) for _ in range(rng.randint(1, 4))),
        )  # fmt: skip


def _play(plan: Plan, scene: Scene) -> list[dict[str, Any]]:
    """Every request that reached the provider in these seconds."""
    crew = Crew(scene.environment, scene.folder)
    rng, changed = Random(plan.seed + 1), False
    try:
        for _ in range(plan.workers):
            crew.start()
        assert scene.wait(lambda: bool(scene.sandbox.requests()), 60, crew.supervise), "something is sent"
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < SECONDS:
            crew.supervise()
            if plan.kills and plan.kills[0] < elapsed:
                plan.kills.pop(0)
                crew.kill(rng.choice(crew.processes))
            if elapsed > SECONDS / 2 and not changed:
                changed = True
                scene.alter(f"UPDATE channel SET rate = {plan.changed}, modified_at = now()")
            time.sleep(0.02)
    finally:
        crew.stop()
    return scene.sandbox.requests()


def _exceeded(plan: Plan, requests: list[dict[str, Any]]) -> list[str]:
    """What was more than the limits, as sentences."""
    most = max(plan.rate, plan.changed)
    moments = sorted(one["mono"] for one in requests)
    wrong = [
        f"{last - first + 1} in {moments[last] - moments[first]:.2f} s at {most} a second"
        for first in range(len(moments))
        for last in range(first, len(moments))
        if last - first + 1 > most * (moments[last] - moments[first] + LATE + 1)
    ][:1]
    people = Counter(one["to"] for one in requests)
    if len(people) > plan.limits.get("uniques", len(people)):
        wrong.append(f"{len(people)} different people")
    if len(requests) > plan.limits.get("daily", len(requests)):
        wrong.append(f"{len(requests)} in one day")
    by_person: dict[str, int] = defaultdict(int)
    for one in requests:
        by_person[one["to"]] += one["outcome"] == "accepted"
    if twice := sum(n > 1 for n in by_person.values()):
        wrong.append(f"{twice} people were sent two")
    return wrong


@pytest.mark.parametrize("seed", SEEDS)
def test_no_limit_is_exceeded_whoever_is_killed(worlds: list[World], seed: int) -> None:
    plan = Plan.drawn(seed)
    story = Story(
        seed=seed, people=300, workers=plan.workers, rate=plan.rate, look_up=False, faults={}, crashes=()
    )
    world = worlds[seed % len(worlds)]
    world.fresh()  # what waits of another scene, for a limit of its own, is not counted here
    world.calm()
    scene = world.scene(story, config=plan.limits)
    requests = _play(plan, scene)

    assert requests, "something was sent"
    assert _exceeded(plan, requests) == [], plan
    world.fresh()
