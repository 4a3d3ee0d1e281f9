"""FCM: the exact request, the token before it, what each answer means, and what a device tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from google.auth import jwt

from clarion.errors import Invalid, Misconfigured
from clarion.kit.clock import FakeClock
from clarion.kit.http import Departure, Http, departing
from clarion.providers.calling import proof
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Evidence,
    Fault,
    Mail,
    Parcel,
    Push,
    Receipt,
    Template,
    Text,
    Told,
)
from clarion.providers.fcm import Fcm
from clarion.sandbox.twins.fcm import SERVICE_ACCOUNT
from tests.kit.wire import Line, Wire, answer, wire

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
TOKEN = "dPh0ne_of-Amina:APA91bHPRgkF3JUikC4ENAHEeMrd41Zxv3hVZjC9KtT8OvPVGJ"
REFERENCE = "202603.0199c0de000070008000000000000001"
HOOK = "https://clarion.example/hooks/1"
RECEIPT = f"{HOOK}?ref={REFERENCE}&proof={proof('shh', REFERENCE)}"
NEWS = Parcel(REFERENCE, "fcm", TOKEN, Push("Reminder", "Come at nine, Amina"), lifetime=3600.9)
LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
TAKEN = answer(200, b'{"name": "projects/selam-clinic/messages/0:1"}')
Reply = bytes | Callable[[Line], Awaitable[None]]


def granted(token: str = "ya29.one", lasts: object = 3599) -> bytes:
    said = {"access_token": token, "expires_in": lasts, "token_type": "Bearer"}
    return answer(200, json.dumps(said).encode())


def refusal(
    status: int, word: str, code: str = "", message: str = "Why", *headers: str, **more: Any
) -> bytes:
    kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
    details: list[dict[str, Any]] = [{"@type": kind, "errorCode": code}] if code else []
    if fields := more.get("fields"):
        violations = [{"field": field, "description": "Invalid"} for field in fields]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    error = {"code": status, "message": message, "status": word, "details": details}
    return answer(status, json.dumps({"error": error}).encode(), *headers)


async def hang_up(line: Line) -> None:
    line.reset()


def google(messages: list[Reply], tokens: list[Reply] | None = None) -> Callable[[Line], Awaitable[None]]:
    """Google's servers: each answer in turn, the last one again and again."""
    tokens = [granted()] if tokens is None else tokens

    async def behave(line: Line) -> None:
        while True:
            request = await line.request()
            replies = tokens if request.path == "/token" else messages
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            if callable(reply):
                await reply(line)
                return
            await line.say(reply)

    return behave


def account(base_url: str, **more: Any) -> Account:
    secrets = {"service_account": SERVICE_ACCOUNT}
    return replace(Account(base_url, "", secrets, connect_timeout=10.0, total_timeout=10.0), **more)


async def send(
    http: Http, messages: list[Reply], *parcels: Parcel, tokens: list[Reply] | None = None, **more: Any
) -> tuple[list[Told], Wire]:
    """Tries one after the other, by one sender."""
    async with wire(google(messages, tokens)) as server:
        sender = Fcm(FakeClock(NOW)).sender(account(server.url, **more), http)
        return [await sender.send(parcel) for parcel in parcels or (NEWS,)], server


# --- the request

