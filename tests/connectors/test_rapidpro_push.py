"""A campaign is pushed to RapidPro: over HTTP to the sandbox, which lags, is busy, is left halfway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from clarion.connectors.rapidpro.client import Client
from clarion.connectors.rapidpro.plan import Event, Wanted, said
from clarion.connectors.rapidpro.push import Pushed, Pusher
from clarion.domain.field import Field, FieldType
from clarion.kit.clock import Clock
from clarion.kit.http import Http
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.rapidpro import WELCOME
from tests.sandbox.rapidpro import NUMBERS, TOKEN, There

DAYS = tuple(Event("joined_on", day, "days", 9, said({"eng": f"Day {day}"})) for day in range(6))
FLOW = Event("created_on", 10, "minutes", flow=WELCOME)
WANTED = Wanted("Welcome", "Nurses", (*DAYS, FLOW), (Field("joined_on", "Joined on", FieldType.DATE),))
NOTHING = Pushed()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("rapidpro")) as sandbox:
        yield sandbox


@pytest.fixture
def there(running: SandboxProcess) -> There:
    running.reset(config=True)
    running.configure(numbers=NUMBERS)
    return There(running)


@pytest.fixture
async def client(there: There) -> AsyncIterator[Client]:
    async with Http() as http:
        yield Client(http, Clock(), there.sandbox.url, TOKEN)


def shown(there: There) -> list[tuple[Any, ...]]:
    """The events of the campaign there."""
    rows = there.listed("campaign_events", reverse="true")
    return sorted((row["offset"], row["unit"], str(row["message"] or row["flow"]["uuid"])) for row in rows)


def as_wanted(wanted: Wanted) -> list[tuple[Any, ...]]:
    return sorted((one.offset, one.unit, str(dict(one.message) or one.flow)) for one in wanted.events)


async def test_everything_that_it_needs_is_made_and_again_nothing_is_changed(
    there: There, client: Client
) -> None:
    pusher = Pusher(client, settle=0.01)
    assert await pusher.push(WANTED) == Pushed(rounds=1, created=7)
    (campaign,) = there.listed("campaigns")
    assert (campaign["name"], campaign["group"]["name"]) == ("Welcome", "Nurses")
    assert [row["key"] for row in there.listed("fields")] == ["joined_on"]
    assert shown(there) == as_wanted(WANTED)
    before = there.listed("campaign_events")
    assert await pusher.push(WANTED) == NOTHING
    assert there.listed("campaign_events") == before


async def test_what_has_changed_is_changed_and_no_more(there: There, client: Client) -> None:
    pusher = Pusher(client, settle=0.01)
    await pusher.push(WANTED)
    kept = {row["uuid"] for row in there.listed("campaign_events")}
    second = replace(DAYS[1], message=said({"eng": "Day one", "swa": "Siku ya kwanza"}))
    now = replace(WANTED, group="Midwives", events=(DAYS[0], second, *DAYS[3:], FLOW))
    assert await pusher.push(now) == Pushed(rounds=1, updated=1, deleted=1)
    assert shown(there) == as_wanted(now)
    assert {row["uuid"] for row in there.listed("campaign_events")} < kept
    assert there.listed("campaigns")[0]["group"]["name"] == "Midwives"


@pytest.mark.parametrize("at", range(1, 10, 2))
async def test_killed_after_any_change_it_is_finished_by_the_next_one(
    there: There, client: Client, at: int
) -> None:
    done: list[str] = []

    def die(what: str) -> None:
        done.append(what)
        if len(done) == at:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Pusher(client, settle=0.01, told=die).push(WANTED)
    await Pusher(client, settle=0.01).push(WANTED)
    assert shown(there) == as_wanted(WANTED)
    assert len(there.listed("campaigns")) == 1
    assert await Pusher(client, settle=0.01).push(WANTED) == NOTHING


async def test_where_lists_lag_nothing_stays_there_twice(there: There, client: Client) -> None:
    there.sandbox.configure(rapidpro={"read_lag": 0.3})
    done: list[str] = []

    def die(what: str) -> None:
        done.append(what)
        if len(done) == 6:
            raise asyncio.CancelledError

    pusher = Pusher(client, settle=0.6)
    with pytest.raises(asyncio.CancelledError):
        await replace(pusher, told=die).push(WANTED)
    await pusher.push(WANTED)  # at once: it does not see what has just been made
    await asyncio.sleep(0.4)
    assert shown(there) == as_wanted(WANTED)
    assert len(there.listed("campaigns")) == 1
    assert await pusher.push(WANTED) == NOTHING


async def test_an_event_that_is_being_scheduled_is_changed_when_it_is_done(
    there: There, client: Client
) -> None:
    await Pusher(client, settle=0.01).push(WANTED)
    there.sandbox.configure(rapidpro={"scheduling_for": 3600})
    waits = 0

    async def until_it_is_done(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 2:
            there.sandbox.configure(rapidpro={"scheduling_for": 0})

    fewer = replace(WANTED, events=DAYS)
    pushed = await Pusher(client, settle=0.01, sleep=until_it_is_done).push(fewer)
    assert (pushed.deleted, waits) == (1, 3)  # twice busy, once settled
    assert shown(there) == as_wanted(fewer)
