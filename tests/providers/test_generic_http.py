"""The described interface: exact requests, nothing injected, what answers and calls mean, clear problems."""

from __future__ import annotations

import base64
import hmac
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.errors import Invalid, Misconfigured
from clarion.kit.http import Http
from clarion.providers import described, registry
from clarion.providers.abilities import Choosy
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
from tests.kit.wire import Wire, always, answer, wire

GENERIC = registry.get("generic_http")
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "tel", "+254712000001", Text('Habari, "Amina" & <co> {to} 100%'))
HOOK = "https://clarion.example/hooks/1"
SECRETS = {"token": "t-1", "username": "selam", "password": "p:w", "key": "k-1", "hook_key": "shh"}
AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
SAID = HELLO.content.body if isinstance(HELLO.content, Text) else ""


def sending(**request: Any) -> dict[str, Any]:
    return {"request": {"form": {"to": "{to}", "text": "{text}"}} | request}


def account(base_url: str, options: dict[str, Any], **more: Any) -> Account:
    made = Account(base_url, "SELAM", SECRETS, options, connect_timeout=10.0, total_timeout=10.0, hook=HOOK)
    return replace(made, **more)


async def send(
    http: Http,
    options: dict[str, Any],
    reply: bytes = answer(200, b"{}"),
    parcel: Parcel = HELLO,
    **more: Any,
) -> tuple[Told, Wire]:
    """One try at a server that answers so."""
    async with wire(always(reply)) as server:
        told = await GENERIC.sender(account(server.url, options, **more), http).send(parcel)
    return told, server


# --- the request


async def test_a_json_body_keeps_its_shape(http: Http) -> None:
    shape = {"to": ["{digits}"], "sms": {"text": "{text}", "n": 1, "flash": False, "none": None},
             "ref": "{sender}/{reference}", "braces": "{{x}}"}  # fmt: skip
    headers = {"Authorization": "Basic {basic}", "Idempotency-Key": "{reference}"}
    _, server = await send(http, sending(form=None, json=shape, path="/v1/{sender}/sms", headers=headers))
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/SELAM/sms")
    assert request.headers["content-type"] == "application/json"
    assert base64.b64decode(request.headers["authorization"][6:]) == b"selam:p:w"
    assert request.headers["idempotency-key"] == REFERENCE
    assert json.loads(request.body) == {
        "to": ["254712000001"],
        "sms": {"text": SAID, "n": 1, "flash": False, "none": None},
        "ref": f"SELAM/{REFERENCE}",
        "braces": "{x}",
    }


async def test_a_form_and_a_query_are_encoded(http: Http) -> None:
    options = sending(query={"user": "{username}", "pass": "{password}"}, form={"msg": "{text}", "m": "{to}"})
    _, server = await send(http, options)
    (request,) = server.requests
    path, _, query = request.path.partition("?")
    assert path == "/"
    assert dict(parse_qsl(query, strict_parsing=True)) == {"user": "selam", "pass": "p:w"}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    said = parse_qsl(request.body.decode(), strict_parsing=True)
    assert dict(said) == {"msg": SAID, "m": "+254712000001"}


async def test_a_get_says_all_in_its_query(http: Http) -> None:
    options = sending(method="GET", form=None, path="/send", query={"to": "{digits}", "text": "{text}"})
    _, server = await send(http, options)
    (request,) = server.requests
    assert (request.method, request.body) == ("GET", b"")
    assert "content-type" not in request.headers
    assert dict(parse_qsl(request.path.partition("?")[2])) == {"to": "254712000001", "text": SAID}


async def test_xml_holds_values_as_text(http: Http) -> None:
    shape = '<sms to="{to}"><text>{text}</text></sms>'
    _, server = await send(
        http, sending(form=None, xml=shape), parcel=replace(HELLO, content=Text(SAID + "\x00'"))
    )
    (request,) = server.requests
    assert request.headers["content-type"] == "text/xml; charset=utf-8"
    sms = ElementTree.fromstring(request.body)
    assert (sms.get("to"), sms.findtext("text"), [one.tag for one in sms]) == (
        "+254712000001", SAID + "'", ["text"],
    )  # fmt: skip


