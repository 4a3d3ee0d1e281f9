"""Web Push: the exact request, what a browser can read of it, who we are, and what each answer means."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from py_vapid import Vapid02

from clarion.domain.browser import Browser, read_browser
from clarion.errors import Invalid, Misconfigured
from clarion.kit.clock import FakeClock
from clarion.kit.http import Http
from clarion.providers.calling import proof
from clarion.providers.contract import (
    Account,
    Answered,
    Fault,
    Mail,
    Parcel,
    Push,
    Template,
    Text,
    Told,
)
from clarion.providers.webpush import WebPush, encrypted, payload
from clarion.sandbox.twins import webpush as twin
from tests.kit.wire import Line, Request, Wire, always, answer, wire

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
REFERENCE = "202603.0199c0de000070008000000000000001"
HOOK = "https://clarion.example/hooks/1"
RECEIPT = f"{HOOK}?ref={REFERENCE}&proof={proof('shh', REFERENCE)}"
CURVE = ec.SECP256R1()
SITE, PHONE = ec.derive_private_key(11, CURVE), ec.derive_private_key(7, CURVE)
AUTH = bytes(range(16))
LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
TAKEN = answer(201, b"", "Location: https://push.example.org/m/gAAA")


def coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def browser(endpoint: str = "https://push.example.org/wpush/v2/gA%2FA-b?x=1%202") -> str:
    return Browser(endpoint, public(PHONE), AUTH).path


RAW = coded(SITE.private_numbers().private_value.to_bytes(32))
NEWS = Parcel(REFERENCE, "webpush", browser(), Push("Reminder", "Come at nine, Amina"), lifetime=3600.9)


def account(base_url: str, **more: Any) -> Account:
    secrets = {"vapid_key": RAW}
    sender = "ops@clinic.example"
    return replace(Account(base_url, sender, secrets, connect_timeout=10.0, total_timeout=10.0), **more)


async def send(http: Http, reply: bytes, *parcels: Parcel, **more: Any) -> tuple[list[Told], Wire]:
    """Tries one after the other, by one sender, at a push service that answers so."""
    async with wire(always(reply)) as server:
        sender = WebPush(FakeClock(NOW)).sender(account(server.url, **more), http)
        return [await sender.send(parcel) for parcel in parcels or (NEWS,)], server


def shown(request: Request) -> Any:
    """What the browser reads."""
    plain = http_ece.decrypt(request.body, private_key=PHONE, auth_secret=AUTH, version="aes128gcm")
    return json.loads(plain)


def vapid(request: Request) -> tuple[dict[str, Any], str]:
    """The claims, genuine by the library's own check, and the key that they are signed with."""
    header = request.headers["authorization"]
    assert Vapid02.verify(header)
    parts = dict(part.split("=", 1) for part in header.removeprefix("vapid ").split(","))
    claims = parts["t"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))), parts["k"]


# --- the request

