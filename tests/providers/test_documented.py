"""The provider that the documentation shows: short, within the rules, and it works."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import ModuleType

from clarion.kit.http import Http
from clarion.providers import apprise
from clarion.providers.contract import Account, Answered, Evidence, Fault, Inbound, Parcel, Provider, Text
from clarion.sandbox.client import SandboxProcess
from tests.providers.hook import Hook

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-provider.md"
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "tel", "+254712000001", Text("Habari, ሰላም"))


def shown() -> tuple[str, Provider]:
    """Its text, and itself."""
    (text,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module = ModuleType("clarion.providers.example")
    exec(compile(text, str(PAGE), "exec"), module.__dict__)
    provider: Provider = module.provider
    return text, provider


def test_a_provider_is_shorter_than_a_hundred_lines() -> None:
    text, _ = shown()
    assert len([line for line in text.splitlines() if line.strip()]) < 100


def test_so_are_the_hundred_services_of_apprise() -> None:
    text = Path(apprise.__file__).read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) < 100


async def test_the_provider_that_is_shown_sends_and_hears(
    sandbox: SandboxProcess, hook: Hook, http: Http
) -> None:
    _, provider = shown()
    account = Account(
        sandbox.url, "SELAM", {"token": "sandbox-token", "hook_key": "sandbox-secret"}, hook=hook.url
    )
    hook.provider, hook.account = provider, account
    number = {"provider": "generic_http", "callback_url": hook.url}
    await asyncio.to_thread(sandbox.configure, numbers={"SELAM": number})
    sender = provider.sender(account, http)
    told = await sender.send(HELLO)
    await asyncio.to_thread(sandbox.inbound, "+254712000001", "STOP", "SELAM")
    await asyncio.to_thread(sandbox.wait_for_webhooks)
    assert told.answered is Answered.ACCEPTED
    heard = hook.heard()
    assert {(one.reference, one.evidence) for one in hook.receipts()} == {
        (REFERENCE, Evidence.ACCEPTED), (REFERENCE, Evidence.DELIVERED),
    }  # fmt: skip
    assert [(one.address, one.text) for one in heard if isinstance(one, Inbound)] == [
        ("+254712000001", "STOP")
    ]
    assert hook.forged == 0


async def test_the_provider_that_is_shown_ends_as_its_table_says(sandbox: SandboxProcess, http: Http) -> None:
    _, provider = shown()
    sender = provider.sender(Account(sandbox.url, "SELAM", {"token": "sandbox-token"}), http)
    ends = {}
    for fault in (
        "throttle",
        "not_processed_503",
        "refuse_permanent",
        "malformed_json",
        "refuse_500",
        "reset",
    ):
        await asyncio.to_thread(sandbox.fault, fault)
        told = await sender.send(HELLO)
        ends[fault] = (told.answered, told.fault)
    assert ends == {
        "throttle": (Answered.LATER, Fault.RATE),
        "not_processed_503": (Answered.LATER, Fault.PROVIDER),
        "refuse_permanent": (Answered.REFUSED, Fault.PERSON),
        "malformed_json": (Answered.UNKNOWN, Fault.PROVIDER),
        "refuse_500": (Answered.UNKNOWN, Fault.PROVIDER),
        "reset": (Answered.UNKNOWN, Fault.NETWORK),
    }
