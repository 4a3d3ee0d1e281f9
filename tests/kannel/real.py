"""A real Kannel takes what our provider sends, and tells it what we understand. See `tests.kannel`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.contract import Account, Answered, Evidence, Fault, Inbound, Parcel, Text, Told
from tests.kannel.gateway import ROOT, Gateway, Programs, until
from tests.providers.hook import Hook

KANNEL = registry.get("kannel")
KEY = "a-word-of-ours"
AMINA = "+254712000001"
REFERENCE = "202603.0199c0de000070008000000000000001"


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with Hook() as hook:
        yield hook


@pytest.fixture
async def gateway(hook: Hook, tmp_path: Path) -> AsyncIterator[Gateway]:
    programs = Programs(Path(os.environ[ROOT]))
    with Gateway(programs, tmp_path, hook.url, KEY) as gateway:
        credentials = {"username": "clarion", "password": gateway.password, "hook_key": KEY}
        hook.provider = KANNEL
        hook.account = Account(gateway.url, "1000", credentials, hook=hook.url, total_timeout=10.0)
        yield gateway


async def send(hook: Hook, text: str, to: str = AMINA, **more: Any) -> Told:
    assert hook.account is not None
    async with Http() as http:
        sender = KANNEL.sender(replace(hook.account, **more), http)
        return await sender.send(Parcel(REFERENCE, "tel", to, Text(text)))


SAID = {
    "GSM": ("Habari @ €5 & 1+1 = 2%", "text Habari @ €5 & 1+1 = 2%"),
    "another script": ("ሰላም", "ucs-2 %120%12%0B%12%1D"),
}


@pytest.mark.parametrize("label", SAID)
async def test_what_is_sent_is_on_the_phone_and_reported_under_our_reference(
    gateway: Gateway, hook: Hook, label: str
) -> None:
    text, shown = SAID[label]
    with gateway.phone() as phone:
        told = await send(hook, text)
        await asyncio.to_thread(
            until, lambda: Evidence.DELIVERED in {one.evidence for one in hook.receipts()}
        )
        on_the_phone = phone.read_text(errors="replace")
    assert told == Told(Answered.ACCEPTED)
    assert f"<1000 {AMINA} {shown}>" in on_the_phone
    assert {one.reference for one in hook.receipts()} == {REFERENCE}
    assert all(one.at is not None for one in hook.receipts())
    assert hook.forged == 0


async def test_a_long_text_is_not_cut_off(gateway: Gateway, hook: Hook) -> None:
    with gateway.phone() as phone:
        await send(hook, "0123456789" * 40)
        await asyncio.to_thread(until, lambda: phone.read_text(errors="replace").count("Got message") == 3)
        assert phone.read_text(errors="replace").count("0123456789") >= 36, "but for where it is split"


async def test_without_a_phone_it_is_queued_and_arrives_later(gateway: Gateway, hook: Hook) -> None:
    told = await send(hook, "Habari")
    assert told.answered is Answered.ACCEPTED
    with gateway.phone() as phone:
        await asyncio.to_thread(
            until, lambda: f"<1000 {AMINA} text Habari>" in phone.read_text(errors="replace")
        )
        await asyncio.to_thread(
            until, lambda: Evidence.DELIVERED in {one.evidence for one in hook.receipts()}
        )


async def test_what_a_phone_writes_is_heard(gateway: Gateway, hook: Hook) -> None:
    with gateway.phone(f"{AMINA} 1000 text STOP%21 & ሰላም +1"):
        await asyncio.to_thread(until, lambda: bool(hook.calls))
    (heard,) = hook.heard()
    assert isinstance(heard, Inbound)
    assert (heard.address, heard.text) == (AMINA, "STOP%21 & ሰላም +1")
    assert heard.provider_id
    assert heard.at is not None
    assert hook.forged == 0


async def test_its_refusals_are_those_of_the_table(gateway: Gateway, hook: Hook) -> None:
    assert hook.account is not None
    wrong = {**hook.account.credentials, "password": "guess"}
    ends = {
        "password": await send(hook, "x", credentials=wrong),
        "nobody": await send(hook, "x", to=""),
        "priority": await send(hook, "x", options={"priority": 9}),
        "path": await send(hook, "x", options={"path": "/elsewhere"}),
    }
    assert {label: (told.answered, told.fault, told.code) for label, told in ends.items()} == {
        "password": (Answered.LATER, Fault.ACCOUNT, "authorization_failed"),
        "nobody": (Answered.REFUSED, Fault.PERSON, "no_receiver"),
        "priority": (Answered.LATER, Fault.ACCOUNT, "priority_misformed"),
        "path": (Answered.LATER, Fault.ACCOUNT, "unknown_request"),
    }
