"""WhatsApp's webhooks: whose calls are taken, and what statuses and messages they tell."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from clarion.providers import registry
from clarion.providers.contract import Account, Call, Event, Evidence, Fault, Inbound, Receipt

WHATSAPP = registry.get("whatsapp")
SENDER = "106540352242922"
REFERENCE = "202603.0199c0de000070008000000000000001"
AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
ACCOUNT = Account("", SENDER, {"app_secret": "shh", "verify_token": "let me in"})


def post(body: bytes, headers: dict[str, str] | None = None) -> Call:
    return Call("POST", "https://clarion.example/hooks/1", headers or {}, body)


def asked(query: dict[str, str]) -> Call:
    return Call("GET", f"https://clarion.example/hooks/1?{urlencode(query)}", {})


def read(body: bytes) -> list[Event]:
    return list(WHATSAPP.read(ACCOUNT, post(body)))


# --- webhooks: who calls

BODY = b'{"object":"whatsapp_business_account"}'


def signed(body: bytes, secret: str = "shh") -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}"}


def test_the_providers_own_signature_is_genuine() -> None:
    assert WHATSAPP.verified(ACCOUNT, post(BODY, signed(BODY)))


FORGED: dict[str, tuple[dict[str, str], bytes]] = {
    "none": ({}, BODY),
    "empty": ({"x-hub-signature-256": ""}, BODY),
    "another secret": (signed(BODY, "guess"), BODY),
    "an empty secret": (signed(BODY, ""), BODY),
    "another body": (signed(BODY), BODY + b" "),
    "without its kind": ({"x-hub-signature-256": signed(BODY)["x-hub-signature-256"][7:]}, BODY),
    "cut short": ({"x-hub-signature-256": signed(BODY)["x-hub-signature-256"][:-1]}, BODY),
    "of another kind": ({"x-hub-signature": signed(BODY)["x-hub-signature-256"]}, BODY),
    "no ASCII": ({"x-hub-signature-256": "sha256=\xe9\xff"}, BODY),
    "no text": ({"x-hub-signature-256": "sha256=\udcff"}, BODY),
}


@pytest.mark.parametrize("label", FORGED)
def test_any_other_signature_is_forged(label: str) -> None:
    headers, body = FORGED[label]
    assert not WHATSAPP.verified(ACCOUNT, post(body, headers))


def test_without_an_app_secret_nobody_is_genuine() -> None:
    nobody = replace(ACCOUNT, credentials={"token": "EAAG"})
    assert not WHATSAPP.verified(nobody, post(BODY, signed(BODY, "")))


QUESTION = {"hub.mode": "subscribe", "hub.verify_token": "let me in", "hub.challenge": "1158201444"}


def test_the_challenge_is_given_back_to_whoever_knows_the_token() -> None:
    assert WHATSAPP.challenge(ACCOUNT, asked(QUESTION)) == "1158201444"


@pytest.mark.parametrize(
    "change",
    [
        {"hub.verify_token": "guess"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "läßt mich \x00 ein"},
        {"hub.mode": "unsubscribe"},
    ],
)
def test_any_other_question_gets_no_challenge(change: dict[str, str]) -> None:
    assert WHATSAPP.challenge(ACCOUNT, asked(QUESTION | change)) is None
    nobody = replace(ACCOUNT, credentials={})
    assert WHATSAPP.challenge(nobody, asked(QUESTION | {"hub.verify_token": ""})) is None


# --- webhooks: what they say


def webhook(**value: Any) -> bytes:
    metadata = {"display_phone_number": "15550100000", "phone_number_id": SENDER}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    ).encode()


def status(word: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "wamid.1", "status": word, "timestamp": str(int(AT.timestamp())),
        "recipient_id": "254712000001", "biz_opaque_callback_data": REFERENCE, **more,
    }  # fmt: skip


def failed(code: Any) -> dict[str, Any]:
    return status("failed", errors=[{"code": code, "title": "No", "error_data": {"details": "x"}}])


STATES: dict[str, tuple[dict[str, Any], Receipt]] = {
    "sent": (status("sent"), Receipt(Evidence.ACCEPTED, AT, REFERENCE, "wamid.1")),
    "delivered": (
        status("delivered", pricing={"billable": True}, conversation={"id": "c"}),
        Receipt(Evidence.DELIVERED, AT, REFERENCE, "wamid.1"),
    ),
    "read": (status("read"), Receipt(Evidence.READ, AT, REFERENCE, "wamid.1")),
    "played": (status("played"), Receipt(Evidence.READ, AT, REFERENCE, "wamid.1")),
    "failed": (
        failed(131026),
        Receipt(Evidence.FAILED, AT, REFERENCE, "wamid.1", "131026", Fault.PERSON),
    ),
    "failed, opted out": (
        failed(131050),
        Receipt(Evidence.FAILED, AT, REFERENCE, "wamid.1", "131050", Fault.OPTED_OUT),
    ),
    "failed, unpaid": (
        failed(131042),
        Receipt(Evidence.FAILED, AT, REFERENCE, "wamid.1", "131042", Fault.ACCOUNT),
    ),
    "failed, by a code that nobody knows": (
        failed(5),
        Receipt(Evidence.FAILED, AT, REFERENCE, "wamid.1", "5", None),
    ),
    "failed without a word": (status("failed"), Receipt(Evidence.FAILED, AT, REFERENCE, "wamid.1")),
    "without our reference": (
        {k: v for k, v in status("read").items() if k != "biz_opaque_callback_data"},
        Receipt(Evidence.READ, AT, None, "wamid.1"),
    ),
    "a reference that is no text": (
        status("read", biz_opaque_callback_data={"a": 1}),
        Receipt(Evidence.READ, AT, None, "wamid.1"),
    ),
    "a moment as a number": (
        status("sent", timestamp=int(AT.timestamp())),
        Receipt(Evidence.ACCEPTED, AT, REFERENCE, "wamid.1"),
    ),
}


@pytest.mark.parametrize("label", STATES)
def test_a_status_is_this_receipt(label: str) -> None:
    told, receipt = STATES[label]
    assert read(webhook(statuses=[told])) == [receipt]


def said(**more: Any) -> dict[str, Any]:
    return {"from": "254712000001", "id": "wamid.2", "timestamp": str(int(AT.timestamp())), **more}


def chosen(kind: str, **reply: str) -> dict[str, Any]:
    return said(type="interactive", interactive={"type": kind, kind: reply})


WRITTEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "text": (said(type="text", text={"body": "STOP"}), "STOP", ""),
    "a template's button": (said(type="button", button={"text": "Stop", "payload": "p"}), "Stop", "p"),
    "a template's button that was given nothing": (said(type="button", button={"text": "Stop"}), "Stop", ""),
    "a button": (chosen("button_reply", id="yes-1", title="Yes"), "Yes", "yes-1"),
    "a choice": (
        chosen("list_reply", id="mo", title="Monday", description="From nine"), "Monday", "mo",
    ),
    "a reply without an id": (chosen("button_reply", title="Yes"), "Yes", ""),
    "a picture": (said(type="image", image={"id": "1"}), "", ""),
    "a picture with a caption": (said(type="image", image={"id": "1", "caption": "stop"}), "stop", ""),
    "a recording": (said(type="audio", audio={"id": "1", "voice": True}), "", ""),
}  # fmt: skip


@pytest.mark.parametrize("label", WRITTEN)
def test_what_a_person_writes_or_taps_is_this_message(label: str) -> None:
    written, words, payload = WRITTEN[label]
    (found,) = read(webhook(contacts=[], messages=[written]))
    assert found == Inbound("wamid.2", "whatsapp", "+254712000001", words, AT, payload=payload)


def test_a_person_without_a_number_writes_under_their_user_id() -> None:
    written = said(from_user_id="US.1349", type="text", text={"body": "hello"})
    del written["from"]
    (found,) = read(webhook(messages=[written]))
    assert isinstance(found, Inbound)
    assert found.address == "US.1349"


def test_of_who_shows_a_number_the_user_id_is_told_too() -> None:
    (found,) = read(webhook(messages=[said(from_user_id="US.1349", type="text", text={"body": "hello"})]))
    assert isinstance(found, Inbound)
    assert (found.address, found.also) == ("+254712000001", "US.1349")


def test_many_of_both_come_in_their_order() -> None:
    one = json.loads(webhook(statuses=[status("sent"), status("read")]))
    two = json.loads(webhook(messages=[said(text={"body": "hi"})]))
    both = json.dumps({"entry": one["entry"] + two["entry"]}).encode()
    assert [type(event) for event in read(both)] == [Receipt, Receipt, Inbound]


def test_statuses_of_kinds_that_say_nothing_are_passed_over() -> None:
    told = read(webhook(statuses=[status("deleted"), status("warning"), status("sent")]))
    assert [r.evidence for r in told if isinstance(r, Receipt)] == [Evidence.ACCEPTED]


def test_news_of_other_kinds_says_nothing_of_messages() -> None:
    change = {"field": "message_template_status_update", "value": {"event": "APPROVED"}}
    assert read(json.dumps({"entry": [{"id": "1", "changes": [change]}]}).encode()) == []


BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"entry":"\xff"}',
    "a list": b"[]",
    "a word": b'"hello"',
    "another shape": b'{"hello":1}',
    "a status without a moment": webhook(statuses=[{"id": "1", "status": "sent"}]),
    "a moment that is no number": webhook(statuses=[status("sent", timestamp="noon")]),
    "a moment beyond all time": webhook(statuses=[status("sent", timestamp="9" * 30)]),
    "a moment before all time": webhook(statuses=[status("sent", timestamp="-" + "9" * 14)]),
    "statuses that are no list": webhook(statuses=5),
    "a status that is no object": webhook(statuses=["sent"]),
    "a code that cannot be one": webhook(statuses=[failed([1])]),
    "a message from nobody": webhook(messages=[{"id": "1", "timestamp": "1"}]),
}


@pytest.mark.parametrize("label", BROKEN)
def test_what_cannot_be_read_is_told_as_that(label: str) -> None:
    with pytest.raises(ValueError):
        read(BROKEN[label])
