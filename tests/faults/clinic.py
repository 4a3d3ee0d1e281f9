"""A clinic whose CommCare forwards each save twice and in disorder, with two alerts whose author cannot leave
them alone: one counts from a date of a visit, the other speaks at once.

What should be is told a second time by the model of alerts (`tests/flow/alert_model`), from the cases as the
project has them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from clarion.domain.alert import Alert
from clarion.domain.scope import Scope
from clarion.errors import Conflict
from clarion.flow import access, alert, cases, rerun
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import case_type, expansion, run
from clarion.store import workspace as workspaces
from tests.faults.scene import CONTENT, Scene
from tests.flow.alert_model import HOME, Case, Model, Rule
from tests.flow.alerting import VISIT, types
from tests.sandbox.commcare import Project

FORWARDED, KNOWN = 20, 300  # cases: of the project, and those that were there before
PARTS = 6  # of a re-run, which the workers share
SCHEDULED = {"property": "status", "op": "equal", "value": "scheduled"}
HIGH = {"property": "risk", "op": "equal", "value": "high"}


@dataclass(frozen=True)
class Written(Rule):
    """`high`: the risk must be high, too."""

    high: bool = False


class Told(Model):
    """The model, of such rules."""

    rule: Written

    def _meets(self, case: Case, now: Any) -> bool:
        high = not self.rule.high or case.properties.get("risk") == "high"
        return high and super()._meets(case, now)


def definition(rule: Written) -> Alert:
    """The rule as an alert's author writes it."""
    steps: list[dict[str, Any]] = [{"number": 3}, {"number": 4, "hours": 26}]
    schedule: dict[str, Any] = {"steps": steps}
    if rule.dated:
        start = {"from": "property", "key": rule.by, "days": -2}
        schedule = {"start": start, "time": "09:00", "steps": [{"number": 1}, {"number": 2, "days": 1}]}
    return Alert.model_validate(
        {
            "case_type": VISIT, "criteria": {"all": [SCHEDULED, HIGH]} if rule.high else SCHEDULED,
            "recipients": [{"to": "role", "role": "phone"}], "schedule": schedule,
            "contents": {"all": CONTENT}, "restart_on": "round" if rule.restarts else None,
        }
    )  # fmt: skip


