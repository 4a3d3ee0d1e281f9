"""The database goes away in the middle of sending, in every way it can, and comes back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.faults.crew import Crew
from tests.faults.outage import WAYS
from tests.faults.scene import Scene
from tests.house import House

PEOPLE = 150


@pytest.fixture
def own_house(tmp_path: Path) -> Iterator[House]:
    """A server of its own: the others must not notice."""
    if os.environ.get("CLARION_TEST_DATABASE_URL"):
        pytest.skip("stopping the server is for the embedded one: nobody else's is stopped")
    house = House(tmp_path / "house")
    yield house
    house.close()
    assert house.embedded is not None
    house.embedded.release()


def _outage(house: House, tmp_path: Path, way: str, seconds: float) -> None:
    database = house.new_database()
    with SandboxProcess.start(
        tmp_path / "sandbox", tokens=["sandbox"], window="open", receipts={"mode": "none"}
    ) as box:
        scene = Scene(house.url(database), house.superuser(database), box, tmp_path, PEOPLE, rate=200.0)
        scene.set_up()
        crew = Crew(scene.environment, tmp_path)
        try:
            crew.start()
            crew.start()
            _wait_for(lambda: box.summary()["accepted"] > 20)
            WAYS[way](house)
            time.sleep(seconds)
            assert house.embedded is not None
            house.embedded.start()
            assert scene.wait_done(60), scene.states()
            assert crew.supervise() == 0, "a worker that loses the database comes back by itself"
        finally:
            codes = crew.stop()
        assert None not in codes
        assert scene.judge() == []
        assert scene.states()["unknown"] == 0, (
            "the calls under way were answered: their verdicts had only to wait"
        )


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_second_without_the_database_loses_nobody(own_house: House, tmp_path: Path, way: str) -> None:
    _outage(own_house, tmp_path, way, 1.0)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seconds", [45.0, 300.0])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_long_time_without_the_database_loses_nobody(
    own_house: House, tmp_path: Path, way: str, seconds: float
) -> None:
    _outage(own_house, tmp_path, way, seconds)
