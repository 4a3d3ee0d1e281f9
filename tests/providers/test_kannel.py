"""Kannel: the exact request for every parcel, what each answer means, and what it reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

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
    Inbound,
    Parcel,
    Receipt,
    Template,
    Text,
    Told,
)
from tests.kit.wire import Line, Wire, always, answer, wire

KANNEL = registry.get("kannel")
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "tel", "+254712000001", Text("Habari, Amina"))
HOOK = "https://clarion.example/hooks/1"
LOGIN = {"username": "selam", "password": "s&cret", "hook_key": "k-1"}
ACCEPTED = answer(202, b"0: Accepted for delivery")
AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)


def account(base_url: str, **more: Any) -> Account:
    made = Account(base_url, "1000", LOGIN, connect_timeout=10.0, total_timeout=10.0, hook=HOOK)
    return replace(made, **more)


async def send(http: Http, reply: bytes, parcel: Parcel = HELLO, **more: Any) -> tuple[Told, Wire]:
    """One try at a server that answers so."""
    async with wire(always(reply)) as server:
        told = await KANNEL.sender(account(server.url, **more), http).send(parcel)
    return told, server


# --- the request

REPORTS = ["dlr-mask", "dlr-url"]
COMMON = {"username": "selam", "password": "s&cret", "from": "1000", "to": "+254712000001",
          "charset": "UTF-8", "coding": "0", "text": "Habari, Amina"}  # fmt: skip
REQUESTS: dict[str, tuple[Parcel, dict[str, Any], dict[str, str]]] = {
    "in the GSM alphabet": (HELLO, {}, {}),
    "with the euro and a plus": (replace(HELLO, content=Text("1+1 = €2 & ~")), {}, {"text": "1+1 = €2 & ~"}),
    "in another script": (
        replace(HELLO, content=Text("ሰላም\n🎉")), {}, {"coding": "2", "text": "ሰላም\n🎉"},
    ),
    "over one connection, urgently": (
        HELLO, {"options": {"smsc": "safaricom", "priority": 3}}, {"smsc": "safaricom", "priority": "3"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", REQUESTS)
async def test_the_request_is_exactly_this(http: Http, label: str) -> None:
    parcel, more, fields = REQUESTS[label]
    told, server = await send(http, ACCEPTED, parcel, **more)
    (request,) = server.requests
    path, _, query = request.path.partition("?")
    sent = dict(parse_qsl(query, strict_parsing=True, keep_blank_values=True))
    reports = {name: sent.pop(name) for name in REPORTS}
    assert (request.method, path, request.body) == ("GET", "/cgi-bin/sendsms", b"")
    assert sent == COMMON | fields
    assert reports["dlr-mask"] == "31"
    assert reports["dlr-url"].startswith(f"{HOOK}?ref={REFERENCE}&proof=")
    assert reports["dlr-url"].endswith("&status=%d&at=%T&id=%F&why=%A")
    assert told == Told(Answered.ACCEPTED)


async def test_sendsms_may_be_elsewhere(http: Http) -> None:
    _, server = await send(http, ACCEPTED, options={"path": "/sms/send"})
    assert server.requests[0].path.startswith("/sms/send?username=")


@pytest.mark.parametrize("more", [{"hook": ""}, {"credentials": {"username": "u", "password": "p"}}])
async def test_reports_that_nobody_could_prove_are_not_asked_for(http: Http, more: dict[str, Any]) -> None:
    _, server = await send(http, ACCEPTED, **more)
    assert "dlr" not in server.requests[0].path


async def test_an_address_to_be_filled_in_holds_no_escape_of_its_own(http: Http) -> None:
    _, server = await send(http, ACCEPTED, credentials=LOGIN | {"hook_key": "ключ %A + /"})
    filled = dict(parse_qsl(server.requests[0].path.partition("?")[2]))["dlr-url"]
    assert [filled[i + 1] for i, letter in enumerate(filled) if letter == "%"] == ["d", "T", "F", "A"]


async def test_a_template_of_another_provider_is_not_sent(http: Http) -> None:
    told, server = await send(http, ACCEPTED, replace(HELLO, content=Template("closed", "en")))
    assert (told.answered, told.fault, told.code) == (Answered.LATER, Fault.CONTENT, "not_text")
    assert server.requests == []


@pytest.mark.parametrize("lacking", ["username", "password", "sender", "base_url"])
def test_a_channel_that_lacks_what_it_needs_says_so(lacking: str) -> None:
    secrets = {name: secret for name, secret in LOGIN.items() if name != lacking}
    whole = account("" if lacking == "base_url" else "http://127.0.0.1:9", credentials=secrets)
    with pytest.raises(Misconfigured):
        KANNEL.sender(replace(whole, sender="" if lacking == "sender" else "1000"), Http())


# --- what an answer means

LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
ANSWERS: dict[str, tuple[int, bytes, Told]] = {
    "accepted": (202, b"0: Accepted for delivery", Told(Answered.ACCEPTED)),
    "queued": (202, b"3: Queued for later delivery", Told(Answered.ACCEPTED)),
    "busy": (503, b"Temporal failure, try again later.", Told(LATER, None, Fault.RATE, "temporal_failure")),
    "no user": (
        403, b"Authorization failed for sendsms", Told(LATER, None, Fault.ACCOUNT, "authorization_failed"),
    ),
    "no such path": (404, b"Unknown request.", Told(LATER, None, Fault.ACCOUNT, "unknown_request")),
    "no sender": (
        400, b"Sender missing and no global set, rejected",
        Told(LATER, None, Fault.ACCOUNT, "sender_missing"),
    ),
    "no route": (403, b"Not routable. Do not try again.", Told(REFUSED, None, Fault.PERSON, "not_routable")),
    "on a list": (
        400, b"Number(s) has/have been denied by white- and/or black-lists.",
        Told(REFUSED, None, Fault.PERSON, "denied"),
    ),
    "no number": (
        400, b"Empty receiver number not allowed, rejected", Told(REFUSED, None, Fault.PERSON, "no_receiver"),
    ),
    "our address": (
        400, b"DLR-URL field misformed, rejected", Told(LATER, None, Fault.ACCOUNT, "dlr_url_misformed"),
    ),
    "our priority": (
        400, b"Priority field misformed, rejected", Told(LATER, None, Fault.ACCOUNT, "priority_misformed"),
    ),
    "our text": (
        400, b"Charset or body misformed, rejected", Told(LATER, None, Fault.CONTENT, "body_misformed"),
    ),
    # what Kannel's table does not know ends by its status
    "202 in other words": (202, b"<html>OK", Told(UNKNOWN, None, Fault.PROVIDER, "http_202")),
    "202 without words": (202, b"", Told(UNKNOWN, None, Fault.PROVIDER, "http_202")),
    "200": (200, b"0: Accepted for delivery", Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "another 400": (400, b"Coding field misformed", Told(REFUSED, None, Fault.PROVIDER, "http_400")),
    "another 403": (403, b"", Told(LATER, None, Fault.ACCOUNT, "http_403")),
    "500": (500, b"Sending failed.", Told(UNKNOWN, None, Fault.PROVIDER, "http_500")),
    "a proxy's 503": (503, b"<html>busy", Told(UNKNOWN, None, Fault.PROVIDER, "http_503")),
}  # fmt: skip


@pytest.mark.parametrize("label", ANSWERS)
async def test_each_answer_ends_so(http: Http, label: str) -> None:
    status, words, end = ANSWERS[label]
    told, server = await send(http, answer(status, words))
    assert replace(told, detail=None) == end
    assert len(server.requests) == 1


async def test_a_get_that_is_not_answered_is_unknown_and_not_made_again(http: Http) -> None:
    async def hang_up(line: Line) -> None:
        await line.request()

    async with wire(hang_up) as server:
        sender = KANNEL.sender(account(server.url), http)
        told = await sender.send(HELLO)
        assert await sender.look_up(REFERENCE) is None
    assert (told.answered, told.fault, told.code) == (UNKNOWN, Fault.NETWORK, "unanswered")
    assert len(server.requests) == 1


# --- who calls


async def reported(http: Http, **filled: str) -> Call:
    """A report as Kannel makes it of the address that we gave."""
    _, server = await send(http, ACCEPTED)
    url = dict(parse_qsl(server.requests[0].path.partition("?")[2]))["dlr-url"]
    for name, code in (("status", "%d"), ("at", "%T"), ("id", "%F"), ("why", "%A")):
        url = url.replace(code, urlencode({"": filled.get(name, "")})[1:])
    return Call("GET", url, {})


def brought(**more: str) -> Call:
    """A person's message as the service brings it."""
    said = {"key": "k-1", "id": "9f87", "from": "+254712000001", "at": str(int(AT.timestamp())),
            "charset": "UTF-8", "text": "STOP"}  # fmt: skip
    return Call("GET", f"{HOOK}?{urlencode(said | more)}", {})


