"""Killed at every commit boundary and around every await of dispatch: each named place, once and later."""

from __future__ import annotations

import time

import pytest

from clarion.kit.crash import POINTS, Point
from tests.faults.conftest import World, play_all
from tests.faults.crew import Crew
from tests.faults.story import Story, provide, tell

pytestmark = pytest.mark.timeout(900)

# Places that this story does not pass: it has no receipts and nothing to end or expand, follows nobody, and
# its provider is not asked. They are visited by tests/flow/test_receive.py, tests/flow/test_killed.py,
# tests/flow/test_sequence_killed.py, tests/flow/test_polling.py and tests/flow/test_pull.py.
QUIET = ("receive.before_commit", "receive.committed", "end.before_commit", "end.committed",
         "expand.before_commit", "expand.committed", "enroll.before_commit", "enroll.committed",
         "due.before_commit", "due.committed", "reckon.before_commit", "reckon.committed",
         "match.before_commit", "match.committed", "poll.asked", "poll.before_commit",
         "poll.committed", "pull.before_commit", "pull.committed")  # fmt: skip


def _story(number: int, *crashes: str) -> Story:
    falls = any(crash.startswith("fallback") for crash in crashes)
    keyed = any(crash.startswith("replay") for crash in crashes)
    return Story(
        seed=9_000 + number, people=40, workers=2, rate=100_000.0, look_up=False, crashes=crashes,
        falls=falls, keyed=keyed,
        faults={"refuse_permanent": 0.4} if falls else {"drop_after_accept": 0.4} if keyed else {},
    )  # fmt: skip


@pytest.mark.parametrize("point", [p for p in POINTS if p not in QUIET])
def test_a_worker_killed_here_loses_nobody_and_repeats_nothing(worlds: list[World], point: Point) -> None:
    stories = [_story(1, f"{point}:1"), _story(2, f"{point}:2", f"{point}:3")]
    wrong = [tell(story, found) for story, found in play_all(worlds, stories) if found]
    assert not wrong, "\n".join(wrong)


def test_every_place_is_really_passed(worlds: list[World]) -> None:
    """A crash point that no run reaches would prove nothing."""
    reached = [p for p in POINTS if p not in QUIET and not p.startswith("recover")]
    deaths = {}
    for number, point in enumerate(reached):
        world = worlds[number % len(worlds)]
        story = _story(100 + number, f"{point}:1")
        scene = world.scene(story)
        provide(story, scene)
        crew = Crew(scene.environment, scene.folder)
        crew.start(f"{point}:1")
        (scene.wait_settled if story.keyed else scene.wait_done)(15, crew.supervise)
        time.sleep(0.3)  # it may have died with the very last step
        crew.supervise()
        crew.stop()
        deaths[point] = crew.deaths
    missed = [point for point, died in deaths.items() if not died and not point.startswith("release")]
    assert not missed


def test_who_leaves_while_something_is_unknown_leaves_it_to_the_next(worlds: list[World]) -> None:
    """As at a deployment, with nothing else waiting for that channel."""
    story = Story(
        seed=9_500, people=20, workers=1, rate=100_000.0, look_up=False, crashes=(), keyed=True,
        faults={"drop_after_accept": 1.0},
    )  # fmt: skip
    scene = worlds[0].scene(story)
    provide(story, scene)
    crew = Crew(scene.environment, scene.folder)
    crew.start()
    assert scene.wait(lambda: scene.states()["unknown"] == story.people, 60, crew.supervise)
    assert crew.stop() == [0]
    scene.sandbox.configure(faults=None)
    crew.start()
    settled = scene.wait_settled(60, crew.supervise)
    crew.stop()
    assert (settled, scene.judge()) == (True, [])
