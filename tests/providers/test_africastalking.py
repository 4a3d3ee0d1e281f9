"""Africa's Talking: the exact request, what each answer means, its reports and people's messages."""

from __future__ import annotations

import json
from dataclasses import replace
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

AT = registry.get("africastalking")
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "tel", "+254712000001", Text("Habari, Amina & co +1"))
LOGIN = {"username": "selam", "api_key": "atsk-1", "hook_key": "shh"}
HOOK = "https://clarion.example/hooks/1"


def account(base_url: str, **more: Any) -> Account:
    return replace(Account(base_url, "20414", LOGIN, connect_timeout=10.0, total_timeout=10.0), **more)


def recipient(code: object, name: object = "ATXid_1", status: str = "Why") -> bytes:
    one = {"statusCode": code, "number": "+254712000001", "status": status, "cost": "0", "messageId": name}
    return answered([one])


def answered(recipients: list[Any], message: str = "Sent to 1/1 Total Cost: KES 0.8000") -> bytes:
    return json.dumps({"SMSMessageData": {"Message": message, "Recipients": recipients}}).encode()


SENT = answer(201, recipient(101))


async def send(http: Http, reply: bytes, parcel: Parcel = HELLO, **more: Any) -> tuple[Told, Wire]:
    """One try at a server that answers so."""
    async with wire(always(reply)) as server:
        told = await AT.sender(account(server.url, **more), http).send(parcel)
    return told, server


# --- the request

REQUESTS: dict[str, tuple[Parcel, dict[str, Any], dict[str, str]]] = {
    "from a short code": (HELLO, {}, {"from": "20414"}),
    "from whoever the account usually is": (HELLO, {"sender": ""}, {}),
    "in any script": (
        replace(HELLO, content=Text("ሰላም\n🎉")), {}, {"from": "20414", "message": "ሰላም\n🎉"}),
}  # fmt: skip


@pytest.mark.parametrize("label", REQUESTS)
async def test_the_request_is_exactly_this(http: Http, label: str) -> None:
    parcel, more, fields = REQUESTS[label]
    told, server = await send(http, SENT, parcel, **more)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/version1/messaging")
    assert (request.headers["apikey"], request.headers["accept"]) == ("atsk-1", "application/json")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    common = {"username": "selam", "to": "+254712000001", "message": "Habari, Amina & co +1"}
    assert dict(parse_qsl(request.body.decode(), strict_parsing=True)) == common | fields
    assert told == Told(Answered.ACCEPTED, provider_id="ATXid_1")


async def test_a_template_of_another_provider_is_not_sent(http: Http) -> None:
    told, server = await send(http, SENT, replace(HELLO, content=Template("closed", "en")))
    assert (told.answered, told.fault, server.requests) == (Answered.LATER, Fault.CONTENT, [])


@pytest.mark.parametrize("lacking", ["username", "api_key"])
def test_a_channel_that_lacks_what_it_needs_says_so(lacking: str) -> None:
    secrets = {name: secret for name, secret in LOGIN.items() if name != lacking}
    with pytest.raises(Misconfigured):
        AT.sender(account("http://127.0.0.1:9", credentials=secrets), Http())


# --- what an answer means

LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
CODES: list[tuple[int, Answered, Fault]] = [
    (401, UNKNOWN, Fault.PROVIDER),
    (402, LATER, Fault.ACCOUNT),
    (403, REFUSED, Fault.PERSON),
    (404, REFUSED, Fault.PERSON),
    (405, LATER, Fault.ACCOUNT),
    (406, REFUSED, Fault.OPTED_OUT),
    (407, REFUSED, Fault.PERSON),
    (409, REFUSED, Fault.PERSON),
    (500, UNKNOWN, Fault.PROVIDER),
    (501, UNKNOWN, Fault.PROVIDER),
    (502, REFUSED, Fault.PROVIDER),
    (999, UNKNOWN, Fault.PROVIDER),
]


@pytest.mark.parametrize(("code", "ended", "fault"), CODES)
async def test_each_code_ends_so(http: Http, code: int, ended: Answered, fault: Fault) -> None:
    told, server = await send(http, answer(201, recipient(code, "None")))
    assert told == Told(ended, fault=fault, code=str(code), detail="Why")
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [100, 101, 102, "101"])
async def test_each_of_these_was_taken(http: Http, code: object) -> None:
    told, _ = await send(http, answer(201, recipient(code)))
    assert told == Told(Answered.ACCEPTED, provider_id="ATXid_1")