PLAIN: dict[str, Any] = {
    "token": TOKEN,
    "notification": {"title": "Reminder", "body": "Come at nine, Amina"},
    "android": {"ttl": "3600s"},
    "apns": {"headers": {"apns-expiration": str(SECONDS + 3600)}},
    "webpush": {"headers": {"TTL": "3600"}},
}
FOUR_WEEKS = {
    "android": {"ttl": "2419200s"},
    "apns": {"headers": {"apns-expiration": str(SECONDS + 2_419_200)}},
    "webpush": {"headers": {"TTL": "2419200"}},
}
KEYED = {"credentials": {"service_account": SERVICE_ACCOUNT, "hook_key": "shh"}, "hook": HOOK}
LINK = "https://clinic.example/a?b=1"
REQUESTS: dict[str, tuple[Parcel, dict[str, Any], dict[str, Any]]] = {
    "a title and a body": (NEWS, {}, {}),
    "plain text": (replace(NEWS, content=Text("ሰላም\n🎉")), {}, {"notification": {"body": "ሰላም\n🎉"}}),
    "plain text under the channel's title": (
        replace(NEWS, content=Text("Closed")), {"options": {"title": "Selam"}},
        {"notification": {"title": "Selam", "body": "Closed"}}),
    "a link and data": (
        replace(NEWS, content=Push("Reminder", "Come", LINK, (("visit", "A-7"),))), {},
        {"notification": {"title": "Reminder", "body": "Come"}, "data": {"visit": "A-7", "url": LINK},
         "webpush": {"headers": {"TTL": "3600"}, "fcm_options": {"link": LINK}}}),
    "a link that FCM itself would not take": (
        replace(NEWS, content=Push("Reminder", "Come", "http://clinic.example/a")), {},
        {"notification": {"title": "Reminder", "body": "Come"}, "data": {"url": "http://clinic.example/a"}}),
    "an address to tell what became of it": (NEWS, KEYED, {"data": {"receipt": RECEIPT}}),
    "no such address without its key": (NEWS, {"hook": HOOK}, {}),
    "nobody knows until when": (replace(NEWS, lifetime=None), {}, FOUR_WEEKS),
    "longer than FCM keeps anything": (replace(NEWS, lifetime=1e9), {}, FOUR_WEEKS),
    "no longer than the channel says": (
        replace(NEWS, lifetime=None), {"options": {"ttl": 60}},
        {"android": {"ttl": "60s"}, "apns": {"headers": {"apns-expiration": str(SECONDS + 60)}},
         "webpush": {"headers": {"TTL": "60"}}}),
    "now or never": (
        replace(NEWS, lifetime=0.4), {},
        {"android": {"ttl": "0s"}, "apns": {"headers": {"apns-expiration": "0"}},
         "webpush": {"headers": {"TTL": "0"}}}),
    "urgent": (
        NEWS, {"options": {"priority": "high"}},
        {"android": {"ttl": "3600s", "priority": "high"},
         "apns": {"headers": {"apns-expiration": str(SECONDS + 3600), "apns-priority": "10"}},
         "webpush": {"headers": {"TTL": "3600", "Urgency": "high"}}}),
}  # fmt: skip


@pytest.mark.parametrize("label", REQUESTS)
async def test_the_request_is_exactly_this(http: Http, label: str) -> None:
    parcel, more, fields = REQUESTS[label]
    (told,), server = await send(http, [TAKEN], parcel, **more)
    _, request = server.requests
    assert (request.method, request.path) == ("POST", "/v1/projects/selam-clinic/messages:send")
    assert request.headers["authorization"] == "Bearer ya29.one"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"message": PLAIN | fields}
    assert told == Told(Answered.ACCEPTED, provider_id="projects/selam-clinic/messages/0:1")


async def test_a_channel_may_send_for_another_project_than_its_account_s(http: Http) -> None:
    _, server = await send(http, [TAKEN], sender="selam-staff")
    assert server.requests[1].path == "/v1/projects/selam-staff/messages:send"


@pytest.mark.parametrize("content", [Template("closed", "en"), Mail("Closed", "We are closed")])
async def test_what_is_no_push_message_is_not_sent(http: Http, content: Any) -> None:
    (told,), server = await send(http, [TAKEN], replace(NEWS, content=content))
    assert (told.answered, told.fault, server.requests) == (LATER, Fault.CONTENT, [])


async def test_what_is_too_large_for_fcm_is_refused_before_anything_is_sent(http: Http) -> None:
    fits = 4096 - len("title" + "body" + "A")
    (exactly,), _ = await send(http, [TAKEN], replace(NEWS, content=Push("A", "x" * fits)))
    (over,), server = await send(http, [TAKEN], replace(NEWS, content=Push("A", "x" * (fits + 1))))
    assert exactly.answered is Answered.ACCEPTED
    assert (over, server.requests) == (Told(REFUSED, fault=Fault.CONTENT, code="too_large"), [])


# --- the token

KEY = load_pem_private_key(json.loads(SERVICE_ACCOUNT)["private_key"].encode(), password=None)
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


