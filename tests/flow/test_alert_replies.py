"""Somebody answers what an alert said of a case: where it stops on replies, they hear no more of it in this
time round, or nobody does; and when the case begins anew, so do they."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from clarion.api.app import create_app
from clarion.domain.message import cohort_of
from clarion.flow import alert, explain_alert, fire, merge
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.http import Http
from clarion.sandbox.client import SandboxProcess
from tests.api.client import serving
from tests.flow import announcing
from tests.flow.alerting import definition, running, say, standing, types, until, work, written
from tests.flow.announcing import Dispatch, at
from tests.flow.provided import Provided
from tests.flow.receiving import Receiving
from tests.store.people import ABEBE, AMINA, ROSA, person, store
from tests.store.sent import Sent

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi; it is noon of 2026-03-02
ONE, ALL = {"stop": "recipient"}, {"stop": "case"}
BOTH = [{"to": "role", "role": "phone"}, {"to": "role", "role": "helper"}]


@dataclass
class Reminding(Receiving):
    """An alert of visits, by which Amina, and Abebe as her helper, are told of V1 two days and one day before
    the fifth."""

    campaign_id: UUID

    @classmethod
    async def of(cls, services: Services, workspace: UUID, replies: dict[str, Any]) -> Reminding:
        await types(services, workspace)
        async with services.db.tenant(workspace) as connection:
            await store(connection, [person("Abebe", ABEBE, external_id="A")], services.clock.now())
        await visit(services, workspace, contacts={"helper": ["A"]})
        campaign_id = await running(services, workspace, definition(recipients=BOTH, replies=replies))
        async with services.db.tenant(workspace) as connection:
            row, _ = await alert.read(connection, campaign_id)
        now, none = services.clock.now(), UUID(int=0)
        sent = Sent(row["channel_id"], campaign_id, none, none, cohort_of(now), uuid4(), 0, now)
        return cls(services, workspace, sent, campaign_id)

    async def goes_on(self, moment: datetime) -> None:
        """Time passes, and what is due goes out."""
        await until(self.services, self.workspace_id, self.campaign_id, moment)
        await Dispatch(self.services, self.workspace_id, self.campaign_id).all()

    async def replies(self, number: str, text: str = "I shall come", **more: Any) -> None:
        """Somebody writes, and the workers see it."""
        at(self.services).advance(60)
        await self.write(number, text, self.ago(1), **more)
        await work(self.services, self.workspace_id, self.campaign_id)

    async def says(self, **said: Any) -> None:
        await say(self.services, self.workspace_id, "V1", **said)
        await work(self.services, self.workspace_id, self.campaign_id)

    async def told(self) -> list[tuple[str, int, int, str]]:
        """(name, generation, step, what became of it)."""
        found = await written(self.services, self.workspace_id, self.campaign_id)
        return [(one[1], one[2], one[4], one[6]) for one in found]

    async def stand(self) -> dict[str, tuple[str, str]]:
        found = await standing(self.services, self.workspace_id, self.campaign_id)
        return {one["name"]: (one["state"], one["reason"]) for one in found}

    async def meanings(self) -> list[str]:
        return [one["meaning"] for one in await self.look("SELECT meaning FROM inbound ORDER BY at, id")]


async def visit(services: Services, workspace: UUID, case: str = "V1", **more: object) -> UUID:
    said = {"name": "Amina", "phone": AMINA, "status": "scheduled", "appointment_date": "2026-03-05", **more}
    return await say(services, workspace, case, **said)


@pytest.fixture
async def one(services: Services, workspace: UUID) -> Reminding:
    """Both have heard the first reminder; a reply stops what its writer hears."""
    reminding = await Reminding.of(services, workspace, ONE)
    await reminding.goes_on(NINE)
    return reminding


@pytest.fixture
async def everybody(services: Services, workspace: UUID) -> Reminding:
    """Both have heard the first reminder; a reply stops what everybody hears of the case."""
    reminding = await Reminding.of(services, workspace, ALL)
    await reminding.goes_on(NINE)
    return reminding


async def test_whoever_replies_hears_no_more_of_the_case(one: Reminding) -> None:
    await one.replies(AMINA)
    assert await one.stand() == {"Amina": ("stopped", "replied"), "Abebe": ("active", "")}
    await one.goes_on(NINE + 2 * DAY)
    assert await one.told() == [
        ("Abebe", 1, 1, "accepted"), ("Amina", 1, 1, "accepted"), ("Abebe", 1, 2, "accepted"),
    ]  # fmt: skip
    assert await one.meanings() == ["reply"]


async def test_a_reply_may_be_for_all_who_hear_of_the_case(everybody: Reminding) -> None:
    await everybody.replies(AMINA)
    stopped = ("stopped", "replied")
    assert await everybody.stand() == {"Amina": stopped, "Abebe": stopped}


async def test_who_joins_a_case_that_was_answered_for_all_hears_nothing_of_it(everybody: Reminding) -> None:
    await everybody.replies(AMINA)
    async with everybody.services.db.tenant(everybody.workspace_id) as connection:
        now = everybody.services.clock.now()
        await store(connection, [person("Rosa", ROSA, external_id="R")], now)
    await everybody.says(contacts={"helper": ["A", "R"]})
    assert (await everybody.stand())["Rosa"] == ("stopped", "replied")
    await everybody.says(appointment_date="2026-03-10")
    assert {state for state, _ in (await everybody.stand()).values()} == {"active"}


@pytest.mark.parametrize("replies", [ONE, ALL], ids=["of one", "of all"])
async def test_the_next_appointment_is_told_again(
    services: Services, workspace: UUID, replies: dict[str, Any]
) -> None:
    reminding = await Reminding.of(services, workspace, replies)
    await reminding.goes_on(NINE)
    await reminding.replies(AMINA)
    await reminding.says(appointment_date="2026-03-10")
    assert {state for state, _ in (await reminding.stand()).values()} == {"active"}
    await reminding.goes_on(NINE + 5 * DAY)
    assert ("Amina", 2, 1, "accepted") in await reminding.told()
    await reminding.replies(AMINA)
    assert (await reminding.stand())["Amina"] == ("stopped", "replied")


async def test_a_case_that_meets_the_criteria_again_begins_again(one: Reminding) -> None:
    await one.replies(AMINA)
    await one.says(status="done")
    assert (await one.stand())["Amina"] == ("stopped", "replied")
    await one.says(status="scheduled")
    assert await one.stand() == {"Amina": ("active", ""), "Abebe": ("active", "")}


async def test_whatever_else_is_saved_of_the_case_the_reply_holds(one: Reminding) -> None:
    await one.replies(AMINA)
    await one.says(weight="12")
    async with one.services.db.tenant(one.workspace_id) as connection:
        await alert.edit(connection, one.services, one.campaign_id, changes={"reentry": "once"})
    await work(one.services, one.workspace_id, one.campaign_id)
    assert (await one.stand())["Amina"] == ("stopped", "replied")


async def test_where_replies_stop_nothing_any_more_they_go_on(one: Reminding) -> None:
    await one.replies(AMINA)
    async with one.services.db.tenant(one.workspace_id) as connection:
        await alert.edit(connection, one.services, one.campaign_id, changes={"replies": None})
    await work(one.services, one.workspace_id, one.campaign_id)
    assert (await one.stand())["Amina"] == ("active", "")


async def test_what_waits_already_is_withdrawn(services: Services, workspace: UUID) -> None:
    reminding = await Reminding.of(services, workspace, ONE)
    await reminding.goes_on(NINE)
    await until(services, workspace, reminding.campaign_id, NINE + DAY)
    await reminding.replies(AMINA)
    assert ("Amina", 1, 2, "replied") in await reminding.told()
    assert (await reminding.stand())["Amina"] == ("finished", "")


async def test_yes_is_a_reply_and_stop_is_none(one: Reminding) -> None:
    await one.replies(AMINA, "YES")
    await one.replies(ABEBE, "STOP")
    assert await one.stand() == {"Amina": ("stopped", "replied"), "Abebe": ("stopped", "opted_out")}
    assert await one.meanings() == ["yes", "stop"]


async def test_a_reply_that_is_told_twice_ends_only_its_time_round(one: Reminding) -> None:
    wrote = one.services.clock.now() + MINUTE
    await one.replies(AMINA, identifier="wamid.once")
    await one.says(appointment_date="2026-03-10")
    await one.goes_on(NINE + 5 * DAY)
    await one.write(AMINA, "I shall come", wrote, "wamid.once")
    await one.write(AMINA, "told late", wrote, "wamid.late")
    await work(one.services, one.workspace_id, one.campaign_id)
    assert (await one.stand())["Amina"] == ("active", "")


@pytest.mark.parametrize("after", [timedelta(days=8), None], ids=["a week later", "after something else"])
async def test_what_answers_something_else_stops_nothing(
    services: Services, workspace: UUID, after: timedelta | None
) -> None:
    reminding = await Reminding.of(services, workspace, ONE)
    await reminding.says(appointment_date="2026-03-05")
    await reminding.goes_on(NINE)
    if after is None:
        at(services).advance(60)
        other = await announcing.written(services, workspace, reminding.channel_id)
        await fire.fire(services, workspace, await announcing.launched(services, workspace, other))
        await Dispatch(services, workspace, other).all()
    else:
        at(services).advance(after.total_seconds())
    await reminding.replies(AMINA)
    assert await reminding.meanings() == [""]


async def test_an_alert_that_says_nothing_of_replies_goes_on(services: Services, workspace: UUID) -> None:
    reminding = await Reminding.of(services, workspace, {})
    await reminding.goes_on(NINE)
    await reminding.replies(AMINA)
    assert (await reminding.stand())["Amina"] == ("active", "")
    assert await reminding.meanings() == [""]


async def test_a_reply_ends_the_case_that_was_spoken_of_last(services: Services, workspace: UUID) -> None:
    reminding = await Reminding.of(services, workspace, ONE)
    await visit(services, workspace, "V2", appointment_date="2026-03-06")
    await reminding.goes_on(NINE)
    await reminding.goes_on(NINE + DAY)  # of both; of V2 for the first time
    await reminding.goes_on(NINE + 2 * DAY)
    await visit(services, workspace, "V3", appointment_date="2026-03-08")
    await reminding.goes_on(NINE + 3 * DAY)  # of V3 alone
    await reminding.replies(AMINA)
    found = await standing(services, workspace, reminding.campaign_id)
    amina = {one["case"]: (one["state"], one["reason"]) for one in found if one["name"] == "Amina"}
    assert amina == {"V1": ("finished", ""), "V2": ("finished", ""), "V3": ("stopped", "replied")}


async def test_who_turns_out_to_be_somebody_else_has_replied_still(one: Reminding) -> None:
    await one.replies(AMINA)
    async with one.services.db.tenant(one.workspace_id) as connection:
        (rosa,) = await store(connection, [person("Rosa", ROSA)], one.services.clock.now())
        cursor = await connection.execute("SELECT id FROM contact WHERE name = 'Amina'")
        ((amina,),) = await cursor.fetchall()
    assert rosa.contact_id is not None
    await merge.merge_contacts(one.services.db, one.services.clock, one.workspace_id, rosa.contact_id, amina)
    await work(one.services, one.workspace_id, one.campaign_id)
    assert (await one.stand())["Rosa"] == ("stopped", "replied")


async def test_it_is_explained(one: Reminding) -> None:
    await one.replies(AMINA)
    async with one.services.db.tenant(one.workspace_id) as connection:
        found = await explain_alert.explain(connection, one.services, one.campaign_id, "V1")
    amina = next(each for each in found.people if each.person.name == "Amina")
    assert amina.silent.startswith("they replied")
    assert [(was.step, was.state) for was in amina.past] == [(1, "accepted")]


# --- through the sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
async def provided(services: Services, workspace: UUID, sandbox: SandboxProcess) -> AsyncIterator[Provided]:
    """A channel of WhatsApp whose webhooks come over the wire."""
    sandbox.reset(config=True)
    present = replace(services, clock=Clock())
    async with serving(create_app(present)) as hooks, Http() as http:
        yield await Provided.make(present, workspace, sandbox, http, hooks, [ROSA])


async def test_what_a_phone_writes_back_comes_in_over_the_wire(provided: Provided) -> None:
    services, workspace = provided.services, provided.workspace_id
    await types(services, workspace)
    await visit(services, workspace)
    steps = {"steps": [{"number": 1, "content": "now"}, {"number": 2, "hours": 2, "content": "now"}]}
    wanted = definition(steps, replies=ONE)
    async with services.db.tenant(workspace) as connection:
        campaign_id = await alert.create(
            connection, services, name="Visits", channel_id=provided.channel_id, definition=wanted
        )
        run_id = await alert.launch(connection, services, campaign_id)
    await fire.fire(services, workspace, run_id)
    await work(services, workspace, campaign_id)
    assert await Dispatch(services, workspace, campaign_id).all()
    (row,) = await provided.look("SELECT config FROM channel WHERE id = %s", provided.channel_id)
    provided.sandbox.inbound(AMINA, "I am on my way", row["config"]["sender"])
    await provided.hear()
    await work(services, workspace, campaign_id)
    (amina,) = await standing(services, workspace, campaign_id)
    assert (amina["state"], amina["reason"]) == ("stopped", "replied")
