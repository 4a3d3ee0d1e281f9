"""Composing: what one person is told, in which language, inside and outside the service window."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from clarion.domain.content import Content
from clarion.domain.field import Field, FieldType
from clarion.flow.compose import FRESH, Composer, Unsayable
from clarion.flow.dispatch.account import load
from clarion.flow.services import Services
from clarion.providers.contract import Content as Rendered
from clarion.providers.contract import Template, Text
from clarion.store import campaign, field, queue
from clarion.store.queue import Waiting
from tests.flow.announcing import HOUR, NOON, NOTICE, at, people, saying, sent_out
from tests.store.people import AMINA, person

START = (NOON - timedelta(days=1), UUID(int=0))
Words = tuple[Rendered, dict[str, Any] | None]


class Scene:
    """Amina's message of an announcement, as the dispatch reads it, and a composer for it."""

    def __init__(self, services: Services, workspace: UUID, waiting: Waiting, channel_id: UUID) -> None:
        self.services, self.workspace, self.waiting, self.channel_id = (
            services,
            workspace,
            waiting,
            channel_id,
        )
        self.composer = Composer(services)

    async def says(self, **otherwise: Any) -> Words:
        """What she is told, were her row otherwise."""
        channel_ = await load(self.services, self.workspace, self.channel_id)
        otherwise.setdefault("window_channel_id", self.channel_id)
        async with self.services.db.tenant(self.workspace) as connection:
            await self.composer.prepare(connection, {self.waiting.content_version_id})
        return self.composer.compose(channel_, replace(self.waiting, **otherwise), at(self.services).now())


async def scene(services: Services, workspace: UUID, content: Any = NOTICE, **amina: Any) -> Scene:
    await people(services, workspace, [person("Amina", AMINA, **amina)])
    campaign_id, _ = await sent_out(services, workspace, content=content)
    async with services.db.tenant(workspace) as connection:
        row = await campaign.get(connection, campaign_id, "announcement")
        channel_id = row["channel_id"]
        (lane,) = (await queue.open_lanes(connection, [channel_id]))[channel_id]
        (waiting,) = await queue.read_ahead(connection, lane.id, START, NOON, 10)
    return Scene(services, workspace, waiting, row["channel_id"])


async def test_inside_the_window_it_is_a_text_and_outside_a_template(
    services: Services, workspace: UUID
) -> None:
    amina = await scene(services, workspace)
    said, kept = await amina.says(window_at=NOON - HOUR)
    assert said == Text("Hello Amina, the clinic is closed on Monday")
    assert kept == {"contact": {"name": "Amina"}}
    for before in (None, NOON - timedelta(hours=24)):
        said, _ = await amina.says(window_at=before)
        assert said == Template("closed", "en", ("Amina", "Monday"))


async def test_a_window_is_open_for_the_number_that_she_wrote_to(services: Services, workspace: UUID) -> None:
    amina = await scene(services, workspace)
    said, _ = await amina.says(window_at=NOON - HOUR, window_channel_id=uuid4())
    assert said == Template("closed", "en", ("Amina", "Monday"))


async def test_a_text_alone_says_nothing_outside_the_window(services: Services, workspace: UUID) -> None:
    amina = await scene(services, workspace, Content.of_text("Hello"))
    assert (await amina.says(window_at=NOON))[0] == Text("Hello")
    with pytest.raises(Unsayable) as told:
        await amina.says()
    assert told.value.reason == "outside_window"


async def test_a_retry_says_the_same_although_the_person_changed(services: Services, workspace: UUID) -> None:
    amina = await scene(services, workspace)
    _, kept = await amina.says()
    said, again = await amina.says(variables=kept, name="Somebody Else")
    assert said == Template("closed", "en", ("Amina", "Monday"))
    assert again == kept


async def test_a_retry_stays_in_the_language_of_the_first_try(services: Services, workspace: UUID) -> None:
    def variant(language: str, text: str) -> dict[str, Any]:
        form = {"kind": "template", "name": "hello", "language": language, "parameters": [text]}
        return {"language": language, "content": form}

    both = {"variants": [variant("en", "Hello"), variant("sw", "Habari")]}
    amina = await scene(services, workspace, both, language="sw")
    said, kept = await amina.says()
    assert said == Template("hello", "sw", ("Habari",))
    assert (await amina.says(variables=kept, language="en"))[0] == said
    assert (await amina.says(language="en"))[0] == Template("hello", "en", ("Hello",))
    assert (await amina.says(language="fr"))[0] == Template("hello", "en", ("Hello",))


async def test_what_reads_nothing_of_the_person_keeps_nothing(services: Services, workspace: UUID) -> None:
    amina = await scene(services, workspace, saying("Closed on Monday"))
    assert (await amina.says())[1] is None


async def test_every_attribute_and_field_can_be_said(services: Services, workspace: UUID) -> None:
    async with services.db.tenant(workspace) as connection:
        await field.declare(connection, Field("visit", "Visit", FieldType.DATETIME))
    parts = ("external_id", "country", "timezone", "visit", "name")
    content = saying("/".join(f"{{{{ contact.{part} }}}}" for part in parts))
    amina = await scene(
        services, workspace, content, external_id="E-1", country="KE", timezone="Africa/Nairobi"
    )
    said, kept = await amina.says(fields={"visit": "2026-03-04T06:30:00.000000Z", "unsaid": "x"})
    assert said == Template("notice", "en", ("E-1/KE/Africa/Nairobi/2026-03-04T09:30:00+03:00/Amina",))
    assert kept is not None
    assert "unsaid" not in kept["contact"]