async def test_the_account_asserts_itself_to_google_for_an_hour_and_signs_it(http: Http) -> None:
    now = datetime.now(UTC)  # the library that reads it knows no other
    async with wire(google([TAKEN])) as server:
        await Fcm(FakeClock(now)).sender(account(server.url), http).send(NEWS)
    exchange = server.requests[0]
    form = parse_qs(exchange.body.decode(), strict_parsing=True)
    assert (exchange.method, exchange.path) == ("POST", "/token")
    assert exchange.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assertion = form["assertion"][0]
    assert jwt.decode_header(assertion)["kid"] == "a-key-that-opens-only-the-sandbox"
    assert jwt.decode(assertion, certs=PUBLIC, audience="https://oauth2.googleapis.com/token") == {
        "iss": "clarion@selam-clinic.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 3600,
    }


async def test_one_token_is_for_all_messages_until_some_minutes_before_its_end(http: Http) -> None:
    clock, seen = FakeClock(NOW), []
    async with wire(google([TAKEN], [granted("one"), granted("two")])) as server:
        sender = Fcm(clock).sender(account(server.url), http)
        await asyncio.gather(*(sender.send(NEWS) for _ in range(5)))
        for seconds in (3298, 2, 3298):
            clock.advance(seconds)
            await sender.send(NEWS)
        seen = [r.headers.get("authorization", "token") for r in server.requests]
    assert seen == ["token", *["Bearer one"] * 6, "token", *["Bearer two"] * 2]


async def test_a_token_may_be_good_for_a_moment_only(http: Http) -> None:
    _, server = await send(http, [TAKEN], NEWS, NEWS, tokens=[granted(lasts=10)])
    assert len(server.requests) == 3


TOKENS: dict[str, tuple[Reply, Told]] = {
    "not our key": (
        answer(400, b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}'),
        Told(LATER, None, Fault.ACCOUNT, "token_invalid_grant", "Invalid JWT Signature.")),
    "no such client": (
        answer(401, b'{"error": "invalid_client"}'),
        Told(LATER, None, Fault.ACCOUNT, "token_invalid_client")),
    "not allowed": (answer(403, b"<h1>"), Told(LATER, None, Fault.ACCOUNT, "token_http_403")),
    "not there": (answer(404, b"<h1>"), Told(LATER, None, Fault.ACCOUNT, "token_http_404")),
    "a redirect": (
        answer(302, b"", "Location: /elsewhere"), Told(LATER, None, Fault.NETWORK, "token_http_302")),
    "too often": (
        answer(429, b"{}", "Retry-After: 7"), Told(LATER, None, Fault.RATE, "token_http_429", None, 7.0)),
    "not now": (
        answer(400, b'{"error": "temporarily_unavailable"}'),
        Told(LATER, None, Fault.NETWORK, "token_temporarily_unavailable")),
    "broken": (
        answer(503, b"<h1>", "Retry-After: 3"),
        Told(LATER, None, Fault.NETWORK, "token_http_503", None, 3.0)),
    "an error of its own": (
        answer(500, b'{"error": "internal_failure"}'),
        Told(LATER, None, Fault.NETWORK, "token_internal_failure")),
    "cut off": (answer(200, b'{"access_token": "ya'), Told(LATER, None, Fault.NETWORK, "token_unreadable")),
    "no token": (answer(200, b"{}"), Told(LATER, None, Fault.NETWORK, "token_unreadable")),
    "a token that is no header": (
        granted("a\r\nX: b"), Told(LATER, None, Fault.NETWORK, "token_unreadable")),
    "good for no time": (granted(lasts=0), Told(LATER, None, Fault.NETWORK, "token_unreadable")),
    "a list": (answer(200, b"[1]"), Told(LATER, None, Fault.NETWORK, "token_unreadable")),
    "an error that is a list": (answer(400, b"[1]"), Told(LATER, None, Fault.ACCOUNT, "token_http_400")),
}  # fmt: skip


@pytest.mark.parametrize("label", TOKENS)
async def test_without_a_token_nothing_is_sent_and_that_is_certain(http: Http, label: str) -> None:
    reply, end = TOKENS[label]
    (told,), server = await send(http, [TAKEN], tokens=[reply])
    assert told == end
    assert [request.path for request in server.requests] == ["/token"]


async def test_an_exchange_that_breaks_off_leaves_no_message_unknown(http: Http) -> None:
    (told,), server = await send(http, [TAKEN], tokens=[hang_up])
    assert (told.answered, told.fault, told.code) == (LATER, Fault.NETWORK, "token_unanswered")
    assert [request.path for request in server.requests] == ["/token"]