async def test_reports_and_replies_are_genuine_by_their_keys(http: Http) -> None:
    ours = account("")
    report = await reported(http, status="1")
    assert KANNEL.verified(ours, report)
    assert KANNEL.verified(ours, brought())
    forged = [
        brought(key="k-2"), brought(key=""), brought(key="k-1é"), Call("GET", f"{HOOK}?id=1&from=%2B1", {}),
        replace(report, url=report.url.replace(REFERENCE, REFERENCE[:-1] + "2")),
        replace(report, url=report.url.replace("proof=", "proof=0")),
        replace(report, url=f"{HOOK}?ref={REFERENCE}&status=1"),
        replace(report, url=f"{HOOK}?ref={REFERENCE}&proof=k-1&status=1"),
        replace(report, url=f"{HOOK}?ref={REFERENCE}&key=k-1&status=1"),
    ]  # fmt: skip
    assert not any(KANNEL.verified(ours, call) for call in forged)


async def test_without_a_key_nobody_is_genuine(http: Http) -> None:
    for secrets in ({}, {"hook_key": ""}):
        nobody = account("", credentials=secrets)
        assert not KANNEL.verified(nobody, await reported(http, status="1"))
        assert not KANNEL.verified(nobody, brought(key=""))
        assert not KANNEL.verified(nobody, Call("GET", HOOK, {}))