async def test_a_zone_that_nobody_knows_stops_no_channel(services: Services, workspace: UUID) -> None:
    async with services.db.tenant(workspace) as connection:
        await field.declare(connection, Field("visit", "Visit", FieldType.DATETIME))
    amina = await scene(services, workspace, saying("{{ contact.visit }}"))
    said, _ = await amina.says(fields={"visit": "2026-03-04T06:30:00.000000Z"}, timezone="Mars/Olympus")
    assert said == Template("notice", "en", ("2026-03-04T06:30:00+00:00",))


@pytest.mark.parametrize(
    ("text", "otherwise", "reason"),
    [
        ("{{ contact.name }}", {"name": ""}, "empty_parameter"),
        ("{{ contact.name }}", {"name": "a" * 1025}, "too_long"),
        ("{{ 1 | divided_by: contact.name.size }}", {"name": ""}, "template_failed"),
    ],
)
async def test_what_cannot_be_said_to_one_person_has_a_reason(
    services: Services, workspace: UUID, text: str, otherwise: dict[str, Any], reason: str
) -> None:
    amina = await scene(services, workspace, saying("x"))
    amina.composer._speeches.clear()
    async with services.db.tenant(workspace) as connection:
        await amina.composer.rehearse(connection, amina.waiting.content_version_id, saying(text))
    with pytest.raises(Unsayable) as told:
        await amina.says(**otherwise)
    assert told.value.reason == reason


async def test_content_that_is_gone_or_cannot_be_read_ends_messages_with_a_reason(
    services: Services, workspace: UUID
) -> None:
    amina = await scene(services, workspace)
    missing = uuid4()
    async with services.db.tenant(workspace) as connection:
        await connection.execute(
            'UPDATE content_version SET body = \'{"from": "a later version"}\' WHERE id = %s',
            (amina.waiting.content_version_id,),
        )
        await amina.composer.prepare(connection, {missing})
    for content_id in (missing, amina.waiting.content_version_id):
        with pytest.raises(Unsayable) as told:
            await amina.says(content_version_id=content_id)
        assert told.value.reason == "no_content"


async def test_the_workspaces_language_is_read_again_after_a_while(
    services: Services, workspace: UUID
) -> None:
    def variant(language: str) -> dict[str, Any]:
        return {"language": language, "content": {"kind": "template", "name": "hello", "language": language}}

    amina = await scene(services, workspace, {"variants": [variant("en"), variant("sw")]})
    assert (await amina.says())[0] == Template("hello", "en")
    async with services.db.tenant(workspace) as connection:
        await connection.execute("UPDATE workspace SET language = 'sw'")
    assert (await amina.says())[0] == Template("hello", "en")
    at(services).advance(FRESH + 1)
    assert (await amina.says())[0] == Template("hello", "sw")


async def test_only_what_was_not_asked_for_lately_is_forgotten(
    services: Services, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clarion.flow.compose.MOST", 4)
    amina = await scene(services, workspace)
    composer = amina.composer
    many = [uuid4() for _ in range(6)]
    async with services.db.tenant(workspace) as connection:
        await composer.prepare(connection, [amina.waiting.content_version_id, *many])
        assert len(composer._speeches) == 7
        at(services).advance(FRESH + 1)
        await composer.prepare(connection, [amina.waiting.content_version_id])
        await composer.prepare(connection, [uuid4()])
    assert amina.waiting.content_version_id in composer._speeches
    assert len(composer._speeches) < 8


async def test_a_date_is_in_the_language_of_the_text_and_stays_so(
    services: Services, workspace: UUID
) -> None:
    def variant(language: str | None, greeting: str) -> dict[str, Any]:
        text = greeting + " {{ contact.visit | date: 'long' }}, {{ contact.call | time }}"
        form = {"kind": "template", "name": "hello", "language": "en", "parameters": [text]}
        return {"language": language, "content": form} if language else {"content": form}

    async with services.db.tenant(workspace) as connection:
        await field.declare(connection, Field("visit", "Visit", FieldType.DATE))
        await field.declare(connection, Field("call", "Call", FieldType.DATETIME))
    content = {"variants": [variant("en", "On"), variant("sw", "Tarehe"), variant(None, "=")]}
    amina = await scene(services, workspace, content, language="sw", timezone="Africa/Nairobi")
    fields = {"visit": "2026-03-04", "call": "2026-03-04T15:30:00+00:00"}
    said, kept = await amina.says(fields=fields)
    assert said == Template("hello", "en", ("Tarehe 4 Machi 2026, 18:30",))
    moved = {"language": "en", "timezone": "America/Lima", "fields": {}}
    assert (await amina.says(variables=kept, **moved))[0] == said
    said, _ = await amina.says(fields=fields, language="en-GB")
    assert said == Template("hello", "en", ("On 4 March 2026, 18:30",))
