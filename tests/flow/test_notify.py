"""An operator is told once a cause, by mail or by a web call, and again only when it did not arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest
from pydantic import SecretStr

from clarion.flow.notify import FIRST_WAIT, notify
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.http import Http
from clarion.kit.ids import uuid7
from clarion.store import notice
from clarion.store import workspace as workspaces
from tests.kit.logged import captured
from tests.kit.wire import Line, always, answer, wire

OK = answer(204, b"")


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as http:
        yield http


@pytest.fixture
async def workspace(services: Services) -> UUID:
    """A workspace of its own, since what it was told is remembered for it."""
    identifier = uuid7(services.clock.now())
    async with services.db.tenant(identifier) as connection:
        await workspaces.create(connection, identifier, name="Selam Clinic", now=services.clock.now())
    return identifier


async def reachable_at(services: Services, workspace: UUID, address: str) -> None:
    async with services.db.tenant(workspace) as connection:
        await workspaces.change(connection, operator_address=address)


async def happen(services: Services, workspace: UUID, cause: str = "channel:1:account") -> None:
    async with services.db.tenant(workspace) as connection:
        await notice.put(
            connection, workspace, cause=cause, level="error", text="Channel WhatsApp is paused.",
            now=services.clock.now(),
        )  # fmt: skip


def later(services: Services, seconds: float) -> None:
    assert isinstance(services.clock, FakeClock)
    services.clock.advance(seconds)


async def test_a_cause_is_told_once_by_a_web_call(services: Services, http: Http, workspace: UUID) -> None:
    async with wire(always(OK)) as operator:
        await reachable_at(services, workspace, f"{operator.url}/clarion")
        for _ in range(3):
            await happen(services, workspace)
        assert await notify(services, http, workspace) == 1
        await happen(services, workspace)
        assert await notify(services, http, workspace) == 0
        (request,) = operator.requests
    assert (request.method, request.path) == ("POST", "/clarion")
    told = json.loads(request.body)
    assert (told["workspace"], told["cause"], told["level"]) == ("Selam Clinic", "channel:1:account", "error")
    assert (told["text"], told["times"]) == ("Channel WhatsApp is paused.", 3)


async def test_a_cause_that_comes_back_after_it_was_cleared_is_told_again(
    services: Services, http: Http, workspace: UUID
) -> None:
    async with wire(always(OK)) as operator:
        await reachable_at(services, workspace, operator.url)
        for _ in range(2):
            await happen(services, workspace)
            await notify(services, http, workspace)
            async with services.db.tenant(workspace) as connection:
                await notice.clear(connection, "channel:1", services.clock.now())
        assert len(operator.requests) == 2


async def test_what_did_not_arrive_is_told_again_ever_more_rarely(
    services: Services, http: Http, workspace: UUID
) -> None:
    async with wire(always(answer(500, b""))) as operator:
        await reachable_at(services, workspace, operator.url)
        await happen(services, workspace)
        tries = []
        for _ in range(12):
            assert await notify(services, http, workspace) == 0
            tries.append(len(operator.requests))
            later(services, FIRST_WAIT)
        assert tries == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4]
    async with wire(always(OK)) as operator:
        await reachable_at(services, workspace, operator.url)
        later(services, 3600)
        assert await notify(services, http, workspace) == 1


async def test_two_workers_do_not_tell_it_twice(services: Services, http: Http, workspace: UUID) -> None:
    async def slowly(line: Line) -> None:
        await line.request()
        await asyncio.sleep(0.1)
        await line.say(OK)

    async with wire(slowly) as operator:
        await reachable_at(services, workspace, operator.url)
        await happen(services, workspace)
        told = await asyncio.gather(*(notify(services, http, workspace) for _ in range(3)))
        assert (sorted(told), len(operator.requests)) == ([0, 0, 1], 1)


async def test_without_an_address_the_log_is_told(services: Services, http: Http, workspace: UUID) -> None:
    await happen(services, workspace)
    with captured() as log:
        assert await notify(services, http, workspace) == 1
        assert await notify(services, http, workspace) == 0
    assert log.getvalue().count("channel:1:account") == 1


async def test_a_private_address_is_not_called_unless_that_is_allowed(
    services: Services, workspace: UUID
) -> None:
    async with wire(always(OK)) as operator, Http(allow_private=False) as http:
        await reachable_at(services, workspace, operator.url)
        await happen(services, workspace)
        assert await notify(services, http, workspace) == 0
        assert operator.connections == 0


# --- by mail


class Postbox:
    """A mail server that takes what it is given, or refuses the person."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.taken: list[tuple[str, EmailMessage]] = []

    @property
    def behave(self) -> Callable[[Line], Awaitable[None]]:
        return self._serve

    async def _serve(self, line: Line) -> None:
        await line.say(b"220 mail.example.org ESMTP\r\n")
        to = ""
        while word := (await line.reader.readline()).decode().strip():
            command = word.upper()
            if command.startswith("RCPT"):
                to = word.partition(":")[2].strip("<> ")
                await line.say(b"550 5.1.1 nobody here\r\n" if self.refuses else b"250 OK\r\n")
            elif command.startswith("DATA"):
                await line.say(b"354 go on\r\n")
                raw = await line.reader.readuntil(b"\r\n.\r\n")
                letter = message_from_bytes(raw, policy=policy.default)
                assert isinstance(letter, EmailMessage)
                self.taken.append((to, letter))
                await line.say(b"250 taken\r\n")
            elif command.startswith("QUIT"):
                await line.say(b"221 bye\r\n")
                return
            else:
                await line.say(b"250 OK\r\n")


def by_mail(services: Services, port: int) -> Services:
    settings = services.settings.model_copy(
        update={"smtp_url": SecretStr(f"smtp://127.0.0.1:{port}"), "smtp_from": "clarion@selam.example"}
    )
    return replace(services, settings=settings)


async def test_a_mail_says_what_happened_and_is_the_same_letter_each_time(
    services: Services, http: Http, workspace: UUID
) -> None:
    postbox = Postbox()
    await reachable_at(services, workspace, "mailto:ops@selam.example?subject=no")
    await happen(services, workspace)
    async with wire(postbox.behave) as server:
        assert await notify(by_mail(services, server.port), http, workspace) == 1
    ((to, letter),) = postbox.taken
    assert to == letter["To"] == "ops@selam.example"
    assert letter["From"] == "clarion@selam.example"
    assert letter["Subject"] == "Clarion, Selam Clinic: error"
    assert letter["Message-ID"].endswith("@clarion>")
    assert "Channel WhatsApp is paused." in letter.get_content()


async def test_a_mail_that_is_refused_is_tried_again_later(
    services: Services, http: Http, workspace: UUID
) -> None:
    await reachable_at(services, workspace, "mailto:ops@selam.example")
    await happen(services, workspace)
    assert await notify(services, http, workspace) == 0  # there is no mail server yet
    later(services, FIRST_WAIT)
    async with wire(Postbox(refuses=True).behave) as server:
        assert await notify(by_mail(services, server.port), http, workspace) == 0
    later(services, 2 * FIRST_WAIT)
    postbox = Postbox()
    async with wire(postbox.behave) as server:
        assert await notify(by_mail(services, server.port), http, workspace) == 1
    assert len(postbox.taken) == 1
