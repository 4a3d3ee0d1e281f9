"""People are followed while workers are killed, and everything about them changes in mid-flight: dates,
groups, the schedule. Each occurrence is said once, and in the end everybody has heard all of it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.field import Field, FieldType
from clarion.domain.message import parse_reference
from clarion.domain.person import Given
from clarion.domain.sequence import Sequence
from clarion.flow import edit, sequence
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import field, group
from tests.faults.conftest import World
from tests.faults.crew import Crew
from tests.faults.judge import left, tally
from tests.faults.scene import CONTENT, SECRET, Scene

pytestmark = pytest.mark.timeout(600)

PEOPLE, WORKERS, SECONDS = 30, 3, 6.0
_numbers = itertools.count()


def _schedule(steps: int) -> dict[str, Any]:
    """So many things, all at the moment that is kept of the person."""
    return {
        "start": {"from": "field", "key": "starts"},
        "steps": [{"number": n + 1, "content": "all"} for n in range(steps)],
    }


def _definition(everybody: UUID, steps: int) -> Sequence:
    return Sequence.model_validate(
        {
            "audience": {"include": {"groups": [everybody]}},
            "schedule": _schedule(steps),
            "contents": {"all": CONTENT},
        }
    )


class Programme:
    """A sequence for everybody of a group, whose author cannot leave it alone."""

    def __init__(self, scene: Scene, services: Services, seed: int) -> None:
        self.scene, self.services, self.rng = scene, services, Random(seed)
        self.steps = 2
        self.moved: Counter[UUID] = Counter()  # how often whose date was moved

    async def begin(self) -> None:
        """Everybody is in the group, and nobody has a date yet."""
        async with self.services.db.tenant(self.scene.workspace_id) as connection:
            await field.declare(connection, Field("starts", "Starts", FieldType.DATETIME))
            cursor = await connection.execute("SELECT id FROM contact ORDER BY id")
            self.people = [found[0] for found in await cursor.fetchall()]
            self.everybody = await group.create(connection, "Everybody", self.services.clock.now())
            await group.add_members(connection, self.everybody, self.people)
            self.campaign_id = await sequence.create(
                connection, self.services, name="Faults", channel_id=self.scene.channel_id,
                definition=_definition(self.everybody, self.steps),
            )  # fmt: skip
            await sequence.launch(connection, self.services, self.campaign_id)

    async def meddle(self) -> None:
        """One change of whatever can be changed."""
        whom = self.rng.choice(self.people)
        match self.rng.randint(0, 9):
            case 0:
                async with self.services.db.tenant(self.scene.workspace_id) as connection:
                    await group.remove_members(connection, self.everybody, [whom])
            case 1:
                await self.join([whom])
            case 2 if self.steps < 5:
                self.steps += 1
                after = _definition(self.everybody, self.steps).schedule
                async with self.services.db.tenant(self.scene.workspace_id) as connection:
                    changes = {"schedule": after}
                    await sequence.edit(connection, self.services, self.campaign_id, changes=changes)
            case _:
                await self.move(whom, self.rng.uniform(-0.5, 2.5))

    async def move(self, whom: UUID, seconds: float) -> None:
        """Their date is so many seconds from now."""
        self.moved[whom] += 1
        moment = self.services.clock.now() + timedelta(seconds=seconds)
        given = Given(fields={"starts": moment.isoformat(timespec="seconds")})
        services = self.services
        await edit.edit_contact(
            services.db, services.clock, self.scene.workspace_id, whom, given, whole=False
        )

    async def join(self, whom: list[UUID]) -> None:
        async with self.services.db.tenant(self.scene.workspace_id) as connection:
            await group.add_members(connection, self.everybody, whom)


async def _play(scene: Scene, crew: Crew, seed: int) -> Programme:
    settings = Settings(secret_key=SECRET, allow_private_addresses=True, state_dir=scene.folder / "state")
    async with Database(scene.url, size=3) as db:
        programme = Programme(scene, Services(db, Clock(), settings, SecretBox([SECRET])), seed)
        await programme.begin()
        for _ in range(WORKERS):
            crew.start()
        end = asyncio.get_running_loop().time() + SECONDS
        while asyncio.get_running_loop().time() < end:
            await programme.meddle()
            if programme.rng.random() < 0.06:
                crew.kill(programme.rng.choice(crew.processes))
            crew.supervise()
            await asyncio.sleep(programme.rng.uniform(0, 0.06))
        if not crew.deaths:  # the dice, or a machine so slow that they fell seldom
            crew.kill(crew.processes[0])
            crew.supervise()
        await programme.join(programme.people)
        for whom in programme.people:  # at the end they all have a date to come
            await programme.move(whom, 5.0)
    return programme


def _last(scene: Scene) -> dict[UUID, list[tuple[int, str]]]:
    """Of everybody what was written of their last generation: (step, state)."""
    rows = scene.query(
        """SELECT e.subject_id, m.step_id, coalesce(m.reason, m.state::text) AS became FROM enrollment e
           LEFT JOIN message m ON m.enrollment_id = e.id AND m.generation = e.generation
           WHERE e.workspace_id = %s ORDER BY m.step_id""",
        scene.workspace_id,
    )
    found: dict[UUID, list[tuple[int, str]]] = {}
    for row in rows:
        found.setdefault(row["subject_id"], []).append((row["step_id"], row["became"]))
    return found


def _wrong(scene: Scene, programme: Programme) -> list[str]:
    attempts = {
        row["id"]: row["message_id"]
        for row in scene.query(
            "SELECT id, message_id FROM attempt WHERE workspace_id = %s", scene.workspace_id
        )
    }
    references = [parse_reference(one["reference"])[1] for one in scene.sandbox.accepted()]
    took = Counter(attempts[one] for one in references if one in attempts)
    wrong = [f"{message} was sent {n} times" for message, n in took.items() if n > 1]
    wanted = set(range(1, programme.steps + 1))
    for who, said in _last(scene).items():
        if {step for step, _ in said} != wanted or {became for _, became in said} - {"accepted", "unknown"}:
            wrong.append(f"{who} was told {said} of their last generation, of {programme.steps} steps")
    wrong += _too_often(scene, programme)
    return [*wrong, *tally(scene), *left(scene)]


def _too_often(scene: Scene, programme: Programme) -> list[str]:
    """Whoever began anew more often than their date was moved has heard the same again."""
    rows = scene.query(
        "SELECT subject_id, generation FROM enrollment WHERE workspace_id = %s", scene.workspace_id
    )
    return [
        f"{row['subject_id']} began {row['generation']} times and moved {moves} times"
        for row in rows
        if row["generation"] > (moves := programme.moved[row["subject_id"]]) + 1
    ]


def _right(scene: Scene, programme: Programme) -> bool:
    return not _wrong(scene, programme)


NIGHTLY = [pytest.param(range(first, first + 10), marks=pytest.mark.nightly) for first in (3, 13, 23)]


@pytest.mark.parametrize("seed", [1, 2, *NIGHTLY], ids=str)
def test_everything_changes_and_workers_are_killed_and_each_occurrence_is_said_once(
    worlds: list[World], seed: int | range
) -> None:
    wrong: dict[int, list[str]] = {}
    for one in [seed] if isinstance(seed, int) else seed:
        world = worlds[one % len(worlds)]
        world.fresh()
        world.calm()
        folder = world.folder / f"following{next(_numbers)}"
        folder.mkdir()
        scene = Scene(
            world.house.url(world.database),
            world.house.superuser(world.database),
            world.sandbox,
            folder,
            PEOPLE,
        )
        scene.set_up(launch=False)
        crew = Crew(scene.environment, folder)
        programme = asyncio.run(_play(scene, crew, one))
        assert crew.deaths, "nobody was killed, so this shows nothing"
        scene.wait(partial(_right, scene, programme), 40, crew.supervise)
        crew.stop()
        if found := _wrong(scene, programme):
            wrong[one] = found
    assert not wrong