ANSWERS: dict[str, tuple[bytes, Told]] = {
    "a sender that is not ours": (
        answer(201, answered([], "InvalidSenderId")),
        Told(LATER, None, Fault.ACCOUNT, "402", "InvalidSenderId")),
    "taken, without a name": (
        answer(201, recipient(101, "None")), Told(UNKNOWN, None, Fault.PROVIDER, "http_201")),
    "taken, with no name at all": (
        answer(201, recipient(101, None)), Told(UNKNOWN, None, Fault.PROVIDER, "http_201")),
    "nobody": (answer(201, answered([])), Told(UNKNOWN, None, Fault.PROVIDER, "http_201")),
    "two": (answer(201, answered([{}, {}])), Told(UNKNOWN, None, Fault.PROVIDER, "http_201")),
    "cut off": (answer(201, b'{"SMSMessageData":{'), Told(UNKNOWN, None, Fault.PROVIDER, "http_201")),
    "a list": (answer(201, b"[1]"), Told(UNKNOWN, None, Fault.PROVIDER, "http_201")),
    "nobody we know": (
        answer(401, b"The supplied authentication is invalid"),
        Told(LATER, None, Fault.ACCOUNT, "http_401")),
    "not well asked": (answer(400, b"Must have username"), Told(REFUSED, None, Fault.PROVIDER, "http_400")),
    "too fast": (answer(429, b"", "Retry-After: 3"), Told(LATER, None, Fault.RATE, "http_429", None, 3.0)),
    "broken": (answer(500, b"<h1>"), Told(UNKNOWN, None, Fault.PROVIDER, "http_500")),
}  # fmt: skip


@pytest.mark.parametrize("label", ANSWERS)
async def test_each_answer_ends_so(http: Http, label: str) -> None:
    reply, end = ANSWERS[label]
    told, server = await send(http, reply)
    assert told == end
    assert len(server.requests) == 1


async def test_a_call_that_is_not_answered_is_unknown_and_cannot_be_asked_for(http: Http) -> None:
    async def hang_up(line: Line) -> None:
        await line.request()

    async with wire(hang_up) as server:
        sender = AT.sender(account(server.url), http)
        told = await sender.send(HELLO)
        assert await sender.look_up(REFERENCE) is None
    assert (told.answered, told.fault, len(server.requests)) == (UNKNOWN, Fault.NETWORK, 1)


# --- who calls, and what is said


def called(form: dict[str, str], query: str = "?key=shh") -> Call:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return Call("POST", HOOK + query, kind, urlencode(form).encode())


def test_the_key_in_the_address_makes_a_call_genuine_and_nothing_else_does() -> None:
    ours = account("")
    assert AT.verified(ours, called({}))
    forged = ("", "?key=", "?key=guess", "?key=shh&ref=1", "?kay=shh", "?key=%FF")
    assert not any(AT.verified(ours, called({"key": "shh"}, query)) for query in forged)
    for secrets in ({}, {"hook_key": ""}):
        assert not AT.verified(account("", credentials=secrets), called({}, "?key="))


def report(status: str, **more: str) -> Call:
    return called(
        {"id": "ATXid_1", "status": status, "phoneNumber": "+254712000001", "networkCode": "63902"} | more
    )


STATES = {
    **dict.fromkeys(("Sent", "Submitted", "Buffered"), Evidence.ACCEPTED),
    "Success": Evidence.DELIVERED,
}


@pytest.mark.parametrize("status", STATES)
def test_a_report_is_this_receipt_by_its_own_name(status: str) -> None:
    assert list(AT.read(account(""), report(status))) == [Receipt(STATES[status], None, None, "ATXid_1")]


REASONS = {
    "UserInBlackList": Fault.OPTED_OUT, "UserIsInactive": Fault.PERSON, "UserAccountSuspended": Fault.PERSON,
    "NotNetworkSubcriber": Fault.PERSON, "UserDoesNotExist": Fault.PERSON, "InsufficientCredit": Fault.PERSON,
    "DeliveryFailure": None, "InvalidLinkId": None,
}  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("status", ["Failed", "Rejected"])
def test_a_failure_says_whose_fault_it_is(status: str, reason: str) -> None:
    receipt = Receipt(Evidence.FAILED, None, None, "ATXid_1", reason, REASONS[reason])
    assert list(AT.read(account(""), report(status, failureReason=reason))) == [receipt]


def test_a_failure_without_a_reason_is_told_by_its_state() -> None:
    (receipt,) = AT.read(account(""), report("Rejected"))
    assert isinstance(receipt, Receipt)
    assert (receipt.code, receipt.fault) == ("Rejected", None)


def test_a_state_that_nobody_knows_says_nothing() -> None:
    assert list(AT.read(account(""), report("Odd"))) == []


def test_what_a_person_writes_is_this_message() -> None:
    form = {"date": "2026-03-02 06:30:00", "from": "+254712000001", "id": "m-1", "linkId": "l-1",
            "text": "STOP & ሰላም", "to": "20414", "networkCode": "63902"}  # fmt: skip
    heard = Inbound("m-1", "tel", "+254712000001", "STOP & ሰላም", None)
    assert list(AT.read(account(""), called(form))) == [heard]


def test_news_of_other_kinds_says_nothing_of_messages() -> None:
    assert list(AT.read(account(""), called({"senderId": "SELAM", "phoneNumber": "+254712000001"}))) == []


@pytest.mark.parametrize("form", [{}, {"id": "1"}, {"status": "Sent"}, {"from": "+1", "text": "x"}])
def test_what_is_nothing_of_theirs_is_told_as_that(form: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="nothing that Africa"):
        AT.read(account(""), called(form))
