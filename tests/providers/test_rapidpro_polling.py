"""Asking RapidPro what happened: which windows are read when, what is news, and where a reading goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clarion.kit.clock import FakeClock
from clarion.kit.http import Http
from clarion.providers.abilities import Polling, Reread
from clarion.providers.contract import Evidence, Inbound, Receipt
from clarion.providers.rapidpro import RapidPro
from clarion.providers.rereading import moment, read
from tests.kit.wire import Line, Wire, answer, wire
from tests.providers.test_rapidpro import (
    AMINA,
    NOW,
    REFERENCE,
    THROTTLED,
    account,
    complaint,
    listed,
    message,
    name_of,
    start,
)


@dataclass
class Asked:
    """A workspace's lists, which a test changes, and who asks for them."""

    clock: FakeClock
    server: Wire
    lists: dict[str, list[Any]]
    http: Http
    sender: Polling
    let: asyncio.Event  # whether flow starts are told
    held: asyncio.Event
    cursor: str = ""

    async def ask(self, *, keep: bool = True) -> Reread:
        """Ask once; the answer is kept, or lost with whoever asked."""
        told = await self.sender.poll(self.cursor)
        if keep:
            self.cursor = told.cursor
        return told

    def anew(self) -> None:
        """Another process asks from now on."""
        self.sender = polling(self.clock, self.server, self.http)

    def asked_for(self, name: str) -> list[str]:
        """From which moments this list was asked for, as time passed since the beginning."""
        paths = [request.path for request in self.server.requests if name_of(request) == name]
        return [str(NOW - moment(parse_qs(urlsplit(path).query)["after"][0])) for path in paths]


def polling(clock: FakeClock, server: Wire, http: Http, **options: Any) -> Polling:
    sender = RapidPro(clock).sender(account(server.url, **options), http)
    assert isinstance(sender, Polling)
    return sender


@pytest.fixture
async def asked(http: Http) -> AsyncIterator[Asked]:
    async with asking(http) as asked:
        yield asked


@asynccontextmanager
async def asking(http: Http, **options: Any) -> AsyncIterator[Asked]:
    """Each list answers with its rows at that moment, or with the bytes that lie in front of them."""
    lists: dict[str, list[Any]] = {"messages": [], "flow_starts": []}
    clock, let, held = FakeClock(NOW), asyncio.Event(), asyncio.Event()
    let.set()

    async def behave(line: Line) -> None:
        while True:
            name = name_of(await line.request())
            if name == "flow_starts" and not let.is_set():
                held.set()
                await let.wait()
            rows = lists[name]
            odd = rows.pop(0) if rows and isinstance(rows[0], bytes) else None
            await line.say(odd or listed(rows, at=clock.now()))

    async with wire(behave) as server:
        yield Asked(clock, server, lists, http, polling(clock, server, http, **options), let, held)


def said(told: Reread) -> list[Receipt | Inbound]:
    return [one for call in told.calls for one in read(call)]


async def test_it_tells_of_texts_of_flow_starts_and_of_what_people_wrote(asked: Asked) -> None:
    reply = message(9, "handled", direction="in", broadcast=None, text="STOP")
    asked.lists["messages"] = [message(1, "delivered"), message(2, broadcast=None), reply]
    asked.lists["flow_starts"] = [start(7, clarion=REFERENCE), start(8, name="theirs"), start(9)]
    told = await asked.ask()
    assert said(told) == [
        Receipt(Evidence.DELIVERED, NOW, None, "1234"),
        Inbound("9", "tel", AMINA, "STOP", NOW),
        Receipt(Evidence.ACCEPTED, NOW, REFERENCE, start(7)["uuid"]),
    ]
    assert (told.wait, told.problem) == (60.0, None)
    assert {call.headers["content-type"] for call in told.calls} == {"application/json"}


