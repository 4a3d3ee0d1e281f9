"""Twilio: the exact request for every parcel, and what each answer means."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from clarion.errors import Misconfigured
from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.contract import Account, Answered, Fault, Media, Parcel, Template, Text, Told
from tests.kit.wire import Line, Wire, always, answer, wire

TWILIO = registry.get("twilio")
SID, SERVICE = "AC" + "1" * 32, "MG" + "2" * 32
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "tel", "+254712000001", Text("Habari, Amina"))
HOOK = "https://clarion.example/hooks/1"
LOGIN = {"account_sid": SID, "auth_token": "secret"}
CALLBACK = ("StatusCallback", f"{HOOK}?ref={REFERENCE}")


def account(base_url: str, **more: Any) -> Account:
    made = Account(base_url, "+15005550006", LOGIN, connect_timeout=10.0, total_timeout=10.0, hook=HOOK)
    return replace(made, **more)


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as http:
        yield http


def refused(code: int, status: int = 400) -> bytes:
    return json.dumps({"code": code, "message": "Why.", "more_info": "…", "status": status}).encode()


def made(**more: Any) -> bytes:
    return json.dumps(
        {"sid": "SM1", "status": "queued", "error_code": None, "num_segments": "1"} | more
    ).encode()


async def send(http: Http, reply: bytes, parcel: Parcel = HELLO, **more: Any) -> tuple[Told, Wire]:
    """One try at a server that answers so."""
    async with wire(always(reply)) as server:
        told = await TWILIO.sender(account(server.url, **more), http).send(parcel)
    return told, server


# --- the request

REQUESTS: dict[str, tuple[Parcel, dict[str, Any], list[tuple[str, str]]]] = {
    "from a number": (
        HELLO, {}, [("From", "+15005550006"), ("Body", "Habari, Amina"), CALLBACK],
    ),
    "by a messaging service": (
        HELLO, {"sender": SERVICE}, [("MessagingServiceSid", SERVICE), ("Body", "Habari, Amina"), CALLBACK],
    ),
    "by a name": (
        HELLO, {"sender": "SELAM"}, [("From", "SELAM"), ("Body", "Habari, Amina"), CALLBACK],
    ),
    "in any script": (
        replace(HELLO, content=Text("ሰላም & \"አበበ\"=+ 🎉\n")), {},
        [("From", "+15005550006"), ("Body", "ሰላም & \"አበበ\"=+ 🎉\n"), CALLBACK],
    ),
    "a picture with its caption": (
        replace(HELLO, content=Media("image", "https://files.example/a.png", "Amina, the plan")), {},
        [("From", "+15005550006"), ("Body", "Amina, the plan"), ("MediaUrl", "https://files.example/a.png"),
         CALLBACK],
    ),
    "a document without a word": (
        replace(HELLO, content=Media("document", "https://files.example/a.pdf", filename="plan.pdf")), {},
        [("From", "+15005550006"), ("MediaUrl", "https://files.example/a.pdf"), CALLBACK],
    ),
    "without a public address": (
        HELLO, {"hook": ""}, [("From", "+15005550006"), ("Body", "Habari, Amina")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", REQUESTS)
async def test_the_request_is_exactly_this(http: Http, label: str) -> None:
    parcel, more, form = REQUESTS[label]
    told, server = await send(http, answer(201, made()), parcel, **more)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{SID}/Messages.json")
    assert (
        base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == f"{SID}:secret".encode()
    )
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(request.body.decode(), strict_parsing=True) == [("To", "+254712000001"), *form]
    assert told == Told(Answered.ACCEPTED, provider_id="SM1")


async def test_an_api_key_logs_in_where_there_is_one(http: Http) -> None:
    keyed = LOGIN | {"api_key": "SK1", "api_secret": "another"}
    _, server = await send(http, answer(201, made()), credentials=keyed)
    (request,) = server.requests
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"SK1:another"
    assert request.path == f"/2010-04-01/Accounts/{SID}/Messages.json"


async def test_a_template_of_another_provider_is_not_sent(http: Http) -> None:
    told, server = await send(http, answer(201, made()), replace(HELLO, content=Template("closed", "en")))
    assert (told.answered, told.fault, told.code) == (Answered.LATER, Fault.CONTENT, "not_text")
    assert server.requests == []


@pytest.mark.parametrize("lacking", ["account_sid", "auth_token", "sender", "api_secret"])
def test_a_channel_that_lacks_what_it_needs_says_so(lacking: str) -> None:
    whole = account("http://127.0.0.1:9", credentials=LOGIN | {"api_key": "SK1", "api_secret": "s"})
    secrets = dict(whole.credentials)
    if lacking == "auth_token":
        secrets = {"account_sid": SID}
    secrets.pop(lacking, None)
    with pytest.raises(Misconfigured):
        TWILIO.sender(replace(whole, credentials=secrets, sender="" if lacking == "sender" else "+1"), Http())


# --- what an answer means

LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
CODES: list[tuple[int, int, Answered, Fault]] = [
    (20429, 429, LATER, Fault.RATE),
    *((code, 400, LATER, Fault.RATE) for code in (21611, 30001, 30022, 63017, 63018, 63038)),
    *((code, 400, REFUSED, Fault.PERSON) for code in (21211, 21265, 21408, 21612, 21614, 21635)),
    *((code, 400, REFUSED, Fault.PERSON) for code in (30003, 30004, 30005, 30006, 63016, 63024)),
    (21610, 400, REFUSED, Fault.OPTED_OUT),
    *((code, 400, LATER, Fault.CONTENT) for code in (21602, 21617, 21619, 21620, 21658, 11751)),
    (20003, 401, LATER, Fault.ACCOUNT),
    (20404, 404, LATER, Fault.ACCOUNT),
    *((code, 403, LATER, Fault.ACCOUNT) for code in (10001, 20005, 30002)),
    *((code, 400, LATER, Fault.ACCOUNT) for code in (21601, 21606, 21608, 21609, 21659, 21660)),
    # an unknown error of the carrier: what the table does not know ends by the status
    (30008, 400, REFUSED, Fault.PROVIDER),
    (20500, 500, UNKNOWN, Fault.PROVIDER),
    (20503, 503, UNKNOWN, Fault.PROVIDER),
]


@pytest.mark.parametrize(("code", "status", "answered", "fault"), CODES, ids=[str(c[0]) for c in CODES])
async def test_each_code_ends_so(
    http: Http, code: int, status: int, answered: Answered, fault: Fault
) -> None:
    told, server = await send(http, answer(status, refused(code, status)))
    assert told == Told(answered, fault=fault, code=str(code), detail="Why.")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 429, 500, 503])
async def test_the_code_decides_whatever_the_status(http: Http, status: int) -> None:
    told, _ = await send(http, answer(status, refused(21614)))
    assert (told.answered, told.fault) == (REFUSED, Fault.PERSON)


FAILED_AT_ONCE: dict[str, tuple[dict[str, Any], Answered, Fault]] = {
    "unknown number": ({"status": "failed", "error_code": 30005}, REFUSED, Fault.PERSON),
    "full queue": ({"status": "failed", "error_code": "30001"}, LATER, Fault.RATE),
    "some code": ({"status": "failed", "error_code": 39999}, REFUSED, Fault.PROVIDER),
    "no code": ({"status": "canceled", "error_code": None}, REFUSED, Fault.PROVIDER),
}


@pytest.mark.parametrize("label", FAILED_AT_ONCE)
async def test_a_message_that_failed_as_it_was_made_is_not_accepted(http: Http, label: str) -> None:
    more, answered, fault = FAILED_AT_ONCE[label]
    told, _ = await send(http, answer(201, made(**more)))
    assert (told.answered, told.fault, told.provider_id) == (answered, fault, "SM1")


STATUSES: list[tuple[int, bytes, Answered, Fault]] = [
    (200, b"", UNKNOWN, Fault.PROVIDER),
    (201, b'{"sid":"SM', UNKNOWN, Fault.PROVIDER),
    (201, b'{"status":"queued"}', UNKNOWN, Fault.PROVIDER),
    (201, b'{"sid":null}', UNKNOWN, Fault.PROVIDER),
    (201, b"[]", UNKNOWN, Fault.PROVIDER),
    (302, b"", UNKNOWN, Fault.PROVIDER),
    (401, b"who are you", LATER, Fault.ACCOUNT),
    (403, b"", LATER, Fault.ACCOUNT),
    (404, b"<html>", REFUSED, Fault.PROVIDER),
    (429, b"", LATER, Fault.RATE),
    (500, b"<html>", UNKNOWN, Fault.PROVIDER),
    (503, b"", UNKNOWN, Fault.PROVIDER),
]


@pytest.mark.parametrize(("status", "body", "answered", "fault"), STATUSES)
async def test_an_answer_without_a_code_ends_by_its_status(
    http: Http, status: int, body: bytes, answered: Answered, fault: Fault
) -> None:
    told, _ = await send(http, answer(status, body))
    assert (told.answered, told.fault, told.code) == (answered, fault, f"http_{status}")


async def test_retry_after_is_obeyed(http: Http) -> None:
    told, _ = await send(http, answer(429, refused(20429), "Retry-After: 7"))
    assert (told.answered, told.retry_after) == (LATER, 7.0)


async def test_nobody_there_is_later_and_no_answer_is_unknown(http: Http) -> None:
    told = await TWILIO.sender(account("http://nobody.invalid"), http).send(HELLO)
    assert (told.answered, told.fault, told.code) == (LATER, Fault.NETWORK, "unreachable")

    async def hang_up(line: Line) -> None:
        await line.request()

    async with wire(hang_up) as server:
        sender = TWILIO.sender(account(server.url), http)
        told = await sender.send(HELLO)
        assert await sender.look_up(REFERENCE) is None
    assert (told.answered, told.fault, told.code) == (UNKNOWN, Fault.NETWORK, "unanswered")
    assert len(server.requests) == 1