class Programme:
    """Both alerts, and all that happens to them and to their cases."""

    def __init__(self, scene: Scene, services: Services, seed: int) -> None:
        self.scene, self.services, self.rng = scene, services, Random(seed)
        self.project = Project(scene.sandbox)
        self.rules: dict[UUID, Written] = {}
        self.edits: Counter[UUID] = Counter()
        self.saves: Counter[str] = Counter()
        self.moved: set[str] = set()  # cases that have named more than one person
        self.refused = 0

    async def begin(self, url: str) -> None:
        """Both alerts are launched, and what is saved in the project is posted to `url`."""
        workspace = self.scene.workspace_id
        async with self.services.db.tenant(workspace) as connection:
            await workspaces.change(connection, timezone=str(HOME), country="KE")
            key = await access.create_key(
                connection, workspace, name="CommCare", scopes=[Scope.CASES_WRITE],
                now=self.services.clock.now(),
            )  # fmt: skip
        await types(self.services, workspace)
        self.known = {f"K{n:03}": self._properties(self._phone(100 + n)) for n in range(KNOWN)}
        words = [
            {"type": VISIT, "external_id": name, "name": name, "properties": said}
            for name, said in self.known.items()
        ]
        await cases.upsert_cases(self.services.db, self.services.clock, workspace, words)
        for rule in (Written(), Written(dated=False, high=True, restarts=True)):
            await self._launch(rule)
        self.project.forward(
            f"{url}/api/v1/commcare/cases", headers={"Authorization": f"Bearer {key.shown()}"},
            duplicates=1, reorder=4, retries=8,
        )  # fmt: skip

    async def _launch(self, rule: Written) -> None:
        async with self.services.db.tenant(self.scene.workspace_id) as connection:
            campaign_id = await alert.create(
                connection, self.services, name="Visits", channel_id=self.scene.channel_id,
                definition=definition(rule),
            )  # fmt: skip
            self.rules[campaign_id] = rule
            await alert.launch(connection, self.services, campaign_id)
            await self._in_parts(connection, campaign_id)

    async def _in_parts(self, connection: Connection, campaign_id: UUID) -> None:
        """Very many cases would be so many parts by themselves."""
        type_id = (await case_type.known(connection))[VISIT].id
        door, *_ = await run.of_campaign(connection, campaign_id)
        now = self.services.clock.now()
        await expansion.cut(connection, door["id"], now, parts=PARTS, cases_of=type_id)

    async def meddle(self) -> bool:
        """One change of whatever can be changed; whether it was an edit of an alert."""
        campaign_id = self.rng.choice(list(self.rules))
        match self.rng.randint(0, 15):
            case 0 | 1:
                return await self.edit(campaign_id)
            case 2:
                await self._do(partial(rerun.cancel, campaign_id=campaign_id))
            case 3:
                await self._do(partial(rerun.begin, campaign_id=campaign_id))
            case _:
                await asyncio.to_thread(self.save, f"C{self.rng.randrange(FORWARDED):02}")
        return False

    async def edit(self, campaign_id: UUID) -> bool:
        """Another rule; one whose cases are being gone over is locked."""
        before, pick = self.rules[campaign_id], self.rng.choice
        after = replace(before, high=not before.high, restarts=pick((False, True)),
                        by=pick(("appointment_date", "other_date")))  # fmt: skip
        wanted = definition(after)
        changes = {key: getattr(wanted, key) for key in ("criteria", "schedule", "restart_on")}
        try:
            async with self.services.db.tenant(self.scene.workspace_id) as connection:
                await alert.edit(connection, self.services, campaign_id, changes=changes)
                await self._in_parts(connection, campaign_id)
        except Conflict:
            self.refused += 1
            return False
        self.rules[campaign_id] = after
        self.edits[campaign_id] += 1
        return True

    async def edit_each(self, step: Callable[[], object]) -> None:
        """Both have been edited, whatever the dice said; one that is locked is, when it has gone over all."""
        for campaign_id in self.rules:
            while not self.edits[campaign_id]:
                step()
                if not await self.edit(campaign_id):
                    await asyncio.sleep(0.1)

    async def _do(self, verb: Any) -> None:
        async with self.services.db.tenant(self.scene.workspace_id) as connection:
            await verb(connection, self.services)

    def save(self, case_id: str) -> None:
        """A form is sent in about this case, which may close it, or open it again."""
        self.saves[case_id] += 1
        other = self.rng.random() < 0.1
        if other:
            self.moved.add(case_id)
        number = self._phone(2 * int(case_id[1:]) + other)
        self.project.save(
            case_id, case_type=VISIT, case_name=case_id, properties=self._properties(number),
            close=self.rng.random() < 0.1,
        )  # fmt: skip

    def _phone(self, n: int) -> str:
        return f"+2547{self.scene.first_number + n}"

    def _properties(self, phone: str) -> dict[str, str]:
        """Dates are far enough off, or past: what is said of them does not depend on when this runs."""
        today, pick = self.services.clock.now().astimezone(HOME).date(), self.rng.choice
        dates = ["", "xyz", *((today + timedelta(days=n)).isoformat() for n in (-9, 5, 6, 9, 20))]
        return {
            "status": pick(("scheduled", "scheduled", "scheduled", "done")), "risk": pick(("high", "low")),
            "appointment_date": pick(dates), "other_date": pick(dates), "round": pick(("1", "2")),
            "phone": phone,
        }  # fmt: skip

    async def end(self) -> None:
        """Whatever is still held back is posted, and what was cancelled is begun again."""
        await asyncio.to_thread(self.project.release)
        told = await self.project.settled()
        assert (told["held"], told["given_up"]) == (0, 0), told
        for campaign_id in self.rules:
            await self._do(partial(rerun.begin, campaign_id=campaign_id))

    def truth(self) -> dict[str, Case]:
        """All cases as they are: those of the project as it has them."""
        found = {name: Case(said, people=(said["phone"],)) for name, said in self.known.items()}
        for name, one in self.project.truth().items():
            said = one["listed"]["properties"]
            found[name] = Case(said, closed=one["listed"]["closed"], people=(said["phone"],))
        return found
