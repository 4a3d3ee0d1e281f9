"""Whatever happens to cases and to an alert, in whatever order and cut off wherever, what is written is what
the model says that it should be."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from clarion.flow import alert, cases
from clarion.flow.enroll import due, fill, match
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.ids import uuid7
from clarion.store import workspace as workspaces
from tests.flow.alert_model import Case, Model, Rule, Said
from tests.flow.alerting import VISIT, definition, running, types, work, written
from tests.flow.announcing import NOON, at

SEEDS, ALL_NIGHT = range(200), range(200, 2_200)
AT_ONCE = 20  # seeds a test
STEPS = 14
PEOPLE = {"Amina": "+254712123001", "Abebe": "+254712123002", "Rosa": "+254712123003"}
DATED = {
    "time": "09:00",
    "steps": [{"number": 1, "content": "now"}, {"number": 2, "days": 1, "content": "now"}],
}  # fmt: skip
AT_ONCE_AND_LATER = {"steps": [{"number": 3, "content": "now"}, {"number": 4, "hours": 26, "content": "now"}]}
SCHEDULED = {"property": "status", "op": "equal", "value": "scheduled"}
SOON = {
    "property": "appointment_date", "op": "between",
    "value": [{"days_from_today": 0}, {"days_from_today": 2}],
}  # fmt: skip


class Cut(Exception):
    """The worker was killed here."""


def said(rule: Rule) -> dict[str, Any]:
    """The rule as an alert's author writes it."""
    reentry: object = {"not_within_days": rule.reentry} if isinstance(rule.reentry, int) else rule.reentry
    return {
        "criteria": {"all": [SCHEDULED, SOON]} if rule.soon else SCHEDULED,
        "schedule": DATED | {"start": _start(rule)} if rule.dated else AT_ONCE_AND_LATER,
        "recipients": [{"to": "role", "role": "phone"}, {"to": "role", "role": "helper"}],
        "reentry": reentry, "restart_on": "round" if rule.restarts else None,
    }  # fmt: skip


def _start(rule: Rule) -> dict[str, Any]:
    return {"from": "property", "key": rule.by, "days": -2}


