"""What every provider must do, each against its twin in the sandbox, over real connections.

A provider is tested here by being there: whoever adds one adds its twin, which says how a channel reaches
it, and nothing else.
"""

from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import pytest

from clarion.domain.content import AVAILABLE
from clarion.domain.message import cohort_of, reference
from clarion.errors import Misconfigured
from clarion.kit.clock import Clock
from clarion.kit.http import Http
from clarion.kit.ids import uuid7
from clarion.providers import registry
from clarion.providers.abilities import Hearing, Polling
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
    Provider,
    Receipt,
    Sender,
    Text,
    Told,
)
from clarion.sandbox import twins
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.dialect import Example
from clarion.sandbox.twins.fcm import device
from clarion.sandbox.twins.webpush import subscription
from tests.providers.hook import Hook

NOW = Clock().now()
REFERENCE = reference(cohort_of(NOW), uuid7(NOW))  # who is asked may have forgotten what is old
AMINA = "+254712000001"
# Who has no number there; in the sandbox, her mailbox is her phone's, and so are its app and its browser.
KNOWN_AS = {
    "messenger": AMINA[1:],
    "mailto": f"{AMINA[1:]}@phone.example",
    "fcm": device(AMINA),
    "webpush": subscription(AMINA),
}
# Where texts bring no reference of ours to the provider, and something else that it carries does.
BY_REFERENCE = {"rapidpro": FlowStart("welcome")}
WORDS = "Habari & ሰላም, Amina? 100% +1\n"


@dataclass
class Stage:
    """A channel of one provider that points at its twin, whose webhooks come to our hook."""

    provider: Provider
    account: Account
    sender: Sender
    sandbox: SandboxProcess
    hook: Hook
    cursor: str = ""

    @property
    def scheme(self) -> str:
        return self.provider.schemes[0]

    @property
    def amina(self) -> str:
        """Her address there."""
        return KNOWN_AS.get(self.scheme, AMINA)

    async def send(
        self, fault: str | None = None, parameter: float | None = None, content: Content | None = None
    ) -> Told:
        """One message to Amina, whose call or receipts meet this fault."""
        if fault is not None:
            await asyncio.to_thread(self.sandbox.fault, fault, parameter)
        if content is None:
            words = "text" in self.provider.kinds
            content = Text(WORDS) if words else Mail("News & ዜና", WORDS, "<p>News</p>")
        return await self.sender.send(Parcel(REFERENCE, self.scheme, self.amina, content))

    async def told(self) -> list[Receipt]:
        """All receipts, when the provider has told everything."""
        await asyncio.to_thread(self.sandbox.wait_for_webhooks)
        return await self.told_so_far()

    async def told_so_far(self) -> list[Receipt]:
        """All receipts up to now; of one that calls nobody, what it answers."""
        if isinstance(self.sender, Polling):
            reread = await self.sender.poll(self.cursor)
            assert reread.problem is None
            self.cursor = reread.cursor
            for call in reread.calls:
                await self.hook.hear(call)
        return self.hook.receipts()

    async def record(self) -> list[dict[str, Any]]:
        """The provider's own record of the message."""
        return await asyncio.to_thread(self.sandbox.messages, to=AMINA)

    def names(self, receipts: list[Receipt], told: Told) -> bool:
        """Whether all these are of our one try, by our reference or, where there is none, by its name."""
        if "reference" not in example(self.provider.name).never:
            return {one.reference for one in receipts} == {REFERENCE}
        return bool(receipts) and all(
            one.provider_id == told.provider_id and one.reference in (REFERENCE, None) for one in receipts
        )

    async def accepted(self) -> bool:
        return [one["outcome"] for one in await self.record()] == ["accepted"]


def example(name: str) -> Example:
    """How a channel reaches a provider's twin. Fails for a provider that has none."""
    found: Example = import_module(f"{twins.__name__}.{name}").TWIN.example
    return found


@pytest.fixture(params=sorted(registry.known()))
def provider(request: pytest.FixtureRequest) -> Provider:
    return registry.get(request.param)


def who_may(*faults: str) -> pytest.MarkDecorator:
    """All providers but those whose protocol has no words for one of these."""
    able = [name for name in sorted(registry.known()) if not example(name).never & set(faults)]
    return pytest.mark.parametrize("provider", able, indirect=True)


@pytest.fixture
async def stage(provider: Provider, sandbox: SandboxProcess, hook: Hook, http: Http) -> AsyncIterator[Stage]:
    by = example(provider.name)
    await asyncio.to_thread(
        sandbox.configure, numbers={by.sender: {"provider": provider.name, "callback_url": hook.url}}
    )
    account = Account(
        await asyncio.to_thread(sandbox.address, by.protocol),
        by.sender,
        by.credentials,
        by.options,
        connect_timeout=1.0,
        total_timeout=5.0,
        hook=hook.url,
    )
    hook.provider, hook.account = provider, account
    sender = provider.sender(account, http)
    async with listened(sender, hook):
        stage = Stage(provider, account, sender, sandbox, hook)
        await stage.told_so_far()  # who is asked tells of what happened since the first question
        yield stage


