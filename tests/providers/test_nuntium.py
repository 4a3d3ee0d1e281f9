"""Nuntium: the exact request, what each answer means, looking up, and what its callbacks say."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from clarion.errors import Misconfigured
from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Evidence,
    Fault,
    Found,
    Inbound,
    Parcel,
    Receipt,
    Template,
    Text,
    Told,
)
from tests.kit.wire import Line, Wire, always, answer, wire

NUNTIUM = registry.get("nuntium")
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "tel", "+254712000001", Text('Habari, "Amina"'))
LOGIN = {"username": "selam/clarion", "password": "p:w", "hook_key": "shh"}
HOOK = "https://clarion.example/hooks/1"
TAKEN = answer(200, b"", f"X-Nuntium-Token: {REFERENCE}")


def account(base_url: str, **more: Any) -> Account:
    return replace(Account(base_url, "4444", LOGIN, connect_timeout=10.0, total_timeout=10.0), **more)


async def send(http: Http, reply: bytes, parcel: Parcel = HELLO, **more: Any) -> tuple[Told, Wire]:
    """One try at a server that answers so."""
    async with wire(always(reply)) as server:
        told = await NUNTIUM.sender(account(server.url, **more), http).send(parcel)
    return told, server


# --- the request

REQUESTS: dict[str, tuple[Parcel, dict[str, Any], dict[str, str]]] = {
    "from a number": (HELLO, {}, {"from": "sms://4444"}),
    "from an international number": (HELLO, {"sender": "+254700000000"}, {"from": "sms://254700000000"}),
    "from whichever": (HELLO, {"sender": ""}, {}),
    "over one channel": (
        HELLO, {"options": {"channel": "smpp1"}}, {"from": "sms://4444", "channel": "smpp1"}),
    "in any script": (
        replace(HELLO, content=Text("ሰላም\n🎉")), {}, {"from": "sms://4444", "body": "ሰላም\n🎉"}),
}  # fmt: skip


@pytest.mark.parametrize("label", REQUESTS)
async def test_the_request_is_exactly_this(http: Http, label: str) -> None:
    parcel, more, fields = REQUESTS[label]
    told, server = await send(http, TAKEN, parcel, **more)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/ao_messages.json")
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"selam/clarion:p:w"
    assert request.headers["content-type"] == "application/json"
    common = {"to": "sms://254712000001", "body": 'Habari, "Amina"', "guid": REFERENCE, "token": REFERENCE}
    assert json.loads(request.body) == [common | fields]
    assert told == Told(Answered.ACCEPTED)


async def test_a_template_of_another_provider_is_not_sent(http: Http) -> None:
    told, server = await send(http, TAKEN, replace(HELLO, content=Template("closed", "en")))
    assert (told.answered, told.fault, server.requests) == (Answered.LATER, Fault.CONTENT, [])


LACKING: list[tuple[str, dict[str, Any]]] = [
    ("base_url", {"base_url": ""}),
    ("a user", {"credentials": {"password": "p"}}),
    ("an application", {"credentials": LOGIN | {"username": "selam"}}),
    ("a password", {"credentials": {"username": "selam/clarion"}}),
]


@pytest.mark.parametrize(("label", "more"), LACKING)
def test_a_channel_that_lacks_what_it_needs_says_so(label: str, more: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        NUNTIUM.sender(replace(account("http://127.0.0.1:9"), **more), Http())


# --- what an answer means: Nuntium has no codes

LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
ANSWERS: dict[str, tuple[bytes, Told]] = {
    "taken": (TAKEN, Told(Answered.ACCEPTED)),
    "a 200 of somebody else": (answer(200, b"<html>"), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "a 202": (answer(202, b"", "X-Nuntium-Token: x"), Told(UNKNOWN, None, Fault.PROVIDER, "http_202")),
    "nobody we know": (answer(401, b""), Told(LATER, None, Fault.ACCOUNT, "http_401")),
    "not well asked": (answer(400, b""), Told(REFUSED, None, Fault.PROVIDER, "http_400")),
    "too fast": (answer(429, b"", "Retry-After: 3"), Told(LATER, None, Fault.RATE, "http_429", None, 3.0)),
    "broken": (answer(500, b"<h1>"), Told(UNKNOWN, None, Fault.PROVIDER, "http_500")),
    "away": (answer(503, b""), Told(UNKNOWN, None, Fault.PROVIDER, "http_503")),
}


@pytest.mark.parametrize("label", ANSWERS)
async def test_each_answer_ends_so(http: Http, label: str) -> None:
    reply, end = ANSWERS[label]
    told, server = await send(http, reply)
    assert told == end
    assert len(server.requests) == 1


# --- looking up


def known(state: str, token: str = REFERENCE) -> bytes:
    return answer(
        200, json.dumps([{"guid": REFERENCE, "token": token, "state": state, "body": "x"}]).encode()
    )


LOOK_UPS: dict[str, tuple[bytes, Found | None]] = {
    "queued": (known("queued"), Found(True, None, Evidence.ACCEPTED)),
    "delivered to its channel": (known("delivered"), Found(True, None, Evidence.ACCEPTED)),
    "confirmed": (known("confirmed"), Found(True, None, Evidence.DELIVERED)),
    "failed": (known("failed"), Found(True, None, Evidence.FAILED)),
    "cancelled": (known("cancelled"), Found(True, None, Evidence.FAILED)),
    "a state that nobody knows": (known("odd"), Found(True, None, Evidence.ACCEPTED)),
    "nothing": (answer(200, b"[]"), Found(False)),
    "of another token": (known("queued", "t"), Found(False)),
    "away": (answer(503, b""), None),
    "garbled": (answer(200, b"["), None),
    "another shape": (answer(200, b'{"a":1}'), None),
    "no shape": (answer(200, b"[5]"), None),
}


@pytest.mark.parametrize("label", LOOK_UPS)
async def test_a_look_up_says_what_it_knows_or_nothing(http: Http, label: str) -> None:
    reply, found = LOOK_UPS[label]
    async with wire(always(reply)) as server:
        assert await NUNTIUM.sender(account(server.url), http).look_up(REFERENCE) == found
    assert [(r.method, r.path) for r in server.requests] == [
        ("GET", f"/api/ao_messages.json?token={REFERENCE}")
    ]


async def test_a_look_up_that_is_not_answered_says_nothing(http: Http) -> None:
    async def hang_up(line: Line) -> None:
        await line.request()

    async with wire(hang_up) as server:
        assert await NUNTIUM.sender(account(server.url), http).look_up(REFERENCE) is None


# --- who calls, and what is said


def login(password: str, user: str = "anybody", kind: str = "Basic") -> dict[str, str]:
    return {"authorization": f"{kind} " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def called(form: dict[str, str], headers: dict[str, str] | None = None) -> Call:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return Call("POST", HOOK, kind | (headers or {}), urlencode(form).encode())


def test_the_password_makes_a_call_genuine_and_nothing_else_does() -> None:
    ours = account("")
    assert NUNTIUM.verified(ours, called({}, login("shh")))
    forged: list[dict[str, str]] = [
        {}, login("guess"), login(""), login("shh", kind="Bearer"), {"authorization": "Basic shh"},
        {"authorization": "Basic \xe9"}, {"authorization": "Basic \udcff"}, {"authorization": ""},
    ]  # fmt: skip
    assert not any(NUNTIUM.verified(ours, called({}, headers)) for headers in forged)
    for secrets in ({}, {"hook_key": ""}):
        assert not NUNTIUM.verified(account("", credentials=secrets), called({}, login("")))


STATES = {"delivered": Evidence.ACCEPTED, "confirmed": Evidence.DELIVERED, "failed": Evidence.FAILED}


@pytest.mark.parametrize("state", STATES)
def test_an_acknowledgement_is_this_receipt(state: str) -> None:
    form = {"guid": REFERENCE, "channel": "smpp1", "state": state, "country": "ke"}
    receipt = Receipt(STATES[state], None, REFERENCE)
    assert list(NUNTIUM.read(account(""), called(form))) == [receipt]
    by_get = Call("GET", f"{HOOK}?{urlencode(form)}", {})
    assert list(NUNTIUM.read(account(""), by_get)) == [receipt]


def test_a_state_that_nobody_knows_says_nothing() -> None:
    assert list(NUNTIUM.read(account(""), called({"guid": REFERENCE, "state": "odd"}))) == []


@pytest.mark.parametrize(
    ("sender", "address"), [("sms://254712000001", "+254712000001"), ("sms://4444", "4444")]
)
def test_what_a_person_writes_is_this_message(sender: str, address: str) -> None:
    form = {"application": "clarion", "from": sender, "to": "sms://4444", "subject": "",
            "body": "STOP & ሰላም", "guid": "g-1", "channel": "smpp1"}  # fmt: skip
    assert list(NUNTIUM.read(account(""), called(form))) == [
        Inbound("g-1", "tel", address, "STOP & ሰላም", None)
    ]


@pytest.mark.parametrize("form", [{}, {"guid": "g"}, {"state": "failed"}, {"from": "sms://1", "body": "x"}])
def test_what_is_neither_is_told_as_that(form: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="neither"):
        NUNTIUM.read(account(""), called(form))