async def test_our_address_goes_with_the_message_and_proves_itself(http: Http) -> None:
    _, server = await send(http, sending(form={"to": "{to}", "text": "{text}", "cb": "{hook}"}))
    address = dict(parse_qsl(server.requests[0].body.decode()))["cb"]
    assert address.startswith(f"{HOOK}?ref={REFERENCE}&proof=")
    ours = account("", sending(form={"to": "{to}", "text": "{text}", "cb": "{hook}"}))
    assert GENERIC.verified(ours, Call("POST", address, {}))
    assert not GENERIC.verified(ours, Call("POST", address.replace("000001", "000002"), {}))


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_no_text_becomes_anything_but_text(text: str) -> None:
    values = {"text": text, "to": "+1"}
    assert described.in_json({"a": ["{text}"], "b": "x{text}y"}, values) == {"a": [text], "b": f"x{text}y"}
    pairs = parse_qsl(described.in_pairs({"a": "{text}", "b": "2"}, values), keep_blank_values=True)
    assert pairs == [("a", text), ("b", "2")]
    path = described.in_path("/v1/{text}/sms", values)
    assert path.count("/") == 3
    assert not set(path) & set("?# \r\n")
    xml = ElementTree.fromstring(described.in_xml('<a b="{text}"><c>{text}</c></a>', values).encode())
    assert [one.tag for one in xml.iter()] == ["a", "c"]


async def test_a_template_of_another_provider_is_not_sent(http: Http) -> None:
    told, server = await send(http, sending(), parcel=replace(HELLO, content=Template("closed", "en")))
    assert (told.answered, told.fault) == (Answered.LATER, Fault.CONTENT)
    assert server.requests == []


LACKING: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a credential": (
        sending(headers={"X-Key": "{token}"}), {"credentials": {}}, "token"),
    "half a login": (
        sending(headers={"X-Key": "{basic}"}), {"credentials": {"username": "u"}}, "password"),
    "a sender": (
        sending(query={"from": "{sender}"}), {"sender": ""}, "sender"),
    "an address": (sending(), {"base_url": ""}, "base_url"),
    "our address": (sending(query={"cb": "{hook}"}), {"hook": ""}, "CLARION_PUBLIC_URL"),
    "one line": (
        sending(headers={"X-Key": "{token}"}), {"credentials": {"token": "a\r\nb"}}, "line break"),
    "a description": ({}, {}, "not described"),
}  # fmt: skip


@pytest.mark.parametrize("label", LACKING)
def test_a_channel_that_lacks_what_it_needs_says_so(label: str) -> None:
    options, more, said = LACKING[label]
    with pytest.raises(Misconfigured, match=said):
        GENERIC.sender(replace(account("http://127.0.0.1:9", options), **more), Http())


# --- what an answer means

LATER, REFUSED, UNKNOWN = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
RULE = {
    "answer": {"status": [200, 201], "accepted": {"at": "state", "is": ["queued", 0]}, "id": "ids.0",
               "code": "error.code"},
    "errors": {"E1": "person", "E2": "opted_out", "E3": "content", "E4": "account", "E5": "too_fast",
               "E6": "not_processed", "E7": "refused", "E8": "unknown", "7": "person",
               "http_503": "not_processed"},
}  # fmt: skip
WORDS = {
    "answer": {"accepted": {"at": "words.0", "is": ["OK"]}, "id": "words.1", "code": "words.1"},
    "errors": {"105": "person"},
}


def taken(name: str | None) -> Told:
    return Told(Answered.ACCEPTED, provider_id=name)


def ended(answered: Answered, fault: Fault, code: str) -> Told:
    return Told(answered, fault=fault, code=code)


