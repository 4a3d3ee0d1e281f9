"""Asking RapidPro: what is asked once more and what is not, how it is waited, and where a list goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from clarion.connectors.rapidpro.client import LARGEST_PAGE, TRIES, Client, LostPlace, Refused, Unsure
from clarion.errors import ClarionError, Conflict, Misconfigured, NotFound, Unavailable
from clarion.kit.clock import FakeClock
from clarion.kit.http import Http
from tests.kit.wire import Line, Wire, answer, wire

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
BROKEN = answer(503, b"")
THROTTLED = answer(429, b"{}", "Retry-After: 7")


def told(rows: Sequence[Any], following: str | None = None) -> bytes:
    return answer(200, json.dumps({"next": following, "previous": None, "results": list(rows)}).encode())


@dataclass
class Asking:
    """A client, the server that it asks, and how long it waited."""

    client: Client
    server: Wire
    waited: list[float] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.server.requests]


@asynccontextmanager
async def asking(*answers: bytes, **options: Any) -> AsyncIterator[Asking]:
    """Each request gets the next answer; after one that is cut off, the connection ends."""
    left, clock = list(answers), FakeClock(NOW)

    async def behave(line: Line) -> None:
        while True:
            await line.request()
            said = left.pop(0)
            await line.say(said)
            if said is CUT:
                line.reset()
                return

    async with wire(behave) as server, Http(largest=LARGEST_PAGE) as http:
        here = Asking(Client(http, clock, "", ""), server)

        async def sleep(seconds: float) -> None:
            here.waited.append(seconds)
            clock.advance(seconds)

        here.client = Client(http, clock, server.url, "secret", sleep=sleep, **options)
        yield here


async def test_a_list_is_read_to_its_end_and_of_the_next_address_only_the_cursor_is_heeded() -> None:
    elsewhere = "https://elsewhere.example/api/v2/groups.json?cursor=cD0%3D&token=1"
    async with asking(told([{"uuid": "1"}], elsewhere), told([{"uuid": "2"}])) as here:
        assert await here.client.all("groups") == [{"uuid": "1"}, {"uuid": "2"}]
        assert here.asked == ["GET /api/v2/groups.json", "GET /api/v2/groups.json?cursor=cD0%3D"]
        assert here.server.requests[0].headers["authorization"] == "Token secret"


@pytest.mark.parametrize("failure", [CUT, BROKEN, answer(500, b"oh")], ids=["cut off", "503", "500"])
async def test_a_read_that_was_not_answered_is_made_again(failure: bytes) -> None:
    async with asking(failure, failure, told([])) as here:
        assert (await here.client.page("contacts", {})).rows == []
        assert (len(here.asked), here.waited) == (3, [1.0, 2.0])


async def test_a_read_is_given_up_after_some_tries() -> None:
    async with asking(*[BROKEN] * TRIES) as here:
        with pytest.raises(Unavailable, match="HTTP 503"):
            await here.client.page("contacts", {})


@pytest.mark.parametrize("failure", [CUT, BROKEN], ids=["cut off", "503"])
async def test_a_write_that_was_not_answered_is_not_made_again(failure: bytes) -> None:
    async with asking(failure) as here:
        with pytest.raises(Unsure, match="nobody knows"):
            await here.client.post("groups", {"name": "Nurses"})
        assert len(here.asked) == 1


async def test_where_it_says_too_many_it_is_waited_as_long_as_it_says_for_writes_too() -> None:
    async with asking(THROTTLED, answer(201, b'{"uuid": "1"}'), answer(429, b"{}"), told([])) as here:
        assert await here.client.post("groups", {"name": "Nurses"}) == {"uuid": "1"}
        await here.client.all("groups")
        assert here.waited == [7.0, 60.0]


async def test_no_more_is_asked_in_an_hour_than_a_workspace_may() -> None:
    async with asking(*[told([])] * 4, requests=2) as here:
        for _ in range(3):
            await here.client.all("groups")
        await here.client.page("contacts", {})
        assert here.waited == [3600.0]


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        (answer(403, b'{"detail": "Invalid token"}'), Misconfigured, "token"),
        (answer(404, b""), NotFound, "no such campaigns"),
        (answer(409, b'{"detail": "limit of 250"}'), Conflict, "limit of 250"),
        (answer(400, b'{"group": ["No such object: 1"]}'), Refused, "group: No such object: 1"),
        (answer(200, b"<html>"), Unavailable, "no JSON"),
        (answer(302, b""), Unavailable, "HTTP 302"),
    ],
)
async def test_what_it_refuses_is_told_in_its_words(
    said: bytes, error: type[ClarionError], match: str
) -> None:
    async with asking(said) as here:
        with pytest.raises(error, match=match):
            await here.client.post("campaigns", {"name": "Welcome"})


async def test_a_page_that_it_does_not_know_any_more_is_told_apart() -> None:
    async with asking(answer(404, b'{"detail": "Invalid cursor"}')) as here:
        with pytest.raises(LostPlace):
            await here.client.page("contacts", {}, "cD0=")


async def test_a_page_of_many_megabytes_is_read_whole() -> None:
    rows = [{"name": "x" * 10_000} for _ in range(250)]
    async with asking(told(rows)) as here:
        assert len((await here.client.page("contacts", {})).rows) == 250
