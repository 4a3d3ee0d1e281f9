"""Each save is forwarded, badly too: what a receiver of our own hears, and that whoever keeps the newest word
of each case ends with the project as it is, however often and in whatever order it was told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from clarion.connectors.commcare.cases import case_told, read_forwarded
from tests.sandbox.commcare import AMINA, BABY, Project


@dataclass
class Desk:
    """Where forwardings come in. The first `refuse` requests are answered 503. `kept` is the newest word of
    each case, as somebody keeps it who goes by `modified_at`."""

    url: str = ""
    refuse: int = 0
    refused: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.refuse:
            self.refuse -= 1
            self.refused.set()
            return web.Response(status=503)
        document = read_forwarded(body).document
        self.heard.append(document)
        self.headers.append(dict(request.headers))
        self.outcomes.append(self._keep(document))
        return web.Response(status=201)

    def _keep(self, document: dict[str, Any]) -> str:
        known = self.kept.get(document["external_id"])
        if known == document:
            return "unchanged"
        if known is not None and document["modified_at"] < known["modified_at"]:
            return "stale"
        self.kept[document["external_id"]] = document
        return "new" if known is None else "changed"

    def words(self) -> list[tuple[str, Any]]:
        return [(one["external_id"], one["properties"].get("visit")) for one in self.heard]


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    here = Desk()
    application = web.Application()
    application.router.add_post("/cases", here.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    here.url = f"http://127.0.0.1:{runner.addresses[0][1]}/cases"
    try:
        yield here
    finally:
        await runner.cleanup()


def visits(project: Project, case_id: str, count: int) -> None:
    for number in range(1, count + 1):
        project.save(case_id, properties={"visit": str(number)})


def as_it_is(project: Project) -> dict[str, dict[str, Any]]:
    return {case_id: case_told(one["forwarded"]).document for case_id, one in project.truth().items()}


async def test_each_save_is_posted_once_and_in_order(project: Project) -> None:
    async with desk() as here:
        project.forward(here.url, headers={"Authorization": "Bearer ours"})
        visits(project, AMINA, 3)
        project.save(BABY, case_type="child", indices={"parent": {"case_id": AMINA}})
        told = await project.settled()
        assert here.words() == [(AMINA, "1"), (AMINA, "2"), (AMINA, "3"), (BABY, None)]
        assert here.outcomes == ["new", "changed", "changed", "new"]
        assert [(one["case_id"], one["version"], one["try"], one["status"]) for one in told["posts"]] == [
            (AMINA, 1, 1, 201), (AMINA, 2, 1, 201), (AMINA, 3, 1, 201), (BABY, 1, 1, 201),
        ]  # fmt: skip
        first = here.headers[0]
        assert (first["Content-Type"], first["Authorization"]) == ("application/json", "Bearer ours")
        assert first["server-modified-on"] == here.heard[0]["modified_at"]


async def test_the_same_word_again_changes_nothing(project: Project) -> None:
    async with desk() as here:
        project.forward(here.url, duplicates=2)
        visits(project, AMINA, 2)
        await project.settled()
        assert here.outcomes == ["new", "unchanged", "unchanged", "changed", "unchanged", "unchanged"]
        assert here.kept == as_it_is(project)


async def test_what_comes_in_disorder_ends_as_the_project_is(project: Project) -> None:
    async with desk() as here:
        project.forward(here.url, reorder=6, duplicates=1)
        visits(project, AMINA, 3)
        visits(project, BABY, 2)
        assert project.posts()["held"] == 5
        project.save(AMINA, close=True)
        await project.settled()
        assert here.outcomes.count("stale") == 8
        assert (here.heard[0]["closed"], here.words()[-1]) == (True, (AMINA, "1"))
        assert here.kept == as_it_is(project)


async def test_what_is_held_for_others_goes_when_it_is_released(project: Project) -> None:
    async with desk() as here:
        project.forward(here.url, reorder=10)
        visits(project, AMINA, 2)
        assert (await project.settled())["posts"] == []
        assert project.release() == 2
        await project.settled()
        assert here.words() == [(AMINA, "2"), (AMINA, "1")]


async def test_what_is_refused_is_posted_again_later_and_what_follows_does_not_wait(project: Project) -> None:
    async with desk() as here:
        here.refuse = 1
        project.forward(here.url, backoff=0.3)
        visits(project, AMINA, 3)
        told = await project.settled()
        assert here.words() == [(AMINA, "2"), (AMINA, "3"), (AMINA, "1")]
        assert here.outcomes == ["new", "changed", "stale"]
        assert [one["status"] for one in told["posts"]] == [503, 201, 201, 201]
        assert here.kept == as_it_is(project)


async def test_what_nobody_takes_is_given_up_and_counted(project: Project) -> None:
    async with desk() as here:
        here.refuse = 100
        project.forward(here.url, retries=2)
        visits(project, AMINA, 1)
        told = await project.settled()
        assert ([one["try"] for one in told["posts"]], told["given_up"]) == ([1, 2, 3], 1)
    project.forward("http://127.0.0.1:9/cases", retries=0)
    visits(project, BABY, 1)
    told = await project.settled()
    assert (told["posts"][-1]["status"], told["given_up"]) == (None, 2)


async def test_an_old_word_of_a_case_that_comes_again_much_later_is_stale(project: Project) -> None:
    async with desk() as here:
        project.forward(here.url)
        visits(project, AMINA, 2)
        await project.settled()
        project.again(AMINA, 1, times=2)
        await project.settled()
        assert here.outcomes == ["new", "changed", "stale", "stale"]
        assert here.kept == as_it_is(project)


async def test_a_phone_whose_clock_is_wrong_does_not_make_its_save_an_old_word(project: Project) -> None:
    async with desk() as here:
        project.forward(here.url)
        project.save(properties={"visit": "1"})
        project.save(properties={"visit": "2"}, modified="1999-01-01T00:00:00Z")
        await project.settled()
        assert here.outcomes == ["new", "changed"]


async def test_what_was_forwarded_and_is_then_listed_is_the_same_but_for_who_saved(project: Project) -> None:
    async with desk() as here:
        project.forward(here.url)
        parent = {"parent": {"case_id": AMINA, "case_type": "pregnancy"}}
        project.save(
            BABY, case_type="child", case_name="Baby", external_id="B-1", owner_id="clinic", indices=parent,
            properties={"state": "Oromia", "EDD": "2026-04-01", "risk": ""},
            opened="2026-03-02T09:00:00.123456Z",
        )  # fmt: skip
        await project.settled()
        (row,) = project.get().body["cases"]
        told = dict(here.heard[0])
        assert told.pop("modified_by") == "worker-1"
        assert told == case_told(row).document
        assert told["properties"] == {
            "commcare_external_id": "B-1", "commcare_state": "Oromia", "edd": "2026-04-01",
        }  # fmt: skip


async def test_a_sandbox_that_is_emptied_forwards_nothing_of_before(project: Project) -> None:
    async with desk() as here:
        here.refuse = 1
        project.forward(here.url, backoff=1.0)
        visits(project, AMINA, 1)
        await here.refused.wait()
        await asyncio.sleep(0.1)  # until the sandbox has heard it
        project.sandbox.reset()
        assert project.posts() == {"posts": [], "held": 0, "waiting": 0, "given_up": 0}
        await asyncio.sleep(1.3)
        assert here.heard == []
