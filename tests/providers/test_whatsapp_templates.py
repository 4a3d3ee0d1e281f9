"""WhatsApp's templates: the exact requests for them, what each says, and what keeps them from being read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from clarion.domain.catalogue import Kept, Shape
from clarion.errors import ClarionError, Invalid, Misconfigured, Unavailable
from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.abilities import Cataloguing, Choosy
from clarion.providers.contract import Account
from clarion.sandbox.client import SandboxProcess
from tests.kit.wire import Line, always, answer, wire

WHATSAPP = registry.get("whatsapp")
BUSINESS = "102290129340398"
FIELDS = "name,language,status,category,parameter_format,components"


def account(base_url: str, **more: Any) -> Account:
    options = {"business_account_id": BUSINESS, **more}
    return Account(base_url, "1001", {"token": "EAAG-secret"}, options, total_timeout=10.0)


async def read(account: Account, http: Http) -> Sequence[Kept]:
    assert isinstance(WHATSAPP, Cataloguing)
    return await WHATSAPP.templates(account, http)


def page(*some: dict[str, Any], after: str = "", more: bool = False) -> bytes:
    paging: dict[str, Any] = {"cursors": {"before": "MAZDZD", "after": after}}
    if more:  # an address that we are not to follow
        paging["next"] = f"https://elsewhere.example/steal?after={after}"
    return answer(200, json.dumps({"data": list(some), "paging": paging}).encode())


def template(name: str = "payday", *components: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "1", "name": name, "language": "en", "status": "APPROVED", "category": "UTILITY",
        "components": list(components), **more,
    }  # fmt: skip


def body(text: str) -> dict[str, Any]:
    return {"type": "BODY", "text": text}


def buttons(*some: dict[str, Any]) -> dict[str, Any]:
    return {"type": "BUTTONS", "buttons": list(some)}


HEADER = {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["https://x"]}}
SHAPES: dict[str, tuple[dict[str, Any], Shape]] = {
    "words alone": (template("a", body("We are closed.")), Shape()),
    "numbered parameters, one of them twice": (
        template("a", body("Dear {{1}}, {{2}} is off. Bye, {{1}}.")), Shape(parameters=2)),
    "parameters with names": (
        template("a", body("Dear {{first_name}}"), parameter_format="NAMED"),
        Shape(parameters=1, named=True)),
    "parameters with names, of an older answer": (
        template("a", body("Dear {{first_name}}")), Shape(parameters=1, named=True)),
    "a picture above": (template("a", HEADER, body("x")), Shape(header="image")),
    "a line above": (
        template("a", {"type": "HEADER", "format": "TEXT", "text": "July"}, body("x")), Shape(header="text")),
    "a line above with a parameter": (
        template("a", {"type": "HEADER", "format": "TEXT", "text": "In {{1}}"}, body("x")),
        Shape(header="text", header_parameters=1)),
    "a place above": (template("a", {"type": "HEADER", "format": "LOCATION"}), Shape(header="location")),
    "a footer": (template("a", body("x"), {"type": "FOOTER", "text": "Selam"}), Shape()),
    "buttons": (
        template("a", body("x"), buttons(
            {"type": "QUICK_REPLY", "text": "Thanks"},
            {"type": "URL", "text": "See", "url": "https://selam.example/{{1}}"},
            {"type": "URL", "text": "Site", "url": "https://selam.example"},
            {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+254700000000"},
            {"type": "COPY_CODE", "example": ["SAVE"]})),
        Shape(buttons=("quick_reply", "url", "", "", "copy_code"))),
    "a code to sign in": (
        template("a", body("{{1}} is your code."), buttons(
            {"type": "URL", "text": "Copy", "url": "https://www.whatsapp.com/otp/code/?code=otp{{1}}"}),
            category="AUTHENTICATION"),
        Shape(parameters=1, buttons=("url",))),
    "a carousel": (template("a", body("x"), {"type": "CAROUSEL", "cards": []}), Shape(beyond="carousel")),
    "nothing told of it": (template("a"), Shape()),
}  # fmt: skip


@pytest.mark.parametrize("label", SHAPES)
async def test_a_template_takes_what_its_components_say(http: Http, label: str) -> None:
    told, shape = SHAPES[label]
    async with wire(always(page(told))) as server:
        (kept,) = await read(account(server.url), http)
    assert kept == Kept("a", "en", told["category"], "APPROVED", shape)


async def test_all_pages_are_read_by_their_cursor_and_no_address_is_followed(http: Http) -> None:
    pages = [page(template("a"), after="QVFI", more=True), page(template("b"), after="QVFJ")]

    async def serve(line: Line) -> None:
        for each in pages:
            await line.request()
            await line.say(each)

    async with wire(serve) as server:
        kept = await read(account(server.url), http)
    assert [one.name for one in kept] == ["a", "b"]
    path = f"/v23.0/{BUSINESS}/message_templates?fields={FIELDS}&limit=100"
    assert [(one.method, one.path) for one in server.requests] == [
        ("GET", path), ("GET", f"{path}&after=QVFI"),
    ]  # fmt: skip
    assert {one.headers["authorization"] for one in server.requests} == {"Bearer EAAG-secret"}


def refused(code: int) -> bytes:
    return json.dumps({"error": {"message": "No.", "type": "OAuthException", "code": code}}).encode()


FAILED: dict[str, tuple[bytes, type[ClarionError]]] = {
    "no permission": (answer(403, refused(200)), Misconfigured),
    "a token that is none": (answer(401, refused(190)), Misconfigured),
    "an account that is none": (answer(400, refused(100)), Misconfigured),
    "too many questions": (answer(400, refused(80008)), Unavailable),
    "too fast": (answer(429, b""), Unavailable),
    "an outage": (answer(500, b"<html>"), Unavailable),
    "an outage with a code": (answer(503, refused(2)), Unavailable),
    "no JSON": (answer(200, b"{"), Unavailable),
    "another shape": (answer(200, b'{"templates":[]}'), Unavailable),
    "a list": (answer(200, b"[]"), Unavailable),
    "a template without a name": (page({"language": "en"}), Unavailable),
    "templates that are none": (answer(200, b'{"data":[5]}'), Unavailable),
}


@pytest.mark.parametrize("label", FAILED)
async def test_why_they_cannot_be_read_is_told_without_secrets(http: Http, label: str) -> None:
    reply, kind = FAILED[label]
    async with wire(always(reply)) as server:
        with pytest.raises(kind) as failed:
            await read(account(server.url), http)
    assert type(failed.value) is kind
    assert "EAAG" not in str(failed.value)


async def test_pages_without_an_end_are_not_read_for_ever(http: Http) -> None:
    async with wire(always(page(template(), after="QVFI", more=True))) as server:
        kept = await read(account(server.url), http)
    assert (len(kept), len(server.requests)) == (2, 2)


async def test_nobody_there_is_told_as_that(http: Http) -> None:
    with pytest.raises(Unavailable, match="not reached"):
        await read(account("http://nobody.invalid"), http)


def test_a_channel_says_by_an_option_whose_templates_it_calls() -> None:
    assert isinstance(WHATSAPP, Cataloguing)
    assert isinstance(WHATSAPP, Choosy)
    assert WHATSAPP.catalogue({"business_account_id": BUSINESS}) == BUSINESS
    assert WHATSAPP.catalogue({"business_account_id": int(BUSINESS)}) == BUSINESS
    assert WHATSAPP.catalogue({"look_up": True}) is None
    WHATSAPP.check_options({"look_up": True, "business_account_id": BUSINESS})
    for wrong in ("", "abc", "1/2", [1], "1" * 33):
        with pytest.raises(Invalid):
            WHATSAPP.check_options({"business_account_id": wrong})


async def test_the_sandbox_tells_its_templates_as_the_service_does(
    sandbox: SandboxProcess, http: Http
) -> None:
    url = {"type": "URL", "text": "See", "url": "https://selam.example/{{1}}"}
    some = [{"name": f"notice_{n:03}", "language": "en", "parameters": n % 3} for n in range(205)]
    sandbox.configure(
        business_account_id=BUSINESS,
        templates=[*some, {"name": "zz", "language": "sw", "header": "IMAGE", "buttons": [url]}],
    )
    ours = replace(account(sandbox.url), credentials={"token": "sandbox-token"})
    kept = await read(ours, http)
    assert [one.shape.parameters for one in kept[:-1]] == [n % 3 for n in range(205)]
    assert kept[-1] == Kept("zz", "sw", "UTILITY", "APPROVED", Shape(header="image", buttons=("url",)))
    assert sandbox.summary()["listings"] == 3
