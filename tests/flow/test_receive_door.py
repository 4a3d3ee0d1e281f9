"""The door: what is stored is durable, what cannot be stored is said so, and changes are soon known."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar, LiteralString
from uuid import UUID

import pytest

from clarion.domain.limits import Limits
from clarion.errors import Forbidden, NotFound, Unauthorized, Unavailable
from clarion.flow import configure
from clarion.flow.receive import Door, Receiver
from clarion.flow.receive.batcher import Batcher
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database, rows
from clarion.kit.http import Http
from clarion.kit.ids import uuid7
from clarion.providers import registry
from clarion.providers.contract import Account, Call, Inbound, Receipt, Sender
from clarion.store import channel as channels
from clarion.store.inbox import Body


def post(body: bytes, **headers: str) -> Call:
    return Call("POST", "http://127.0.0.1:8600/hooks/1", headers, body)


def signed(body: bytes, secret: str) -> Call:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return post(body, **{"x-hub-signature-256": f"sha256={digest}"})


@pytest.fixture
async def channel(services: Services, workspace: UUID) -> UUID:
    async with services.db.tenant(workspace) as connection:
        return await configure.create_channel(
            connection, services, workspace, name="WhatsApp", provider="whatsapp", config={},
            credentials={"app_secret": "old"},
        )  # fmt: skip


async def test_other_credentials_are_known_within_seconds(
    services: Services, workspace: UUID, channel: UUID
) -> None:
    door = Door(services)
    await door.take(channel, signed(b"{}", "old"))
    async with services.db.tenant(workspace) as connection:
        await configure.set_credentials(connection, services, workspace, channel, {"app_secret": "new"})
    assert isinstance(services.clock, FakeClock)
    services.clock.advance(6)
    await door.take(channel, signed(b"{}", "new"))
    with pytest.raises(Unauthorized):
        await door.take(channel, signed(b"{}", "old"))


async def test_a_channel_that_is_made_after_it_was_asked_for_is_found(
    services: Services, workspace: UUID
) -> None:
    door, now = Door(services), services.clock.now()
    later = uuid7(now)
    asked = await asyncio.gather(*(door.take(later, post(b"")) for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in asked} == {NotFound}
    async with services.db.tenant(workspace) as connection:
        await channels.create(
            connection, later, workspace, name="Later", provider="whatsapp", config={}, credentials=None,
            rate=Decimal(80), now=now,
        )  # fmt: skip
    with pytest.raises(Unauthorized):
        await door.take(later, post(b""))


# --- a provider that reports by GET, and one whose signature holds the address


class Plain:
    """A provider that signs nothing but the address that it calls, and tells no moments."""

    name, base_url, schemes = "plain", "https://plain.example", ("tel",)
    can_look_up = has_window = speaks_http = counts_segments = False
    text_limit, limits, thanks = 100, Limits(rate=3), ("text/xml", "<Thanks/>")
    credentials: ClassVar[Mapping[str, str]] = {}

    def sender(self, account: Account, http: Http) -> Sender:
        raise NotImplementedError

    def verified(self, account: Account, call: Call) -> bool:
        return call.url.startswith("https://clarion.example/hooks/") and "guess" not in call.url

    def challenge(self, account: Account, call: Call) -> str | None:
        return dict(call.query).get("question")

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        assert not account.credentials
        return [Inbound(f"{call.method} {number}", "tel", number, account.hook, None)
                for name, number in call.query + call.form if name == "from"]  # fmt: skip


@pytest.fixture
async def public(services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """A channel of that provider, at a Clarion that is known outside by a name."""
    monkeypatch.setitem(registry.known(), "plain", Plain())
    settings = services.settings.model_copy(update={"public_url": "https://clarion.example/"})
    known = replace(services, settings=settings)
    async with known.db.tenant(workspace) as connection:
        channel_id = await configure.create_channel(
            connection, known, workspace, name="Plain", provider="plain", config={}
        )
    return Inbox(known, workspace, channel_id)


@dataclass
class Inbox:
    services: Services
    workspace_id: UUID
    channel_id: UUID

    async def take(self, method: str, query: str = "", body: bytes = b"", kind: str = "") -> tuple[str, str]:
        """The provider calls, by the name that the proxy before us forwards to."""
        url = f"http://127.0.0.1:8600/hooks/{self.channel_id}" + (f"?{query}" if query else "")
        call = Call(method, url, {"content-type": kind} if kind else {}, body)
        return await Door(self.services).take(self.channel_id, call)

    async def look(self, query: LiteralString) -> list[dict[str, Any]]:
        async with self.services.db.tenant(self.workspace_id) as connection:
            return await rows(connection, query, (self.channel_id,))


async def test_a_new_channels_rate_is_what_its_provider_usually_allows(public: Inbox) -> None:
    (channel,) = await public.look("SELECT rate FROM channel WHERE id = %s")
    assert channel["rate"] == 3


async def test_a_call_is_kept_whole_and_read_as_it_came(public: Inbox) -> None:
    form = "application/x-www-form-urlencoded; charset=utf-8"
    thanks = await public.take("GET", "from=%2B254712000001&x=")
    assert thanks == ("text/xml", "<Thanks/>"), "what this provider wants to read"
    await public.take("POST", "ref=1", b"from=%2B254712000002", form)
    await public.take("POST", "", b"from=%2B254712000003", "application/json")
    kept = await public.look(
        "SELECT method, query, content_type FROM inbox WHERE channel_id = %s ORDER BY method, query"
    )
    assert [tuple(one.values()) for one in kept] == [
        ("GET", "from=%2B254712000001&x=", ""), ("POST", "", "application/json"), ("POST", "ref=1", form),
    ]  # fmt: skip
    drained = await Receiver(public.services).drain_once(public.workspace_id, public.channel_id)
    assert (drained.bodies, drained.inbound) == (3, 2)
    heard = await public.look(
        "SELECT provider_id, text, at, received_at FROM inbound WHERE channel_id = %s ORDER BY provider_id"
    )
    assert [one["provider_id"] for one in heard] == ["GET +254712000001", "POST +254712000002"]
    assert {one["text"] for one in heard} == {f"https://clarion.example/hooks/{public.channel_id}"}
    assert all(one["at"] == one["received_at"] for one in heard), "told without a moment: when it came"


async def test_a_question_is_answered_and_not_kept(public: Inbox) -> None:
    answer = await public.take("GET", "question=who%20are%20you")
    assert answer == ("text/plain; charset=utf-8", "who are you")
    assert await public.look("SELECT id FROM inbox WHERE channel_id = %s") == []


async def test_whoever_is_not_the_provider_is_refused_by_either_method(public: Inbox) -> None:
    with pytest.raises(Forbidden):
        await public.take("GET", "from=guess")
    with pytest.raises(Unauthorized):
        await public.take("POST", "from=guess")
    assert await public.look("SELECT id FROM inbox WHERE channel_id = %s") == []


async def test_an_odd_character_in_a_call_does_not_stop_the_others(public: Inbox) -> None:
    await public.take("POST", "a=\x00b", b"\x00", "text/\x00plain")
    (kept,) = await public.look("SELECT query, content_type FROM inbox WHERE channel_id = %s")
    assert (kept["query"], kept["content_type"]) == ("a=b", "text/plain")


# --- what is stored is durable


async def test_without_the_database_nothing_is_promised(
    services: Services, channel: UUID, database_url: str
) -> None:
    async with Database(database_url, size=1) as db:
        door = Door(replace(services, db=db))
        await door.take(channel, signed(b"{}", "old"))
        await db.pool.close()
        with pytest.raises(Unavailable):
            await door.take(channel, signed(b"{}", "old"))


async def test_more_than_fits_is_told_to_come_again_and_what_fits_is_kept(
    services: Services, workspace: UUID, channel: UUID
) -> None:
    batcher = Batcher(services.db, most_waiting=1000)
    now = services.clock.now()
    told = await asyncio.gather(
        *(batcher.put(workspace, Body(uuid7(now), channel, now, b"x" * 400)) for _ in range(5)),
        return_exceptions=True,
    )
    assert [type(one) for one in told] == [type(None)] * 2 + [Unavailable] * 3
    await batcher.put(workspace, Body(uuid7(now), channel, now, b"x" * 400))
    async with services.db.tenant(workspace) as connection:
        (found,) = await rows(connection, "SELECT count(*) AS n FROM inbox WHERE channel_id = %s", (channel,))
    assert found["n"] == 3


async def test_a_caller_who_hangs_up_does_not_harm_the_others(
    services: Services, workspace: UUID, channel: UUID
) -> None:
    batcher = Batcher(services.db)
    now = services.clock.now()
    calls = [
        asyncio.create_task(batcher.put(workspace, Body(uuid7(now), channel, now, b"%d" % n)))
        for n in range(5)
    ]
    await asyncio.sleep(0)
    calls[0].cancel()
    calls[3].cancel()
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [one for one in told if one is None] == [None] * 3
    await batcher.put(workspace, Body(uuid7(now), channel, now, b"after"))
