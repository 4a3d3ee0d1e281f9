"""Asking CommCare: what is asked again, how it is waited, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from clarion.connectors.commcare.client import TRIES, Account, Client, LostPlace, Refused
from clarion.connectors.commcare.reading import Place, Wanted, batches, place
from clarion.errors import ClarionError, Invalid, Misconfigured, Unavailable
from clarion.kit.http import Http
from tests.kit.wire import Line, Wire, answer, wire

CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
BROKEN = answer(503, b"")
CRASHED = answer(500, b"<h1>500</h1>")
LIST = "GET /a/selam/api/case/v2/"


def told(rows: Sequence[Any], following: object = None) -> bytes:
    more = {} if following is None else {"next": following}
    return answer(200, json.dumps({"matching_records": len(rows), "cases": list(rows), **more}).encode())


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
async def asking(*answers: bytes) -> AsyncIterator[Asking]:
    """Each request gets the next answer; after one that is cut off, the connection ends."""
    left, waited = list(answers), list[float]()

    async def behave(line: Line) -> None:
        while True:
            await line.request()
            said = left.pop(0)
            await line.say(said)
            if said is CUT:
                line.reset()
                return

    async def sleep(seconds: float) -> None:
        """Nobody waits here; `waiting` is told."""

    async with wire(behave) as server, Http() as http:
        account = Account(f"{server.url}/", "selam", "amina@example.org", "secret")
        yield Asking(Client(http, account, sleep=sleep, waiting=waited.append), server, waited)


async def test_a_page_is_asked_for_with_the_key_and_of_the_next_address_only_the_cursor_is_heeded() -> None:
    elsewhere = "https://elsewhere.example/a/other/api/case/v2/?cursor=cD0%3D&limit=9"
    async with asking(told([{"case_id": "1"}], elsewhere), told([{"case_id": "2"}])) as here:
        page = await here.client.page([("limit", "2"), ("case_type", "a b"), ("case_type", "c")])
        assert (page.rows, page.cursor, page.left) == ([{"case_id": "1"}], "cD0=", 1)
        page = await here.client.page([("limit", "2")], page.cursor)
        assert (page.rows, page.cursor) == ([{"case_id": "2"}], "")
        assert here.asked == [
            f"{LIST}?limit=2&case_type=a%20b&case_type=c",
            f"{LIST}?cursor=cD0%3D",
        ]
        assert here.server.requests[0].headers["authorization"] == "ApiKey amina@example.org:secret"


async def test_a_cursor_may_be_told_in_an_object() -> None:
    async with asking(told([{}], {"cursor": "cD0="}), told([{}], {"cursor": 1})) as here:
        assert [(await here.client.page([])).cursor for _ in range(2)] == ["cD0=", ""]


@pytest.mark.parametrize("failure", [CUT, BROKEN, CRASHED], ids=["cut off", "503", "500"])
async def test_what_was_not_answered_is_asked_again(failure: bytes) -> None:
    async with asking(failure, failure, told([])) as here:
        assert (await here.client.page([])).rows == []
        assert here.waited == [1.0, 2.0]


async def test_it_gives_up_after_some_tries() -> None:
    async with asking(*[CRASHED] * TRIES) as here:
        with pytest.raises(Unavailable, match="HTTP 500"):
            await here.client.page([])
        assert here.waited == [1.0, 2.0, 4.0, 8.0, 16.0]


async def test_where_it_says_too_many_it_is_waited_as_long_as_it_says_fractions_too() -> None:
    throttled = [answer(429, b"", f"Retry-After: {after}") for after in ("7.25", "30", "99999999", "soon")]
    async with asking(*throttled, answer(429, b""), told([])) as here:
        await here.client.page([])
        assert here.waited == [7.25, 30.0, 86_400.0, 60.0, 60.0]


@pytest.mark.parametrize(
    ("said", "error", "where", "match"),
    [
        (answer(401, b""), Misconfigured, "key", "API Keys"),
        (answer(403, b""), Misconfigured, "username", "Edit Data"),
        (answer(404, b""), Misconfigured, "domain", "no project selam"),
        (answer(400, b'{"error": "\'x\' is not a valid parameter."}'), Refused, "", "'x' is not a valid"),
        (answer(400, b"<html>"), Refused, "", "does not say why"),
        (answer(302, b""), Unavailable, "base_url", "HTTP 302"),
        (answer(200, b"<html>"), Unavailable, "", "no JSON"),
        (answer(200, b"[]"), Unavailable, "", "no list of cases"),
        (answer(200, b'{"cases": [1]}'), Unavailable, "", "no list of cases"),
    ],
    ids=["401", "403", "404", "400", "400 of a proxy", "302", "a page", "a list", "no cases"],
)
async def test_what_it_does_not_do_is_told_with_what_to_do(
    said: bytes, error: type[ClarionError], where: str, match: str
) -> None:
    async with asking(said) as here:
        with pytest.raises(error, match=match) as refused:
            await here.client.page([])
        assert refused.value.where == where
        assert "secret" not in str(refused.value)


async def test_a_list_that_leads_to_itself_ends() -> None:
    async with asking(told([{}], "?cursor=cD0%3D"), told([], "?cursor=eA%3D%3D")) as here:
        for cursor in ("cD0=", "eQ=="):
            with pytest.raises(Unavailable, match="does not end"):
                await here.client.page([], cursor)


@pytest.mark.parametrize(
    "failures", [[answer(400, b"{}")], [CRASHED] * TRIES], ids=["refused", "broken by it"]
)
async def test_a_cursor_that_it_cannot_read_is_told_apart(failures: list[bytes]) -> None:
    async with asking(*failures) as here:
        with pytest.raises(LostPlace):
            await here.client.page([], "cD0=")


# --- a place in the list


async def test_who_has_lost_the_place_goes_on_a_little_before_what_was_seen_last() -> None:
    seen = {"case_id": "1", "indexed_on": "2026-03-02T09:20:00.5Z"}
    async with asking(told([seen], "?cursor=cD0%3D"), answer(400, b"{}"), told([])) as here:
        read = [one async for one in batches(here.client, Wanted(page=1))]
        assert here.asked == [
            f"{LIST}?limit=1",
            f"{LIST}?cursor=cD0%3D",
            f"{LIST}?limit=1&indexed_on.gte=2026-03-02T09%3A10%3A00.500000Z",
        ]
        assert [one.last for one in read] == [False, True]


async def test_whose_place_is_lost_again_and_again_is_told() -> None:
    page = told([{"case_id": "1"}], "?cursor=cD0%3D")
    async with asking(*[page, answer(400, b"{}")] * 4) as here:
        with pytest.raises(Unavailable, match="its own pages"):
            [one async for one in batches(here.client, Wanted())]


def test_a_place_is_kept_as_json_and_what_is_none_is_refused() -> None:
    kept = {"since": "2026-03-02T09:00:00.000000Z", "cursor": "cD0=", "seen": "2026-03-02T09:20:00.500000Z"}
    assert place(kept).kept() == kept
    assert (Place().kept(), place({})) == ({}, Place())
    for bad in ({"since": "soon"}, {"seen": 3}, {"cursor": 3}):
        with pytest.raises(Invalid, match="no place"):
            place(bad)


@pytest.mark.parametrize("size", [0, 5_001])
def test_a_page_that_commcare_does_not_give_is_refused(size: int) -> None:
    with pytest.raises(Invalid, match=r"1 to 5,000"):
        Wanted(page=size)