async def test_what_was_told_is_not_told_again_until_it_changes(asked: Asked) -> None:
    asked.lists["messages"] = [message(1, "wired")]
    asked.lists["flow_starts"] = [start(7, clarion=REFERENCE)]
    assert len(said(await asked.ask())) == 2
    assert said(await asked.ask()) == []
    asked.lists["messages"] = [message(1, "delivered")]
    assert said(await asked.ask()) == [Receipt(Evidence.DELIVERED, NOW, None, "1234")]
    assert said(await asked.ask()) == []


async def test_what_was_not_kept_is_told_again(asked: Asked) -> None:
    asked.lists["messages"] = [message(1, "delivered")]
    await asked.ask()
    asked.lists["messages"].append(message(2, "failed"))
    lost = await asked.ask(keep=False)
    again = await asked.ask()
    assert len(said(lost)) == 1
    assert {one.evidence for one in said(again) if isinstance(one, Receipt)} >= {Evidence.FAILED}


async def test_what_was_read_when_nobody_waited_for_it_any_more_is_told_again(asked: Asked) -> None:
    """The second list does not answer; who asked gives up, and asks again from the same place."""
    await asked.ask()
    asked.lists["messages"] = [message(1, "delivered")]
    asked.let.clear()
    asking = asyncio.create_task(asked.sender.poll(asked.cursor))
    await asked.held.wait()
    asking.cancel()
    await asyncio.wait({asking})
    asked.let.set()
    assert [one.evidence for one in said(await asked.ask()) if isinstance(one, Receipt)] == [
        Evidence.DELIVERED
    ]


async def test_another_process_tells_the_last_minutes_again_and_misses_nothing(asked: Asked) -> None:
    asked.lists["messages"] = [message(1, "delivered")]
    await asked.ask()
    asked.anew()
    asked.lists["messages"].append(message(2, "failed"))
    assert len(said(await asked.ask())) == 2


async def test_the_first_question_is_of_the_last_minutes_and_the_next_overlaps_it(asked: Asked) -> None:
    await asked.ask()
    asked.clock.advance(60)
    await asked.ask()
    assert asked.asked_for("messages") == asked.asked_for("flow_starts") == ["0:10:00", "0:10:00"]
    asked.clock.advance(60)
    await asked.ask()
    assert asked.asked_for("messages")[-1] == "0:09:00", "ten minutes before the last"


@pytest.mark.parametrize(("hours", "since"), [(24, "0:10:00"), (1, "-1 day, 23:30:00")])
async def test_a_large_window_is_read_now_and_then_and_never_before_the_beginning(
    http: Http, hours: int, since: str
) -> None:
    async with asking(http, reread_hours=hours) as asked:
        for _ in range(46):
            await asked.ask()
            asked.clock.advance(120)
        windows = asked.asked_for("messages")
    assert windows[44] == "-1 day, 22:44:00", "as ever: ten minutes before the last one began"
    assert windows[45] == since, "an hour and a half after the beginning"


async def test_a_status_that_comes_hours_later_is_seen_in_the_large_window(asked: Asked) -> None:
    asked.lists["messages"] = [message(1, "wired")]
    await asked.ask()
    asked.lists["messages"] = []  # out of the small window
    for _ in range(5):
        asked.clock.advance(300)
        assert said(await asked.ask()) == []
    asked.clock.advance(300)
    asked.lists["messages"] = [message(1, "read")]
    assert [one.evidence for one in said(await asked.ask()) if isinstance(one, Receipt)] == [Evidence.READ]


async def test_a_long_list_is_read_some_pages_at_once_and_goes_on_where_it_ended(asked: Asked) -> None:
    asked.lists["messages"] = [
        listed([message(n, broadcast=n)], f"https://elsewhere.example/?cursor=c{n}") for n in range(1, 6)
    ]
    asked.lists["messages"].append(message(6, broadcast=6))
    first, second = await asked.ask(), await asked.ask()
    assert (first.wait, second.wait) == (0.0, 60.0)
    names = [one.provider_id for told in (first, second) for one in said(told)]
    assert names == ["1", "2", "3", "4", "5", "6"]
    paths = [request.path for request in asked.server.requests if name_of(request) == "messages"]
    assert [path.partition("&cursor=")[2] for path in paths] == ["", "c1", "c2", "c3", "c4", "c5"]
    assert len({path.partition("&")[0] for path in paths}) == 1, "all of one window"