ANSWERS: dict[str, tuple[dict[str, Any], int, bytes, Told]] = {
    "taken": (RULE, 200, b'{"state":"queued","ids":["a1"]}', taken("a1")),
    "taken, by a number": (RULE, 201, b'{"state":0,"ids":[17]}', taken("17")),
    "without an identifier": (
        RULE, 200, b'{"state":"queued"}', ended(UNKNOWN, Fault.PROVIDER, "http_200")),
    "another state": (
        RULE, 200, b'{"state":"odd","ids":["a1"]}', ended(UNKNOWN, Fault.PROVIDER, "http_200")),
    "another status": (
        RULE, 203, b'{"state":"queued","ids":["a1"]}', ended(UNKNOWN, Fault.PROVIDER, "http_203")),
    "a person": (RULE, 200, b'{"error":{"code":"E1"}}', ended(REFUSED, Fault.PERSON, "E1")),
    "a number as code": (RULE, 400, b'{"error":{"code":7}}', ended(REFUSED, Fault.PERSON, "7")),
    "opted out": (RULE, 400, b'{"error":{"code":"E2"}}', ended(REFUSED, Fault.OPTED_OUT, "E2")),
    "content": (RULE, 400, b'{"error":{"code":"E3"}}', ended(LATER, Fault.CONTENT, "E3")),
    "account": (RULE, 400, b'{"error":{"code":"E4"}}', ended(LATER, Fault.ACCOUNT, "E4")),
    "too fast": (RULE, 400, b'{"error":{"code":"E5"}}', ended(LATER, Fault.RATE, "E5")),
    "not processed": (RULE, 500, b'{"error":{"code":"E6"}}', ended(LATER, Fault.PROVIDER, "E6")),
    "refused": (RULE, 500, b'{"error":{"code":"E7"}}', ended(REFUSED, Fault.PROVIDER, "E7")),
    "unknown": (RULE, 400, b'{"error":{"code":"E8"}}', ended(UNKNOWN, Fault.PROVIDER, "E8")),
    "a status in the table": (RULE, 503, b"<html>", ended(LATER, Fault.PROVIDER, "http_503")),
    "a code that nobody knows": (
        RULE, 400, b'{"error":{"code":"E99"}}', ended(REFUSED, Fault.PROVIDER, "E99")),
    "a 500": (RULE, 500, b"", ended(UNKNOWN, Fault.PROVIDER, "http_500")),
    "a 429": (RULE, 429, b"", ended(LATER, Fault.RATE, "http_429")),
    "a 401": (RULE, 401, b"", ended(LATER, Fault.ACCOUNT, "http_401")),
    "a redirect": (RULE, 302, b"", ended(UNKNOWN, Fault.PROVIDER, "http_302")),
    "cut off": (RULE, 200, b'{"state":"que', ended(UNKNOWN, Fault.PROVIDER, "http_200")),
    "a list": (RULE, 200, b'[1]', ended(UNKNOWN, Fault.PROVIDER, "http_200")),
    "words": (WORDS, 200, b"OK 4711\n", taken("4711")),
    "bad words": (WORDS, 200, b"ERR 105", ended(REFUSED, Fault.PERSON, "105")),
    "no words": (WORDS, 200, b"", ended(UNKNOWN, Fault.PROVIDER, "http_200")),
    "the status alone": ({}, 202, b"", taken(None)),
    "the status alone, with a known code": (
        {"answer": {"code": "e"}, "errors": {"E1": "person"}}, 200, b'{"e":"E1"}',
        ended(REFUSED, Fault.PERSON, "E1")),
}  # fmt: skip


@pytest.mark.parametrize("label", ANSWERS)
async def test_each_answer_ends_so(http: Http, label: str) -> None:
    options, status, body, end = ANSWERS[label]
    told, server = await send(http, sending() | options, answer(status, body))
    assert told == end
    assert len(server.requests) == 1


async def test_retry_after_is_obeyed(http: Http) -> None:
    told, _ = await send(http, sending() | RULE, answer(400, b'{"error":{"code":"E5"}}', "Retry-After: 7"))
    assert (told.fault, told.retry_after) == (Fault.RATE, 7.0)


# --- what is wrong with a description, and where

PROBLEMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({}, "config.options.request", "required"),
    "a misspelt part": (sending() | {"recept": {}}, "config.options.recept", "not permitted"),
    "a misspelt field": (sending(metod="GET"), "config.options.request.metod", "not permitted"),
    "another method": (sending(method="DELETE"), "config.options.request.method", "POST"),
    "a path without its slash": (sending(path="v1"), "config.options.request.path", "pattern"),
    "a query in the path": (sending(path="/v1?a=1"), "config.options.request.path", "pattern"),
    "two bodies": (sending(json={}), "config.options.request", "one body"),
    "a body of a GET": (sending(method="GET"), "config.options.request", "no body"),
    "an unknown place": (
        sending(form={"to": "{to}", "text": "{txt}"}), "config.options.request.form.text", "{txt}"),
    "an unknown place deep in JSON": (
        sending(form=None, json={"m": [{"to": "{to}", "text": "{text}", "x": "{x}"}]}),
        "config.options.request.json.m[0].x", "{x}"),
    "a text in a header": (
        sending(headers={"X-Text": "{text}"}), "config.options.request.headers.X-Text", "{text}"),
    "two lines in a header": (
        sending(headers={"X-A": "a\nb"}), "config.options.request.headers.X-A", "one line"),
    "a brace alone": (sending(query={"q": "a}"}), "config.options.request.query.q", "single }"),
    "no text": (sending(form={"to": "{to}"}), "config.options.request", "{text}"),
    "nobody": (sending(form={"text": "{text}"}), "config.options.request", "{digits}"),
    "an unknown end": (
        sending() | {"errors": {"E1": "dunno"}}, "config.options.errors.E1", "person"),
    "an unknown state": (
        sending() | {"receipt": {"status": "s", "values": {"D": "done"}}},
        "config.options.receipt.values.D", "delivered"),
    "receipts that name nothing": (
        sending() | {"receipt": {"status": "s", "values": {"D": "delivered"}, "reference": "r"}},
        "config.options.receipt", "{hook}"),
    "a reference that is nowhere": (
        sending(query={"r": "{reference}"}) | {"receipt": {"status": "s", "values": {"D": "delivered"}}},
        "config.options.receipt.reference", "say where"),
    "a header without a name": (
        sending() | {"hook": {"by": "header"}}, "config.options.hook", "name"),
    "another digest": (
        sending() | {"hook": {"by": "hmac", "name": "x", "digest": "md5"}},
        "config.options.hook.digest", "sha256"),
}  # fmt: skip


@pytest.mark.parametrize("label", PROBLEMS)
def test_what_is_wrong_is_said_with_its_place(label: str) -> None:
    options, where, what = PROBLEMS[label]
    assert isinstance(GENERIC, Choosy)
    with pytest.raises(Invalid) as caught:
        GENERIC.check_options(options)
    found = {one.where: f"{one.what} {one.hint}" for one in caught.value.problems}
    assert where in found
    assert what in found[where]


# --- who calls

KEYED = sending(query={"cb": "{hook}"}) | {
    "receipt": {"status": "state", "values": {"D": "delivered", "F": "failed", "Q": "accepted"}, "id": "id",
                "code": "why", "at": "at"},
    "reply": {"from": "msisdn", "text": "message", "id": "mid", "at": "at"},
    "errors": {"E1": "person"},
}  # fmt: skip


def calling(how: dict[str, Any], headers: dict[str, str], query: str = "", body: bytes = b"{}") -> bool:
    ours = account("", KEYED | {"hook": how})
    return GENERIC.verified(ours, Call("POST", HOOK + query, headers, body))


def signed(kind: str, encoding: str, key: bytes = b"shh", body: bytes = b"{}") -> str:
    digest = hmac.new(key, body, kind).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


