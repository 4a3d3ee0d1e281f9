"""Verboice: the exact request for a call, what each answer means, and its statuses."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree

import pytest

from clarion.errors import Misconfigured
from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.calling import proof
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Evidence,
    Fault,
    Parcel,
    Receipt,
    Template,
    Text,
    Told,
)
from tests.kit.wire import Line, Wire, always, answer, wire

VERBOICE = registry.get("verboice")
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "tel", "+254712000001", Text("Habari, Amina"))
LOGIN = {"username": "selam@example.org", "password": "p:w", "hook_key": "shh"}
HOOK = "https://clarion.example/hooks/1"
QUEUED = answer(200, b'{"call_id":755961,"state":"queued"}')


def account(base_url: str, **more: Any) -> Account:
    made = Account(base_url, "sip1", LOGIN, connect_timeout=10.0, total_timeout=10.0, hook=HOOK)
    return replace(made, **more)


async def send(http: Http, reply: bytes, parcel: Parcel = HELLO, **more: Any) -> tuple[Told, Wire]:
    """One try at a server that answers so."""
    async with wire(always(reply)) as server:
        told = await VERBOICE.sender(account(server.url, **more), http).send(parcel)
    return told, server


# --- the request

REQUESTS: dict[str, tuple[Parcel, dict[str, Any], dict[str, str], str]] = {
    "a call": (HELLO, {}, {}, "<Response><Say>Habari, Amina</Say></Response>"),
    "in a language": (
        HELLO, {"options": {"language": "sw"}}, {},
        '<Response><Say language="sw">Habari, Amina</Say></Response>'),
    "over a channel with a space": (
        HELLO, {"options": {"channel": "My SIP"}}, {"channel": "My SIP"},
        "<Response><Say>Habari, Amina</Say></Response>"),
    "with signs that XML means": (
        replace(HELLO, content=Text("ሰላም </Say> & \x00\x0b]]>")), {}, {},
        "<Response><Say>ሰላም &lt;/Say&gt; &amp; ]]&gt;</Say></Response>"),
}  # fmt: skip


@pytest.mark.parametrize("label", REQUESTS)
async def test_the_request_is_exactly_this(http: Http, label: str) -> None:
    parcel, more, fields, flow = REQUESTS[label]
    told, server = await send(http, QUEUED, parcel, **more)
    (request,) = server.requests
    path, _, query = request.path.partition("?")
    assert (request.method, path) == ("POST", "/api/call")
    login = request.headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(login) == b"selam@example.org:p:w"
    assert request.headers["content-type"] == "text/plain"
    callback = f"{HOOK}?ref={REFERENCE}&proof={proof('shh', REFERENCE)}"
    common = {"channel": "sip1", "address": "254712000001", "status_callback_url": callback}
    assert dict(parse_qsl(query, strict_parsing=True)) == common | fields
    assert request.body.decode() == flow
    assert ElementTree.fromstring(request.body).find("Say") is not None
    assert told == Told(Answered.ACCEPTED, provider_id="755961")


@pytest.mark.parametrize("more", [{"hook": ""}, {"credentials": {"username": "u", "password": "p"}}])
async def test_statuses_that_nobody_could_prove_are_not_asked_for(http: Http, more: dict[str, Any]) -> None:
    _, server = await send(http, QUEUED, **more)
    assert "status_callback_url" not in server.requests[0].path


async def test_a_template_of_another_provider_is_not_said(http: Http) -> None:
    told, server = await send(http, QUEUED, replace(HELLO, content=Template("closed", "en")))
    assert (told.answered, told.fault, server.requests) == (Answered.LATER, Fault.CONTENT, [])


@pytest.mark.parametrize("lacking", ["username", "password", "sender", "base_url"])
def test_a_channel_that_lacks_what_it_needs_says_so(lacking: str) -> None:
    secrets = {name: secret for name, secret in LOGIN.items() if name != lacking}
    whole = account("" if lacking == "base_url" else "http://127.0.0.1:9", credentials=secrets)
    with pytest.raises(Misconfigured):
        VERBOICE.sender(replace(whole, sender="" if lacking == "sender" else "sip1"), Http())


# --- what an answer means

LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
ANSWERS: dict[str, tuple[bytes, Told]] = {
    "queued": (QUEUED, Told(Answered.ACCEPTED, "755961")),
    "a number as text": (answer(200, b'{"call_id":"7"}'), Told(Answered.ACCEPTED, "7")),
    "no such channel": (
        answer(400, b'{"error":"Channel not found: sip1"}'),
        Told(LATER, None, Fault.ACCOUNT, "channel_not_found")),
    "a disabled channel": (
        answer(400, b'{"error":"Channel is disabled"}'),
        Told(LATER, None, Fault.ACCOUNT, "channel_disabled")),
    "nobody": (
        answer(400, b'{"error":"Call address cannot be empty"}'),
        Told(REFUSED, None, Fault.PERSON, "no_address")),
    "another error": (
        answer(400, b'{"error":"Not After date cannot be in the past"}'),
        Told(REFUSED, None, Fault.PROVIDER, "http_400")),
    "nobody we know": (answer(401, b""), Told(LATER, None, Fault.ACCOUNT, "http_401")),
    "the same words of a 500": (
        answer(500, b'{"error":"Channel is disabled"}'), Told(UNKNOWN, None, Fault.PROVIDER, "http_500")),
    "without a number": (answer(200, b'{"state":"queued"}'), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "an odd number": (answer(200, b'{"call_id":"x"}'), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "cut off": (answer(200, b'{"call_id":'), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "a list": (answer(200, b"[1]"), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "broken": (answer(502, b"<h1>"), Told(UNKNOWN, None, Fault.PROVIDER, "http_502")),
    "too fast": (answer(429, b""), Told(LATER, None, Fault.RATE, "http_429")),
}  # fmt: skip


@pytest.mark.parametrize("label", ANSWERS)
async def test_each_answer_ends_so(http: Http, label: str) -> None:
    reply, end = ANSWERS[label]
    told, server = await send(http, reply)
    assert replace(told, detail=None) == end
    assert len(server.requests) == 1


async def test_a_call_that_is_not_answered_is_unknown_and_cannot_be_asked_for(http: Http) -> None:
    async def hang_up(line: Line) -> None:
        await line.request()

    async with wire(hang_up) as server:
        sender = VERBOICE.sender(account(server.url), http)
        told = await sender.send(HELLO)
        assert await sender.look_up(REFERENCE) is None
    assert (told.answered, told.fault, len(server.requests)) == (UNKNOWN, Fault.NETWORK, 1)


# --- statuses


def status(word: str, **more: str) -> Call:
    said = {"ref": REFERENCE, "proof": proof("shh", REFERENCE), "CallSid": "755961", "CallStatus": word,
            "From": "254712000001", "CallDuration": "12"}  # fmt: skip
    return Call("GET", f"{HOOK}?{urlencode(said | more)}", {})


def test_a_status_is_genuine_by_its_proof() -> None:
    ours, told = account(""), status("completed")
    assert VERBOICE.verified(ours, told)
    forged = [
        status("completed", proof=""), status("completed", ref=REFERENCE[:-1] + "2"),
        status("completed", proof=proof("guess", REFERENCE)), status("completed", proof="shh", key="shh"),
        Call("GET", HOOK, {}),
    ]  # fmt: skip
    assert not any(VERBOICE.verified(ours, one) for one in forged)
    for secrets in ({}, {"hook_key": ""}):
        assert not VERBOICE.verified(account("", credentials=secrets), told)


STATES: dict[str, tuple[dict[str, str], Evidence, str | None, Fault | None]] = {
    "ringing": ({}, Evidence.ACCEPTED, None, None),
    "in-progress": ({}, Evidence.ACCEPTED, None, None),
    "completed": ({}, Evidence.DELIVERED, None, None),
    "failed": ({}, Evidence.FAILED, "failed", None),
    "busy": ({}, Evidence.FAILED, "busy", Fault.PERSON),
    "no-answer": ({}, Evidence.FAILED, "no-answer", Fault.PERSON),
    "expired": ({}, Evidence.FAILED, "expired", None),
    "failed ": ({"CallStatus": "failed", "CallStatusCode": "17"}, Evidence.FAILED, "17", None),
}


@pytest.mark.parametrize("word", STATES)
def test_a_status_is_this_receipt(word: str) -> None:
    more, evidence, code, fault = STATES[word]
    receipt = Receipt(evidence, None, REFERENCE, "755961", code, fault)
    assert list(VERBOICE.read(account(""), status(word, **more))) == [receipt]


def test_a_status_that_nobody_knows_says_nothing() -> None:
    assert list(VERBOICE.read(account(""), status("paused"))) == []


@pytest.mark.parametrize("query", ["", "ref=1", "CallStatus=failed"])
def test_what_is_no_status_is_told_as_that(query: str) -> None:
    with pytest.raises(ValueError, match="not a status"):
        VERBOICE.read(account(""), Call("GET", f"{HOOK}?{query}", {}))
