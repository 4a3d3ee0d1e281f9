"""A value that a text shows and nobody knows: it falls back, is skipped, or is waited for; and once it is
there it is said, once, in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.errors import Invalid
from clarion.flow import alert, configure, consent, draft, explain, sequence
from clarion.flow.enroll.watch import Watcher
from clarion.flow.progress import progress
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.store import lacking as lacks
from tests.flow import following
from tests.flow.alerting import AT_ONCE, definition, running, say, types, work
from tests.flow.announcing import announcement, at, channel
from tests.flow.desks import Provider, dispatching
from tests.flow.lacking import HOLD, Desk, alerting, became, dispatch, ends, saying
from tests.flow.windowed import until
from tests.store.people import ABEBE, AMINA, person, store

HOUR = timedelta(hours=1)
CLINIC = "At {{ case.clinic }}"
LACKS = "missing:case.clinic"


@pytest.fixture(autouse=True)
async def _visits(services: Services, workspace: UUID) -> None:
    await types(services, workspace)


async def visit(services: Services, workspace: UUID, **said: object) -> UUID:
    return await say(
        services, workspace, "V1", **{"name": "Amina", "phone": AMINA, "status": "scheduled", **said}
    )


async def fired(services: Services, workspace: UUID, text: str = CLINIC, missing: object = HOLD) -> UUID:
    """An alert whose message is due."""
    campaign_id = await alerting(services, workspace, text, missing)
    await work(services, workspace, campaign_id)
    return campaign_id


# --- what is declared


async def test_nothing_declared_leaves_it_out(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    for declared in (None, "fallback"):
        campaign_id = await fired(services, workspace, CLINIC + ".", declared)
        assert await dispatch(services, workspace, campaign_id) == ["At ."]


async def test_skipped_it_says_what_was_missing(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace, missing="skip")
    assert await dispatch(services, workspace, campaign_id) == []
    assert await ends(services, workspace, campaign_id) == [("skipped", LACKS)]


async def test_a_default_and_a_question_need_nothing(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    text = "{{ case.clinic | default: 'the desk' }}{% if case.room %}, {{ case.room }}{% endif %}"
    campaign_id = await fired(services, workspace, text, "skip")
    assert await dispatch(services, workspace, campaign_id) == ["the desk"]


async def test_held_it_waits_and_says_for_what_and_until_when(services: Services, workspace: UUID) -> None:
    case_id = await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    begun = services.clock.now()
    assert await dispatch(services, workspace, campaign_id) == []
    (one,) = await became(services, workspace, campaign_id)
    assert (one["state"], one["reason"], one["awaits"], one["tried"]) == ("ready", LACKS, case_id, 0)
    assert one["due_at"] == one["held_until"] == begun + HOUR
    async with services.db.tenant(workspace) as connection:
        told = await explain.message(connection, one["id"], services.clock.now())
        seen = await progress(connection, campaign_id, services.clock.now())
    assert "waits: case.clinic is missing." in told.sentences[0]
    assert told.sentences[-1] == (
        "It waits until case.clinic is known; where it is not by 2026-03-02 13:00:00 UTC, it is skipped."
    )
    assert (seen.counts, seen.waits) == (
        {"scheduled": 1},
        "waits: 1 until a value that their text shows is there",
    )


# --- the value comes


async def test_a_value_that_comes_in_time_is_said(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    await dispatch(services, workspace, campaign_id)
    at(services).advance(600)
    await visit(services, workspace, clinic="Ruiru")
    await work(services, workspace, campaign_id)
    (one,) = await became(services, workspace, campaign_id)
    assert (one["reason"], one["awaits"], one["due_at"]) == (None, None, services.clock.now())
    assert await dispatch(services, workspace, campaign_id) == ["At Ruiru"]


async def test_a_value_that_comes_too_late_is_not_said(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    await dispatch(services, workspace, campaign_id)
    at(services).advance(3599)
    assert await dispatch(services, workspace, campaign_id) == []
    assert await ends(services, workspace, campaign_id) == [("waits", LACKS)]
    at(services).advance(1)
    assert await dispatch(services, workspace, campaign_id) == []
    await visit(services, workspace, clinic="Ruiru")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == []
    assert await ends(services, workspace, campaign_id) == [("skipped", LACKS)]


async def test_what_brings_something_else_lengthens_no_waiting(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    begun = services.clock.now()
    await dispatch(services, workspace, campaign_id)
    for room in ("1", "2"):
        at(services).advance(900)
        await visit(services, workspace, room=room)
        await work(services, workspace, campaign_id)
        assert await dispatch(services, workspace, campaign_id) == []
        (one,) = await became(services, workspace, campaign_id)
        assert (one["held_until"], one["tried"], one["reason"]) == (begun + HOUR, 0, LACKS)


async def test_of_two_values_the_second_is_waited_for_too(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace, "{{ case.clinic }}, room {{ case.room }}")
    await dispatch(services, workspace, campaign_id)
    await visit(services, workspace, clinic="Ruiru")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == []
    assert await ends(services, workspace, campaign_id) == [("waits", "missing:case.room")]
    await visit(services, workspace, room="4")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == ["Ruiru, room 4"]


async def test_a_parent_and_an_owner_bring_values_too(services: Services, workspace: UUID) -> None:
    await say(services, workspace, "H1", type="mother", name="Rosa")
    await visit(services, workspace, parent="H1", owner="E-7")
    text = "{{ case.parent.ward }}: {{ case.last_modified_by.name }}"
    campaign_id = await fired(services, workspace, text)
    assert await dispatch(services, workspace, campaign_id) == []
    assert await ends(services, workspace, campaign_id) == [("waits", "missing:case.parent.ward")]
    await say(services, workspace, "H1", type="mother", ward="North")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == []
    assert await ends(services, workspace, campaign_id) == [("waits", "missing:case.last_modified_by.name")]
    await visit(services, workspace, modified_by="E-9")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == ["North: E-9"]


async def test_a_field_of_the_recipient_releases_an_alert(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace, "{{ recipient.external_id }}: {{ case.name }}")
    await dispatch(services, workspace, campaign_id)
    assert await ends(services, workspace, campaign_id) == [("waits", "missing:recipient.external_id")]
    async with services.db.tenant(workspace) as connection:
        await connection.execute("UPDATE contact SET external_id = 'P-1' WHERE name = 'Amina'")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == ["P-1: Amina"]


async def test_a_sequence_waits_for_a_field(services: Services, workspace: UUID) -> None:
    today = services.clock.now().date()
    start = {"start": {"from": "field", "key": "registration_date"}, "time": "15:00"}
    schedule = {**start, "steps": [{"number": 1, "content": "now"}]}
    amina, abebe = await following.people(
        services, workspace, ("Amina", AMINA, str(today)), ("Abebe", ABEBE, str(today)), timezone="UTC"
    )
    wanted = following.definition(schedule, contents=saying("{{ contact.language }}!", HOLD))
    campaign_id = await following.running(services, workspace, wanted)
    await following.until(services, workspace, campaign_id, services.clock.now() + 3.5 * HOUR)
    assert await dispatch(services, workspace, campaign_id) == []
    assert [one["awaits"] for one in await became(services, workspace, campaign_id)] in (
        [amina, abebe],
        [abebe, amina],
    )
    await following.mend(services, workspace, amina, language="sw")
    assert await dispatch(services, workspace, campaign_id) == ["sw!"]
    at(services).advance(3600)
    assert await dispatch(services, workspace, campaign_id) == ["sw!"]
    assert sorted(await ends(services, workspace, campaign_id), key=str) == [
        ("ready", None),
        ("skipped", "missing:contact.language"),
    ]


# --- it is over before the value comes


@pytest.mark.parametrize(
    ("said", "reason"),
    [({"status": "done"}, "no_match"), ({"closed": True}, "closed")],
)
async def test_what_stops_takes_what_waits_with_it(
    services: Services, workspace: UUID, said: dict[str, object], reason: str
) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    await dispatch(services, workspace, campaign_id)
    await visit(services, workspace, clinic="Ruiru", **said)
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == []
    assert await ends(services, workspace, campaign_id) == [("skipped", reason)]


async def test_the_next_time_round_takes_it_too(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    twice = {"steps": [{"number": 1, "content": "now"}, {"number": 2, "days": 1, "content": "now"}]}
    wanted = definition(twice, contents=saying(CLINIC, HOLD), restart_on="round")
    campaign_id = await running(services, workspace, wanted)
    await work(services, workspace, campaign_id)
    await dispatch(services, workspace, campaign_id)
    at(services).advance(60)
    await visit(services, workspace, clinic="Ruiru", round="2")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == ["At Ruiru"]
    found = await ends(services, workspace, campaign_id)
    assert sorted(found, key=str) == [("ready", None), ("skipped", "restarted")]


async def test_who_opts_out_is_waited_for_no_more(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    await dispatch(services, workspace, campaign_id)
    await consent.opt_out(services.db, services.clock, workspace, f"tel:{AMINA}")
    assert await ends(services, workspace, campaign_id) == [("skipped", "opted_out")]


async def test_paused_it_waits_on_and_resumed_it_goes(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    await dispatch(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        await alert.pause(connection, services, campaign_id)
    await visit(services, workspace, clinic="Ruiru")
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == []
    async with services.db.tenant(workspace) as connection:
        await alert.resume(connection, services, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == ["At Ruiru"]


# --- holding and saving at once


async def test_a_value_that_came_since_it_was_read_is_not_waited_for(
    services: Services, workspace: UUID
) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    desk = await Desk.open(services, workspace, campaign_id)
    admitted = await desk.read()
    await visit(services, workspace, clinic="Ruiru")
    await work(services, workspace, campaign_id)  # its note is taken before anything waits
    assert await desk.leave(admitted) == []
    assert await ends(services, workspace, campaign_id) == [("ready", None)]
    assert await desk.leave(await desk.read()) == ["At Ruiru"]


@pytest.mark.parametrize("table", ["case", "contact"])
async def test_who_is_being_written_is_asked_about_again_and_nobody_is_waited_for(
    services: Services, workspace: UUID, table: str
) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    desk = await Desk.open(services, workspace, campaign_id)
    admitted = await desk.read()
    async with services.db.tenant(workspace) as connection:
        await connection.execute(f"""UPDATE "{table}" SET name = 'Amina W.'""")
        async with asyncio.timeout(5):
            assert await desk.leave(admitted) == []
        assert await ends(services, workspace, campaign_id) == [("ready", None)]
        assert desk.lanes.parked == 1
    at(services).advance(1)
    assert await dispatch(services, workspace, campaign_id) == []
    assert await ends(services, workspace, campaign_id) == [("waits", LACKS)]


async def test_what_is_saved_while_it_is_written_down_releases_it(
    services: Services, workspace: UUID
) -> None:
    await visit(services, workspace)
    campaign_id = await fired(services, workspace)
    desk = await Desk.open(services, workspace, campaign_id)
    admitted = await desk.read()
    wait, saving = lacks.wait, list[asyncio.Task[UUID]]()

    async def slowly(connection: Connection, waits: Sequence[lacks.Wait]) -> None:
        saving.append(asyncio.create_task(visit(services, workspace, clinic="Ruiru")))
        await asyncio.sleep(0.5)
        assert not saving[0].done(), "what is saved waits for what is being written down"
        await wait(connection, waits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lacks, "wait", slowly)
        await desk.leave(admitted)
    await saving[0]
    assert await ends(services, workspace, campaign_id) == [("waits", LACKS)]
    await work(services, workspace, campaign_id)
    assert await dispatch(services, workspace, campaign_id) == ["At Ruiru"]


async def test_a_worker_says_it_within_seconds_of_the_save(alone: tuple[Services, UUID]) -> None:
    services, workspace = alone
    await types(services, workspace)
    await visit(services, workspace)
    async with Provider().open() as provider:
        wanted = definition(AT_ONCE, contents=saying(CLINIC, HOLD))
        over = await _whatsapp(services, workspace, provider.url)
        async with services.db.tenant(workspace) as connection:
            campaign_id = await alert.create(
                connection, services, name="Visits", channel_id=over, definition=wanted
            )
            await alert.launch(connection, services, campaign_id)
        stop, watcher = asyncio.Event(), Watcher(services)
        following_them = asyncio.create_task(watcher.run(stop))
        async with dispatching(services):
            await work(services, workspace, campaign_id)
            await _until_it_waits(services, workspace, campaign_id)
            began = time.monotonic()
            await visit(services, workspace, clinic="Ruiru")
            async with asyncio.timeout(20), provider.asked:
                await provider.asked.wait_for(lambda: bool(provider.heard))
            took = time.monotonic() - began
            stop.set()
            await following_them
    assert len(provider.heard) == 1
    assert took < 5, "a second on a quiet machine"


async def _whatsapp(services: Services, workspace: UUID, url: str) -> UUID:
    async with services.db.tenant(workspace) as connection:
        return await configure.create_channel(
            connection, services, workspace, name="WhatsApp", provider="whatsapp", rate=80,
            config={"base_url": url, "sender": "1001"},
            credentials={"token": "a token", "app_secret": "a secret"},
        )  # fmt: skip


async def _until_it_waits(services: Services, workspace: UUID, campaign_id: UUID) -> None:
    async def it_waits() -> bool:
        with suppress(AssertionError):  # it is looked at by several statements, while it is written
            return await ends(services, workspace, campaign_id) == [("waits", LACKS)]
        return False

    await until(it_waits)


# --- what is refused


async def test_an_announcement_skips_and_does_not_wait(services: Services, workspace: UUID) -> None:
    over = await channel(services, workspace)
    said = {"variants": following.content("{{ contact.name }}")["variants"]}
    async with services.db.tenant(workspace) as connection:
        with pytest.raises(Invalid) as refused:
            await draft.create(
                connection, services, name="Closed", channel_id=over,
                definition=announcement(content={**said, "missing": HOLD}),
            )  # fmt: skip
    (problem,) = refused.value.problems
    assert (problem.where, problem.what) == ("content.missing", "an announcement does not wait for a value")
    async with services.db.tenant(workspace) as connection:
        await store(connection, [person("Amina", AMINA)], services.clock.now())
        await draft.create(
            connection, services, name="Closed", channel_id=over,
            definition=announcement(content={**said, "missing": "skip"}),
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["alert", "sequence"])
async def test_nothing_waits_longer_than_it_may_be_sent(
    services: Services, workspace: UUID, kind: str
) -> None:
    over = await channel(services, workspace, f"WhatsApp {uuid7(services.clock.now())}")
    await following.people(services, workspace)
    contents = saying("{{ contact.name }}", {"hold_for": 7200})
    async with services.db.tenant(workspace) as connection:
        an_alert = definition(AT_ONCE, contents=contents, expires_after=7200)
        a_sequence = following.definition(AT_ONCE, contents=contents, expires_after=7200)
        how: dict[str, Any] = {"name": "V", "channel_id": over}
        creating = (
            alert.create(connection, services, definition=an_alert, **how)
            if kind == "alert"
            else sequence.create(connection, services, definition=a_sequence, **how)
        )
        with pytest.raises(Invalid) as refused:
            await creating
    assert [one.where for one in refused.value.problems] == ["contents.now.missing.hold_for"]
    assert refused.value.problems[0].hint == "Hold it for less, or say a longer expires_after."


async def test_what_was_once_edited_keeps_what_it_declared(services: Services, workspace: UUID) -> None:
    campaign_id = await running(
        services, workspace, definition(AT_ONCE, contents=saying("Hello", {"hold_for": 60}))
    )
    async with services.db.tenant(workspace) as connection:
        _, kept = await alert.read(connection, campaign_id)
    assert kept.contents["now"].model_dump(exclude_none=True)["missing"] == {"hold_for": 60}
