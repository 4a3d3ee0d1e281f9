"""Two channels speak to the same people, who hear one message a day at most, while workers are killed."""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from tests.faults.conftest import World
from tests.faults.crew import Crew
from tests.faults.judge import left, tally
from tests.faults.scene import Scene
from tests.faults.story import Story, provide

pytestmark = pytest.mark.timeout(300)
SEEDS = range(31_000, 31_003)
CAPS = """UPDATE workspace SET settings = settings || '{"caps": {"gap": 1440}}'"""
HEARD = ("accepted", "unknown")


def _story(seed: int) -> Story:
    return Story(
        seed=seed, people=60, workers=3, rate=40.0, look_up=False, crashes=(),
        faults={"refuse_permanent": 0.15, "drop_after_accept": 0.05, "throttle": 0.05},
    )  # fmt: skip


def _both(world: World, story: Story) -> Scene:
    """An announcement over each of two channels, due now."""
    world.fresh()
    world.calm()
    first = world.scene(story)
    second = Scene(
        first.url, first.superuser_url, first.sandbox, first.folder, first.people, rate=first.rate,
        beside=first,
    )  # fmt: skip
    second.set_up()
    first.alter(CAPS)
    provide(story, first)
    return first


def _undecided(scene: Scene) -> int:
    found = scene.query("SELECT count(*) AS n FROM message WHERE state = 'ready'")
    return int(found[0]["n"])


def test_nobody_hears_more_than_the_caps_say_and_nobody_is_held_for_nothing(worlds: list[World]) -> None:
    with ThreadPoolExecutor(len(worlds)) as pool:  # much of it is waiting for who may be asked again
        list(pool.map(_played, worlds, SEEDS))


def _played(world: World, seed: int) -> None:
    story, rng = _story(seed), Random(seed)
    scene = _both(world, story)
    crew = Crew(scene.environment, scene.folder)
    kills = sorted(rng.uniform(0.3, 2.5) for _ in range(3))
    try:
        for _ in range(story.workers):
            crew.start()
        assert scene.wait(lambda: bool(scene.sandbox.requests()), 60, crew.supervise), "something is sent"
        began = time.monotonic()
        while kills:
            crew.supervise()
            if time.monotonic() - began > kills[0]:
                kills.pop(0)
                crew.kill(rng.choice(crew.processes))
            time.sleep(0.02)
        assert scene.wait(lambda: _undecided(scene) == 0, 90, crew.supervise), scene.states()
    finally:
        crew.stop()
    assert crew.killed
    assert list(scene.sandbox.people(more_than=1)) == []
    of_each = defaultdict(list)
    for row in scene.query(
        """SELECT e.subject_id, m.state::text, m.reason FROM message m
           JOIN enrollment e ON e.id = m.enrollment_id"""
    ):
        of_each[row["subject_id"]].append((row["state"], row["reason"]))
    assert len(of_each) == story.people
    wrong = [one for one in map(sorted, of_each.values()) if not _as_it_should(one)]
    assert not wrong
    assert [*left(scene), *tally(scene)] == []


def _as_it_should(messages: list[tuple[str, str | None]]) -> bool:
    """One was heard, or may have been, and the other held for it or refused; or both were refused."""
    heard = [state for state, _ in messages if state in HEARD]
    held = [reason for state, reason in messages if state == "skipped"]
    return len(messages) == 2 and (len(heard), held) in ((1, ["minimum_gap"]), (1, []), (0, []))
