"""Providers' calls: the provider's own are durable before they are answered, nobody else's are taken."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from clarion.api import hooks, problems
from clarion.api.app import create_app
from clarion.flow import configure
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.kit.ids import uuid7
from clarion.providers.twilio import signature
from tests.api.client import Api, Reply, serving

SECRET = "shh"
BODY = b'{"object":"whatsapp_business_account","entry":[]}'


@dataclass
class Hook:
    """A channel's address, and what its inbox holds."""

    channel_id: UUID
    services: Services
    selam: Api
    provider: Api

    @property
    def path(self) -> str:
        return f"/hooks/{self.channel_id}"

    async def call(self, body: bytes = BODY, secret: str = SECRET) -> Reply:
        """As the provider would, if it has this secret."""
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return await self.provider.send(
            "POST", self.path, data=body, headers={"X-Hub-Signature-256": f"sha256={digest}"}
        )

    async def inbox(self) -> list[dict[str, Any]]:
        assert self.selam.workspace_id is not None
        async with self.services.db.tenant(self.selam.workspace_id) as connection:
            return await rows(
                connection,
                "SELECT body, done_at, xmin::text AS written_by FROM inbox WHERE channel_id = %s ORDER BY id",
                (self.channel_id,),
            )


@pytest.fixture
async def hook(selam: Api, stranger: Api, services: Services) -> Hook:
    assert selam.workspace_id is not None
    async with services.db.tenant(selam.workspace_id) as connection:
        channel_id = await configure.create_channel(
            connection,
            services,
            selam.workspace_id,
            name="WhatsApp",
            provider="whatsapp",
            config={},
            credentials={"token": "EAAG", "app_secret": SECRET, "verify_token": "let me in"},
        )
    return Hook(channel_id, services, selam, stranger)


async def test_what_the_provider_tells_is_stored_as_it_came(hook: Hook) -> None:
    reply = await hook.call(b'{"entry": [], "x":"\xc3\xa9" }  ')
    assert (reply.status, reply.body) == (200, b"")
    (stored,) = await hook.inbox()
    assert (bytes(stored["body"]), stored["done_at"]) == (b'{"entry": [], "x":"\xc3\xa9" }  ', None)


async def test_even_what_cannot_be_read_is_stored_first(hook: Hook) -> None:
    assert (await hook.call(b"\xff\x00 not json")).status == 200
    assert bytes((await hook.inbox())[0]["body"]) == b"\xff\x00 not json"


async def test_calls_that_come_together_share_a_commit(hook: Hook) -> None:
    await hook.call()  # from now on the channel is known
    bodies = [b'{"entry":[],"n":%d}' % n for n in range(60)]
    replies = await asyncio.gather(*(hook.call(body) for body in bodies))
    assert {reply.status for reply in replies} == {200}
    stored = (await hook.inbox())[1:]
    assert sorted(bytes(one["body"]) for one in stored) == sorted(bodies)
    assert len({one["written_by"] for one in stored}) < 30


async def test_a_forged_call_is_refused_and_not_kept(hook: Hook) -> None:
    reply = await hook.call(secret="guess")
    assert (reply.status, reply.json["code"]) == (401, "unauthorized")
    unsigned = await hook.provider.send("POST", hook.path, data=BODY)
    assert unsigned.status == 401
    assert await hook.inbox() == []


async def test_a_channel_that_does_not_exist_is_not_found_however_it_is_spelled(
    hook: Hook, stranger: Api
) -> None:
    told = []
    for name in (str(uuid7(hook.services.clock.now())), "whatsapp", "1" * 5000):
        for method in ("POST", "GET"):
            reply = await stranger.send(method, f"/hooks/{name}", data=BODY if method == "POST" else None)
            told.append((reply.status, reply.json | {"request_id": ""}))
    assert all(one == told[0] for one in told)
    assert told[0][0] == 404


async def test_a_body_that_is_too_large_is_refused_and_not_kept(hook: Hook) -> None:
    assert (await hook.call(b"x" * (3 * 1024 * 1024))).status == 413
    assert await hook.inbox() == []


async def test_the_providers_question_gets_its_challenge_back(hook: Hook) -> None:
    question = {"hub.mode": "subscribe", "hub.verify_token": "let me in", "hub.challenge": "1158201444"}
    reply = await hook.provider.get(hook.path, params=question)
    assert (reply.status, reply.body) == (200, b"1158201444")
    assert reply.headers["content-type"].startswith("text/plain")
    wrong = await hook.provider.get(hook.path, params=question | {"hub.verify_token": "guess"})
    assert (wrong.status, wrong.json["code"]) == (403, "forbidden")
    assert (await hook.provider.get(hook.path)).status == 403


# --- a provider that signs the address, and reads what it is answered


async def test_a_call_is_judged_by_the_address_that_the_provider_knows_us_by(hook: Hook) -> None:
    settings = hook.services.settings.model_copy(update={"public_url": "https://clarion.example/"})
    services = replace(hook.services, settings=settings)
    workspace_id = hook.selam.workspace_id
    assert workspace_id is not None
    async with services.db.tenant(workspace_id) as connection:
        hook.channel_id = await configure.create_channel(
            connection, services, workspace_id, name="SMS", provider="twilio",
            config={"sender": "+15005550006"}, credentials={"account_sid": "AC1", "auth_token": SECRET},
        )  # fmt: skip
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    path = f"{hook.path}?ref=202603.0199c0de000070008000000000000001"
    pairs = list(form.items())
    public = {"X-Twilio-Signature": signature(SECRET, f"https://clarion.example{path}", pairs)}
    async with serving(create_app(services)) as base:
        private = {"X-Twilio-Signature": signature(SECRET, f"{base}{path}", pairs)}
        forged = await Api(base).send("POST", path, data=form, headers=private)
        reply = await Api(base).send("POST", path, data=form, headers=public)
    assert forged.status == 401
    assert (reply.status, reply.body) == (200, b"<Response/>")
    assert reply.headers["content-type"] == "text/xml"
    (stored,) = await hook.inbox()
    assert bytes(stored["body"]) == b"MessageSid=SM1&MessageStatus=delivered"


async def test_a_paused_channel_still_hears(hook: Hook) -> None:
    assert hook.selam.workspace_id is not None
    async with hook.services.db.tenant(hook.selam.workspace_id) as connection:
        await configure.pause_channel(connection, hook.channel_id, "", hook.services.clock.now())
    assert (await hook.call()).status == 200


async def test_the_documented_route_does_what_the_fast_lane_does(hook: Hook) -> None:
    plain = FastAPI()
    plain.state.services = hook.services
    problems.install(plain)
    plain.include_router(hooks.router)
    async with serving(plain) as base:
        slow = replace(hook, provider=Api(base))
        assert (await slow.call()).status == 200
        assert (await slow.call(secret="guess")).status == 401
        assert (await slow.provider.post("/hooks/whatsapp")).status == 404
    assert len(await hook.inbox()) == 1