async def test_after_an_exchange_that_failed_the_next_message_asks_again(http: Http) -> None:
    told, server = await send(http, [TAKEN], NEWS, NEWS, tokens=[answer(503, b""), granted()])
    assert [one.answered for one in told] == [LATER, Answered.ACCEPTED]
    assert len(server.requests) == 3


async def test_a_message_that_is_given_up_while_it_waits_takes_no_token_from_the_others(http: Http) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slowly(line: Line) -> None:
        asked.set()
        await go.wait()
        await line.say(granted())
        await line.request()
        await line.say(TAKEN)

    async with wire(google([TAKEN], [slowly])) as server:
        sender = Fcm(FakeClock(NOW)).sender(account(server.url), http)
        first, second = (asyncio.create_task(sender.send(NEWS)) for _ in range(2))
        await asked.wait()
        first.cancel()
        go.set()
        assert (await second).answered is Answered.ACCEPTED
    assert first.cancelled()
    assert [request.path for request in server.requests].count("/token") == 1


class Mark(Departure):
    """Notes how often a try was asked whether it may begin, and that it began."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def check(self) -> None:
        self.said.append("check")

    def leave(self) -> None:
        self.said.append("leave")


async def test_the_token_s_exchange_is_no_first_byte_of_any_message(http: Http) -> None:
    mark = Mark()
    departing.set(mark)
    try:
        await send(http, [TAKEN], tokens=[answer(503, b"")])
        assert mark.said == []
        await send(http, [TAKEN])
        assert mark.said[:2] == ["check", "leave"]
    finally:
        departing.set(None)


# --- what an answer means

INVALID = "INVALID_ARGUMENT"
NOT_A_TOKEN = "The registration token is not a valid FCM registration token"
ANSWERS: dict[str, tuple[bytes, Told]] = {
    "UNREGISTERED": (
        refusal(404, "NOT_FOUND", "UNREGISTERED"), Told(REFUSED, None, Fault.GONE, "UNREGISTERED", "Why")),
    "a project that is not there": (
        refusal(404, "NOT_FOUND"), Told(LATER, None, Fault.ACCOUNT, "NOT_FOUND", "Why")),
    "SENDER_ID_MISMATCH": (
        refusal(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        Told(REFUSED, None, Fault.PERSON, "SENDER_ID_MISMATCH", "Why")),
    "PERMISSION_DENIED": (
        refusal(403, "PERMISSION_DENIED"), Told(LATER, None, Fault.ACCOUNT, "PERMISSION_DENIED", "Why")),
    "UNAUTHENTICATED": (
        refusal(401, "UNAUTHENTICATED"), Told(LATER, None, Fault.ACCOUNT, "UNAUTHENTICATED", "Why")),
    "THIRD_PARTY_AUTH_ERROR": (
        refusal(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
        Told(LATER, None, Fault.ACCOUNT, "THIRD_PARTY_AUTH_ERROR", "Why")),
    "QUOTA_EXCEEDED": (
        refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Why", "Retry-After: 60"),
        Told(LATER, None, Fault.RATE, "QUOTA_EXCEEDED", "Why", 60.0)),
    "a quota without FCM's own word": (
        refusal(429, "RESOURCE_EXHAUSTED"), Told(LATER, None, Fault.RATE, "RESOURCE_EXHAUSTED", "Why")),
    "UNAVAILABLE": (
        refusal(503, "UNAVAILABLE", "UNAVAILABLE", "Why", "Retry-After: 9"),
        Told(LATER, None, Fault.PROVIDER, "UNAVAILABLE", "Why", 9.0)),
    "INTERNAL": (
        refusal(500, "INTERNAL", "INTERNAL"), Told(UNKNOWN, None, Fault.PROVIDER, "INTERNAL", "Why")),
    "UNSPECIFIED_ERROR": (
        refusal(400, "UNKNOWN", "UNSPECIFIED_ERROR"),
        Told(REFUSED, None, Fault.PROVIDER, "UNSPECIFIED_ERROR", "Why")),
    "a token that is none, by FCM's words": (
        refusal(400, INVALID, INVALID, NOT_A_TOKEN), Told(REFUSED, None, Fault.GONE, INVALID, NOT_A_TOKEN)),
    "a token that is none, by its field": (
        refusal(400, INVALID, INVALID, fields=["message.token"]),
        Told(REFUSED, None, Fault.GONE, INVALID, "Why")),
    "something in the data": (
        refusal(400, INVALID, fields=["message.data[0].value"]),
        Told(LATER, None, Fault.CONTENT, INVALID, "Why")),
    "the token and the data": (
        refusal(400, INVALID, fields=["message.token", "message.data"]),
        Told(LATER, None, Fault.CONTENT, INVALID, "Why")),
    "an argument that is not named": (
        refusal(400, INVALID, INVALID, "Request contains an invalid argument."),
        Told(LATER, None, Fault.CONTENT, INVALID, "Request contains an invalid argument.")),
    "a word that nobody knows": (
        refusal(409, "ABORTED"), Told(REFUSED, None, Fault.PROVIDER, "ABORTED", "Why")),
    "a server error that nobody knows": (
        refusal(504, "DEADLINE_EXCEEDED"), Told(UNKNOWN, None, Fault.PROVIDER, "DEADLINE_EXCEEDED", "Why")),
    "a page": (answer(502, b"<!DOCTYPE html>"), Told(UNKNOWN, None, Fault.PROVIDER, "http_502")),
    "too fast, without a word": (
        answer(429, b"", "Retry-After: 3"), Told(LATER, None, Fault.RATE, "http_429", None, 3.0)),
    "taken, without a name": (answer(200, b"{}"), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "taken, with no name": (answer(200, b'{"name": ""}'), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "taken, with a list": (answer(200, b"[]"), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "cut off": (answer(200, b'{"na'), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "an error that is a word": (
        answer(500, b'{"error": "x"}'), Told(UNKNOWN, None, Fault.PROVIDER, "http_500")),
    "details that are none": (
        answer(404, b'{"error": {"status": "NOT_FOUND", "details": [1]}}'),
        Told(REFUSED, None, Fault.PROVIDER, "http_404")),
}  # fmt: skip


@pytest.mark.parametrize("label", ANSWERS)
async def test_each_answer_ends_so(http: Http, label: str) -> None:
    reply, end = ANSWERS[label]
    (told,), server = await send(http, [reply])
    assert told == end
    assert len(server.requests) == 2


async def test_no_end_repeats_whose_token_it_was(http: Http) -> None:
    (told,), _ = await send(http, [refusal(400, INVALID, INVALID, f"Bad registration token {TOKEN}!")])
    assert told.detail == "Bad registration token …!"


async def test_a_token_of_ours_that_was_good_and_is_no_more_is_replaced(http: Http) -> None:
    """The account's key may be fine: only where a new token is refused too, its channel is paused."""
    refused = refusal(401, "UNAUTHENTICATED")
    told, server = await send(
        http, [TAKEN, refused, refused], NEWS, NEWS, NEWS, tokens=[granted("one"), granted("two")]
    )
    assert [(one.answered, one.fault) for one in told] == [
        (Answered.ACCEPTED, None), (LATER, Fault.PROVIDER), (LATER, Fault.ACCOUNT),
    ]  # fmt: skip
    tokens = [request.headers.get("authorization") for request in server.requests]
    assert tokens == [None, "Bearer one", "Bearer one", None, "Bearer two"]