@asynccontextmanager
async def listened(sender: Sender, hook: Hook) -> AsyncIterator[None]:
    """What is told over the sender's own connection is heard where calls to our hook are."""
    if not isinstance(sender, Hearing):
        yield
        return
    listening = asyncio.create_task(sender.listen(hook.hear))
    yield
    listening.cancel()
    await asyncio.wait({listening})


# --- one call


async def test_what_it_takes_arrives_as_it_was_said_and_under_its_reference(stage: Stage) -> None:
    told = await stage.send()
    assert told.answered is Answered.ACCEPTED
    (one,) = await stage.record()
    words = WORDS if "spaces" not in example(stage.provider.name).never else WORDS.rstrip()
    assert (one["outcome"], one["to"], one["text"]) == ("accepted", AMINA[1:], words)
    assert one["reference"] == (REFERENCE if "settle" not in example(stage.provider.name).never else "")


@pytest.mark.parametrize("fault", ["throttle", "throttle_bare"])
async def test_too_fast_is_later_and_the_rates_fault(stage: Stage, fault: str) -> None:
    told = await stage.send(fault)
    assert (told.answered, told.fault) == (Answered.LATER, Fault.RATE)
    assert told.retry_after in (None, 1.0)
    assert not await stage.accepted()


@who_may("refuse_permanent")
async def test_a_final_refusal_is_the_persons(stage: Stage) -> None:
    told = await stage.send("refuse_permanent")
    assert (told.answered, told.fault) == (Answered.REFUSED, Fault.PERSON)
    assert told.code
    assert AMINA[1:] not in f"{told.code} {told.detail}"
    assert not await stage.accepted()


@who_may("not_processed_503")
async def test_what_the_table_calls_not_processed_is_later(stage: Stage) -> None:
    told = await stage.send("not_processed_503")
    assert told.answered is Answered.LATER
    assert told.fault in (Fault.RATE, Fault.PROVIDER)
    assert not await stage.accepted()


@pytest.mark.parametrize("fault", ["refuse_500", "error_after_accept"])
async def test_an_answer_that_says_nothing_of_it_is_unknown(stage: Stage, fault: str) -> None:
    told = await stage.send(fault)
    assert (told.answered, told.fault) == (Answered.UNKNOWN, Fault.PROVIDER)
    assert await stage.accepted() is (fault != "refuse_500")


@who_may("malformed_json")
async def test_an_answer_that_breaks_off_is_unknown(stage: Stage) -> None:
    told = await stage.send("malformed_json")
    assert (told.answered, told.fault) == (Answered.UNKNOWN, Fault.PROVIDER)
    assert await stage.accepted()


@pytest.mark.parametrize("fault", ["drop_after_accept", "drop_before_accept", "reset", "half_close"])
async def test_a_connection_that_breaks_after_the_first_byte_is_unknown(stage: Stage, fault: str) -> None:
    told = await stage.send(fault)
    assert (told.answered, told.fault) == (Answered.UNKNOWN, Fault.NETWORK)
    assert len(await stage.record()) == 1, "and nothing was sent twice"


async def test_an_answer_that_does_not_come_in_time_is_unknown(stage: Stage, http: Http) -> None:
    hasty = replace(stage.account, connect_timeout=0.2, total_timeout=0.3)
    stage.sender = stage.provider.sender(hasty, http)
    told = await stage.send("answer_late", 30)
    assert (told.answered, told.fault) == (Answered.UNKNOWN, Fault.NETWORK)
    assert await stage.accepted()


async def test_nobody_there_is_later(stage: Stage, http: Http) -> None:
    protocol = example(stage.provider.name).protocol
    nobody = replace(stage.account, base_url=f"{protocol}://nobody.invalid")
    stage.sender = stage.provider.sender(nobody, http)
    told = await stage.send()
    assert (told.answered, told.fault) == (Answered.LATER, Fault.NETWORK)


async def test_credentials_that_are_not_ours_are_the_accounts_fault(stage: Stage, http: Http) -> None:
    wrong = {name: f"{secret[:-1]}x" for name, secret in stage.account.credentials.items()}
    try:
        stage.sender = stage.provider.sender(replace(stage.account, credentials=wrong), http)
        told = await stage.send()
        assert (told.answered, told.fault) == (Answered.LATER, Fault.ACCOUNT)
        shown = f"{told.code} {told.detail}"
    except Misconfigured as error:  # one that cannot even be read: found before anything is sent
        shown = f"{error} {error.hint}"
    assert not any(secret in shown for secret in wrong.values())


# --- receipts


@who_may("receipts")
async def test_a_receipt_names_our_try_and_what_became_of_it(stage: Stage) -> None:
    told = await stage.send()
    receipts = await stage.told()
    assert stage.names(receipts, told)
    assert receipts[-1].evidence is Evidence.DELIVERED
    if told.provider_id is not None:
        assert {one.provider_id for one in receipts} <= {told.provider_id, None}
    assert all(one.at is None or one.at.tzinfo is not None for one in receipts)
    assert stage.hook.forged == 0