GENUINE: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "by its key": ({}, {}, "?key=shh&x=1"),
    "by a header": ({"by": "header", "name": "X-Key"}, {"x-key": "shh"}, ""),
    "by a header with a prefix": (
        {"by": "header", "name": "Authorization", "prefix": "Bearer "}, {"authorization": "Bearer shh"}, ""),
    "by SHA-256": ({"by": "hmac", "name": "X-Sig"}, {"x-sig": signed("sha256", "hex")}, ""),
    "by SHA-1 in base64": (
        {"by": "hmac", "name": "X-Sig", "digest": "sha1", "encoding": "base64", "prefix": "v1="},
        {"x-sig": "v1=" + signed("sha1", "base64")}, ""),
}  # fmt: skip
FORGED: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "no key": ({}, {}, ""),
    "another key": ({}, {}, "?key=guess"),
    "a key of no ASCII": ({}, {}, "?key=%C3%A9%FF"),
    "a key with a reference": ({}, {}, "?key=shh&ref=1"),
    "a key where a header is asked for": ({"by": "header", "name": "X-Key"}, {}, "?key=shh"),
    "another header": ({"by": "header", "name": "X-Key"}, {"x-kay": "shh"}, ""),
    "another key's signature": (
        {"by": "hmac", "name": "X-Sig"}, {"x-sig": signed("sha256", "hex", b"guess")}, ""),
    "an empty key's signature": (
        {"by": "hmac", "name": "X-Sig"}, {"x-sig": signed("sha256", "hex", b"")}, ""),
    "another body's signature": (
        {"by": "hmac", "name": "X-Sig"}, {"x-sig": signed("sha256", "hex", body=b"{} ")}, ""),
    "no text": ({"by": "hmac", "name": "X-Sig"}, {"x-sig": "\udcff"}, ""),
}  # fmt: skip


@pytest.mark.parametrize("label", GENUINE)
def test_the_aggregators_own_call_is_genuine(label: str) -> None:
    how, headers, query = GENUINE[label]
    assert calling(how, headers, query)


@pytest.mark.parametrize("label", FORGED)
def test_any_other_call_is_forged(label: str) -> None:
    how, headers, query = FORGED[label]
    assert not calling(how, headers, query)


@pytest.mark.parametrize("how", [{}, {"by": "header", "name": "X"}, {"by": "hmac", "name": "X"}])
def test_without_a_key_nobody_is_genuine(how: dict[str, Any]) -> None:
    for secrets in ({}, {"hook_key": ""}):
        nobody = account("", KEYED | {"hook": how}, credentials=secrets)
        for given_ in ("", signed("sha256", "hex", b"")):
            assert not GENERIC.verified(nobody, Call("POST", f"{HOOK}?key={given_}", {"x": given_}, b"{}"))


# --- what they say


def read(body: Any, query: str = f"?ref={REFERENCE}", options: dict[str, Any] = KEYED) -> list[Any]:
    raw, kind = (
        (body, "text/plain") if isinstance(body, bytes) else (json.dumps(body).encode(), "application/json")
    )
    return list(GENERIC.read(account("", options), Call("POST", HOOK + query, {"content-type": kind}, raw)))


def told(evidence: Evidence, code: str | None = None, fault: Fault | None = None, **more: Any) -> Receipt:
    made = Receipt(evidence, None, REFERENCE, "a1", code, fault)
    return replace(made, **more)


SECONDS = int(AT.timestamp())
RECEIPTS: dict[str, tuple[dict[str, Any], list[Receipt]]] = {
    "delivered": ({"state": "D", "id": "a1"}, [told(Evidence.DELIVERED)]),
    "by a number": ({"state": "D", "id": 17}, [told(Evidence.DELIVERED, provider_id="17")]),
    "with seconds": ({"state": "D", "id": "a1", "at": SECONDS}, [told(Evidence.DELIVERED, at=AT)]),
    "with milliseconds": (
        {"state": "D", "id": "a1", "at": str(SECONDS * 1000)}, [told(Evidence.DELIVERED, at=AT)]),
    "with a date": (
        {"state": "D", "id": "a1", "at": "2026-03-02T09:30:00+03:00"}, [told(Evidence.DELIVERED, at=AT)]),
    "with a date of no zone": (
        {"state": "D", "id": "a1", "at": "2026-03-02T06:30:00"}, [told(Evidence.DELIVERED)]),
    "with a date that is none": ({"state": "D", "id": "a1", "at": "noon"}, [told(Evidence.DELIVERED)]),
    "with a moment beyond all time": ({"state": "D", "id": "a1", "at": 1e300}, [told(Evidence.DELIVERED)]),
    "failed": ({"state": "F", "id": "a1", "why": "E1"}, [told(Evidence.FAILED, "E1", Fault.PERSON)]),
    "failed, nobody knows why": ({"state": "F", "id": "a1", "why": "E9"}, [told(Evidence.FAILED, "E9")]),
    "a word that says nothing": ({"state": "BUFFERED", "id": "a1"}, []),
}  # fmt: skip