async def test_calls_that_were_under_way_when_a_token_ended_do_not_accuse_the_account(http: Http) -> None:
    """Most are told so when there is another token already, which nobody has tried yet."""
    came, go = asyncio.Semaphore(0), asyncio.Event()
    under_way: list[asyncio.Task[Told]] = []

    async def behave(line: Line) -> None:
        while True:
            request = await line.request()
            if request.path == "/token":
                await line.say(granted("two" if go.is_set() else "one"))
            elif request.headers["authorization"] == "Bearer two" or not under_way:
                await line.say(TAKEN)
            else:
                came.release()
                await go.wait()
                await line.say(refusal(401, "UNAUTHENTICATED"))

    async with wire(behave) as server:
        sender = Fcm(FakeClock(NOW)).sender(account(server.url), http)
        before = await sender.send(NEWS)
        under_way += [asyncio.create_task(sender.send(NEWS)) for _ in range(4)]
        for _ in under_way:
            await came.acquire()
        go.set()
        first, *others = asyncio.as_completed(under_way)
        told = [await first]
        after = await sender.send(NEWS)
        told += [await one for one in others]
    assert {(one.answered, one.fault) for one in told} == {(LATER, Fault.PROVIDER)}
    assert (before.answered, after.answered) == (Answered.ACCEPTED, Answered.ACCEPTED)