class Run:
    """One workspace with an alert and some cases, and the model of both."""

    def __init__(self, services: Services, seed: int) -> None:
        self.services = replace(services, clock=FakeClock(NOON))
        self.random = random.Random(seed)
        self.told: list[str] = []

    async def begin(self) -> None:
        now = self.services.clock.now()
        self.workspace = uuid7(now)
        async with self.services.db.tenant(self.workspace) as connection:
            await workspaces.create(
                connection,
                self.workspace,
                name=f"Clinic {self.workspace}",
                now=now,
                timezone="Africa/Nairobi",
            )
        await types(self.services, self.workspace)
        self.rule = self._rule(Rule())
        self.model = Model(self.rule, now)
        self.campaign_id = await running(self.services, self.workspace, definition(**said(self.rule)))

    def _rule(self, before: Rule) -> Rule:
        """Of a rule that runs, the schedule stays of its kind: what is said at a step is."""
        pick = self.random.choice
        return replace(
            before, soon=pick((False, True)), reentry=pick(("again", "again", "once", 3)),
            restarts=pick((False, True)), by=pick(("appointment_date", "appointment_date", "other_date")),
            dated=pick((False, True)) if before == Rule() and not hasattr(self, "rule") else before.dated,
        )  # fmt: skip

    async def step(self) -> None:
        actions = (self.save, self.save, self.save, self.close, self.wait, self.wait, self.edit, self.pause)
        await self.random.choice(actions)()
        await self.look()

    async def save(self) -> None:
        name = self.random.choice(("V1", "V2", "V3"))
        today = self.services.clock.now().date()
        dates = ["", "xyz", *((today + timedelta(days=n)).isoformat() for n in (-1, 0, 1, 2, 3, 5))]
        properties = {
            "status": self.random.choice(("scheduled", "scheduled", "done")),
            "appointment_date": self.random.choice(dates), "other_date": self.random.choice(dates),
            "round": self.random.choice(("1", "2")),
        }  # fmt: skip
        who = self.random.choice(list(PEOPLE))
        case = self.model.cases.setdefault(name, Case({}))
        case.properties, case.people, case.closed = properties, (who,), False
        await self._say(name, who, properties, closed=False)

    async def close(self) -> None:
        if self.model.cases:
            name = self.random.choice(sorted(self.model.cases))
            self.model.cases[name].closed = True
            await self._say(name, None, {}, closed=True)

    async def _say(self, name: str, who: str | None, properties: dict[str, str], *, closed: bool) -> None:
        self.told.append(f"{self.services.clock.now():%d %H:%M} {name} {who} {properties} {closed}")
        word = {"type": VISIT, "external_id": name, "closed": closed, "properties": dict(properties)}
        if who is not None:
            word |= {"name": who, "properties": {**properties, "phone": PEOPLE[who]}}
        (taken,) = await cases.upsert_cases(self.services.db, self.services.clock, self.workspace, [word])
        assert taken.case_id is not None, taken

    async def wait(self) -> None:
        hours = self.random.choice((1, 5, 12, 20, 30, 60))
        self.told.append(f"{self.services.clock.now():%d %H:%M} waits {hours} h")
        at(self.services).advance(hours * 3600)

    async def edit(self) -> None:
        before, self.rule = self.rule, self._rule(self.rule)
        self.model.rule, self.model.switched = self.rule, before.by != self.rule.by
        self.told.append(f"{self.services.clock.now():%d %H:%M} {self.rule}")
        changes = {key: getattr(definition(**said(self.rule)), key) for key in said(self.rule)}
        async with self.services.db.tenant(self.workspace) as connection:
            await alert.edit(connection, self.services, self.campaign_id, changes=changes)

    async def pause(self) -> None:
        self.told.append(
            f"{self.services.clock.now():%d %H:%M} {'goes on' if self.model.paused else 'paused'}"
        )
        async with self.services.db.tenant(self.workspace) as connection:
            if self.model.paused:
                await alert.resume(connection, self.services, self.campaign_id)
                self.model.resumed = self.services.clock.now()
            else:
                await alert.pause(connection, self.services, self.campaign_id)
        self.model.paused = not self.model.paused

    async def look(self) -> None:
        """The worker looks, may be cut off, and looks again."""
        if self.random.random() < 0.3:
            with suppress(Cut, BaseExceptionGroup):
                CUT.append(self.random.randrange(6))
                await work(self.services, self.workspace, self.campaign_id)
        CUT.clear()
        await work(self.services, self.workspace, self.campaign_id)
        self.model.look(self.services.clock.now())
        found = await self.found()
        wrong = [f"{one} is written" for one in found if one not in self.model.all()]
        wrong += [f"{one} is meant" for one in self.model.all() if one not in found]
        assert not wrong, "\n".join([*self.told, *wrong])

    async def found(self) -> list[Said]:
        some = await written(self.services, self.workspace, self.campaign_id)
        return sorted((case, who, gen, step, due, became) for case, who, gen, _, step, due, became in some)


CUT: list[int] = []


def _crash_point(name: str) -> None:
    if CUT:
        CUT[0] -= 1
        if CUT[0] < 0:
            raise Cut(name)


@pytest.fixture(autouse=True)
def _may_be_cut(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (due, fill, match):
        monkeypatch.setattr(module, "crash_point", _crash_point)
    yield
    CUT.clear()


async def _runs(services: Services, seeds: range) -> None:
    for seed in seeds:
        run = Run(services, seed)
        try:
            await run.begin()
            for _ in range(STEPS):
                await run.step()
        except AssertionError as wrong:
            raise AssertionError(f"seed {seed}: {wrong}") from wrong


def _parts(seeds: range) -> list[range]:
    only = os.environ.get("CLARION_ALERT_SEED")
    if only is not None:
        return [range(int(only), int(only) + 1)]
    return [range(first, first + AT_ONCE) for first in range(seeds.start, seeds.stop, AT_ONCE)]


@pytest.mark.parametrize("seeds", _parts(SEEDS), ids=str)
async def test_what_is_written_is_what_the_model_says(services: Services, seeds: range) -> None:
    await _runs(services, seeds)


@pytest.mark.nightly
@pytest.mark.parametrize("seeds", _parts(ALL_NIGHT), ids=str)
async def test_what_is_written_is_what_the_model_says_all_night(services: Services, seeds: range) -> None:
    await _runs(services, seeds)
