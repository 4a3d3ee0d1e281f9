"""Messenger: the exact request, what each answer means, and what its webhooks tell."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from clarion.domain.content import MediaForm
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
    Media,
    Parcel,
    Receipt,
    Template,
    Text,
    Told,
)
from tests.kit.wire import Line, Wire, always, answer, wire

MESSENGER = registry.get("messenger")
PAGE, PSID = "200300400", "1254477777772919"
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "messenger", PSID, Text("Habari, Amina"))
ACCEPTED = answer(200, json.dumps({"recipient_id": PSID, "message_id": "m_1"}).encode())
SECRETS = {"token": "EAAG-secret", "app_secret": "shh", "verify_token": "let me in"}
AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
MOMENT = int(AT.timestamp()) * 1000


def account(base_url: str, **more: Any) -> Account:
    return replace(Account(base_url, PAGE, SECRETS, connect_timeout=10.0, total_timeout=10.0), **more)


async def send(http: Http, reply: bytes, parcel: Parcel = HELLO, **more: Any) -> tuple[Told, Wire]:
    """One try at a server that answers so."""
    async with wire(always(reply)) as server:
        told = await MESSENGER.sender(account(server.url, **more), http).send(parcel)
    return told, server


def refused(code: int, subcode: int | None = None) -> bytes:
    error = {"message": "Why.", "type": "OAuthException", "code": code, "fbtrace_id": "B"}
    return json.dumps({"error": error | ({"error_subcode": subcode} if subcode else {})}).encode()


# --- the request

REQUESTS: dict[str, tuple[Parcel, dict[str, Any], dict[str, str], str]] = {
    "within the window": (HELLO, {}, {"messaging_type": "UPDATE"}, "Habari, Amina"),
    "with a tag": (
        HELLO, {"options": {"tag": "HUMAN_AGENT"}},
        {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}, "Habari, Amina"),
    "in any script": (
        replace(HELLO, content=Text("ሰላም\n\"🎉\"")), {}, {"messaging_type": "UPDATE"}, "ሰላም\n\"🎉\""),
}  # fmt: skip


@pytest.mark.parametrize("label", REQUESTS)
async def test_the_request_is_exactly_this(http: Http, label: str) -> None:
    parcel, more, fields, text = REQUESTS[label]
    told, server = await send(http, ACCEPTED, parcel, **more)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/v23.0/{PAGE}/messages")
    assert request.headers["authorization"] == "Bearer EAAG-secret"
    message = {"text": text, "metadata": REFERENCE}
    assert json.loads(request.body) == {"recipient": {"id": PSID}, "message": message, **fields}
    assert told == Told(Answered.ACCEPTED, provider_id="m_1")


@pytest.mark.parametrize(
    ("media", "type"), [("image", "image"), ("video", "video"), ("audio", "audio"), ("document", "file")]
)
async def test_a_file_is_an_attachment_that_carries_our_reference(http: Http, media: str, type: str) -> None:
    file = Media(media, "https://files.example/a")
    told, server = await send(http, ACCEPTED, replace(HELLO, content=file))
    assert json.loads(server.requests[0].body) == {
        "recipient": {"id": PSID}, "messaging_type": "UPDATE",
        "message": {
            "metadata": REFERENCE,
            "attachment": {"type": type, "payload": {"url": "https://files.example/a", "is_reusable": False}},
        },
    }  # fmt: skip
    assert told.answered is Answered.ACCEPTED


async def test_a_file_with_a_caption_would_be_two_messages_and_is_not_sent(http: Http) -> None:
    file = Media("image", "https://files.example/a.png", "The plan")
    told, server = await send(http, ACCEPTED, replace(HELLO, content=file))
    assert (told.answered, told.fault, server.requests) == (Answered.LATER, Fault.CONTENT, [])
    form = MediaForm(kind="media", media="image", url="https://files.example/a.png", caption="The plan")
    refusal = registry.objection(MESSENGER, form)
    assert refusal is not None
    assert "no caption on Messenger" in refusal.what
    assert registry.objection(MESSENGER, form.model_copy(update={"caption": None})) is None


async def test_the_version_of_the_protocol_is_a_setting(http: Http) -> None:
    _, server = await send(http, ACCEPTED, options={"api_version": "v25.0"})
    assert server.requests[0].path == f"/v25.0/{PAGE}/messages"


async def test_a_template_of_another_provider_is_not_sent(http: Http) -> None:
    told, server = await send(http, ACCEPTED, replace(HELLO, content=Template("closed", "en")))
    assert (told.answered, told.fault, server.requests) == (Answered.LATER, Fault.CONTENT, [])


@pytest.mark.parametrize("more", [{"credentials": {}}, {"sender": ""}])
def test_a_channel_that_lacks_what_it_needs_says_so(more: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        MESSENGER.sender(account("http://127.0.0.1:9", **more), Http())


# --- what an answer means

LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
CODES: list[tuple[int, int | None, int, Answered, Fault]] = [
    *((code, None, 400, LATER, Fault.RATE) for code in (4, 32, 613, 80006)),
    *((code, None, 500, LATER, Fault.PROVIDER) for code in (2, 1200)),
    # Meta says of it that the messages were sent
    (1, None, 400, UNKNOWN, Fault.PROVIDER),
    (1, 1357046, 500, UNKNOWN, Fault.PROVIDER),
    (551, 1545041, 400, REFUSED, Fault.PERSON),
    (551, None, 400, REFUSED, Fault.PERSON),
    (100, 2018001, 400, REFUSED, Fault.PERSON),
    (200, 1545041, 403, REFUSED, Fault.PERSON),
    *((10, subcode, 403, REFUSED, Fault.PERSON) for subcode in (2018278, 2018065, 2534022)),
    *((100, subcode, 400, LATER, Fault.CONTENT) for subcode in (None, 2018034)),
    *((code, None, 403, LATER, Fault.ACCOUNT) for code in (0, 3, 10, 102, 190, 368, *range(200, 300, 9))),
    (10, 2018108, 403, LATER, Fault.ACCOUNT),
    (9999, None, 400, REFUSED, Fault.PROVIDER),
    (9999, None, 500, UNKNOWN, Fault.PROVIDER),
]


@pytest.mark.parametrize(("code", "subcode", "status", "answered", "fault"), CODES)
async def test_each_code_ends_so(
    http: Http, code: int, subcode: int | None, status: int, answered: Answered, fault: Fault
) -> None:
    told, server = await send(http, answer(status, refused(code, subcode)))
    name = f"{code}/{subcode}" if subcode else str(code)
    assert told == Told(answered, fault=fault, code=name, detail="Why.")
    assert len(server.requests) == 1


STATUSES: list[tuple[int, bytes, Answered, Fault]] = [
    (200, b"", UNKNOWN, Fault.PROVIDER),
    (200, b'{"recipient_id":"1","messa', UNKNOWN, Fault.PROVIDER),
    (200, b'{"recipient_id":"1"}', UNKNOWN, Fault.PROVIDER),
    (200, b"[]", UNKNOWN, Fault.PROVIDER),
    (401, b"", LATER, Fault.ACCOUNT),
    (404, b"<html>", REFUSED, Fault.PROVIDER),
    (429, b"", LATER, Fault.RATE),
    (500, b"<html>", UNKNOWN, Fault.PROVIDER),
]


@pytest.mark.parametrize(("status", "body", "answered", "fault"), STATUSES)
async def test_an_answer_without_a_code_ends_by_its_status(
    http: Http, status: int, body: bytes, answered: Answered, fault: Fault
) -> None:
    told, _ = await send(http, answer(status, body))
    assert (told.answered, told.fault, told.code) == (answered, fault, f"http_{status}")


async def test_a_call_that_is_not_answered_is_unknown(http: Http) -> None:
    async def hang_up(line: Line) -> None:
        await line.request()

    async with wire(hang_up) as server:
        sender = MESSENGER.sender(account(server.url), http)
        told = await sender.send(HELLO)
        assert await sender.look_up(REFERENCE) is None
    assert (told.answered, told.fault, len(server.requests)) == (UNKNOWN, Fault.NETWORK, 1)


# --- webhooks


def webhook(*events: dict[str, Any]) -> Call:
    entry = {"id": PAGE, "time": MOMENT, "messaging": list(events)}
    body = json.dumps({"object": "page", "entry": [entry]}).encode()
    digest = hmac.new(b"shh", body, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={digest}"}
    return Call("POST", "https://clarion.example/hooks/1", headers, body)


def test_metas_own_signature_is_genuine_and_any_other_forged() -> None:
    call = webhook()
    assert MESSENGER.verified(account(""), call)
    assert not MESSENGER.verified(account(""), replace(call, body=call.body + b" "))
    assert not MESSENGER.verified(account("", credentials={"app_secret": "guess"}), call)
    assert not MESSENGER.verified(account("", credentials={}), call)


def test_the_challenge_is_given_back_to_whoever_knows_the_token() -> None:
    query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    hook = "https://clarion.example/hooks/1?"
    assert MESSENGER.challenge(account(""), Call("GET", f"{hook}{query}let%20me%20in", {})) == "1158201444"
    assert MESSENGER.challenge(account(""), Call("GET", f"{hook}{query}guess", {})) is None


FROM_PAGE = {"sender": {"id": PAGE}, "recipient": {"id": PSID}, "timestamp": MOMENT}
FROM_AMINA = {"sender": {"id": PSID}, "recipient": {"id": PAGE}, "timestamp": MOMENT}
EVENTS: dict[str, tuple[dict[str, Any], list[Receipt | Inbound]]] = {
    "an echo": (
        FROM_PAGE | {"message": {"is_echo": True, "app_id": 1, "mid": "m_1", "metadata": REFERENCE}},
        [Receipt(Evidence.ACCEPTED, AT, REFERENCE, "m_1")]),
    "an echo of somebody else's": (
        FROM_PAGE | {"message": {"is_echo": True, "mid": "m_2", "text": "hi"}},
        [Receipt(Evidence.ACCEPTED, AT, None, "m_2")]),
    "an echo whose metadata is no text": (
        FROM_PAGE | {"message": {"is_echo": True, "mid": "m_2", "metadata": 5}},
        [Receipt(Evidence.ACCEPTED, AT, None, "m_2")]),
    "deliveries": (
        FROM_AMINA | {"delivery": {"mids": ["m_1", "m_2"], "watermark": MOMENT}},
        [Receipt(Evidence.DELIVERED, AT, None, "m_1"), Receipt(Evidence.DELIVERED, AT, None, "m_2")]),
    "a delivery that names none": (FROM_AMINA | {"delivery": {"watermark": MOMENT}}, []),
    "a read": (FROM_AMINA | {"read": {"watermark": MOMENT}}, []),
    "a reaction": (FROM_AMINA | {"reaction": {"mid": "m_1", "emoji": "x"}}, []),
    "a text": (
        FROM_AMINA | {"message": {"mid": "m_3", "text": "STOP & ሰላም"}},
        [Inbound("m_3", "messenger", PSID, "STOP & ሰላም", AT)]),
    "a quick reply": (
        FROM_AMINA | {"message": {"mid": "m_3", "text": "Yes", "quick_reply": {"payload": "p"}}},
        [Inbound("m_3", "messenger", PSID, "Yes", AT, payload="p")]),
    "a picture": (
        FROM_AMINA | {"message": {"mid": "m_3", "attachments": [{"type": "image"}]}},
        [Inbound("m_3", "messenger", PSID, "", AT)]),
    "a button": (
        FROM_AMINA | {"postback": {"mid": "m_4", "title": "Stop", "payload": "p"}},
        [Inbound("m_4", "messenger", PSID, "Stop", AT, payload="p")]),
}  # fmt: skip


@pytest.mark.parametrize("label", EVENTS)
def test_an_event_says_this(label: str) -> None:
    event, said = EVENTS[label]
    assert list(MESSENGER.read(account(""), webhook(event))) == said


def test_many_events_come_in_their_order() -> None:
    events = [EVENTS[label][0] for label in ("an echo", "a text", "deliveries")]
    said = [one for label in ("an echo", "a text", "deliveries") for one in EVENTS[label][1]]
    assert list(MESSENGER.read(account(""), webhook(*events))) == said


BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "another shape": b'{"hello":1}',
    "events that are no list": b'{"entry":[{"messaging":5}]}',
    "an event that is no object": b'{"entry":[{"messaging":["x"]}]}',
    "a message from nobody": b'{"entry":[{"messaging":[{"timestamp":1,"message":{"mid":"1"}}]}]}',
    "a moment beyond all time": b'{"entry":[{"messaging":[{"delivery":{"watermark":1e40}}]}]}',
}


@pytest.mark.parametrize("label", BROKEN)
def test_what_cannot_be_read_is_told_as_that(label: str) -> None:
    with pytest.raises(ValueError):
        MESSENGER.read(account(""), Call("POST", "https://clarion.example/hooks/1", {}, BROKEN[label]))