async def test_a_message_that_is_not_answered_is_unknown_and_cannot_be_asked_for(http: Http) -> None:
    async with wire(google([hang_up])) as server:
        sender = Fcm(FakeClock(NOW)).sender(account(server.url), http)
        told = await sender.send(NEWS)
        assert await sender.look_up(REFERENCE) is None
    assert (told.answered, told.fault, len(server.requests)) == (UNKNOWN, Fault.NETWORK, 2)


# --- the channel


def changed(**more: object) -> str:
    return json.dumps({**json.loads(SERVICE_ACCOUNT), **more})


OTHER_KIND = (
    ec.derive_private_key(5, ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)


@pytest.mark.parametrize(
    "secret",
    [
        None, "", "{}", "[]", "no JSON", SERVICE_ACCOUNT[:-20], changed(private_key="no key"),
        changed(private_key=None), changed(private_key=OTHER_KIND),
        changed(token_uri="http://oauth2.googleapis.com/token"), changed(token_uri="oauth2.googleapis.com"),
    ],
)  # fmt: skip
def test_an_account_that_cannot_be_read_is_told_without_repeating_it(secret: str | None) -> None:
    secrets = {} if secret is None else {"service_account": secret}
    with pytest.raises(Misconfigured) as told:
        Fcm().sender(account("https://fcm.googleapis.com", credentials=secrets), Http())
    assert "PRIVATE KEY" not in f"{told.value} {told.value.hint}"


def test_a_channel_without_a_project_says_so() -> None:
    with pytest.raises(Misconfigured, match="project"):
        Fcm().sender(account("", credentials={"service_account": changed(project_id="")}), Http())


async def test_google_itself_is_asked_where_no_other_address_stands_in(http: Http) -> None:
    """Its servers are not called by tests: what is asked stays on this machine, and nobody is there."""
    sender = Fcm(FakeClock(NOW)).sender(
        account(
            Fcm.base_url, credentials={"service_account": changed(token_uri="https://127.0.0.1:9/token")}
        ),
        http,
    )
    told = await sender.send(NEWS)
    assert (told.answered, told.fault, told.code) == (LATER, Fault.NETWORK, "token_unreachable")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"priority": "urgent"}, "priority"),
        ({"ttl": 2_419_201}, "ttl"),
        ({"ttl": "60"}, "ttl"),
        ({"ttl": True}, "ttl"),
        ({"title": "two\nlines"}, "title"),
        ({"title": 5}, "title"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_options_that_are_wrong_are_told_when_the_channel_is_made(
    options: dict[str, Any], where: str
) -> None:
    with pytest.raises(Invalid) as told:
        Fcm().check_options(options)
    assert [problem.where for problem in told.value.problems] == [f"config.options.{where}"]
    Fcm().check_options({"title": "Selam", "ttl": 0, "priority": "normal"})


# --- what a device tells


def called(query: str, method: str = "POST") -> Call:
    return Call(method, f"{HOOK}?{query}", {})


PROVEN = RECEIPT.partition("?")[2]


@pytest.mark.parametrize(("state", "evidence"), [("delivered", Evidence.DELIVERED), ("read", Evidence.READ)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_device_tells_what_became_of_its_message(state: str, evidence: Evidence, method: str) -> None:
    call = called(f"{PROVEN}&state={state}", method)
    assert Fcm().verified(account("", **KEYED), call)
    assert list(Fcm().read(account(""), call)) == [Receipt(evidence, None, REFERENCE)]


@pytest.mark.parametrize(
    "query",
    [
        "state=delivered",
        f"ref={REFERENCE}&state=delivered",
        f"ref={REFERENCE}&proof=&state=delivered",
        PROVEN.replace("0001&", "0002&"),
        PROVEN[:-1],
        "key=guess&state=delivered",
    ],
)
def test_who_was_not_given_the_address_tells_nothing(query: str) -> None:
    assert not Fcm().verified(account("", **KEYED), called(query))
    assert not Fcm().verified(account(""), called(PROVEN))


@pytest.mark.parametrize("query", [PROVEN, f"{PROVEN}&state=failed", "key=shh&state=read", ""])
def test_what_no_device_says_is_set_aside(query: str) -> None:
    with pytest.raises(ValueError, match="a device tells"):
        Fcm().read(account(""), called(query))
