"""Mail's way back: notifications of mail servers, services' webhooks, and people who leave."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from clarion.providers import registry
from clarion.providers.abilities import Facing
from clarion.providers.contract import Account, Call, Evidence, Fault, OptOut, Receipt
from clarion.providers.letters import unsubscribing

SMTP = registry.get("smtp")
REFERENCE = "202603.0199c0de000070008000000000000001"
HOOK = "https://clarion.example/hooks/1"
ACCOUNT = Account("smtp://x.org", "selam@clinic.example", {"hook_key": "k-1"}, hook=HOOK)
AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
AMINA = "amina+news@example.org"


def report(*blocks: str, returned: str = "") -> bytes:
    """A notification as a mail server writes it (RFC 3464)."""
    status = "\n\n".join(blocks)
    parts = [
        "Content-Type: text/plain\n\nThis is the mail system.",
        f"Content-Type: message/delivery-status\n\n{status}",
    ]
    if returned:
        parts.append(f"Content-Type: {returned}")
    head = 'From: MAILER-DAEMON@x.org\nContent-Type: multipart/report; boundary="B"\n\n'
    return (head + "".join(f"--B\n{part}\n\n" for part in parts) + "--B--\n").encode()


MTA = "Reporting-MTA: dns; mail.x.org"
NAMED = f"{MTA}\nOriginal-Envelope-Id: {REFERENCE}"
FAILED = f"Final-Recipient: rfc822; {AMINA}\nAction: failed\nStatus: 5.1.1 (no such user)"
MOMENT = "Last-Attempt-Date: Mon, 02 Mar 2026 09:30:00 +0300"
RETURNED = f"\n\nMessage-ID: <{REFERENCE}@clinic.example>\nSubject: News"
NO_SUCH = Receipt(Evidence.FAILED, None, REFERENCE, code="5.1.1", fault=Fault.PERSON)
NOTIFICATIONS: dict[str, tuple[bytes, list[Receipt]]] = {
    "failed": (report(NAMED, f"{FAILED}\n{MOMENT}"), [replace(NO_SUCH, at=AT)]),
    "failed, at a moment without a zone": (
        report(NAMED, f"{FAILED}\nLast-Attempt-Date: Mon, 02 Mar 2026 09:30:00 -0000"), [NO_SUCH],
    ),
    "failed, named by the headers": (
        report(MTA, FAILED, returned=f"text/rfc822-headers{RETURNED}"), [NO_SUCH],
    ),
    "failed, named by the letter": (
        report(MTA, FAILED, returned=f"message/rfc822{RETURNED}\n\nHi"), [NO_SUCH],
    ),
    "a policy, by its server": (
        report(NAMED, FAILED.replace("5.1.1", "5.7.1")), [replace(NO_SUCH, code="5.7.1")],
    ),
    "delayed": (report(NAMED, FAILED.replace("failed", "delayed")), []),
    "delivered": (
        report(NAMED, "Action: delivered\nStatus: 2.0.0"), [Receipt(Evidence.DELIVERED, None, REFERENCE)],
    ),
    "given on": (
        report(NAMED, "Action: Relayed\nStatus: 2.0.0"), [Receipt(Evidence.ACCEPTED, None, REFERENCE)],
    ),
    "of nobody's letter": (report(MTA, FAILED), [replace(NO_SUCH, reference=None)]),
}  # fmt: skip


def call(body: bytes, kind: str = "message/rfc822", **more: str) -> Call:
    return Call("POST", HOOK, {"content-type": kind, **more}, body)


@pytest.mark.parametrize("label", NOTIFICATIONS)
def test_a_notification_says_what_became_of_which_letter(label: str) -> None:
    body, receipts = NOTIFICATIONS[label]
    assert SMTP.read(ACCOUNT, call(body)) == receipts


def test_a_notification_is_read_as_a_report_and_as_its_status_alone() -> None:
    body, _ = NOTIFICATIONS["failed"]
    report_ = call(body.partition(b"\n\n")[2], 'multipart/report; boundary="B"')
    alone = call(f"{NAMED}\n\n{FAILED}\n{MOMENT}\n".encode(), "message/delivery-status")
    assert SMTP.read(ACCOUNT, report_) == SMTP.read(ACCOUNT, alone) == [replace(NO_SUCH, at=AT)]


SAID: dict[str, tuple[Any, list[Receipt]]] = {
    "failed": (
        {"message_id": f"<{REFERENCE}@clinic.example>", "action": "failed", "status": "5.1.1",
         "at": "2026-03-02T06:30:00Z"},
        [replace(NO_SUCH, at=AT)],
    ),
    "two at once": (
        [{"envelope_id": REFERENCE, "action": "delivered"}, {"envelope_id": REFERENCE, "action": "delayed"}],
        [Receipt(Evidence.DELIVERED, None, REFERENCE)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", SAID)
def test_a_services_webhook_says_the_same(label: str) -> None:
    body, receipts = SAID[label]
    assert SMTP.read(ACCOUNT, call(orjson.dumps(body), "application/json; charset=utf-8")) == receipts


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"Hello", "message/rfc822"),
        (b"", "message/rfc822"),
        (b"\xff\xfe\x00", "multipart/report; boundary=B"),
        (report(NAMED, "Action: exploded"), "message/rfc822"),
        (b"{", "application/json"),
        (b'"x"', "application/json"),
        (b'{"message_id": 1, "action": "failed"}', "application/json"),
        (b'{"message_id": "<a@b>", "action": "failed", "at": "soon"}', "application/json"),
    ],
)
def test_what_is_neither_is_set_aside(body: bytes, kind: str) -> None:
    with pytest.raises(ValueError):
        SMTP.read(ACCOUNT, call(body, kind))


def test_whoever_posts_bounces_has_the_key() -> None:
    def basic(login: str) -> str:
        return "Basic " + base64.b64encode(login.encode()).decode()

    good = ["Bearer k-1", basic("clarion:k-1")]
    bad = ["", "Bearer k-2", "Bearer", "k-1", basic("k-1:x"), "Basic ?", "Digest k-1"]
    assert [SMTP.verified(ACCOUNT, call(b"", authorization=one)) for one in good] == [True, True]
    assert not any(SMTP.verified(ACCOUNT, call(b"", authorization=one)) for one in bad)
    keyless = replace(ACCOUNT, credentials={})
    assert not SMTP.verified(keyless, call(b"", authorization="Bearer "))


# --- whoever leaves


def follow(link: str, method: str = "GET") -> Call:
    form = {"content-type": "application/x-www-form-urlencoded"} if method == "POST" else {}
    return Call(method, link, form, b"List-Unsubscribe=One-Click" if method == "POST" else b"")


def page(call: Call, account: Account = ACCOUNT) -> str | None:
    assert isinstance(SMTP, Facing)
    return SMTP.page(account, call)


def test_a_link_shows_a_button_and_the_button_does_it() -> None:
    link = unsubscribing(ACCOUNT, AMINA)
    shown, done = page(follow(link)), page(follow(link, "POST"))
    assert shown is not None
    assert done is not None
    assert '<form method="post">' in shown
    assert AMINA in shown
    assert "<form" not in done
    assert SMTP.verified(ACCOUNT, follow(link, "POST"))
    nameless = replace(ACCOUNT, credentials={})  # as it is read
    assert SMTP.read(nameless, follow(link, "POST")) == [OptOut("mailto", AMINA)]


def test_a_link_is_for_its_address_alone_and_known_by_our_key_alone() -> None:
    link = unsubscribing(ACCOUNT, AMINA)
    rosas = unsubscribing(ACCOUNT, "rosa@example.org")
    mixed = f"{rosas.partition('&')[0]}&{link.partition('&')[2]}"
    for forged in (mixed, link[:-1] + "x", link.partition("&")[0], f"{HOOK}?unsubscribe=", f"{link}&proof=x"):
        assert page(follow(forged)) is None, forged
        assert not SMTP.verified(ACCOUNT, follow(forged, "POST")), forged
    for other in ({"hook_key": "k-2"}, {}):
        assert page(follow(link), replace(ACCOUNT, credentials=other)) is None


def test_the_key_of_bounces_unsubscribes_nobody() -> None:
    forged = f"{HOOK}?unsubscribe={base64.urlsafe_b64encode(AMINA.encode()).decode()}"
    assert not SMTP.verified(ACCOUNT, Call("POST", forged, {"authorization": "Bearer k-1"}))


def test_what_a_page_shows_is_escaped() -> None:
    shown = page(follow(unsubscribing(ACCOUNT, "<script>@example.org")))
    assert shown is not None
    assert "<script>" not in shown
