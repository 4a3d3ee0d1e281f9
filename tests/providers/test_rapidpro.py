"""RapidPro: the exact request, what each answer means, and what an unanswered try is found to have been."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from clarion.domain.message import cohort_of, reference
from clarion.errors import Invalid, Misconfigured
from clarion.kit.clock import FakeClock
from clarion.kit.http import Http
from clarion.kit.ids import uuid7
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Content,
    Evidence,
    Fault,
    FlowStart,
    Found,
    Inbound,
    Mail,
    Parcel,
    Receipt,
    Text,
    Told,
)
from clarion.providers.rapidpro import RapidPro
from clarion.providers.rereading import read, spelled
from tests.kit.wire import Line, Request, Wire, answer, wire

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
AMINA = "+254712000001"
WELCOME = "f5901b62-ba76-4003-9c62-72fdacc1b7b7"
BEGAN = NOW - timedelta(minutes=5)
REFERENCE = reference(cohort_of(BEGAN), uuid7(BEGAN))
LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
MADE = answer(201, json.dumps({"id": 1234, "uuid": WELCOME, "status": "pending"}).encode())
Rows = list[dict[str, Any]]


def account(base_url: str, **options: Any) -> Account:
    return Account(base_url, "", {"token": "t0ken"}, options, connect_timeout=10.0, total_timeout=10.0)


def parcel(content: Content, scheme: str = "tel", address: str = AMINA) -> Parcel:
    return Parcel(REFERENCE, scheme, address, content)


def complaint(status: int, said: Any, *headers: str) -> bytes:
    return answer(status, json.dumps(said).encode(), *headers)


async def send(http: Http, reply: bytes, what: Parcel, **options: Any) -> tuple[Told, Wire]:
    async def behave(line: Line) -> None:
        await line.request()
        await line.say(reply)

    async with wire(behave) as server:
        sender = RapidPro(FakeClock(NOW)).sender(account(server.url, **options), http)
        return await sender.send(what), server


# --- the request


@pytest.mark.parametrize(
    ("what", "options", "path", "body"),
    [
        (
            parcel(Text("Habari")), {}, "/api/v2/broadcasts.json",
            {"urns": ["tel:+254712000001"], "text": {"eng": "Habari"}, "base_language": "eng"},
        ),
        (
            parcel(Text("@contact: a@b.org @@ @(1) ሰላም"), "whatsapp"), {"language": "swa"},
            "/api/v2/broadcasts.json",
            {"urns": ["whatsapp:254712000001"], "text": {"swa": "@@contact: a@@b.org @@@@ @@(1) ሰላም"},
             "base_language": "swa"},
        ),
        (
            parcel(FlowStart(WELCOME.upper(), (("name", "Amina"), ("visit", "")))), {},
            "/api/v2/flow_starts.json",
            {"flow": WELCOME, "urns": ["tel:+254712000001"],
             "params": {"name": "Amina", "visit": "", "clarion": REFERENCE}},
        ),
        (
            parcel(FlowStart("Welcome")), {"flows": {"Welcome": WELCOME}, "exclude_active": True},
            "/api/v2/flow_starts.json",
            {"flow": WELCOME, "urns": ["tel:+254712000001"], "params": {"clarion": REFERENCE},
             "exclude_active": True},
        ),
    ],
    ids=["text", "text_with_expressions", "flow", "flow_by_name"],
)  # fmt: skip
async def test_the_request_is_exactly_this(
    http: Http, what: Parcel, options: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    told, server = await send(http, MADE, what, **options)
    (request,) = server.requests
    assert (request.method, request.path, json.loads(request.body)) == ("POST", path, body)
    assert request.headers["authorization"] == "Token t0ken"
    assert request.headers["content-type"] == "application/json"
    name = "1234" if "broadcasts" in path else WELCOME
    assert told == Told(Answered.ACCEPTED, provider_id=name)


@pytest.mark.parametrize(
    ("content", "code"), [(FlowStart("Welcom"), "unknown_flow"), (Mail("News", "News"), "not_text")]
)
async def test_what_cannot_be_asked_for_is_not_asked_for(http: Http, content: Content, code: str) -> None:
    told, server = await send(http, MADE, parcel(content), flows={"Welcome": WELCOME})
    assert (told.answered, told.fault, told.code) == (LATER, Fault.CONTENT, code)
    assert server.requests == []


# --- the answer: label, what it is, how it ends

THROTTLED = {"detail": "Request was throttled. Expected available in 9 seconds."}
FLAGGED = "Sorry, your workspace is currently flagged. To enable starting flows and sending messages, …"
ANSWERS: dict[str, tuple[bytes, Told]] = {
    "a broadcast without its number": (answer(201, b"{}"), Told(UNKNOWN, None, Fault.PROVIDER, "http_201")),
    "cut off": (answer(201, b'{"id": 12'), Told(UNKNOWN, None, Fault.PROVIDER, "http_201")),
    "something else": (answer(200, b"[1]"), Told(UNKNOWN, None, Fault.PROVIDER, "http_200")),
    "this person's address": (
        complaint(400, {"urns": {"0": [f"Invalid URN: tel:{AMINA}. Ensure phone numbers contain …"]}}),
        Told(REFUSED, None, Fault.PERSON, "invalid_urns")),
    "the flow": (
        complaint(400, {"flow": ["No such object: f5901b62"]}),
        Told(LATER, None, Fault.CONTENT, "invalid_flow", "No such object: f5901b62")),
    "the text": (
        complaint(400, {"text": {"eng": ["Ensure this field has no more than 640 characters."]}}),
        Told(LATER, None, Fault.CONTENT, "invalid_text",
             "Ensure this field has no more than 640 characters.")),
    "the parameters": (
        complaint(400, {"params": ["Must be a valid JSON object"]}),
        Told(LATER, None, Fault.CONTENT, "invalid_params", "Must be a valid JSON object")),
    "the language": (
        complaint(400, {"base_language": ["Not an allowed ISO 639-3 language code."]}),
        Told(LATER, None, Fault.CONTENT, "invalid_base_language",
             "Not an allowed ISO 639-3 language code.")),
    "everybody's fault before a person's": (
        complaint(400, {"urns": {"0": ["Invalid"]}, "flow": ["No such object: x"]}),
        Told(LATER, None, Fault.CONTENT, "invalid_flow", "No such object: x")),
    "a workspace that is flagged": (
        complaint(400, {"non_field_errors": [FLAGGED]}),
        Told(LATER, None, Fault.ACCOUNT, "workspace_blocked", FLAGGED[:200])),
    "another 400": (
        complaint(400, {"non_field_errors": ["Must specify at least one group, contact or URN"]}),
        Told(REFUSED, None, Fault.PROVIDER, "http_400", "Must specify at least one group, contact or URN")),
    "a 400 that is no JSON": (answer(400, b"<h1>"), Told(REFUSED, None, Fault.PROVIDER, "http_400")),
    "no token": (
        complaint(403, {"detail": "Invalid token"}),
        Told(LATER, None, Fault.ACCOUNT, "http_403", "Invalid token")),
    "no login": (answer(401, b""), Told(LATER, None, Fault.ACCOUNT, "http_401")),
    "no such place": (answer(404, b"<h1>Not found"), Told(LATER, None, Fault.ACCOUNT, "http_404")),
    "not that way": (
        complaint(405, {"detail": 'Method "POST" not allowed.'}),
        Told(LATER, None, Fault.ACCOUNT, "http_405", 'Method "POST" not allowed.')),
    "as many as the workspace may have": (
        complaint(409, {"detail": "Cannot create object because workspace has reached limit of 100."}),
        Told(LATER, None, Fault.ACCOUNT, "http_409",
             "Cannot create object because workspace has reached limit of 100.")),
    "too fast": (
        complaint(429, THROTTLED, "Retry-After: 9"),
        Told(LATER, None, Fault.RATE, "http_429", THROTTLED["detail"], 9.0)),
    "too fast, and no word of when": (answer(429, b""), Told(LATER, None, Fault.RATE, "http_429")),
    "broken": (
        answer(500, b"Server Error. Site administrators have been notified."),
        Told(UNKNOWN, None, Fault.PROVIDER, "http_500")),
    "a server before it": (answer(502, b""), Told(UNKNOWN, None, Fault.PROVIDER, "http_502")),
    "down": (answer(503, b"", "Retry-After: 5"), Told(UNKNOWN, None, Fault.PROVIDER, "http_503")),
    "elsewhere": (answer(301, b"", "Location: /"), Told(UNKNOWN, None, Fault.PROVIDER, "http_301")),
}  # fmt: skip


@pytest.mark.parametrize("label", sorted(ANSWERS))
@pytest.mark.parametrize("content", [Text("Habari"), FlowStart(WELCOME)], ids=["text", "flow"])
async def test_an_answer_means_this(http: Http, label: str, content: Content) -> None:
    reply, expected = ANSWERS[label]
    told, server = await send(http, reply, parcel(content))
    assert told == expected
    assert len(server.requests) == 1
    assert AMINA[1:] not in f"{told.code} {told.detail}"


async def test_an_address_in_its_words_is_not_repeated(http: Http) -> None:
    told, _ = await send(http, complaint(403, {"detail": f"Not for tel:{AMINA}"}), parcel(Text("Habari")))
    assert told.detail == "Not for tel:+…"


# --- the channel


@pytest.mark.parametrize("lacks", [{"base_url": ""}, {"credentials": {}}])
def test_a_channel_without_its_address_or_token_is_told_so(http: Http, lacks: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured) as error:
        RapidPro().sender(replace(account("https://rapidpro.example"), **lacks), http)
    assert "credentials.token" in error.value.what


def test_options_that_are_wrong_are_told_all_at_once() -> None:
    wrong = {
        "flows": {"Welcome": "f5901b62"}, "language": "en", "exclude_active": "yes", "look_up": 1,
        "poll_every": 5, "reread_hours": True, "flow": WELCOME,
    }  # fmt: skip
    with pytest.raises(Invalid) as error:
        RapidPro().check_options(wrong)
    assert {one.where for one in error.value.problems} == {f"config.options.{name}" for name in wrong}
    RapidPro().check_options(
        {"flows": {"Welcome": WELCOME}, "language": "swa", "exclude_active": True, "look_up": True,
         "poll_every": 30, "reread_hours": 48}
    )  # fmt: skip


def test_nobody_calls_for_rapidpro() -> None:
    call = Call("POST", "https://clarion.example/hooks/1?key=t0ken", {}, b"{}")
    assert not RapidPro().verified(account("https://rapidpro.example"), call)


# --- what a reading says


def message(number: int, status: str = "wired", **more: Any) -> dict[str, Any]:
    at = spelled(NOW)
    return {
        "id": number, "broadcast": 1234, "urn": f"tel:{AMINA}", "direction": "out", "type": "text",
        "status": status, "text": "Habari", "created_on": at, "sent_on": at, "modified_on": at, **more,
    }  # fmt: skip


def start(number: int, status: str = "pending", at: datetime = NOW, **params: str) -> dict[str, Any]:
    return {
        "uuid": f"{WELCOME[:-2]}{number:02}", "flow": {"uuid": WELCOME, "name": "Welcome"}, "status": status,
        "groups": [], "contacts": [], "params": params or None, "created_on": spelled(at),
        "modified_on": spelled(at),
    }  # fmt: skip


def said(**rows: Rows) -> list[Receipt | Inbound]:
    return read(Call("GET", "", {}, json.dumps(rows).encode()))


@pytest.mark.parametrize(
    ("status", "evidence", "code"),
    [
        ("initializing", Evidence.ACCEPTED, None),
        ("queued", Evidence.ACCEPTED, None),
        ("wired", Evidence.ACCEPTED, None),
        ("sent", Evidence.ACCEPTED, None),
        ("errored", Evidence.ACCEPTED, None),
        ("resent", Evidence.ACCEPTED, None),
        ("delivered", Evidence.DELIVERED, None),
        ("read", Evidence.READ, None),
        ("failed", Evidence.FAILED, "failed"),
    ],
)
def test_a_status_of_a_message_is_this_evidence_of_its_broadcast(
    status: str, evidence: Evidence, code: str | None
) -> None:
    assert said(messages=[message(1, status)]) == [Receipt(evidence, NOW, None, "1234", code)]


@pytest.mark.parametrize(
    ("status", "evidence", "code"),
    [
        ("pending", Evidence.ACCEPTED, None),
        ("queued", Evidence.ACCEPTED, None),
        ("starting", Evidence.ACCEPTED, None),
        ("started", Evidence.ACCEPTED, None),
        ("complete", Evidence.ACCEPTED, None),
        ("completed", Evidence.ACCEPTED, None),
        ("failed", Evidence.FAILED, "failed"),
    ],
)
def test_a_status_of_a_flow_start_is_this_evidence_of_our_try(
    status: str, evidence: Evidence, code: str | None
) -> None:
    one = start(7, status, clarion=REFERENCE)
    assert said(flow_starts=[one]) == [Receipt(evidence, NOW, REFERENCE, one["uuid"], code)]


@pytest.mark.parametrize(
    "row",
    [message(1, "mended"), message(1, broadcast=None), message(1, "handled", urn=None, direction="in"),
     message(1, "handled", urn="telegram:123#amina", direction="in")],
    ids=["a status that nobody knows", "of a flow of theirs", "hidden", "no address of ours"],
)  # fmt: skip
def test_what_says_nothing_for_us_is_passed_over(row: dict[str, Any]) -> None:
    assert said(messages=[row]) == []
    assert said(flow_starts=[start(1, "interrupted")]) == []


@pytest.mark.parametrize(
    ("urn", "scheme", "address"),
    [
        (f"tel:{AMINA}", "tel", AMINA),
        ("tel:4040", "tel", "4040"),
        ("whatsapp:254712000001", "whatsapp", AMINA),
        ("whatsapp:254712000001?channel=1#Amina", "whatsapp", AMINA),
    ],
)
def test_what_a_person_wrote_is_heard_from_their_address(urn: str, scheme: str, address: str) -> None:
    row = message(9, "handled", urn=urn, direction="in", broadcast=None, text="STOP")
    assert said(messages=[row]) == [Inbound("9", scheme, address, "STOP", NOW)]


def test_a_moment_that_cannot_be_read_keeps_nothing_from_being_heard() -> None:
    (one,) = said(messages=[message(1, "delivered", modified_on="soon")])
    assert one.at is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages": [{"id": 1}]}'])
def test_what_is_no_reading_is_set_aside(body: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        read(Call("GET", "", {}, body))


# --- looking up


def listed(rows: Rows, following: str | None = None, at: datetime | None = NOW) -> bytes:
    headers = [] if at is None else [f"Date: {format_datetime(at, usegmt=True)}"]
    told = {"next": following, "previous": None, "results": rows}
    return answer(200, json.dumps(told).encode(), *headers)


NONE = listed([])


def api(**lists: list[bytes]) -> Callable[[Line], Awaitable[None]]:
    """A server whose lists answer so, each in turn, the last one again and again."""

    async def behave(line: Line) -> None:
        while True:
            replies = lists[name_of(await line.request())]
            await line.say(replies.pop(0) if len(replies) > 1 else replies[0])

    return behave


def name_of(request: Request) -> str:
    return request.path.partition(".json")[0].rpartition("/")[2]


async def look_up(
    http: Http, starts: list[bytes], broadcasts: list[bytes], tried: str = REFERENCE
) -> tuple[Found | None, list[str]]:
    async with wire(api(flow_starts=starts, broadcasts=broadcasts)) as server:
        sender = RapidPro(FakeClock(NOW)).sender(account(server.url), http)
        return await sender.look_up(tried), [request.path for request in server.requests]


@pytest.mark.parametrize(
    ("status", "evidence"), [("pending", Evidence.ACCEPTED), ("failed", Evidence.FAILED), ("odd", None)]
)
async def test_a_flow_start_with_our_reference_is_what_became_of_a_try(
    http: Http, status: str, evidence: Evidence | None
) -> None:
    ours = start(7, status, clarion=REFERENCE)
    found, asked = await look_up(http, [listed([start(1), start(2, name="x"), ours])], [])
    assert found == Found(True, ours["uuid"], evidence)
    after = spelled(BEGAN.replace(microsecond=0) - timedelta(minutes=2)).replace(":", "%3A")
    assert asked == [f"/api/v2/flow_starts.json?after={after}&reverse=true"]


async def test_it_is_looked_for_on_all_pages_of_that_server_alone(http: Http) -> None:
    ours = start(7, "pending", clarion=REFERENCE)
    elsewhere = "https://elsewhere.example/api/v2/flow_starts.json?after=0&cursor=cD0%3D&reverse=true"
    found, asked = await look_up(http, [listed([start(1)], elsewhere), listed([ours])], [])
    assert found == Found(True, ours["uuid"], Evidence.ACCEPTED)
    assert asked[1] == f"{asked[0]}&cursor=cD0%3D"


def broadcast(at: datetime, urns: list[str] | None, **more: Any) -> dict[str, Any]:
    return {"id": 1, "urns": urns, "contacts": [], "groups": [], "created_on": spelled(at), **more}


SINCE = BEGAN + timedelta(seconds=1)
GROUP = [{"uuid": WELCOME, "name": "Staff"}]
TWO = [f"tel:{AMINA}", "tel:+254712000002"]


@pytest.mark.parametrize(
    "broadcasts",
    [
        [NONE],
        [listed([broadcast(SINCE, [], groups=GROUP), broadcast(SINCE, TWO)])],
        [listed([broadcast(SINCE, TWO)], "?cursor=2"), listed([])],
    ],
    ids=["none", "to others", "on two pages"],
)
async def test_what_is_not_there_has_had_no_effect(http: Http, broadcasts: list[bytes]) -> None:
    theirs = listed([start(1, clarion="somebody else's"), start(2, at=BEGAN)])
    found, _ = await look_up(http, [theirs], broadcasts)
    assert found == Found(False)


@pytest.mark.parametrize(
    ("starts", "broadcasts"),
    [
        ([NONE], [listed([broadcast(SINCE, [f"tel:{AMINA}"])])]),
        ([NONE], [listed([broadcast(SINCE, None)])]),
        ([NONE], [listed([broadcast(SINCE, [], contacts=[{"uuid": WELCOME}])])]),
        ([NONE], [listed([broadcast(SINCE, TWO)], "?cursor=2"), answer(500, b"")]),
        ([NONE], [complaint(429, THROTTLED)]),
        ([answer(500, b"")], [NONE]),
        ([answer(200, b'{"results": [{')], [NONE]),
        ([listed([start(1)], "?cursor=2"), answer(500, b"")], [NONE]),
        ([listed([start(1)], "?cursor=2")], [NONE]),
        ([listed([start(1), start(2, at=BEGAN)], "?cursor=2"), NONE], [NONE]),
        ([listed([start(1)], "?cursor=2"), listed([start(2, at=BEGAN)])], [NONE]),
        ([NONE], [listed([broadcast(SINCE, None, contacts=7)])]),
        ([listed([], at=NOW + timedelta(minutes=2))], [NONE]),
        ([listed([], at=None)], [NONE]),
    ],
    ids=["it may be that text", "a hidden one", "to one contact", "not all broadcasts", "too fast", "broken",
         "cut off", "not all starts", "too many", "in another order", "newest page first",
         "of another shape", "another time", "no time"],
)  # fmt: skip
async def test_what_is_not_seen_whole_proves_nothing(
    http: Http, starts: list[bytes], broadcasts: list[bytes]
) -> None:
    found, _ = await look_up(http, starts, broadcasts)
    assert found is None


@pytest.mark.parametrize(
    "tried", [REFERENCE.replace(REFERENCE[7:11], "0199"), "202603.x", ""], ids=["old", "of nobody", "none"]
)
async def test_what_is_too_old_or_not_ours_is_not_looked_for(http: Http, tried: str) -> None:
    assert await look_up(http, [NONE], [NONE], tried) == (None, [])


async def test_a_broadcast_before_a_try_is_none_of_it(http: Http) -> None:
    """The first of two is looked for further back, where there is a text; the second is after it."""
    early = BEGAN - timedelta(minutes=20)
    first = reference(cohort_of(early), uuid7(early))
    text = listed([broadcast(early + timedelta(seconds=1), [f"tel:{AMINA}"])])
    async with wire(api(flow_starts=[NONE], broadcasts=[text])) as server:
        sender = RapidPro(FakeClock(NOW)).sender(account(server.url), http)
        found = await asyncio.gather(*(sender.look_up(one) for one in (first, REFERENCE, first, REFERENCE)))
    assert found == [None, Found(False), None, Found(False)]
    assert len(server.requests) <= 4, "who asks at the same time is answered together"