KEYED = {"credentials": {"vapid_key": RAW, "hook_key": "shh"}, "hook": HOOK}
LINK = "https://clinic.example/a?b=1"
FIXED = {"ttl": "3600", "content-encoding": "aes128gcm", "content-type": "application/octet-stream"}
REQUESTS: dict[str, tuple[Parcel, dict[str, Any], dict[str, str], dict[str, Any]]] = {
    "a title and a body": (NEWS, {}, {}, {}),
    "plain text": (
        replace(NEWS, content=Text("ሰላም\n🎉")), {}, {}, {"title": "", "body": "ሰላም\n🎉"}),
    "plain text under the channel's title": (
        replace(NEWS, content=Text("Closed")), {"options": {"title": "Selam"}}, {},
        {"title": "Selam", "body": "Closed"}),
    "a link and data": (
        replace(NEWS, content=Push("Reminder", "Come", LINK, (("visit", "A-7"),))), {}, {},
        {"body": "Come", "navigate": LINK, "data": {"visit": "A-7"}}),
    "an address to tell what became of it": (NEWS, KEYED, {}, {"data": {"receipt": RECEIPT}}),
    "no such address without its key": (NEWS, {"hook": HOOK}, {}, {}),
    "nobody knows until when": (replace(NEWS, lifetime=None), {}, {"ttl": "2419200"}, {}),
    "no longer than the channel says": (
        replace(NEWS, lifetime=1e9), {"options": {"ttl": 60}}, {"ttl": "60"}, {}),
    "now or never": (replace(NEWS, lifetime=0.4), {}, {"ttl": "0"}, {}),
    "urgent, in place of what waits": (
        NEWS, {"options": {"urgency": "high", "topic": "news"}}, {"urgency": "high", "topic": "news"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("label", REQUESTS)
async def test_the_request_is_exactly_this(http: Http, label: str) -> None:
    parcel, more, headers, said = REQUESTS[label]
    (told,), server = await send(http, TAKEN, parcel, **more)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/wpush/v2/gA%2FA-b?x=1%202")
    ours = {name: value for name, value in request.headers.items() if name in (*FIXED, "urgency", "topic")}
    assert ours == FIXED | headers
    notification = {"title": "Reminder", "body": "Come at nine, Amina"} | said
    assert shown(request) == {"web_push": 8030, "notification": notification}
    assert told == Told(Answered.ACCEPTED, provider_id="https://push.example.org/m/gAAA")


async def test_every_message_is_encrypted_under_a_key_of_its_own(http: Http) -> None:
    _, server = await send(http, TAKEN, NEWS, NEWS)
    first, second = (request.body for request in server.requests)
    assert shown(server.requests[0]) == shown(server.requests[1])
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]
    assert b"Amina" not in first


async def test_a_push_service_reads_who_we_are_for_half_a_day(http: Http) -> None:
    _, server = await send(http, TAKEN)
    claims, key = vapid(server.requests[0])
    assert claims == {
        "aud": "https://push.example.org",
        "exp": int((NOW + timedelta(hours=12)).timestamp()),
        "sub": "mailto:ops@clinic.example",
    }
    assert key == coded(public(SITE))


async def test_each_push_service_has_a_token_of_its_own_that_is_renewed_before_its_end(http: Http) -> None:
    clock = FakeClock(NOW)
    elsewhere = replace(NEWS, address=browser("https://other.example.org:8443/x"))
    async with wire(always(TAKEN)) as server:
        sender = WebPush(clock).sender(account(server.url), http)
        for parcel, seconds in ((NEWS, 0), (elsewhere, 0), (NEWS, 39_599), (NEWS, 1)):
            clock.advance(seconds)
            await sender.send(parcel)
        seen = [vapid(request)[0] for request in server.requests]
    half_a_day, later = timedelta(hours=12), timedelta(hours=23)
    assert [(one["aud"], one["exp"]) for one in seen] == [
        ("https://push.example.org", int((NOW + half_a_day).timestamp())),
        ("https://other.example.org:8443", int((NOW + half_a_day).timestamp())),
        ("https://push.example.org", int((NOW + half_a_day).timestamp())),
        ("https://push.example.org", int((NOW + later).timestamp())),
    ]


@pytest.mark.parametrize("content", [Template("closed", "en"), Mail("Closed", "We are closed")])
async def test_what_is_no_push_message_is_not_sent(http: Http, content: Any) -> None:
    (told,), server = await send(http, TAKEN, replace(NEWS, content=content))
    assert (told.answered, told.fault, server.requests) == (LATER, Fault.CONTENT, [])


async def test_what_is_encrypted_takes_no_more_than_4096_bytes(http: Http) -> None:
    room = 3993 - len(payload(Push("A", ""), ""))
    (exactly,), server = await send(http, TAKEN, replace(NEWS, content=Push("A", "x" * room)))
    (over,), silent = await send(http, TAKEN, replace(NEWS, content=Push("A", "x" * (room + 1))))
    assert exactly.answered is Answered.ACCEPTED
    assert len(server.requests[0].body) == 4096
    assert (over, silent.requests) == (Told(REFUSED, fault=Fault.CONTENT, code="too_large"), [])


@pytest.mark.parametrize("address", ["https://push.example.org/x", "nobody", browser("https://127.0.0.1/x")])
async def test_an_address_that_cannot_be_read_or_leads_inside_is_not_called(http: Http, address: str) -> None:
    (told,), server = await send(http, TAKEN, replace(NEWS, address=address))
    assert (told.answered, told.fault, server.requests) == (REFUSED, Fault.PERSON, [])


async def test_where_nothing_stands_in_the_browser_s_own_push_service_is_called() -> None:
    parcel = replace(NEWS, address=browser("https://push.service.invalid/x"))
    async with Http(allow_private=False) as http:
        told = await WebPush(FakeClock(NOW)).sender(account(""), http).send(parcel)
    assert (told.answered, told.fault, told.code) == (LATER, Fault.NETWORK, "unreachable")


# --- a browser, by other code than ours


@pytest.mark.parametrize("words", ["", "x", "ሰላም, Amina", "x" * 3000])
def test_what_we_encrypt_the_twin_of_a_browser_reads(words: str) -> None:
    found = read_browser(twin.subscription("+254712000001"))
    assert isinstance(found, Browser)
    plain = payload(Push("News", words), "")
    assert twin.decrypted("254712000001", encrypted(found, plain)) == plain


def test_the_example_of_the_standard_is_read_by_the_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8291, appendix A: its browser's keys, and the body that it gives."""
    private = int.from_bytes(base64.urlsafe_b64decode("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94="))
    key = ec.derive_private_key(private, CURVE)
    secret = base64.urlsafe_b64decode("BTBZMqHH6r4Tts7J_aSIgg==")
    monkeypatch.setattr(twin, "_browser", lambda person: (key, public(key), secret))
    body = (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
        "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    plain = twin.decrypted("1", base64.urlsafe_b64decode(body + "=="))
    assert plain == b"When I grow up, I want to be a watermelon"


# --- what an answer means

ANSWERS: dict[str, tuple[bytes, Told]] = {
    "taken": (TAKEN, Told(Answered.ACCEPTED, "https://push.example.org/m/gAAA")),
    "taken, without a name": (answer(201, b""), Told(Answered.ACCEPTED)),
    "taken, to be told later": (answer(202, b""), Told(Answered.ACCEPTED)),
    "a bad request": (
        answer(400, b'{"code": 400, "errno": 110}'),
        Told(REFUSED, None, Fault.PROVIDER, "http_400", "errno 110")),
    "a key that is not ours": (
        answer(401, b'{"errno": 109}'), Told(LATER, None, Fault.ACCOUNT, "http_401", "errno 109")),
    "another key than it subscribed with": (
        answer(403, b'{"reason": "BadJwtToken"}'),
        Told(LATER, None, Fault.ACCOUNT, "http_403", "BadJwtToken")),
    "not there": (answer(404, b"<h1>"), Told(REFUSED, None, Fault.GONE, "http_404")),
    "gone": (
        answer(410, b'{"reason": "Unregistered"}'),
        Told(REFUSED, None, Fault.GONE, "http_410", "Unregistered")),
    "too large": (answer(413, b""), Told(REFUSED, None, Fault.CONTENT, "http_413")),
    "too fast": (answer(429, b"", "Retry-After: 5"), Told(LATER, None, Fault.RATE, "http_429", None, 5.0)),
    "too fast, without a time": (answer(429, b""), Told(LATER, None, Fault.RATE, "http_429")),
    "broken": (answer(500, b"<h1>"), Told(UNKNOWN, None, Fault.PROVIDER, "http_500")),
    "broken, and says when": (
        answer(500, b"", "Retry-After: 5"), Told(LATER, None, Fault.PROVIDER, "http_500", None, 5.0)),
    "a bad gateway": (answer(502, b""), Told(UNKNOWN, None, Fault.PROVIDER, "http_502")),
    "a bad gateway that says when": (
        answer(502, b"", "Retry-After: 5"), Told(LATER, None, Fault.PROVIDER, "http_502", None, 5.0)),
    "not now": (answer(503, b""), Told(LATER, None, Fault.PROVIDER, "http_503")),
    "not now, and says when": (
        answer(503, b'{"errno": 201}', "Retry-After: 9"),
        Told(LATER, None, Fault.PROVIDER, "http_503", "errno 201", 9.0)),
    "a redirect": (
        answer(301, b"", "Location: https://elsewhere.example"),
        Told(UNKNOWN, None, Fault.PROVIDER, "http_301")),
    "a reason that may name somebody": (
        answer(410, json.dumps({"reason": "https://push.example.org/x"}).encode()),
        Told(REFUSED, None, Fault.GONE, "http_410")),
}  # fmt: skip


@pytest.mark.parametrize("label", ANSWERS)
async def test_each_answer_ends_so(http: Http, label: str) -> None:
    reply, end = ANSWERS[label]
    (told,), server = await send(http, reply)
    assert told == end
    assert len(server.requests) == 1


async def test_a_call_that_is_not_answered_is_unknown_and_cannot_be_asked_for(http: Http) -> None:
    async def hang_up(line: Line) -> None:
        await line.request()

    async with wire(hang_up) as server:
        sender = WebPush(FakeClock(NOW)).sender(account(server.url), http)
        told = await sender.send(NEWS)
        assert await sender.look_up(REFERENCE) is None
    assert (told.answered, told.fault, len(server.requests)) == (UNKNOWN, Fault.NETWORK, 1)


# --- the channel


def pem(form: PrivateFormat, encoding: Encoding = Encoding.PEM) -> bytes:
    return SITE.private_bytes(encoding, form, NoEncryption())


@pytest.mark.parametrize(
    "key",
    [
        RAW, f"{RAW}=", pem(PrivateFormat.PKCS8).decode(), pem(PrivateFormat.TraditionalOpenSSL).decode(),
        base64.b64encode(pem(PrivateFormat.PKCS8, Encoding.DER)).decode(),
    ],
    ids=["raw", "raw, padded", "PEM", "PEM as OpenSSL writes it", "DER"],
)  # fmt: skip
async def test_a_key_in_every_spelling_signs(http: Http, key: str) -> None:
    _, server = await send(http, TAKEN, credentials={"vapid_key": key})
    assert vapid(server.requests[0])[1] == coded(public(SITE))


OTHER_CURVE = ec.derive_private_key(5, ec.SECP384R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


@pytest.mark.parametrize(
    "more",
    [
        {"credentials": {}},
        {"credentials": {"vapid_key": ""}},
        {"credentials": {"vapid_key": "no key"}},
        {"credentials": {"vapid_key": RAW[:-4]}},
        {"credentials": {"vapid_key": coded(bytes(32))}},
        {"credentials": {"vapid_key": OTHER_CURVE.decode()}},
        {"credentials": {"vapid_key": "-----BEGIN PRIVATE KEY-----"}},
        {"sender": ""},
        {"sender": "clinic.example"},
        {"sender": "+254712000001"},
    ],
)
def test_a_channel_that_lacks_what_it_needs_says_so(more: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured) as told:
        WebPush().sender(account("", **more), Http())
    assert RAW[:-4] not in f"{told.value} {told.value.hint}"


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"urgency": "urgent"}, "urgency"),
        ({"topic": "a b"}, "topic"),
        ({"topic": "x" * 33}, "topic"),
        ({"topic": ""}, "topic"),
        ({"ttl": -1}, "ttl"),
        ({"priority": "high"}, "priority"),
    ],
)
def test_options_that_are_wrong_are_told_when_the_channel_is_made(
    options: dict[str, Any], where: str
) -> None:
    with pytest.raises(Invalid) as told:
        WebPush().check_options(options)
    assert [problem.where for problem in told.value.problems] == [f"config.options.{where}"]
    WebPush().check_options({"title": "Selam", "ttl": 60, "urgency": "low", "topic": "news"})
