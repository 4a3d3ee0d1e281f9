"""Reading the cases of a project page by page, from a running sandbox: whole, from the middle, only what is
new, while they change, and what becomes of limits and wrong keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from clarion.connectors.commcare import reading
from clarion.connectors.commcare.client import LARGEST_PAGE, Account, Client
from clarion.connectors.commcare.reading import Batch, Place, Wanted, batches, place
from clarion.errors import Misconfigured
from clarion.kit.http import Http
from tests.sandbox.commcare import AMINA, BABY, DOMAIN, KEY, USERNAME, Project


@dataclass
class Reading:
    """A client of a project, and how long it waited."""

    client: Client
    waited: list[float] = field(default_factory=list)

    async def read(self, wanted: Wanted, start: Place | None = None) -> list[Batch]:
        return [one async for one in batches(self.client, wanted, start)]


@asynccontextmanager
async def connected(project: Project, *, key: str = KEY, domain: str = DOMAIN) -> AsyncIterator[Reading]:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        """The sandbox's clock goes on instead."""
        project.sandbox.configure(clock_offset=sum(waited))

    async with Http(largest=LARGEST_PAGE) as http:
        account = Account(project.sandbox.url, domain, USERNAME, key)
        yield Reading(Client(http, account, sleep=sleep, waiting=waited.append), waited)


def names(read: list[Batch]) -> list[list[str]]:
    return [[case.document["external_id"] for case in batch.cases] for batch in read]


def five(project: Project) -> list[str]:
    return [project.save(f"case-{number}")["case_id"] for number in range(5)]


async def test_all_cases_are_read_page_by_page_and_are_what_the_project_holds(project: Project) -> None:
    project.save(AMINA, case_name="Amina Wanjiru", owner_id="worker-1", properties={"EDD": "2026-06-01"})
    project.save(BABY, case_type="child", close=True, indices={"parent": {"case_id": AMINA}})
    project.save("house", case_type="household")
    async with connected(project) as here:
        read = await here.read(Wanted(page=2))
    assert names(read) == [[AMINA, BABY], ["house"]]
    assert [(one.left, one.last, one.unread) for one in read] == [(3, False, ()), (1, True, ())]
    amina, baby = read[0].cases
    truth = project.truth()[AMINA]["listed"]
    assert amina.document == {
        "type": "pregnancy", "external_id": AMINA, "name": "Amina Wanjiru", "closed": False,
        "owner": "worker-1", "modified_at": truth["server_last_modified"],
        "opened_at": truth["date_opened"][:23] + "000Z", "parent": None, "host": None,
        "properties": {"edd": "2026-06-01"}, "replace": True,
    }  # fmt: skip
    assert (baby.document["closed"], baby.document["parent"], baby.document["owner"]) == (True, AMINA, None)


async def test_only_the_types_that_are_wanted_are_read_on_every_page(project: Project) -> None:
    for number in range(3):
        project.save(f"mother-{number}")
        project.save(f"child-{number}", case_type="child")
        project.save(f"visit-{number}", case_type="visit")
    async with connected(project) as here:
        read = await here.read(Wanted(("pregnancy", "child"), page=4))
    assert names(read) == [["mother-0", "child-0", "mother-1", "child-1"], ["mother-2", "child-2"]]


async def test_reading_goes_on_in_the_middle_from_a_place_that_was_kept(project: Project) -> None:
    five(project)
    async with connected(project) as here:
        first = await anext(batches(here.client, Wanted(page=2)))
    kept = first.place.kept()  # and there it was killed, with this page stored
    async with connected(project) as here:
        rest = await here.read(Wanted(page=2), place(kept))
    assert names([first, *rest]) == [["case-0", "case-1"], ["case-2", "case-3"], ["case-4"]]


