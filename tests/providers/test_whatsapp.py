"""WhatsApp: the exact request for every kind of parcel, and what each answer means."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from clarion.domain.part import Attachment, Button, Menu
from clarion.domain.said import SaidButton
from clarion.errors import Misconfigured
from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.contract import (
    Account,
    Answered,
    Evidence,
    Fault,
    Found,
    Interactive,
    Media,
    Parcel,
    Template,
    Text,
    Told,
)
from tests.kit.wire import Line, Wire, always, answer, wire

WHATSAPP = registry.get("whatsapp")
SENDER = "106540352242922"
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "whatsapp", "+254712000001", Text("Habari, Amina"))


def account(base_url: str, **options: Any) -> Account:
    return Account(
        base_url, SENDER, {"token": "EAAG-secret"}, options, connect_timeout=10.0, total_timeout=10.0
    )


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as http:
        yield http


def refused(code: int, **more: Any) -> bytes:
    error = {
        "message": f"(#{code}) Something", "type": "OAuthException", "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": "The details."}, "fbtrace_id": "A1",
    }  # fmt: skip
    return json.dumps({"error": error | more}).encode()


ACCEPTED = json.dumps(
    {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "254712000001", "wa_id": "254712000001"}],
        "messages": [{"id": "wamid.HBgM1", "message_status": "accepted"}],
    }
).encode()


async def send(http: Http, reply: bytes, parcel: Parcel = HELLO, **options: Any) -> tuple[Told, Wire]:
    """One try at a server that answers so."""
    async with wire(always(reply)) as server:
        told = await WHATSAPP.sender(account(server.url, **options), http).send(parcel)
    return told, server


# --- the request

PICTURE = Attachment(media="image", url="https://files.example/a.png")
YES, NO = Button(id="yes", title="Yes"), Button(id="no", title="No")
DAYS = Menu.model_validate({
    "label": "Choose a day",
    "sections": [
        {"title": "This week", "rows": [
            {"id": "mo", "title": "Monday", "description": "From nine"}, {"id": "tu", "title": "Tuesday"}]},
        {"title": "Later", "rows": [{"id": "none", "title": "None of these"}]},
    ],
})  # fmt: skip
PARCELS = {
    "text": (
        HELLO,
        {"to": "254712000001", "type": "text", "text": {"body": "Habari, Amina", "preview_url": False}},
    ),
    "text in any script": (
        replace(HELLO, content=Text("ሰላም\n\"አበበ\" 🎉")),
        {"to": "254712000001", "type": "text", "text": {"body": "ሰላም\n\"አበበ\" 🎉", "preview_url": False}},
    ),
    "template without parameters": (
        replace(HELLO, content=Template("closed_on_monday", "en")),
        {
            "to": "254712000001", "type": "template",
            "template": {"name": "closed_on_monday", "language": {"code": "en"}},
        },
    ),
    "template with parameters in order": (
        replace(HELLO, content=Template("payday", "pt_BR", ("Amina", "31 July"))),
        {
            "to": "254712000001", "type": "template",
            "template": {
                "name": "payday", "language": {"code": "pt_BR"},
                "components": [{"type": "body", "parameters": [
                    {"type": "text", "text": "Amina"}, {"type": "text", "text": "31 July"}]}],
            },
        },
    ),
    "template with a picture above": (
        replace(HELLO, content=Template("payday", "en", ("Amina",), PICTURE)),
        {
            "to": "254712000001", "type": "template",
            "template": {
                "name": "payday", "language": {"code": "en"},
                "components": [
                    {"type": "header", "parameters": [
                        {"type": "image", "image": {"link": "https://files.example/a.png"}}]},
                    {"type": "body", "parameters": [{"type": "text", "text": "Amina"}]},
                ],
            },
        },
    ),
    "template with a line above and buttons": (
        replace(HELLO, content=Template("payday", "en", (), "Amina", (
            SaidButton(0, "quick_reply", "seen-7"), SaidButton(1, "url", "july?x=1"),
            SaidButton(2, "copy_code", "SAVE25")))),
        {
            "to": "254712000001", "type": "template",
            "template": {
                "name": "payday", "language": {"code": "en"},
                "components": [
                    {"type": "header", "parameters": [{"type": "text", "text": "Amina"}]},
                    {"type": "button", "sub_type": "quick_reply", "index": "0",
                     "parameters": [{"type": "payload", "payload": "seen-7"}]},
                    {"type": "button", "sub_type": "url", "index": "1",
                     "parameters": [{"type": "text", "text": "july?x=1"}]},
                    {"type": "button", "sub_type": "copy_code", "index": "2",
                     "parameters": [{"type": "coupon_code", "coupon_code": "SAVE25"}]},
                ],
            },
        },
    ),
    "a picture with its caption": (
        replace(HELLO, content=Media("image", "https://files.example/a.png", "Amina, ሰላም")),
        {
            "to": "254712000001", "type": "image",
            "image": {"link": "https://files.example/a.png", "caption": "Amina, ሰላም"},
        },
    ),
    "a film": (
        replace(HELLO, content=Media("video", "https://files.example/a.mp4")),
        {"to": "254712000001", "type": "video", "video": {"link": "https://files.example/a.mp4"}},
    ),
    "a recording": (
        replace(HELLO, content=Media("audio", "https://files.example/a.ogg")),
        {"to": "254712000001", "type": "audio", "audio": {"link": "https://files.example/a.ogg"}},
    ),
    "a document with its name": (
        replace(HELLO, content=Media("document", "https://files.example/1", "The plan", "plan.pdf")),
        {
            "to": "254712000001", "type": "document",
            "document": {"link": "https://files.example/1", "filename": "plan.pdf", "caption": "The plan"},
        },
    ),
    "buttons": (
        replace(HELLO, content=Interactive("Come on Monday?", buttons=(YES, NO))),
        {
            "to": "254712000001", "type": "interactive",
            "interactive": {
                "type": "button", "body": {"text": "Come on Monday?"},
                "action": {"buttons": [
                    {"type": "reply", "reply": {"id": "yes", "title": "Yes"}},
                    {"type": "reply", "reply": {"id": "no", "title": "No"}}]},
            },
        },
    ),
    "buttons below a picture": (
        replace(HELLO, content=Interactive("Come?", PICTURE, "Selam clinic", (YES,))),
        {
            "to": "254712000001", "type": "interactive",
            "interactive": {
                "type": "button", "body": {"text": "Come?"}, "footer": {"text": "Selam clinic"},
                "header": {"type": "image", "image": {"link": "https://files.example/a.png"}},
                "action": {"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]},
            },
        },
    ),
    "a menu": (
        replace(HELLO, content=Interactive("When?", "Visit", menu=DAYS)),
        {
            "to": "254712000001", "type": "interactive",
            "interactive": {
                "type": "list", "header": {"type": "text", "text": "Visit"}, "body": {"text": "When?"},
                "action": {"button": "Choose a day", "sections": [
                    {"title": "This week", "rows": [
                        {"id": "mo", "title": "Monday", "description": "From nine"},
                        {"id": "tu", "title": "Tuesday"}]},
                    {"title": "Later", "rows": [{"id": "none", "title": "None of these"}]}]},
            },
        },
    ),
    "a picture to a person without a number": (
        replace(HELLO, address="US.13491208655302741918", content=Media("image", "https://files.example/a")),
        {
            "recipient": "US.13491208655302741918", "type": "image",
            "image": {"link": "https://files.example/a"},
        },
    ),
    "a number known as a telephone": (
        replace(HELLO, scheme="tel", address="+251911000002"),
        {"to": "251911000002", "type": "text", "text": {"body": "Habari, Amina", "preview_url": False}},
    ),
    "a person without a number": (
        replace(HELLO, address="US.13491208655302741918"),
        {
            "recipient": "US.13491208655302741918", "type": "text",
            "text": {"body": "Habari, Amina", "preview_url": False},
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", PARCELS)
async def test_the_request_is_exactly_this(http: Http, label: str) -> None:
    parcel, body = PARCELS[label]
    told, server = await send(http, answer(200, ACCEPTED), parcel)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/v23.0/{SENDER}/messages")
    assert request.headers["authorization"] == "Bearer EAAG-secret"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "biz_opaque_callback_data": REFERENCE,
        **body,
    }
    assert told == Told(Answered.ACCEPTED, provider_id="wamid.HBgM1")


async def test_the_version_of_the_protocol_is_a_setting(http: Http) -> None:
    _, server = await send(http, answer(200, ACCEPTED), api_version="v25.0")
    assert server.requests[0].path == f"/v25.0/{SENDER}/messages"


@pytest.mark.parametrize("lacking", ["token", "sender"])
def test_a_channel_that_lacks_what_it_needs_says_so(lacking: str) -> None:
    whole = account("http://127.0.0.1:9")
    without = replace(whole, credentials={}) if lacking == "token" else replace(whole, sender="")
    with pytest.raises(Misconfigured):
        WHATSAPP.sender(without, Http())


# --- what an answer means, by the provider's table of codes

LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
CODES: list[tuple[int, int, Answered, Fault]] = [
    *((code, 400, LATER, Fault.RATE) for code in (4, 80007, 130429, 131048, 131056, 133016)),
    (1, 400, LATER, Fault.PROVIDER),
    (2, 503, LATER, Fault.PROVIDER),
    (131016, 500, LATER, Fault.PROVIDER),
    (131053, 400, LATER, Fault.PROVIDER),
    (131057, 500, LATER, Fault.PROVIDER),
    (133004, 503, LATER, Fault.PROVIDER),
    # "unknown error": the table does not say that it was not processed
    (131000, 500, UNKNOWN, Fault.PROVIDER),
    *((code, 400, REFUSED, Fault.PERSON) for code in (131026, 131047, 131049, 131051, 130472)),
    (131050, 400, REFUSED, Fault.OPTED_OUT),
    *(
        (code, 400, LATER, Fault.CONTENT)
        for code in (100, 131008, 131009, 132000, 132005, 132007, 132012, 132015, 132016)
    ),
    (132001, 404, LATER, Fault.CONTENT),
    (0, 401, LATER, Fault.ACCOUNT),
    (3, 500, LATER, Fault.ACCOUNT),
    (190, 401, LATER, Fault.ACCOUNT),
    *((code, 403, LATER, Fault.ACCOUNT) for code in (10, 368, 131005, 131031, *range(200, 300))),
    *((code, 400, LATER, Fault.ACCOUNT) for code in (33, 131042, 133010)),
]


@pytest.mark.parametrize(("code", "status", "answered", "fault"), CODES, ids=[str(c[0]) for c in CODES])
async def test_each_code_ends_so(
    http: Http, code: int, status: int, answered: Answered, fault: Fault
) -> None:
    told, server = await send(http, answer(status, refused(code)))
    assert told == Told(answered, fault=fault, code=str(code), detail="The details.")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
async def test_the_code_decides_whatever_the_status(http: Http, status: int) -> None:
    told, _ = await send(http, answer(status, refused(130429)))
    assert (told.answered, told.fault) == (LATER, Fault.RATE)
    told, _ = await send(http, answer(status, refused(131026)))
    assert (told.answered, told.fault) == (REFUSED, Fault.PERSON)


async def test_a_sending_number_that_does_not_exist_is_the_accounts_fault(http: Http) -> None:
    told, _ = await send(http, answer(400, refused(100, error_subcode=33)))
    assert (told.answered, told.fault, told.code) == (LATER, Fault.ACCOUNT, "100/33")


STATUSES: list[tuple[int, bytes, Answered, Fault]] = [
    (200, b"", UNKNOWN, Fault.PROVIDER),
    (200, b"not json", UNKNOWN, Fault.PROVIDER),
    (200, b'{"messaging_product":"whatsapp","contacts":[{"inp', UNKNOWN, Fault.PROVIDER),
    (200, b'{"messages":[]}', UNKNOWN, Fault.PROVIDER),
    (200, b"[]", UNKNOWN, Fault.PROVIDER),
    (302, b"", UNKNOWN, Fault.PROVIDER),
    (401, b"who are you", LATER, Fault.ACCOUNT),
    (403, b"", LATER, Fault.ACCOUNT),
    (404, b"<html>", REFUSED, Fault.PROVIDER),
    (429, b"", LATER, Fault.RATE),
    (500, b"<html>Sorry</html>", UNKNOWN, Fault.PROVIDER),
    (502, b"", UNKNOWN, Fault.PROVIDER),
    (503, b"", UNKNOWN, Fault.PROVIDER),
    (504, b"", UNKNOWN, Fault.PROVIDER),
]


@pytest.mark.parametrize(("status", "body", "answered", "fault"), STATUSES)
async def test_an_answer_without_a_code_ends_by_its_status(
    http: Http, status: int, body: bytes, answered: Answered, fault: Fault
) -> None:
    told, _ = await send(http, answer(status, body))
    assert (told.answered, told.fault, told.code) == (answered, fault, f"http_{status}")


async def test_a_code_that_nobody_knows_ends_by_its_status_and_is_told(http: Http) -> None:
    told, _ = await send(http, answer(400, refused(999_999)))
    assert (told.answered, told.code, told.detail) == (REFUSED, "999999", "The details.")
    told, _ = await send(http, answer(500, refused(999_999)))
    assert (told.answered, told.code) == (UNKNOWN, "999999")


@pytest.mark.parametrize(
    ("given", "seconds"), [("7", 7.0), ("999999999", 86_400.0), ("soon", None), ("-1", None)]
)
async def test_retry_after_is_obeyed_in_seconds(http: Http, given: str, seconds: float | None) -> None:
    for body in (refused(130429), b""):
        told, _ = await send(http, answer(429, body, f"Retry-After: {given}"))
        assert (told.answered, told.retry_after) == (LATER, seconds)


async def test_nobody_there_is_later_and_no_answer_is_unknown(http: Http) -> None:
    told = await WHATSAPP.sender(account("http://nobody.invalid"), http).send(HELLO)
    assert (told.answered, told.fault, told.code) == (LATER, Fault.NETWORK, "unreachable")

    async def hang_up(line: Line) -> None:
        await line.request()

    async with wire(hang_up) as server:
        told = await WHATSAPP.sender(account(server.url), http).send(HELLO)
    assert (told.answered, told.fault, told.code) == (UNKNOWN, Fault.NETWORK, "unanswered")
    assert len(server.requests) == 1


# --- looking up what became of a reference

KNOWN = b'{"data":[{"id":"wamid.1","status":"%b"}]}'
LOOK_UPS: dict[str, tuple[bytes, Found | None]] = {
    "accepted": (answer(200, KNOWN % b"accepted"), Found(True, "wamid.1", Evidence.ACCEPTED)),
    "sent": (answer(200, KNOWN % b"sent"), Found(True, "wamid.1", Evidence.ACCEPTED)),
    "delivered": (answer(200, KNOWN % b"delivered"), Found(True, "wamid.1", Evidence.DELIVERED)),
    "read": (answer(200, KNOWN % b"read"), Found(True, "wamid.1", Evidence.READ)),
    "failed": (answer(200, KNOWN % b"failed"), Found(True, "wamid.1", Evidence.FAILED)),
    "nothing": (answer(200, b'{"data":[]}'), Found(False)),
    "not offered": (answer(400, refused(100)), None),
    "away": (answer(503, b""), None),
    "garbled": (answer(200, b"{"), None),
    "another shape": (answer(200, b'{"data":{"id":1}}'), None),
    "no shape": (answer(200, b"[]"), None),
}


@pytest.mark.parametrize("label", LOOK_UPS)
async def test_a_look_up_says_what_it_knows_or_nothing(http: Http, label: str) -> None:
    reply, found = LOOK_UPS[label]
    async with wire(always(reply)) as server:
        assert await WHATSAPP.sender(account(server.url), http).look_up(REFERENCE) == found
    assert [(r.method, r.path) for r in server.requests] == [
        ("GET", f"/v23.0/{SENDER}/messages?reference={REFERENCE}")
    ]


async def test_a_look_up_that_is_not_answered_says_nothing(http: Http) -> None:
    async def hang_up(line: Line) -> None:
        await line.request()

    async with wire(hang_up) as server:
        assert await WHATSAPP.sender(account(server.url), http).look_up(REFERENCE) is None
    assert await WHATSAPP.sender(account("http://nobody.invalid"), http).look_up(REFERENCE) is None
