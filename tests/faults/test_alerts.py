"""CommCare forwards cases, alerts are edited and go over all of them, and workers are killed, all at once: in
the end everybody is enrolled as the model says, and nobody has heard anything twice."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.message import parse_reference
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from tests.faults.clinic import Programme, Told, Written
from tests.faults.conftest import World
from tests.faults.crew import Crew
from tests.faults.hooks import Hooks
from tests.faults.judge import left, tally
from tests.faults.scene import SECRET, Scene
from tests.flow.alert_model import Case, Person

pytestmark = pytest.mark.timeout(600)

WORKERS, SECONDS, PATIENCE = 2, 8.0, 60.0
OVER = ("stopped", "lapsed", "finished")
_numbers = itertools.count()
Rows = dict[tuple[str, str], dict[str, Any]]
"""Enrollments by (case, number)."""


async def _play(scene: Scene, crew: Crew, url: str, seed: int) -> Programme:
    settings = Settings(secret_key=SECRET, allow_private_addresses=True, state_dir=scene.folder / "state")
    async with Database(scene.url, size=3) as db:
        programme = Programme(scene, Services(db, Clock(), settings, SecretBox([SECRET])), seed)
        for _ in range(WORKERS):
            crew.start()
        await programme.begin(url)
        end = asyncio.get_running_loop().time() + SECONDS
        while asyncio.get_running_loop().time() < end:
            edited = await programme.meddle()
            if programme.rng.random() < (0.5 if edited else 0.03):  # rather while it goes over them
                await asyncio.sleep(programme.rng.uniform(0, 0.2))
                crew.kill(programme.rng.choice(crew.processes))
            crew.supervise()
            await asyncio.sleep(programme.rng.uniform(0, 0.04))
        await programme.edit_each(crew.supervise)
        if not crew.deaths:  # the dice, or a machine so slow that they fell seldom
            crew.kill(crew.processes[0])
            crew.supervise()
        await programme.end()
    return programme


# --- what is, and what should be


def _enrolled(scene: Scene, campaign_id: UUID) -> Rows:
    found = scene.query(
        """SELECT e.*, k.external_id AS of_case, a.value AS number
           FROM enrollment e JOIN "case" k ON k.id = e.case_id JOIN address a ON a.contact_id = e.contact_id
           WHERE e.campaign_id = %s""",
        campaign_id,
    )
    return {(row["of_case"], row["number"]): row for row in found}


def _wanted(rule: Written, name: str, case: Case, row: dict[str, Any] | None) -> Person | None:
    """How the one whom this case names should stand, from the model; None where the case does not meet the
    criteria. What is said at once is counted from when that began."""
    moment = datetime.now(UTC) if rule.dated or row is None else row["began_at"] or row["created_at"]
    fresh = Case(case.properties, case.closed, case.people)
    model = Told(rule, moment, {name: fresh})
    model.look(moment)
    return fresh.told.get(fresh.people[0])


def _wrong_of(rule: Written, cases: dict[str, Case], rows: Rows) -> list[str]:
    wrong, meant = [], set()
    for name, case in cases.items():
        row = rows.get((name, case.people[0]))
        wanted = _wanted(rule, name, case, row)
        if wanted is None:
            continue
        meant.add((name, case.people[0]))
        due = wanted.next[0][1] if wanted.next else None
        if row is None or row["state"] != wanted.status or not _same(row["next_due"], due):
            found = None if row is None else (row["state"], row["next_due"])
            wrong.append(f"{name} is {found} and should be {wanted.status}, {due}")
    wrong += [f"{one} is {row['state']}, and not meant" for one, row in rows.items()
              if one not in meant and row["state"] not in OVER]  # fmt: skip
    return wrong


def _same(found: datetime | None, wanted: datetime | None) -> bool:
    """Occurrences are of whole seconds."""
    if found is None or wanted is None:
        return found is wanted
    return abs(found - wanted) <= timedelta(seconds=1)


def _said(scene: Scene, campaign_id: UUID) -> dict[UUID, dict[int, str]]:
    """Of each enrollment what became of its third step, by generation."""
    rows = scene.query(
        """SELECT e.id, m.generation, coalesce(m.reason, m.state::text) AS became
           FROM enrollment e JOIN message m ON m.enrollment_id = e.id AND m.step_id = 3
           WHERE e.campaign_id = %s""",
        campaign_id,
    )
    found: dict[UUID, dict[int, str]] = defaultdict(dict)
    for row in rows:
        found[row["id"]][row["generation"]] = row["became"]
    return found


def _wrong_said(scene: Scene, programme: Programme, campaign_id: UUID, rows: Rows) -> list[str]:
    """Each time that a case began is said once, the last one to its end, and none was invented. Who came to
    be named later hears what was still to come, so of those the model says enough."""
    wrong, said = [], _said(scene, campaign_id)
    for (name, number), row in rows.items():
        if name in programme.moved:
            continue
        times = said[row["id"]]
        wanted = set(range(1, row["generation"] + (row["state"] == "active")))
        if set(times) - {row["generation"]} != wanted - {row["generation"]} or wanted - set(times):
            wrong.append(f"{name} to {number} began {row['generation']} times, and was said {times}")
        if row["state"] == "active" and times.get(row["generation"]) not in ("accepted", "unknown"):
            wrong.append(f"{name} to {number} meets it, and what was said is {times}")
        if row["generation"] > 1 + programme.saves[name] + programme.edits[campaign_id]:
            wrong.append(f"{name} began {row['generation']} times, and less has happened to it")
    return wrong


def _twice(scene: Scene) -> list[str]:
    rows = scene.query("SELECT id, message_id FROM attempt WHERE workspace_id = %s", scene.workspace_id)
    attempts = {row["id"]: row["message_id"] for row in rows}
    references = [parse_reference(one["reference"])[1] for one in scene.sandbox.accepted()]
    took = Counter(attempts[one] for one in references if one in attempts)
    return [f"{message} was sent {n} times" for message, n in took.items() if n > 1]


def _wrong(scene: Scene, programme: Programme) -> list[str]:
    runs = scene.query("SELECT state FROM run WHERE workspace_id = %s", scene.workspace_id)
    wrong = [f"a run is {row['state']}" for row in runs if row["state"] != "expanded"]
    if wrong:
        return wrong
    parts = scene.query(
        "SELECT run_id, count(*) AS n FROM run_part WHERE workspace_id = %s AND NOT done GROUP BY run_id",
        scene.workspace_id,
    )
    wrong += [f"{row['n']} parts of {row['run_id']} are left" for row in parts]
    cases = programme.truth()
    for campaign_id, rule in programme.rules.items():
        rows = _enrolled(scene, campaign_id)
        wrong += _wrong_of(rule, cases, rows)
        if not rule.dated:
            wrong += _wrong_said(scene, programme, campaign_id, rows)
    return [*wrong, *_twice(scene), *tally(scene), *left(scene)]


def _right(scene: Scene, programme: Programme) -> bool:
    return not _wrong(scene, programme)


NIGHTLY = [pytest.param(range(first, first + 10), marks=pytest.mark.nightly) for first in (2, 12, 22)]


@pytest.mark.parametrize("seed", [1, *NIGHTLY], ids=str)
def test_cases_are_forwarded_and_gone_over_while_workers_are_killed_and_all_is_as_the_model_says(
    worlds: list[World], seed: int | range
) -> None:
    wrong: dict[int, list[str]] = {}
    for one in [seed] if isinstance(seed, int) else seed:
        world = worlds[one % len(worlds)]
        world.fresh()
        world.calm()
        folder = world.folder / f"clinic{next(_numbers)}"
        folder.mkdir()
        url, superuser = world.house.url(world.database), world.house.superuser(world.database)
        scene = Scene(url, superuser, world.sandbox, folder, people=0)
        scene.set_up(launch=False)
        crew, hooks = Crew(scene.environment, folder), Hooks(scene.environment, folder / "api")
        try:
            programme = asyncio.run(_play(scene, crew, hooks.url, one))
            assert crew.deaths, "nobody was killed, so this shows nothing"
            scene.wait(partial(_right, scene, programme), PATIENCE, crew.supervise)
            crew.stop()
            if found := _wrong(scene, programme):
                wrong[one] = found
        finally:
            crew.stop()
            hooks.stop()
            world.sandbox.configure(commcare=None)
    assert not wrong