async def test_a_case_that_changes_while_pages_are_read_comes_once_more_as_it_is_then(
    project: Project,
) -> None:
    five(project)
    read: list[Batch] = []
    async with connected(project) as here:
        async for batch in batches(here.client, Wanted(page=2)):
            read.append(batch)
            if len(read) == 1:
                project.save("case-0", properties={"risk": "high"})
                project.save("case-new")
    assert names(read) == [["case-0", "case-1"], ["case-2", "case-3"], ["case-4", "case-0"], ["case-new"]]
    assert [read[at].cases[place].document["properties"] for at, place in ((0, 0), (2, 1))] == [
        {},
        {"risk": "high"},
    ]


async def test_the_next_time_only_what_was_indexed_since_is_read_and_a_little_before(
    project: Project,
) -> None:
    project.sandbox.configure(clock_offset=-3600)
    five(project)
    project.sandbox.configure(clock_offset=0)
    project.save("lately")
    async with connected(project) as here:
        first = await here.read(Wanted(page=10))
        project.save("case-1", close=True)
        second = await here.read(Wanted(page=10), place(first[-1].place.kept()))
        third = await here.read(Wanted(page=10), second[-1].place)
    assert names(first) == [["case-0", "case-1", "case-2", "case-3", "case-4", "lately"]]
    assert names(second) == names(third) == [["lately", "case-1"]]
    assert second[0].cases[1].document["closed"] is True
    assert third[-1].place == second[-1].place


async def test_a_case_that_is_found_only_after_one_that_was_indexed_later_is_read_all_the_same(
    project: Project,
) -> None:
    project.sandbox.configure(commcare={"index_lag": 60})
    project.save("seen")
    project.sandbox.configure(clock_offset=61)
    async with connected(project) as here:
        first = await here.read(Wanted())
        project.sandbox.configure(clock_offset=0, commcare={"index_lag": 0})
        project.save("late")
        second = await here.read(Wanted(), first[-1].place)
        project.sandbox.configure(clock_offset=61)
        third = await here.read(Wanted(), second[-1].place)
    assert (names(first), names(second), names(third)) == ([["seen"]], [["late"]], [["late", "seen"]])
    assert second[-1].place.seen == first[-1].place.seen


async def test_a_question_since_a_moment_hears_everything_over_many_pages(project: Project) -> None:
    saved = five(project)
    async with connected(project) as here:
        start = (await here.read(Wanted()))[-1].place
        read = await here.read(Wanted(page=2), start)
    assert sorted({name for page in names(read) for name in page}) == saved
    assert len(read) <= 4


async def test_where_it_says_too_many_it_waits_and_reads_on(project: Project) -> None:
    five(project)
    project.sandbox.configure(commcare={"requests": 2, "window": 30})
    async with connected(project) as here:
        read = await here.read(Wanted(page=1))
    assert names(read) == [[f"case-{number}"] for number in range(5)]
    assert len(here.waited) == 2
    assert all(20 < seconds <= 31 for seconds in here.waited)


async def test_a_wrong_key_and_an_unknown_project_are_told_with_what_to_do(project: Project) -> None:
    async with connected(project, key="stolen") as here:
        with pytest.raises(Misconfigured, match="does not know this user and key") as refused:
            await here.read(Wanted())
        assert (refused.value.where, "stolen" in str(refused.value)) == ("key", False)
    async with connected(project, domain="another") as here:
        with pytest.raises(Misconfigured, match="no project another"):
            await here.read(Wanted())


async def test_a_place_that_is_broken_is_read_from_again_a_little_before(project: Project) -> None:
    saved = five(project)
    async with connected(project) as here:
        start = (await here.read(Wanted()))[-1].place
        read = await here.read(Wanted(), Place(start.since, "broken", start.seen))
    assert names(read) == [saved]
    assert here.waited == [1.0, 2.0, 4.0, 8.0, 16.0]


async def test_an_empty_project_is_one_empty_page_and_is_read_from_the_beginning_later(
    project: Project,
) -> None:
    async with connected(project) as here:
        (only,) = await here.read(Wanted())
        assert (only.cases, only.last, only.place) == ((), True, Place())
        project.save()
        assert names(await here.read(Wanted(), only.place)) == [[AMINA]]
    assert reading.OVERLAP.total_seconds() == 600
