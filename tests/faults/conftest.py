"""Databases and sandboxes for the fault suite: worlds beside each other, runs following one another."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.faults.hooks import Hooks
from tests.faults.scene import Scene
from tests.faults.story import PATIENCE, Story, play
from tests.house import House

WORLDS = 3  # more would take the two cores from each other's beats
SCENES_A_DATABASE = 20


@dataclass
class World:
    """A sandbox, a server that it alone uses, and on that a database; a new one now and then, so that old
    scenes weigh nothing."""

    house: House
    sandbox: SandboxProcess
    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    database: str = ""
    _hooks: Hooks | None = None

    def fresh(self) -> None:
        """A new database: the old scenes, and what a mutant did to their schema, are gone."""
        self.close()
        if self.database:
            self.house.drop(self.database)
        self.database = self.house.new_database()

    def calm(self) -> None:
        """The provider as it began: no faults are left of another test, it tells nothing, and it has
        forgotten what it took."""
        self.sandbox.configure(faults=None, receipts={"mode": "none"}, callback_url=None)
        self.sandbox.reset()

    def scene(self, story: Story, mutant: str = "", config: dict[str, Any] | None = None) -> Scene:
        """A scene set up for a story; its hooks make the mistake `mutant`, its channel has more `config`."""
        number = next(self._numbers)
        if number % SCENES_A_DATABASE == 0:
            self.fresh()
        folder = self.folder / f"scene{number}"
        folder.mkdir()
        options = {**(config or {}), **({"options": {"look_up": True}} if story.look_up else {})}
        scene = Scene(
            self.house.url(self.database), self.house.superuser(self.database), self.sandbox, folder,
            story.people, options, story.rate, self.house, falls=story.falls, keyed=story.keyed,
        )  # fmt: skip
        scene.set_up()
        if self._hooks is not None and self._hooks.mutant != mutant:
            self.close()
        if story.receipts:
            self._hooks = self._hooks or Hooks(scene.environment, folder / "hooks", mutant)
            scene.hooks = self._hooks
        return scene

    def close(self) -> None:
        """Nobody serves this database's hooks any more."""
        if self._hooks is not None:
            self._hooks.stop()
            self._hooks = None


@pytest.fixture(scope="session")
def worlds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    made: list[World] = []
    by_url = bool(os.environ.get("CLARION_TEST_DATABASE_URL"))  # then all share it, and nobody stops it
    for _ in range(WORLDS):
        house = (
            request.getfixturevalue("house")
            if by_url
            else House(tmp_path_factory.mktemp("house"), durable=False)
        )
        sandbox = SandboxProcess.start(
            tmp_path_factory.mktemp("sandbox"), tokens=["sandbox"], window="open", receipts={"mode": "none"}
        )
        made.append(World(house, sandbox, tmp_path_factory.mktemp("world")))
    yield made
    for world in made:
        world.close()
        world.sandbox.stop()
        if not by_url:
            world.house.close()


def play_all(worlds: list[World], stories: list[Story], mutant: str = "") -> list[tuple[Story, list[str]]]:
    """Play stories, as many at once as there are worlds; each with what is wrong at its end."""

    patience = 40.0 if mutant else PATIENCE  # a mistake may keep a story from ever ending
    coming = deque(stories)

    def one(world: World) -> list[tuple[Story, list[str]]]:
        told: list[tuple[Story, list[str]]] = []
        while True:
            try:
                story = coming.popleft()
            except IndexError:
                return told
            scene = world.scene(story, mutant)
            told.append((story, play(story, scene, mutant, patience)))
            scene.looking.close()

    with ThreadPoolExecutor(len(worlds)) as pool:
        return [told for done in pool.map(one, worlds) for told in done]