class Running(FakeClock):
    """Half a minute passes whenever somebody looks."""

    def monotonic(self) -> float:
        self.advance(30)
        return super().monotonic()


async def test_who_answers_slowly_is_asked_for_one_page_at_once_and_gets_there(asked: Asked) -> None:
    pages = [listed([message(n, broadcast=n)], f"?cursor=c{n}") for n in range(1, 4)]
    asked.lists["messages"] = [*pages, message(4, broadcast=4)]
    asked.sender = polling(Running(NOW), asked.server, asked.http)
    told = [await asked.ask() for _ in range(3)]
    assert [[one.provider_id for one in said(part)] for part in told] == [["1", "2"], ["3", "4"], []]
    assert [part.wait for part in told] == [0.0, 60.0, 60.0]


async def test_another_process_goes_on_with_a_long_list_too(asked: Asked) -> None:
    pages = [listed([message(n, broadcast=n)], f"?cursor=c{n}") for n in range(1, 5)]
    asked.lists["messages"] = [*pages, message(5, broadcast=5)]
    await asked.ask()
    asked.anew()
    assert [one.provider_id for one in said(await asked.ask())] == ["5"]


async def test_a_place_that_is_not_known_any_more_is_given_up_and_the_window_read_anew(asked: Asked) -> None:
    asked.lists["messages"] = [listed([], "?cursor=c1"), complaint(404, {"detail": "Invalid cursor"})]
    lost = await asked.ask()
    assert (lost.problem, lost.wait) == ("http_404", None)
    asked.lists["messages"] = [message(1, "delivered")]
    assert len(said(await asked.ask())) == 1
    assert "cursor" not in asked.server.requests[-2].path


@pytest.mark.parametrize(
    ("reply", "problem", "wait"),
    [
        (complaint(429, THROTTLED, "Retry-After: 2400"), "throttled", 2400.0),
        (complaint(429, THROTTLED), "throttled", 60.0),
        (complaint(403, {"detail": "Invalid token"}), "http_403", None),
        (answer(500, b"Server Error"), "http_500", None),
        (answer(200, b'{"results": ['), "unreadable", None),
        (answer(200, b"[]"), "unreadable", None),
    ],
    ids=["throttled", "throttled without a time", "no token", "broken", "cut off", "something else"],
)
async def test_who_does_not_answer_is_asked_again_from_the_same_place(
    asked: Asked, reply: bytes, problem: str, wait: float | None
) -> None:
    asked.lists["messages"] = [listed([message(1, "delivered")], "?cursor=c1"), reply, message(2, "failed")]
    asked.lists["flow_starts"] = [start(7, clarion=REFERENCE)]
    told = await asked.ask()
    assert (told.problem, told.wait) == (problem, wait)
    assert len(said(told)) == 2, "what was told is kept, and the other list is asked all the same"
    asked.clock.advance(2400)
    again = await asked.ask()
    assert [one.evidence for one in said(again) if isinstance(one, Receipt)] == [Evidence.FAILED]
    assert asked.server.requests[-2].path.endswith("&cursor=c1")


async def test_nobody_there_is_a_problem_too(http: Http) -> None:
    sender = RapidPro(FakeClock(NOW)).sender(account("http://nobody.invalid"), http)
    assert isinstance(sender, Polling)
    told = await sender.poll("")
    assert (told.calls, told.wait, told.problem) == ((), None, "unreachable")
    assert json.loads(told.cursor)["messages"]["walk"] is not None
