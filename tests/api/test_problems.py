"""Errors say what is wrong, where, and what to do; and never what they should not."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import aiohttp
import psycopg
import pytest

from clarion.api.app import create_app
from clarion.errors import Conflict, Unavailable
from clarion.flow.services import Services
from clarion.kit.db import Database
from tests.api.client import Api, serving
from tests.kit.logged import captured

CANARY = "+254712345678"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    with captured() as out:
        yield out


@pytest.fixture(scope="module")
async def faulty(services: Services) -> AsyncIterator[Api]:
    """A server with routes that fail in every way."""
    app = create_app(services)

    async def crash(text: str) -> None:
        raise RuntimeError(f"cannot send {text} to {CANARY}")

    async def away() -> None:
        raise psycopg.OperationalError(f"connection to {CANARY} lost")

    async def conflict() -> None:
        raise Conflict("not now", where="body.x", hint="later", extra={"retry_after": 7, "others": [1]})

    async def unavailable() -> None:
        raise Unavailable("the provider is away")

    for endpoint in (crash, away, conflict, unavailable):
        app.add_api_route(f"/{endpoint.__name__}", endpoint)
    async with serving(app) as base:
        yield Api(base)


async def test_a_path_that_is_not_there(stranger: Api) -> None:
    reply = await stranger.get("/api/v1/nowhere")
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.status, reply.json["code"], reply.json["type"]) == (404, "not-found", "/problems/not-found")


async def test_a_method_that_is_not_allowed_says_which_are(stranger: Api) -> None:
    reply = await stranger.send("DELETE", "/healthz")
    assert (reply.status, reply.json["code"]) == (405, "method-not-allowed")
    assert "GET" in reply.headers["allow"]


async def test_a_body_that_is_not_json(selam: Api) -> None:
    reply = await selam.send(
        "POST", "/api/v1/members", data=b"{'name': ", headers={"Content-Type": "application/json"}
    )
    assert (reply.status, reply.json["code"]) == (422, "invalid")
    assert reply.json["problems"][0]["what"].startswith("not JSON")


@pytest.mark.parametrize("body", [b"\xff\xfe{}", b'{"name": "\xe9"}', b"[" * 100_000])
async def test_a_body_that_cannot_be_read(selam: Api, body: bytes) -> None:
    reply = await selam.send(
        "POST", "/api/v1/members", data=body, headers={"Content-Type": "application/json"}
    )
    assert (reply.status, reply.json["code"]) == (422, "invalid")


@pytest.mark.parametrize("depth", [150, 900, 5_000])
async def test_a_body_that_is_nested_too_deep(selam: Api, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    body = '{"name": "x", "provider": "whatsapp", "config": {"options": ' + nested + "}}"
    reply = await selam.send(
        "POST", "/api/v1/channels", data=body.encode(), headers={"Content-Type": "application/json"}
    )
    assert (reply.status, reply.json["code"]) == (422, "invalid")


async def test_each_wrong_member_is_named(selam: Api) -> None:
    reply = await selam.post("/api/v1/members", {"name": "", "email": "nobody", "role": "king", "age": 3})
    places = {problem["where"] for problem in reply.json["problems"]}
    assert reply.status == 422
    assert places == {"body.name", "body.email", "body.role", "body.age"}


@pytest.mark.parametrize("name", ["a\x00b", "half \ud83d of a pair"])
async def test_characters_that_no_database_stores_are_refused(selam: Api, name: str) -> None:
    body = json.dumps({"name": name, "email": "a@b.org", "role": "viewer"})
    reply = await selam.send(
        "POST", "/api/v1/members", data=body.encode(), headers={"Content-Type": "application/json"}
    )
    assert reply.status == 422
    assert "cannot be stored" in reply.json["problems"][0]["what"]


async def test_a_nul_in_an_address_is_refused(selam: Api) -> None:
    import yarl

    base = yarl.URL(selam.base)
    for path in ("/api/v1/channels?cursor=%00", "/api/v1/channels/%00"):
        async with aiohttp.ClientSession() as session:
            url = yarl.URL(str(base) + path, encoded=True)
            async with session.get(url, headers={"Authorization": f"Bearer {selam.key}"}) as response:
                assert response.status == 422


async def test_our_own_errors_carry_their_words_and_their_extra(faulty: Api) -> None:
    reply = await faulty.get("/conflict")
    said = {name: reply.json[name] for name in ("status", "detail", "where", "hint", "others")}
    assert said == {"status": 409, "detail": "not now", "where": "body.x", "hint": "later", "others": [1]}
    assert reply.headers["retry-after"] == "7"
    assert (await faulty.get("/unavailable")).status == 503


async def test_a_database_that_is_away_is_a_503_to_be_tried_again(faulty: Api) -> None:
    reply = await faulty.get("/away")
    assert (reply.status, reply.json["code"]) == (503, "unavailable")
    assert reply.headers["retry-after"]
    assert CANARY not in reply.body.decode()


async def test_an_unexpected_error_tells_nothing_but_its_request_id(faulty: Api, logged: io.StringIO) -> None:
    reply = await faulty.get("/crash?text=Dear%20Amina")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    failed = next(line for line in lines if line["event"] == "a request failed unexpectedly")
    assert reply.status == 500
    assert reply.json["request_id"] == reply.headers["x-request-id"] == failed["request_id"]
    assert failed["error"] == "RuntimeError"
    assert any("crash" in frame for frame in failed["frames"])
    for canary in (CANARY[1:], "Amina", "cannot send"):
        assert canary not in reply.body.decode()
        assert canary not in logged.getvalue()


async def test_requests_are_logged_by_pattern_never_by_what_they_ask(selam: Api, logged: io.StringIO) -> None:
    await selam.get(f"/api/v1/channels/01930000-0000-7000-8000-000000000000?who={CANARY}")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    told = [(line["route"], line["status"]) for line in lines if line["event"] == "request"]
    assert told == [("/api/v1/channels/{channel_id}", 404)]
    assert CANARY[1:] not in logged.getvalue()


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ("0193b1f0-1111-7111-8111-111111111111", True),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", True),
        (f"call-{CANARY}", False),
        ("Dear Amina", False),
    ],
)
async def test_a_request_id_is_taken_over_only_when_it_is_plainly_one(
    stranger: Api, offered: str, taken: bool
) -> None:
    reply = await stranger.get("/healthz", headers={"X-Request-ID": offered})
    assert (reply.headers["x-request-id"] == offered) is taken


async def test_a_body_over_the_limit_is_refused_before_it_is_read(selam: Api) -> None:
    reply = await selam.send("POST", "/api/v1/members", data=b" " * (3 * 1024 * 1024))
    assert (reply.status, reply.json["code"], reply.json["most_bytes"]) == (413, "too-large", 2 * 1024 * 1024)


async def test_a_body_that_does_not_say_its_length_is_cut_at_the_limit(selam: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 65536
            await asyncio.sleep(0)

    reply = await selam.send(
        "POST", "/api/v1/members", data=endless(), headers={"Content-Type": "application/json"}
    )
    assert (reply.status, reply.json["code"]) == (413, "too-large")


async def test_the_kind_of_a_problem_is_explained_at_its_address(stranger: Api) -> None:
    reply = await stranger.get("/problems/conflict")
    assert (reply.status, b"does not allow this" in reply.body) == (200, True)
    assert (await stranger.get("/problems/nonsense")).status == 404


async def test_a_server_without_its_database_answers_503(services: Services) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:9/none", size=2)
    nowhere.pool.timeout = 0.2
    async with nowhere, serving(create_app(replace(services, db=nowhere))) as base:
        api = Api(base, f"clarion_{'0' * 64}_{'A' * 43}")
        assert (await api.get("/api/v1/workspace")).status == 503
        ready = await api.get("/readyz")
        assert (ready.status, ready.json["ready"]) == (503, False)
        assert (await api.get("/healthz")).status == 200
