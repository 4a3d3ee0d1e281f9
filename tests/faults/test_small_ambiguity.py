"""How much a kill leaves unknown, and that an orderly stop leaves nothing."""

from __future__ import annotations

import time

import pytest

from tests.faults.conftest import World
from tests.faults.crew import Crew
from tests.faults.scene import Scene
from tests.faults.story import Story

ALLOWED = 20  # beyond what was in flight


def _scene(world: World, seed: int) -> Scene:
    world.calm()
    story = Story(seed=seed, people=600, workers=1, rate=400.0, look_up=False, faults={}, crashes=())
    # Only the kill makes anything unknown here: not a machine on which a call takes a second.
    return world.scene(story, config={"total_timeout": 20.0})


def _until_some_are_sent(scene: Scene, some: int) -> None:
    end = time.monotonic() + 20
    while scene.sandbox.summary()["requests"] < some:
        assert time.monotonic() < end
        time.sleep(0.01)


def _workers(scene: Scene) -> int:
    """How many there ever were in this database."""
    return len(scene.query("SELECT id FROM worker"))


def _until_they_are_there(scene: Scene, workers: int) -> None:
    end = time.monotonic() + 20
    while _workers(scene) < workers:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("sent", [5, 90, 170, 260])
def test_a_kill_leaves_unknown_at_most_what_was_in_flight(worlds: list[World], sent: int) -> None:
    scene = _scene(worlds[0], 40_000 + sent)
    crew = Crew(scene.environment, scene.folder)
    worker = crew.start()
    _until_some_are_sent(scene, sent)
    crew.kill(worker)
    reached = _arrived(scene)
    settled = scene.query(
        "SELECT count(*) AS n FROM attempt WHERE workspace_id = %s AND state <> 'in_flight'",
        scene.workspace_id,
    )[0]["n"]
    assert scene.wait_done(30, crew.supervise)
    crew.stop()
    assert scene.judge() == []
    assert scene.states()["unknown"] <= reached - settled + ALLOWED


def test_workers_replaced_one_after_the_other_leave_nothing_unknown(worlds: list[World]) -> None:
    """A rolling upgrade: every worker ends by itself, with exit code 0, while the sending goes on."""
    scene = _scene(worlds[1], 41_000)
    crew = Crew(scene.environment, scene.folder)
    before = _workers(scene)
    crew.start()
    for round in range(3):
        old = crew.processes[0]
        crew.start()
        _until_they_are_there(scene, before + round + 2)
        _until_some_are_sent(scene, 100 * (round + 1))
        old.terminate()
        old.join(20)
        assert old.exitcode == 0, crew.said(old)
        crew.processes.remove(old)
    assert scene.wait_done(30)
    assert crew.stop() == [0]
    assert scene.judge() == []
    assert scene.states() == {"accepted": 600}


def _arrived(scene: Scene) -> int:
    """How many requests reached the provider, once all that left before the kill has."""
    before, now = -1, 0
    while before != now:
        before = now
        time.sleep(0.4)
        now = int(scene.sandbox.summary()["requests"])
    return now
