"""A network that is half open (requests or answers vanish in connections that stand), and one that is not
there at all."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.faults.conftest import World
from tests.faults.crew import Crew
from tests.faults.proxy import Mode, Proxy
from tests.faults.story import Story

pytestmark = pytest.mark.timeout(300)
IN_FLIGHT, BREAKER = 30, 20


@pytest.mark.parametrize("look_up", [True, False], ids=["that can be asked", "that cannot"])
def test_nobody_is_lost_or_hears_it_twice_at_a_provider(worlds: list[World], look_up: bool) -> None:
    """What nobody knows of is bounded by what was under way, and settled where the provider can be asked."""
    with ThreadPoolExecutor(2) as pool:  # most of it is waiting
        list(pool.map(partial(_half_open, look_up=look_up), worlds[:2], ["swallow", "deafen"]))


def _half_open(world: World, mode: Mode, *, look_up: bool) -> None:
    story = Story(seed=50_000, people=150, workers=2, rate=100.0, look_up=look_up, faults={}, crashes=())
    with Proxy(world.sandbox.url) as proxy:
        config = {"base_url": proxy.url, "max_in_flight": IN_FLIGHT, "breaker": BREAKER}
        world.calm()
        world.sandbox.configure(lookup={"mode": "on" if look_up else "off", "lag": 0.1})
        scene = world.scene(story, config=config)
        crew = Crew(scene.environment, scene.folder)
        try:
            for _ in range(story.workers):
                crew.start()
            assert scene.wait(lambda: scene.accepted() >= 40, 30, crew.supervise)
            proxy.mode = mode
            time.sleep(2.5)
            proxy.mode = "pass"
            assert scene.wait_done(60, crew.supervise), scene.states()
            if look_up:
                assert scene.wait(lambda: scene.unknown() == 0, 60, crew.supervise)
                assert scene.wait_done(60, crew.supervise)
        finally:
            crew.stop()
        unknown = scene.unknown()

    assert scene.judge() == []
    if not look_up:
        assert 0 < unknown <= IN_FLIGHT + BREAKER, "some vanished, and no more than were under way"


HOUR = 3_600
OPENED = 4.0  # seconds in which what was under way has ended, and the breaker is open


def test_a_provider_that_is_down_costs_no_tries_and_comes_back_within_the_limits(
    worlds: list[World],
) -> None:
    _outages(worlds, 6)


@pytest.mark.nightly
@pytest.mark.timeout(2 * HOUR)
def test_an_hour_of_that_costs_no_more(worlds: list[World]) -> None:
    _outages(worlds, HOUR)


def _outages(worlds: list[World], seconds: int) -> None:
    """Both ways of being down, beside each other."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(_outage, seconds=seconds), worlds[:2], ["refuse", "swallow"]))


def _outage(world: World, how: str, *, seconds: int) -> None:
    """Nothing is drained while it is down: a knock now and then asks whether it is there again, and however
    long that takes, no more is unknown than was under way when it went."""
    rate = 40.0
    story = Story(seed=50_001, people=160, workers=2, rate=rate, look_up=False, faults={}, crashes=())
    with Proxy(world.sandbox.url) as proxy:
        world.calm()
        config = {"base_url": proxy.url, "max_in_flight": IN_FLIGHT, "breaker": BREAKER}
        scene = world.scene(story, config=config)
        crew = Crew(scene.environment, scene.folder)
        try:
            for _ in range(story.workers):
                crew.start()
            assert scene.wait(lambda: scene.accepted() >= 30, 30, crew.supervise)
            _break(proxy, how)
            scene.wait(lambda: False, OPENED, crew.supervise)
            doubtful = scene.states()["unknown"]
            scene.wait(lambda: False, seconds, crew.supervise)
            waiting, later = scene.states()["ready"], scene.states()["unknown"]
            _mend(proxy, how)
            back = len(world.sandbox.requests())
            assert scene.wait_done(150, crew.supervise), scene.states()
        finally:
            crew.stop()
    vain = scene.query(
        """SELECT count(*) AS n FROM attempt WHERE workspace_id = %s AND state = 'unsent'
             AND code IS DISTINCT FROM 'breaker_open'""",  # stood in line, and was not called
        scene.workspace_id,
    )
    moments = [one["mono"] for one in world.sandbox.requests()][back:]

    assert scene.judge() == []
    assert waiting > 60, "they wait"
    assert later == doubtful, "no message is risked to find out whether somebody is there"
    assert vain[0]["n"] <= IN_FLIGHT + 20, "and are not tried one after the other"
    assert within(moments, 1.0) <= 2 * rate, "nor sent at once afterwards"
    assert scene.unknown() <= IN_FLIGHT + BREAKER


def _break(proxy: Proxy, how: str) -> None:
    if how == "refuse":
        proxy.down()
    else:
        proxy.mode = "swallow"


def _mend(proxy: Proxy, how: str) -> None:
    if how == "refuse":
        proxy.up()
    else:
        proxy.mode = "pass"


def within(moments: list[float], seconds: float) -> int:
    """The most in any window; requests may have been on their way for so long too."""
    return max(sum(1 for at in moments if first <= at < first + seconds) for first in moments)
