"""Writing an announcement: what is wrong is told at once, and what has not begun can be changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from clarion.domain.content import Content
from clarion.errors import ClarionError, Conflict, Invalid, NotFound
from clarion.flow import announce, draft, fire
from clarion.flow.services import Services
from clarion.store import campaign
from tests.flow.announcing import (
    EVERYONE,
    HOUR,
    NOON,
    NOTICE,
    announcement,
    at,
    channel,
    launched,
    people,
    runs_of,
    saying,
    written,
)


async def refused(services: Services, workspace: UUID, **more: Any) -> dict[str, str]:
    """What creation says, by place."""
    channel_id = more.pop("channel_id", None) or await channel(services, workspace, f"WhatsApp {uuid4()}")
    with pytest.raises(Invalid) as told:
        await written(services, workspace, channel_id, **more)
    return {problem.where: problem.what for problem in told.value.problems} or {
        told.value.where: told.value.what
    }


async def edited(services: Services, workspace: UUID, campaign_id: UUID, **how: Any) -> None:
    async with services.db.tenant(workspace) as connection:
        await draft.edit(connection, services, campaign_id, **how)


async def test_a_broken_template_is_told_by_line_and_column(services: Services, workspace: UUID) -> None:
    told = await refused(services, workspace, content=Content.of_text("Dear all,\nhello {{ contact.nam }}"))
    assert told == {"text, line 2 column 10": "unknown variable contact.nam"}
    variants = [{"content": {"kind": "template", "name": "x", "language": "en", "parameters": ["{% if %}"]}}]
    told = await refused(services, workspace, content={"variants": variants})
    (where,) = told
    assert where.startswith("content.variants[0].content.parameters[0], line 1 column")


async def test_everything_that_is_wrong_is_told_at_once(services: Services, workspace: UUID) -> None:
    nobody, missing = str(uuid4()), str(uuid4())
    told = await refused(
        services, workspace, channel_id=uuid4(),
        audience={
            "include": {
                "groups": [nobody],
                "filter": {"all": [{"field": "depart", "op": "equal", "value": "x"}, {"in_group": nobody}]},
            },
            "exclude": {"contacts": [missing]},
        },
    )  # fmt: skip
    assert told == {
        "audience.include.groups[0]": "no such group",
        "audience.include.filter.all[0].field": "no field 'depart'",
        "audience.include.filter.all[1].in_group": "no such group",
        "audience.exclude.contacts[0]": "no such contact",
        "channel_id": "no such channel",
    }


async def test_another_workspaces_group_is_no_group_here(
    services: Services, workspace: UUID, another_workspace: UUID
) -> None:
    await people(services, another_workspace)
    async with services.db.tenant(another_workspace) as connection:
        cursor = await connection.execute("SELECT id FROM contact_group LIMIT 1")
        (theirs,) = await cursor.fetchone() or (None,)
    told = await refused(services, workspace, audience={"include": {"groups": [str(theirs)]}})
    assert told == {"audience.include.groups[0]": "no such group"}


@pytest.mark.parametrize(
    ("more", "where", "what"),
    [
        ({"audience": {"include": {}}}, "audience.include", "nobody is meant"),
        ({"name": "  "}, "name", "an announcement needs a name of at most 200 characters"),
        ({"content": Content.of_text("a" * 4097)}, "text", "4,097 characters; at most 4,096 can be sent"),
        ({"send_at": NOON - HOUR}, "send_at", "2026-03-02 11:00:00 UTC is past; nothing was scheduled"),
        ({"send_at": NOON + timedelta(days=800)}, "send_at", "more than two years ahead"),
        (
            {"content": {"variants": [{"channel_kind": "sms", "content": {"kind": "text", "text": "Hi"}}]}},
            "content",
            "nothing is said on this kind of channel",
        ),
        (
            {"content": {"variants": [{"content": {"kind": "email", "subject": "a", "text": "b"}}]}},
            "content.variants[0].content",
            "a channel of whatsapp does not carry content of the kind 'email'",
        ),
        (
            {"content": {"variants": [{"outside": {"kind": "text", "text": "Hi"}}]}},
            "content.variants[0].outside",
            "free text outside the service window",
        ),
    ],
)
async def test_what_could_not_be_sent_is_refused_when_it_is_written(
    services: Services, workspace: UUID, more: dict[str, Any], where: str, what: str
) -> None:
    assert await refused(services, workspace, **more) == {where: what}


async def test_a_draft_is_changed_in_part(services: Services, workspace: UUID) -> None:
    channel_id = await channel(services, workspace)
    campaign_id = await written(services, workspace, channel_id, send_at=NOON + HOUR)
    await edited(services, workspace, campaign_id, name="Open after all", changes={"send_at": None})
    async with services.db.tenant(workspace) as connection:
        row, definition = await draft.read(connection, campaign_id)
    assert (row["name"], row["state"], definition.send_at) == ("Open after all", "draft", None)
    assert definition == announcement()


async def test_what_is_scheduled_is_rescheduled_and_says_something_else(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    channel_id, other = await channel(services, workspace), await channel(services, workspace, "Second")
    campaign_id = await written(services, workspace, channel_id, send_at=NOON + HOUR)
    await launched(services, workspace, campaign_id)
    (before,) = await runs_of(services, workspace, campaign_id)
    await edited(
        services, workspace, campaign_id, channel_id=other,
        changes={"send_at": NOON + 3 * HOUR, "content": saying("Open on Tuesday"), "expires_after": 3600},
    )  # fmt: skip
    (after,) = await runs_of(services, workspace, campaign_id)
    assert (after["id"], after["due_at"], after["expires_at"]) == (
        before["id"],
        NOON + 3 * HOUR,
        NOON + 4 * HOUR,
    )
    assert after["cohort"] == before["cohort"]
    assert after["lane_id"] != before["lane_id"]
    async with services.db.tenant(workspace) as connection:
        row, _ = await draft.read(connection, campaign_id)
        said = await campaign.content(connection, after["content_version_id"])
        was = await campaign.content(connection, before["content_version_id"])
    assert (row["state"], row["send_at"]) == ("scheduled", NOON + 3 * HOUR)
    assert said["variants"][0]["content"]["parameters"] == ["Open on Tuesday"]
    assert was["variants"] == NOTICE["variants"]


async def test_a_scheduled_one_is_never_moved_into_the_past(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace), send_at=NOON + HOUR)
    await launched(services, workspace, campaign_id)
    with pytest.raises(Invalid, match="is past"):
        await edited(services, workspace, campaign_id, changes={"send_at": NOON - HOUR})
    (run,) = await runs_of(services, workspace, campaign_id)
    assert run["due_at"] == NOON + HOUR


async def test_what_has_begun_is_not_edited(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    run_id = await launched(services, workspace, campaign_id)
    await fire.fire(services, workspace, run_id)
    with pytest.raises(Conflict, match="has begun"):
        await edited(services, workspace, campaign_id, name="Too late")
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id)
    with pytest.raises(Conflict, match="has begun"):
        await edited(services, workspace, campaign_id, name="Too late")


async def test_a_copy_is_a_draft_of_its_own(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace), send_at=NOON + HOUR)
    await launched(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        copy_id = await draft.duplicate(connection, services, campaign_id, by="Rosa")
        row, definition = await draft.read(connection, copy_id)
    assert (row["name"], row["state"], row["created_by"]) == ("Closed on Monday (copy)", "draft", "Rosa")
    assert definition == announcement()
    at(services).advance(1)
    await edited(services, workspace, copy_id, changes={"audience": EVERYONE, "one_per": "address"})
    async with services.db.tenant(workspace) as connection:
        assert (await draft.read(connection, campaign_id))[1].one_per == "person"


async def test_another_workspaces_announcement_is_not_found(
    services: Services, workspace: UUID, another_workspace: UUID
) -> None:
    campaign_id = await written(services, workspace, await channel(services, workspace))
    verbs = (draft.edit, draft.duplicate, announce.launch, announce.pause, announce.resume, announce.cancel)
    for verb in verbs:
        async with services.db.tenant(another_workspace) as connection:
            with pytest.raises(NotFound):
                await verb(connection, services, campaign_id)
    with pytest.raises(ClarionError):
        await announce.withdraw_cancelled(services, another_workspace, campaign_id)