# --- what it tells

STATES: dict[str, tuple[dict[str, str], Receipt | None]] = {
    "delivered": (
        {"status": "1", "id": "7A"}, Receipt(Evidence.DELIVERED, AT, REFERENCE, "7A"),
    ),
    "taken by the centre": ({"status": "8", "why": "ACK/"}, Receipt(Evidence.ACCEPTED, AT, REFERENCE)),
    "queued there": ({"status": "4"}, Receipt(Evidence.ACCEPTED, AT, REFERENCE)),
    "not delivered": ({"status": "2"}, Receipt(Evidence.FAILED, AT, REFERENCE, None, "dlr_2")),
    "not delivered, as SMPP says": (
        {"status": "2", "why": "id:1 sub:001 dlvrd:000 stat:UNDELIV err:027 text:"},
        Receipt(Evidence.FAILED, AT, REFERENCE, None, "027"),
    ),
    "refused by the centre": (
        {"status": "16", "why": "NACK/11/Invalid Destination Address"},
        Receipt(Evidence.FAILED, AT, REFERENCE, None, "11"),
    ),
    "expired": ({"status": "34"}, Receipt(Evidence.FAILED, AT, REFERENCE, None, "dlr_34")),
    "nothing": ({"status": "0"}, None),
}  # fmt: skip


@pytest.mark.parametrize("label", STATES)
async def test_a_report_is_this_receipt(http: Http, label: str) -> None:
    filled, receipt = STATES[label]
    call = await reported(http, at=str(int(AT.timestamp())), **filled)
    assert list(KANNEL.read(account(""), call)) == ([receipt] if receipt else [])


SAID: dict[str, tuple[dict[str, str], str, str]] = {
    "as it is": ({"text": "STOP & go +1"}, "+254712000001", "STOP & go +1"),
    "in another script": ({"text": "ሰላም"}, "+254712000001", "ሰላም"),
    "without a plus": ({"from": "254712000001", "text": "x"}, "+254712000001", "x"),
    "from a short code": ({"from": "1234", "text": "x"}, "1234", "x"),
    "in a charset that nobody knows": ({"charset": "klingon", "text": "ja"}, "+254712000001", "ja"),
    "a binary message": ({"charset": "8-BIT", "text": "\x01"}, "+254712000001", ""),
    "nothing": ({"text": ""}, "+254712000001", ""),
}


@pytest.mark.parametrize("label", SAID)
def test_what_a_person_writes_is_this_message(label: str) -> None:
    more, address, words = SAID[label]
    assert list(KANNEL.read(account(""), brought(**more))) == [Inbound("9f87", "tel", address, words, AT)]


def test_a_message_in_ucs_2_comes_in_its_own_bytes() -> None:
    call = brought(charset="UTF-16BE")
    call = replace(call, url=call.url.replace("text=STOP", "text=%120%12%0B%00+%00A%00%2B"))
    (heard,) = KANNEL.read(account(""), call)
    assert isinstance(heard, Inbound)
    assert heard.text == "ሰላ A+"


@pytest.mark.parametrize(
    "query", ["", "ref=1", "ref=1&status=x", "from=%2B1&text=a", "ref=1&status=1&at=" + "9" * 30]
)
def test_what_cannot_be_read_is_told_as_that(query: str) -> None:
    with pytest.raises(ValueError, match="not what Kannel tells"):
        KANNEL.read(account(""), Call("GET", f"{HOOK}?{query}", {}))
