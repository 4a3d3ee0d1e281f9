"""The providers' own libraries agree: with what we take for genuine, and with what the sandbox tells."""

from __future__ import annotations

import asyncio
import hmac
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.part import Button, Menu
from clarion.domain.said import SaidButton
from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.contract import Account, Call, Inbound, Interactive, Parcel, Template, Text
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.twilio import TWIN as TWILIO_TWIN
from clarion.sandbox.twins.whatsapp import TWIN as WHATSAPP_TWIN
from tests.providers.hook import Hook

# libraries without types, or with types for their decorators alone
RequestValidator: Any = import_module("twilio.request_validator").RequestValidator
pywa: Any = import_module("pywa")
REFERENCE = "202603.0199c0de000070008000000000000001"
FORM = "application/x-www-form-urlencoded"
TWILIO = registry.get("twilio")

names = st.text("ABCabc012", min_size=1, max_size=6)
forms = st.dictionaries(names, st.text(st.characters(codec="utf-8"), max_size=12), max_size=6)
tokens = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
hosts = st.sampled_from(["https://clarion.example", "https://clarion.example:8443", "http://clarion.example"])
queries = st.sampled_from(["", "?ref=1", "?ref=1&a=%20b"])


@given(host=hosts, query=queries, form=forms, token=tokens, key=st.booleans())
def test_twilios_validator_and_ours_agree(
    host: str, query: str, form: dict[str, str], token: str, key: bool
) -> None:
    url = f"{host}/hooks/1{query}"
    signing = token if key else token + "x"
    signature = RequestValidator(signing).compute_signature(url, form)
    headers = {"content-type": FORM, "x-twilio-signature": signature}
    call = Call("POST", url, headers, urlencode(form).encode())
    theirs = RequestValidator(token).validate(url, form, signature)
    assert TWILIO.verified(Account("", "+1", {"auth_token": token}), call) is bool(theirs) is key


async def told(
    provider: str, sandbox: SandboxProcess, hook: Hook, http: Http, twin: Any, person: str
) -> list[Call]:
    """What the sandbox tells of one message and of one reply, as this provider."""
    example = twin.example
    account = Account(sandbox.url, example.sender, example.credentials, example.options, hook=hook.url)
    hook.provider, hook.account = registry.get(provider), account
    numbers = {example.sender: {"provider": provider, "callback_url": hook.url}}
    await asyncio.to_thread(sandbox.configure, numbers=numbers)
    sender = hook.provider.sender(account, http)
    await sender.send(Parcel(REFERENCE, hook.provider.schemes[0], person, Text("Habari")))
    await asyncio.to_thread(sandbox.inbound, person, "STOP & ሰላም", example.sender)
    await asyncio.to_thread(sandbox.wait_for_webhooks)
    return hook.calls


async def test_twilios_validator_takes_what_the_sandbox_signs(
    sandbox: SandboxProcess, hook: Hook, http: Http
) -> None:
    calls = await told("twilio", sandbox, hook, http, TWILIO_TWIN, "+254712000001")
    validator = RequestValidator(TWILIO_TWIN.example.credentials["auth_token"])
    assert len(calls) == 3
    for call in calls:
        form = dict(parse_qsl(call.body.decode(), keep_blank_values=True))
        assert validator.validate(call.url, form, call.headers["x-twilio-signature"])
        assert not validator.validate(call.url, form | {"Body": "x"}, call.headers["x-twilio-signature"])


MENU = Menu.model_validate(
    {"label": "Days", "sections": [{"rows": [{"id": "mo", "title": "Monday", "description": "From nine"}]}]}
)
TAPPED: dict[str, tuple[Template | Interactive, str, tuple[str, str]]] = {
    "a button": (Interactive("Come?", buttons=(Button(id="y-1", title="Yes"),)), "Yes", ("Yes", "y-1")),
    "a row": (Interactive("When?", menu=MENU), "mo", ("Monday", "mo")),
    "a template's quick reply": (
        Template("payday", "en", (), None, (SaidButton(0, "quick_reply", "p-7"),)), "Thanks",
        ("Thanks", "p-7"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", TAPPED)
@pytest.mark.parametrize("person", ["+254712000001", "US.13491208655302741918"])
async def test_pywa_and_we_read_the_same_of_what_a_person_taps(
    sandbox: SandboxProcess, hook: Hook, http: Http, label: str, person: str
) -> None:
    content, which, (title, payload) = TAPPED[label]
    quick = {"type": "QUICK_REPLY", "text": "Thanks"}
    known = [{"name": "payday", "language": "en", "parameters": 0, "buttons": [quick]}]
    await asyncio.to_thread(sandbox.configure, templates=known, receipts={"mode": "none"})
    example = WHATSAPP_TWIN.example
    account = Account(sandbox.url, example.sender, example.credentials, example.options, hook=hook.url)
    hook.provider, hook.account = registry.get("whatsapp"), account
    await asyncio.to_thread(sandbox.configure, numbers={example.sender: {"callback_url": hook.url}})
    sent = await hook.provider.sender(account, http).send(Parcel(REFERENCE, "whatsapp", person, content))
    assert sent.provider_id, sent
    await asyncio.to_thread(sandbox.tap, person, which, example.sender)
    await asyncio.to_thread(sandbox.wait_for_webhooks)
    (ours,) = hook.heard()
    assert isinstance(ours, Inbound)
    assert (ours.address, ours.text, ours.payload) == (person, title, payload)
    heard: list[Any] = []
    client = pywa.WhatsApp(
        phone_id=example.sender, token="t", server=None, verify_token="v",
        app_secret=example.credentials["app_secret"],
    )  # fmt: skip
    client.on_callback_button()(lambda _, tapped: heard.append(tapped))
    client.on_callback_selection()(lambda _, tapped: heard.append(tapped))
    for call in hook.calls:
        client.webhook_update_handler(call.body)
    (theirs,) = heard
    assert (theirs.title, theirs.data, theirs.id) == (title, payload, ours.provider_id)
    assert theirs.reply_to_message.id == sent.provider_id
    assert theirs.from_user.wa_id == (None if person.startswith("US.") else person[1:])


@pytest.mark.parametrize("person", ["+254712000001", "US.13491208655302741918"])
async def test_pywa_reads_what_the_sandbox_tells_as_whatsapp(
    sandbox: SandboxProcess, hook: Hook, http: Http, person: str
) -> None:
    calls = await told("whatsapp", sandbox, hook, http, WHATSAPP_TWIN, person)
    heard: list[Any] = []
    secret = WHATSAPP_TWIN.example.credentials["app_secret"]
    client = pywa.WhatsApp(
        phone_id=WHATSAPP_TWIN.example.sender, token="t", server=None, verify_token="v", app_secret=secret
    )
    client.on_message()(lambda _, message: heard.append(message))
    client.on_message_status()(lambda _, status: heard.append(status))
    for call in calls:
        assert client.webhook_update_validator(call.body, call.headers["x-hub-signature-256"]) is None
        client.webhook_update_handler(call.body)
    statuses = [one for one in heard if isinstance(one, pywa.types.MessageStatus)]
    (written,) = [one for one in heard if isinstance(one, pywa.types.Message)]
    assert {one.tracker for one in statuses} == {REFERENCE}
    assert written.text == "STOP & ሰላም"
    wa_id = None if person.startswith("US.") else person[1:]
    assert {one.from_user.wa_id for one in heard} == {wa_id}
    forged = hmac.new(b"guess", calls[0].body, "sha256").hexdigest()
    assert client.webhook_update_validator(calls[0].body, f"sha256={forged}") is not None