@pytest.mark.parametrize("label", RECEIPTS)
def test_a_call_is_this_receipt(label: str) -> None:
    said, receipts = RECEIPTS[label]
    assert read(said) == receipts


def test_receipts_come_by_form_and_by_get_too() -> None:
    said, ours = urlencode({"state": "D", "id": "a1"}), account("", KEYED)
    form = {"content-type": "application/x-www-form-urlencoded"}
    posted = Call("POST", f"{HOOK}?ref={REFERENCE}", form, said.encode())
    assert list(GENERIC.read(ours, posted)) == [told(Evidence.DELIVERED)]
    got = Call("GET", f"{HOOK}?ref={REFERENCE}&{said}", {})
    assert list(GENERIC.read(ours, got)) == [told(Evidence.DELIVERED)]


@pytest.mark.parametrize("each", [None, "results.all"])
def test_many_receipts_come_in_one_call(each: str | None) -> None:
    report = {
        "each": each,
        "status": "s",
        "values": {"1": "delivered", "2": "failed"},
        "reference": "our.ref",
    }
    options = sending(query={"r": "{reference}"}) | {"receipt": report}
    many = [{"s": 1, "our": {"ref": "r-1"}}, {"s": "2", "our": {"ref": "r-2"}}, {"s": 3}, 5]
    found = read(many if each is None else {"results": {"all": many}}, "", options)
    assert [(one.evidence, one.reference) for one in found] == [
        (Evidence.DELIVERED, "r-1"), (Evidence.FAILED, "r-2"),
    ]  # fmt: skip


def test_a_reply_is_this_message() -> None:
    said = {"msisdn": "254712000001", "message": "STOP & ሰላም", "mid": "m1", "at": SECONDS}
    assert read(said, "?key=shh") == [Inbound("m1", "tel", "+254712000001", "STOP & ሰላም", AT)]
    (short,) = read(said | {"msisdn": "1234", "message": ""}, "?key=shh")
    assert (short.address, short.text) == ("1234", "")


def test_a_reply_without_a_name_is_known_by_its_whole_call() -> None:
    said = {"msisdn": "+254712000001", "message": "yes"}
    (one,), (again,), (other,) = read(said), read(said), read(said | {"message": "no"})
    assert one.provider_id == again.provider_id != other.provider_id


@pytest.mark.parametrize("body", [b"", b"{", b"hello", {}, [], [5], {"hello": 1}, {"message": "from nobody"}])
def test_what_is_neither_is_told_as_that(body: Any) -> None:
    with pytest.raises(ValueError, match="neither a receipt nor a reply"):
        read(body)


# --- the page that tells it to people


def test_the_example_of_the_documentation_is_a_description() -> None:
    page = (Path(__file__).parents[2] / "docs" / "generic-http.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert isinstance(GENERIC, Choosy)
    GENERIC.check_options(json.loads(example))
    assert all(f"`{{{name}}}`" in page for name in (*described.OF_A_MESSAGE, *described.EVERYWHERE))
    assert all(f"| `{word}` |" in page for word in described.ENDS)


@pytest.mark.parametrize("status", [409, 422, 425])
async def test_a_word_about_the_key_says_nothing_of_the_message(http: Http, status: int) -> None:
    keyed = sending(headers={"Idempotency-Key": "{reference}"}, replays_for=3600)
    told, server = await send(http, keyed, answer(status, b"{}"))
    assert told == ended(UNKNOWN, Fault.PROVIDER, f"http_{status}")
    assert server.requests[0].headers["idempotency-key"] == REFERENCE
    told, _ = await send(http, keyed | {"errors": {f"http_{status}": "person"}}, answer(status, b"{}"))
    assert told == ended(REFUSED, Fault.PERSON, f"http_{status}")


def test_what_is_known_again_must_be_given() -> None:
    with pytest.raises(Invalid) as wrong:
        described.check(sending(replays_for=3600))
    assert [one.where for one in wrong.value.problems] == ["config.options.request.replays_for"]
