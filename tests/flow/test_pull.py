"""Cases are pulled from CommCare to the end of its list, once each: cut off, killed, throttled, stopped, and
while they are forwarded too."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from clarion.errors import Conflict, Invalid, Misconfigured, NotFound
from clarion.flow import source as flow
from clarion.flow.bring.commcare import Listeners, Pulled, Trouble, pull_as_asked, pull_cases
from clarion.flow.forwarded import take
from clarion.flow.services import Services
from clarion.kit.clock import Clock, FakeClock
from clarion.kit.db import Connection
from clarion.sandbox.client import SandboxProcess
from clarion.store import pull
from tests.flow.pulling import NAME, Known, became, known, settings
from tests.kit.logged import captured
from tests.sandbox.commcare import AMINA, BABY, KEY, Project

_CHILD = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from clarion.flow.bring.commcare import pull_cases
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings

async def do(url, state, workspace):
    async with Database(url, size=4) as db:
        settings = Settings(state_dir=Path(state), allow_private_addresses=True)
        services = Services(db, Clock(), settings, SecretBox.from_settings(settings))
        await pull_cases(services, UUID(workspace), "selam")

asyncio.run(do(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("commcare")) as sandbox:
        yield sandbox


@pytest.fixture
def project(running: SandboxProcess) -> Project:
    running.reset(config=True)
    return Project(running)


@pytest.fixture
async def here(services: Services, workspace: UUID, project: Project) -> Known:
    """A workspace that knows an empty project; two cases a page."""
    present = replace(services, clock=FakeClock(Clock().now()))
    return await known(present, workspace, project, page=2)


def five(project: Project) -> list[str]:
    return [project.save(f"case-{number}")["case_id"] for number in range(5)]


async def test_all_cases_come_and_again_nothing_changes(here: Known) -> None:
    project = here.project
    project.save(AMINA, case_name="Amina Wanjiru", owner_id="worker-1", properties={"EDD": "2026-06-01"})
    project.save(BABY, case_type="child", close=True, indices={"parent": {"case_id": AMINA}})
    project.save("house", case_type="household")
    done = await here.pull()
    assert (done["state"], became(done), done["counts"]["read"]) == ("done", (3, 0, 0, 0), 3)
    cases = await here.cases()
    amina = cases[AMINA]
    assert (amina["type"], amina["name"], amina["owner"]) == ("pregnancy", "Amina Wanjiru", "worker-1")
    assert amina["properties"] == {"edd": "2026-06-01"}
    assert (cases[BABY]["state"], cases[BABY]["parent"]) == ("closed", AMINA)
    again = await here.pull()
    assert (again["state"], became(again)[:2]) == ("done", (0, 0))
    assert await here.cases() == cases


async def test_only_what_changed_since_is_asked_for_and_all_where_it_is_wanted(here: Known) -> None:
    here.project.sandbox.configure(clock_offset=-3600)
    five(here.project)
    here.project.sandbox.configure(clock_offset=0)
    here.project.save("lately")
    assert (await here.pull())["counts"]["read"] == 6
    here.project.save("case-1", properties={"risk": "high"})
    second = await here.pull()
    assert became(second) == (0, 1, second["counts"]["read"] - 1, 0)
    assert second["counts"]["read"] < 6
    assert became(await here.pull(anew=True)) == (0, 0, 6, 0)


@pytest.mark.parametrize("place", ["pull.before_commit:2", "pull.committed:2"])
async def test_killed_between_pages_it_goes_on_where_it_stood(
    here: Known, database_url: str, place: str
) -> None:
    five(here.project)
    state = str(here.services.settings.state_dir)
    words = [sys.executable, "-c", _CHILD, database_url, state, str(here.workspace)]
    environment = {**os.environ, "CLARION_CRASH": place}
    ended = await asyncio.to_thread(subprocess.run, words, env=environment, check=False)
    assert ended.returncode == -9
    stored = 2 if place.startswith("pull.before") else 4
    assert len(await here.cases()) == stored
    assert (await here.source())["counts"]["read"] == stored

    done = await here.pull()
    assert (done["state"], became(done), done["counts"]["read"]) == ("done", (5, 0, 0, 0), 5)
    assert len(await here.cases()) == 5


async def test_a_page_that_breaks_off_in_its_middle_is_asked_for_again(here: Known) -> None:
    five(here.project)
    here.project.sandbox.configure(commcare={"cut": 1})
    waited: list[float] = []
    done = await here.pull(Listeners(waiting=waited.append))
    assert (done["state"], became(done), waited) == ("done", (5, 0, 0, 0), [1.0])


async def test_where_it_says_too_many_it_waits_and_says_until_when(here: Known) -> None:
    five(here.project)
    here.project.sandbox.configure(commcare={"requests": 2, "window": 3})
    waited: list[float] = []
    done = await here.pull(Listeners(waiting=waited.append))
    assert (done["state"], became(done)) == ("done", (5, 0, 0, 0))
    assert waited
    assert all(0 < seconds <= 4 for seconds in waited)
    assert done["waits_until"] is None


async def test_somebody_may_stop_it_in_a_wait_and_it_goes_on_from_there(here: Known) -> None:
    five(here.project)
    here.project.sandbox.configure(commcare={"requests": 1, "window": 600})
    pulling = asyncio.create_task(here.pull())
    for _ in range(600):
        if (await here.source())["waits_until"] is not None:
            break
        await asyncio.sleep(0.05)
    async with here.services.db.tenant(here.workspace) as connection:
        stopped = await flow.stop_pulling(connection, here.services, NAME)
    assert stopped["state"] == "stopped"
    assert (await asyncio.wait_for(pulling, 30))["state"] == "stopped"
    assert len(await here.cases()) == 2
    here.project.sandbox.configure(commcare={"requests": 1000, "window": 60})
    done = await here.pull()
    assert (done["state"], became(done)) == ("done", (5, 0, 0, 0))


async def test_what_was_asked_for_a_job_does_and_nothing_else(here: Known) -> None:
    five(here.project)
    asked: list[dict[str, Any]] = []

    async def defer(
        task: str, arguments: Mapping[str, Any], *, once: str, connection: Connection | None = None
    ) -> bool:
        asked.append({"task": task, "once": once, **arguments})
        return True

    services = replace(here.services, defer=defer)
    found = await here.source()
    await pull_as_asked(services, here.workspace, found["id"])
    assert await here.cases() == {}
    async with services.db.tenant(here.workspace) as connection:
        for _ in range(2):  # who asks twice is heard once
            row = await flow.ask_to_pull(connection, services, here.workspace, NAME)
            assert row["state"] == "waiting"
    assert [one["task"] for one in asked] == ["pull"]
    await pull_as_asked(services, here.workspace, found["id"])
    assert (await here.source())["state"] == "done"
    assert len(await here.cases()) == 5


async def test_a_pull_of_which_nothing_was_heard_is_taken_over(here: Known) -> None:
    now = here.services.clock.now()
    found = await here.source()
    async with here.services.db.tenant(here.workspace) as connection:
        await pull.begin(connection, found["id"], now)
        assert not await pull.ask(connection, found["id"], now + timedelta(minutes=29))
        assert await pull.ask(connection, found["id"], now + timedelta(minutes=31))


async def test_two_that_pull_at_once_do_not_both_store_a_page(here: Known) -> None:
    five(here.project)
    ended = await asyncio.gather(here.pull(), here.pull(), return_exceptions=True)
    assert all(isinstance(one, dict | Conflict) for one in ended)
    await here.pull()
    assert len(await here.cases()) == 5


async def test_a_wrong_key_ends_it_and_is_told_nowhere(here: Known) -> None:
    wrong = "stolen-key-0123456789"
    await here.change(secret=wrong)
    with captured() as logged, pytest.raises(Misconfigured, match="does not know this user") as refused:
        await here.pull()
    found = await here.source()
    assert (found["state"], "My Account" in found["error"]) == ("failed", True)
    assert wrong not in f"{found}{refused.value}{logged.getvalue()}"
    await here.change(secret=KEY)
    assert (await here.pull())["state"] == "done"


async def test_a_project_that_is_not_there_is_told(here: Known) -> None:
    await here.change(settings=settings(here.project, project="another"))
    with pytest.raises(Misconfigured, match="no project another"):
        await here.pull()
    with pytest.raises(NotFound):
        await pull_cases(here.services, here.workspace, "nobody")


async def test_what_cannot_be_taken_is_told_and_stops_nothing(here: Known) -> None:
    here.project.save("odd", case_type="9 lives")
    here.project.save(AMINA, properties={"Note": "a", "note": "b"})
    troubles: list[Trouble] = []
    done = await here.pull(Listeners(trouble=troubles.append))
    assert became(done) == (1, 0, 0, 1)
    assert [(one.case_id, one.refused) for one in troubles] == [("odd", True), (AMINA, False)]
    assert [one["case"] for one in done["problems"]] == ["odd", AMINA]
    assert list(await here.cases()) == [AMINA]


async def test_who_wants_other_types_reads_everything_again(here: Known) -> None:
    here.project.save(AMINA)
    here.project.save(BABY, case_type="child")
    await here.change(settings=settings(here.project, types=["child"]))
    assert (await here.pull())["counts"]["read"] == 1
    await here.change(settings=settings(here.project))
    assert became(await here.pull()) == (1, 0, 1, 0)


async def test_pulled_and_forwarded_at_once_it_ends_in_the_same_cases(
    here: Known, another_workspace: UUID
) -> None:
    project = here.project
    five(project)
    for number in range(5):
        project.save(f"case-{number}", properties={"visit": "1"}, owner_id=f"worker-{number}")
    words = [project.save(f"case-{number}", properties={"visit": "2"})["forwarded"] for number in range(5)]

    async def forwarded() -> None:
        for word in [*words, *reversed(words)]:
            await take(here.services, here.workspace, orjson.dumps(word))

    await asyncio.gather(here.pull(), forwarded())
    late = project.save("case-3", properties={"visit": "3"}, close=True)["forwarded"]
    await take(here.services, here.workspace, orjson.dumps(late))
    await asyncio.gather(here.pull(anew=True), forwarded())
    both = await here.cases()

    other = await known(here.services, another_workspace, project)
    await other.pull()
    alone = await other.cases()
    told = ("type", "name", "state", "owner", "parent", "host", "properties", "modified_at", "opened_at")
    assert {name: [one[key] for key in told] for name, one in both.items()} == {
        name: [one[key] for key in told] for name, one in alone.items()
    }
    assert (both["case-3"]["state"], both["case-3"]["properties"]) == ("closed", {"visit": "3"})


async def test_counts_are_told_page_by_page(here: Known) -> None:
    five(here.project)
    read: list[int] = []

    def note(pulled: Pulled) -> None:
        read.append(pulled.read)

    await here.pull(Listeners(progress=note))
    assert read == [2, 4, 5]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"base_url": "ftp://example.org"}, "settings.base_url"),
        ({"base_url": "https://amina:secret@example.org"}, "settings.base_url"),
        ({"project": " "}, "settings.project"),
        ({"page": 5001}, "settings.page"),
        ({"pages": 5}, "settings.pages"),
    ],
)
async def test_settings_that_are_wrong_are_told_with_their_place(
    here: Known, wrong: dict[str, object], where: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await here.change(settings=settings(here.project) | wrong)
    assert [one.where for one in refused.value.problems] == [where]