async def test_who_can_be_asked_says_what_became_of_a_try(stage: Stage) -> None:
    if not stage.provider.can_look_up:
        assert await stage.sender.look_up(REFERENCE) is None
        return
    assert await stage.sender.look_up(REFERENCE) == Found(False)
    await stage.send("drop_after_accept", content=BY_REFERENCE.get(stage.provider.name))
    found = await stage.sender.look_up(REFERENCE)
    assert found is not None
    assert (found.known, found.evidence in (None, Evidence.FAILED)) == (True, False)


@who_may("receipts")
async def test_receipts_that_come_before_the_answer_are_understood(stage: Stage) -> None:
    told = await stage.send("receipts_early")
    receipts = await stage.told_so_far()
    assert told.answered is Answered.ACCEPTED
    assert stage.names(receipts, told)
    assert Evidence.DELIVERED in {one.evidence for one in receipts}


@who_may("receipts")
async def test_receipts_out_of_order_are_all_told(stage: Stage) -> None:
    told = await stage.send("receipts_reversed")
    receipts = await stage.told()
    assert stage.names(receipts, told)
    assert receipts[0].evidence is Evidence.DELIVERED


@who_may("receipts", "repeat")
async def test_receipts_repeated_are_all_told(stage: Stage) -> None:
    told = await stage.send("receipts_five_times")
    receipts = await stage.told()
    assert stage.names(receipts, told)
    assert [one.evidence for one in receipts].count(Evidence.DELIVERED) == 5


@who_may("settle")
async def test_a_receipt_settles_what_was_never_answered(stage: Stage) -> None:
    await stage.send("drop_after_accept")
    assert {one.reference for one in await stage.told()} >= {REFERENCE}


@who_may("receipts_failed")
async def test_a_failure_is_told(stage: Stage) -> None:
    told = await stage.send("receipts_failed")
    (failed,) = receipts = await stage.told()
    assert failed.evidence is Evidence.FAILED
    assert stage.names(receipts, told)
    assert failed.fault in (None, Fault.PERSON)


# --- replies, and whoever only pretends


@who_may("write")
async def test_what_a_person_writes_is_heard_under_their_address(stage: Stage) -> None:
    await asyncio.to_thread(stage.sandbox.inbound, stage.amina, "STOP & ሰላም +1", stage.account.sender)
    await stage.told()
    (heard,) = stage.hook.heard()
    assert isinstance(heard, Inbound)
    assert (heard.scheme, heard.address, heard.text) == (stage.scheme, stage.amina, "STOP & ሰላም +1")
    assert heard.provider_id


@who_may("write")
async def test_two_messages_of_a_person_are_two(stage: Stage) -> None:
    for _ in range(2):
        await asyncio.to_thread(stage.sandbox.inbound, stage.amina, "yes", stage.account.sender)
    await stage.told()
    assert len({one.provider_id for one in stage.hook.heard() if isinstance(one, Inbound)}) == 2


@who_may("call")
async def test_a_call_under_other_secrets_is_forged(stage: Stage) -> None:
    await stage.send()
    if "write" not in example(stage.provider.name).never:
        await asyncio.to_thread(stage.sandbox.inbound, stage.amina, "STOP", stage.account.sender)
    await stage.told()
    others = {name: f"{secret}x" for name, secret in stage.account.credentials.items()}
    empty = dict.fromkeys(others, "")
    assert stage.hook.calls
    for call in stage.hook.calls:
        assert stage.provider.verified(stage.account, call)
        for secrets in (others, empty, {}):
            assert not stage.provider.verified(replace(stage.account, credentials=secrets), call)


@who_may("call")
async def test_a_call_without_its_proof_is_forged(stage: Stage) -> None:
    await stage.send()
    await stage.told()
    for call in stage.hook.calls:
        kept = {"content-type": call.headers.get("content-type", "")}
        bare = replace(call, url=call.url.partition("?")[0], headers=kept)
        assert not stage.provider.verified(stage.account, bare)
        odd = dict.fromkeys(call.headers, "\xe9\udcff")
        assert not stage.provider.verified(stage.account, replace(bare, headers=odd))


def test_what_is_no_webhook_is_no_question_either(provider: Provider) -> None:
    by = example(provider.name)
    account = Account("", by.sender, by.credentials, by.options)
    for url in ("https://clarion.example/hooks/1", "https://clarion.example/hooks/1?a=1&a=2&%ff"):
        assert provider.challenge(account, Call("GET", url, {})) is None


# --- what it says of itself


def test_what_it_declares_fits_together(provider: Provider) -> None:
    assert registry.get(provider.name) is provider
    assert provider.schemes
    assert provider.text_limit > 0
    assert provider.kinds
    assert provider.kinds <= AVAILABLE
    assert provider.limits.rate > 0
    assert provider.base_url == "" or provider.base_url.startswith("https://")
    assert set(example(provider.name).credentials) <= set(provider.credentials)
    assert all(provider.credentials.values()), "every secret says what it is for"
    kind, text = provider.thanks
    assert bool(kind) == bool(text)


def test_every_provider_has_its_twin_and_every_twin_its_provider() -> None:
    assert {module.name for module in pkgutil.iter_modules(twins.__path__)} == set(registry.known())
