"""Apprise: the exact request, what can be read off its words, and what it may not reach or repeat."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from dataclasses import replace
from typing import Any

import pytest

from clarion.errors import Misconfigured
from clarion.kit.http import Http, departing
from clarion.providers import registry
from clarion.providers.contract import Account, Answered, Call, Fault, Mail, Parcel, Text, Told
from clarion.providers.threads import Threads
from tests.kit.wire import Line, Wire, always, answer, wire

APPRISE = registry.get("apprise")
HELLO = Parcel("202603.0199c0de000070008000000000000001", "tel", "+254712000001", Text("Habari, ሰላም & co"))
URL = "json://{host}/to/{address}?+X-Key=shh"


def account(base_url: str = "http://127.0.0.1:9", url: str = URL, **more: Any) -> Account:
    return replace(Account(base_url, "room", {"url": url}, connect_timeout=10.0, total_timeout=10.0), **more)


async def send(http: Http, reply: bytes, parcel: Parcel = HELLO, **more: Any) -> tuple[Told, Wire]:
    """One try at a server that answers so."""
    async with wire(always(reply)) as server:
        told = await APPRISE.sender(account(server.url, **more), http).send(parcel)
    return told, server


async def test_the_request_is_exactly_this(http: Http) -> None:
    told, server = await send(http, answer(200, b""), options={"title": "Selam Clinic"})
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/to/+254712000001")
    assert request.headers["x-key"] == "shh"
    assert json.loads(request.body) == {
        "version": "1.0", "title": "Selam Clinic", "message": "Habari, ሰላም & co", "attachments": [],
        "type": "info",
    }  # fmt: skip
    assert told == Told(Answered.ACCEPTED)


ADDRESSES: dict[str, tuple[str, Parcel, str]] = {
    "a number": (URL, HELLO, "/to/+254712000001"),
    "a mailbox": (URL, replace(HELLO, scheme="mailto", address="a&b@example.org"), "/to/a&b@example.org"),
    "one that would lead elsewhere": (URL, replace(HELLO, address="x/../y?z=1"), "/to/x%2F..%2Fy%3Fz=1"),
    "a room for everybody": ("json://{host}/room", HELLO, "/room"),
}


@pytest.mark.parametrize("label", ADDRESSES)
async def test_the_address_is_where_the_url_wants_it(http: Http, label: str) -> None:
    url, parcel, path = ADDRESSES[label]
    _, server = await send(http, answer(200, b""), parcel, url=url)
    assert [one.path for one in server.requests] == [path]


L, R, U = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
STATUSES: dict[int, tuple[Answered, Fault | None]] = {
    200: (Answered.ACCEPTED, None),
    204: (Answered.ACCEPTED, None),
    400: (R, Fault.PERSON),
    401: (L, Fault.ACCOUNT),
    403: (L, Fault.ACCOUNT),
    404: (R, Fault.PERSON),
    410: (R, Fault.PERSON),
    429: (L, Fault.RATE),
    500: (U, Fault.PROVIDER),
    502: (U, Fault.PROVIDER),
    503: (U, Fault.PROVIDER),
}


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_means_this(http: Http, status: int) -> None:
    told, server = await send(http, answer(status, b"error=404."))
    assert (told.answered, told.fault) == STATUSES[status]
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", [URL, URL + "&redirect=yes&retry=3&wait=0"])
async def test_no_redirect_is_followed_and_nothing_is_repeated_whatever_the_url_says(
    http: Http, url: str
) -> None:
    told, server = await send(http, answer(307, b"", "Location: /elsewhere"), url=url)
    assert (told.answered, told.fault) == (U, Fault.PROVIDER)
    assert len(server.requests) == 1


async def test_a_long_text_is_one_request(http: Http) -> None:
    long = replace(HELLO, content=Text("a" * 40_000))
    told, server = await send(http, answer(200, b""), long, url=URL + "&overflow=split")
    assert (told.answered, len(server.requests)) == (Answered.ACCEPTED, 1)


async def test_of_several_targets_nothing_is_believed(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """One may have it: who is refused then is not the message."""
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "__len__", lambda _: 2)
    told, _ = await send(http, answer(404, b""))
    assert (told.answered, told.fault) == (U, Fault.PROVIDER)


async def test_what_a_person_is_told_is_not_taken_for_an_answer(http: Http) -> None:
    """Apprise logs texts too."""

    async def hang_up(line: Line) -> None:
        await line.request()
        line.reset()

    async with wire(hang_up) as server:
        parcel = replace(HELLO, content=Text("error=404. NewConnectionError"))
        told = await APPRISE.sender(account(server.url), http).send(parcel)
    assert (told.answered, told.fault) == (U, Fault.NETWORK)


async def test_what_it_logs_is_for_nobody_else(http: Http) -> None:
    class Everybody(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.name)

    logged: list[str] = []
    root, everybody = logging.getLogger(), Everybody(logging.DEBUG)
    root.addHandler(everybody)
    try:
        told, _ = await send(http, answer(404, b""))
    finally:
        root.removeHandler(everybody)
    assert told.answered is R
    assert not [name for name in logged if name.startswith("apprise")]


async def test_mail_is_not_what_it_carries(http: Http) -> None:
    told, server = await send(http, answer(200, b""), replace(HELLO, content=Mail("a", "b")))
    assert (told.answered, told.fault, server.requests) == (L, Fault.CONTENT, [])


@pytest.mark.parametrize(
    "url", ["", "nonsense", "nothing://here", "syslog://", "dbus://", "https://{host}/x"]
)
async def test_what_is_no_service_is_told_when_the_channel_opens(http: Http, url: str) -> None:
    with pytest.raises(Misconfigured):
        APPRISE.sender(account(url=url), http)


async def test_where_private_addresses_are_not_allowed_a_url_may_not_choose_its_host() -> None:
    slack = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#news"
    async with Http(allow_private=False) as http:
        APPRISE.sender(account(url=slack), http)
        for url in (URL, "xml://10.0.0.7/x", "mailto://u:p@example.org", "mqtt://example.org/topic"):
            with pytest.raises(Misconfigured):
                APPRISE.sender(account(url=url), http)


def test_it_hears_nothing() -> None:
    call = Call("POST", "https://clarion.example/hooks/1", {}, b"{}")
    assert not APPRISE.verified(account(), call)
    with pytest.raises(ValueError):
        APPRISE.read(account(), call)


# --- threads


class Departure:
    def __init__(self, refuse: bool = False) -> None:
        self.refuse, self.left = refuse, 0

    def check(self) -> None:
        if self.refuse:
            raise LookupError("too late")

    def leave(self) -> None:
        self.left += 1


async def test_a_call_that_lasts_too_long_is_unknown_and_keeps_its_place_until_its_thread_has_ended() -> None:
    threads, over = Threads("test", 1), threading.Event()

    def lasts() -> Told:
        over.wait()
        return Told(Answered.ACCEPTED)

    first = await threads.run(lasts, 0.05)
    second = await threads.run(lasts, 0.05)
    over.set()
    third = await threads.run(lasts, 5.0)
    assert (first.answered, first.fault) == (U, Fault.NETWORK)
    assert (second.answered, second.fault) == (L, Fault.NETWORK), "it was never begun"
    assert third.answered is Answered.ACCEPTED


async def test_a_call_is_marked_before_its_thread_begins_and_who_is_too_late_makes_none() -> None:
    threads, called = Threads("test", 1), 0
    departure = Departure()

    def call() -> Told:
        nonlocal called
        called += 1
        assert departure.left == 1
        return Told(Answered.ACCEPTED)

    token = departing.set(Departure(refuse=True))
    with pytest.raises(LookupError):
        await threads.run(call, 1.0)
    departing.reset(token)
    token = departing.set(departure)
    told = await threads.run(call, 1.0)
    departing.reset(token)
    assert (told.answered, called) == (Answered.ACCEPTED, 1)


async def test_a_fault_in_a_thread_is_unknown() -> None:
    def breaks() -> Told:
        raise RuntimeError("half way")

    told = await Threads("test", 1).run(breaks, 1.0)
    assert (told.answered, told.code, told.detail) == (U, "fault", "RuntimeError")


async def test_so_many_at_once_and_no_more() -> None:
    threads, lock, state = Threads("test", 3), threading.Lock(), {"now": 0, "most": 0}
    meet = threading.Barrier(3, timeout=5)

    def call() -> Told:
        with lock:
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
        meet.wait()
        with lock:
            state["now"] -= 1
        return Told(Answered.ACCEPTED)

    await asyncio.gather(*(threads.run(call, 5.0) for _ in range(9)))
    assert state == {"now": 0, "most": 3}
