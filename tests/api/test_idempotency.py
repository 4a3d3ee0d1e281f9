"""The same POST twice is done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute

from clarion.api import problems, routers
from clarion.api.app import create_app
from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.idempotency import OnceRoute
from clarion.errors import Conflict
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.store import idempotency, member
from tests.api.client import Api, Reply, serving

AMINA = {"name": "Amina", "email": "amina@selam.example", "role": "editor"}


async def _members(api: Api) -> list[str]:
    return [item["email"] for item in (await api.get("/api/v1/members")).json["items"]]


async def test_a_repeated_request_gets_the_first_reply(selam: Api) -> None:
    first = await selam.post("/api/v1/members", AMINA, once="hire-1")
    again = await selam.post("/api/v1/members", AMINA, once="hire-1")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["content-type"] == first.headers["content-type"]
    assert len(await _members(selam)) == 1


async def test_without_the_header_each_request_is_its_own(selam: Api) -> None:
    assert (await selam.post("/api/v1/members", AMINA)).status == 201
    assert (await selam.post("/api/v1/members", AMINA)).status == 409


async def test_another_body_under_the_same_key_is_refused(selam: Api) -> None:
    await selam.post("/api/v1/members", AMINA, once="k")
    other = await selam.post("/api/v1/members", {**AMINA, "email": "b@selam.example"}, once="k")
    assert (other.status, other.json["where"]) == (422, "Idempotency-Key")
    assert len(await _members(selam)) == 1


async def test_another_path_under_the_same_key_is_refused(selam: Api) -> None:
    await selam.post("/api/v1/members", AMINA, once="k")
    other = await selam.post("/api/v1/keys", {"name": "x", "scopes": ["jobs:read"]}, once="k")
    assert other.status == 422


async def test_another_callers_reply_is_not_shown(selam: Api) -> None:
    weak = await selam.post("/api/v1/keys", {"name": "weak", "scopes": ["jobs:read"]})
    await selam.post("/api/v1/keys", {"name": "strong", "scopes": ["admin"]}, once="guessed")
    seen = await replace(selam, key=weak.json["key"]).post(
        "/api/v1/keys", {"name": "strong", "scopes": ["admin"]}, once="guessed"
    )
    assert seen.status == 422
    assert "clarion_" not in seen.body.decode()


async def test_workspaces_do_not_share_keys(selam: Api, nyota: Api) -> None:
    assert (await selam.post("/api/v1/members", AMINA, once="k")).status == 201
    assert (await nyota.post("/api/v1/members", {**AMINA, "name": "N"}, once="k")).status == 201


async def test_a_refused_request_changed_nothing_and_may_be_mended_under_the_same_key(selam: Api) -> None:
    assert (await selam.post("/api/v1/members", {**AMINA, "role": "king"}, once="k")).status == 422
    assert (await selam.post("/api/v1/members", AMINA, once="k")).status == 201


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "é"])
async def test_a_key_that_is_none_is_refused(selam: Api, key: str) -> None:
    reply = await selam.send("POST", "/api/v1/members", json=AMINA, headers={"Idempotency-Key": key})
    assert (reply.status, reply.json["where"]) == (422, "Idempotency-Key")


async def test_a_key_in_quotation_marks_is_the_same_key(selam: Api) -> None:
    await selam.post("/api/v1/members", AMINA, once='"k"')
    assert (await selam.post("/api/v1/members", AMINA, once="k")).headers["idempotency-replayed"]


async def test_of_many_at_the_same_moment_one_works(selam: Api) -> None:
    replies = await asyncio.gather(
        *(selam.post("/api/v1/members", AMINA, once="all-at-once") for _ in range(12))
    )
    fresh = [r for r in replies if r.status == 201 and "idempotency-replayed" not in r.headers]
    assert len(fresh) == 1
    assert {reply.status for reply in replies} <= {201, 409}
    assert all(r.json["where"] == "Idempotency-Key" for r in replies if r.status == 409)
    assert (await selam.post("/api/v1/members", AMINA, once="all-at-once")).body == fresh[0].body


async def test_stored_replies_hold_no_secret_in_the_clear(selam: Api, services: Services) -> None:
    made = await selam.post("/api/v1/keys", {"name": "portal", "scopes": ["jobs:read"]}, once="k")
    assert selam.workspace_id
    async with services.db.tenant(selam.workspace_id) as connection:
        [(body,)] = await (await connection.execute("SELECT body FROM idempotency")).fetchall()
    assert made.json["key"].encode() not in bytes(body)
    assert (
        await selam.post("/api/v1/keys", {"name": "portal", "scopes": ["jobs:read"]}, once="k")
    ).json == made.json


@pytest.fixture(scope="module")
async def workshop(services: Services) -> AsyncIterator[tuple[str, FakeClock]]:
    """A server on a clock of its own, with POST routes that die, crash or wait."""
    clock = FakeClock(services.clock.now())
    app = create_app(replace(services, clock=clock))
    app.include_router(_odd_routes())
    async with serving(app) as base:
        yield base, clock


def _odd_routes() -> APIRouter:
    router = APIRouter(prefix="/odd", route_class=OnceRoute)

    async def add(edge: Edge, email: str) -> None:
        async with edge.transaction() as connection:
            await member.create(
                connection,
                uuid7(edge.now()),
                edge.workspace_id,
                name="A",
                email=email,
                role="viewer",
                now=edge.now(),
            )

    @router.post("/crash")
    async def crash(edge: Annotated[Edge, needs()]) -> None:
        await add(edge, "crash@selam.example")
        raise RuntimeError("after the work, before the reply")

    @router.post("/refuse")
    async def refuse(edge: Annotated[Edge, needs()]) -> object:
        await add(edge, "refuse@selam.example")
        return problems.reply(Conflict("changed my mind"))

    @router.post("/savepoint")
    async def savepoint(edge: Annotated[Edge, needs()]) -> str:
        await add(edge, "first@selam.example")
        try:
            await add(edge, "first@selam.example")
        except Conflict:
            await add(edge, "second@selam.example")
        return "done"

    @router.post("/upload")
    async def upload(request: Request, edge: Annotated[Edge, needs()]) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @router.post("/unread")
    async def unread(edge: Annotated[Edge, needs()]) -> str:
        return str(uuid7(edge.now()))

    return router


async def test_what_crashed_after_its_work_left_nothing_and_frees_the_key(
    workshop: tuple[str, FakeClock], selam: Api
) -> None:
    there = replace(selam, base=workshop[0])
    for _ in range(2):
        assert (await there.post("/odd/crash", once="k")).status == 500
    assert await _members(selam) == []


async def test_a_reply_that_is_an_error_undoes_the_work(workshop: tuple[str, FakeClock], selam: Api) -> None:
    there = replace(selam, base=workshop[0])
    for key in ("k", "k", None):
        assert (await there.post("/odd/refuse", once=key)).status == 409
    assert await _members(selam) == []


async def test_a_verb_that_catches_its_error_undoes_only_its_own_part(
    workshop: tuple[str, FakeClock], selam: Api
) -> None:
    there = replace(selam, base=workshop[0])
    assert (await there.post("/odd/savepoint", once="k")).status == 200
    assert sorted(await _members(selam)) == ["first@selam.example", "second@selam.example"]


async def test_uploads_are_compared_without_being_held(workshop: tuple[str, FakeClock], selam: Api) -> None:
    there = replace(selam, base=workshop[0])

    async def send(letter: bytes) -> Reply:
        return await there.send(
            "POST", "/odd/upload", data=letter * 700_000, headers={"Idempotency-Key": "file"}
        )

    assert (await send(b"a")).json == 700_000
    assert (await send(b"a")).headers["idempotency-replayed"] == "true"
    assert (await send(b"b")).status == 422


async def test_a_body_that_nobody_read_is_compared_too(workshop: tuple[str, FakeClock], selam: Api) -> None:
    there = replace(selam, base=workshop[0])
    first = await there.post("/odd/unread", {"a": 1}, once="k")
    assert (await there.post("/odd/unread", {"a": 1}, once="k")).body == first.body
    assert (await there.post("/odd/unread", {"a": 2}, once="k")).status == 422


async def _dead_claim(services: Services, clock: FakeClock, workspace_id: UUID | None, key: str) -> None:
    """What a process leaves that dies before it commits."""
    assert workspace_id
    async with services.db.tenant(workspace_id) as connection:
        await idempotency.claim(connection, workspace_id, key, clock.now())


async def test_what_a_dead_process_began_is_taken_over_after_a_minute(
    workshop: tuple[str, FakeClock], selam: Api, services: Services
) -> None:
    base, clock = workshop
    there = replace(selam, base=base)
    await _dead_claim(services, clock, selam.workspace_id, "k")
    early = await there.post("/odd/unread", once="k")
    assert (early.status, early.headers["retry-after"]) == (409, "1")
    clock.advance(61)
    assert (await there.post("/odd/unread", once="k")).status == 200


async def _finish(connection: Connection, claimed: idempotency.Claimed) -> bool:
    return await idempotency.finish(
        connection, "k", claimed, request_hash=b"h", status=201, headers={}, body=b""
    )


async def test_one_that_was_only_slow_cannot_finish_after_another_took_over(
    selam: Api, services: Services
) -> None:
    assert selam.workspace_id
    now = services.clock.now()
    async with services.db.tenant(selam.workspace_id) as connection:
        slow = await idempotency.claim(connection, selam.workspace_id, "k", now)
        quick = await idempotency.claim(connection, selam.workspace_id, "k", now + timedelta(seconds=61))
        assert isinstance(slow, idempotency.Claimed)
        assert isinstance(quick, idempotency.Claimed)
        assert not await _finish(connection, slow)
        assert await _finish(connection, quick)


async def test_after_a_day_a_key_is_new_again(workshop: tuple[str, FakeClock], selam: Api) -> None:
    base, clock = workshop
    there = replace(selam, base=base)
    first = await there.post("/odd/unread", once="k")
    clock.advance(24 * 3600 + 1)
    second = await there.post("/odd/unread", once="k")
    assert second.status == 200
    assert second.body != first.body


def test_every_post_of_the_api_is_done_once(services: Services) -> None:
    """Also those that others add: the route class is what does it."""
    posts = [
        route
        for router in routers.found()
        for route in router.routes
        if isinstance(route, APIRoute)
        and route.path.startswith(routers.PREFIX)
        and "POST" in (route.methods or ())
    ]
    assert posts
    assert [route.path for route in posts if not isinstance(route, OnceRoute)] == []


def test_every_post_documents_its_key(services: Services) -> None:
    app: FastAPI = create_app(services)
    for path, methods in app.openapi()["paths"].items():
        if path.startswith(routers.PREFIX) and "post" in methods:
            assert "Idempotency-Key" in [found["name"] for found in methods["post"]["parameters"]], path
