"""What waits for somebody to write: found by who wrote, missed by nobody, and in nobody's way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clarion.flow import merge
from clarion.flow.compose import WINDOW
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import campaign, queue, window, withdraw
from clarion.store.queue import Place
from tests.flow.announcing import channel
from tests.flow.receiving import Receiving
from tests.store.people import ABEBE, AMINA, person, store
from tests.store.sent import announce

START = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


class Patient(Receiving):
    """A campaign that waits for people: a message to Amina and one to Abebe, both due."""

    async def due(self) -> list[Place]:
        """What is to be sent now."""
        async with self.services.db.tenant(self.workspace_id) as connection:
            return await self._due(connection)

    async def wait(self, places: list[Place]) -> None:
        """As the dispatch does, with those whom it found outside."""
        async with self.services.db.tenant(self.workspace_id) as connection:
            await self.decide(connection, places)

    async def decide(self, connection: Connection, places: list[Place]) -> None:
        since = self.services.clock.now() - WINDOW
        outside = await window.outside(connection, places, self.channel_id, since, "wait")
        await window.wait(connection, [one for one in places if one[2] in outside])

    async def waits(self) -> list[str]:
        """Whom it waits for: their numbers; each has a reason, and one place in the queue."""
        found = await self.look(
            """SELECT a.value, m.reason, m.due_at = m.expires_at AND q.due_at = q.expires_at AS at_its_end,
                 m.tries + q.tries AS tries, m.lane_id = q.lane_id AS together
               FROM queue q JOIN message m ON m.id = q.message_id JOIN address a ON a.id = q.awaits
               ORDER BY a.value"""
        )
        expected = ("outside_window", True, 0, True)
        assert {tuple(one.values())[1:] for one in found} <= {expected}
        return [one["value"] for one in found]

    async def to_be_sent(self) -> list[str]:
        """Who is to be told now: their numbers, in order."""
        now = self.services.clock.now()
        async with self.services.db.tenant(self.workspace_id) as connection:
            found = await queue.read_ahead(connection, self.sent.lane_id, START, now, 100)
            assert await self.sent.tally_agrees(connection)
        return [one.address for one in found]

    async def _due(self, connection: Connection) -> list[Place]:
        now = self.services.clock.now()
        found = await queue.read_ahead(connection, self.sent.lane_id, START, now, 100)
        return [(one.lane_id, one.due_at, one.message_id, one.cohort) for one in found]


@pytest.fixture
async def patient(services: Services, workspace: UUID) -> Patient:
    over = await channel(services, workspace)
    async with services.db.tenant(workspace) as connection:
        sent = await announce(connection, workspace, services.clock.now(), [AMINA, ABEBE], over)
        await connection.execute("UPDATE lane SET outside_window = 'wait' WHERE id = %s", (sent.lane_id,))
    return Patient(services, workspace, sent)


async def test_who_writes_is_told_and_nobody_else(patient: Patient) -> None:
    await patient.wait(await patient.due())
    assert (await patient.waits(), await patient.to_be_sent()) == ([ABEBE, AMINA], [])
    drained = await patient.write(AMINA, "hello", patient.ago(1))
    assert drained.woken == 1
    assert (await patient.waits(), await patient.to_be_sent()) == ([ABEBE], [AMINA])
    assert (await patient.write(AMINA, "again", patient.ago(0))).woken == 0


async def test_who_wrote_after_they_were_read_does_not_wait(patient: Patient) -> None:
    places = await patient.due()
    await patient.write(AMINA, "hello", patient.ago(1))
    await patient.wait(places)
    assert (await patient.waits(), await patient.to_be_sent()) == ([ABEBE], [AMINA])


async def test_who_writes_while_it_is_decided_is_found_by_their_words(patient: Patient) -> None:
    places = await patient.due()
    async with patient.services.db.tenant(patient.workspace_id) as connection:
        await patient.decide(connection, places)
        writing = asyncio.create_task(patient.write(AMINA, "hello", patient.ago(1)))
        await asyncio.sleep(0.5)
        assert not writing.done(), "their words wait for what is being decided"
    assert (await writing).woken == 1
    assert (await patient.waits(), await patient.to_be_sent()) == ([ABEBE], [AMINA])


async def test_words_being_written_are_seen_by_who_decides(patient: Patient) -> None:
    places = await patient.due()
    now = patient.services.clock.now()
    async with patient.services.db.tenant(patient.workspace_id) as connection:
        await connection.execute(
            "UPDATE address SET window_at = %s, window_channel_id = %s WHERE value = %s",
            (now, patient.channel_id, AMINA),
        )
        deciding = asyncio.create_task(patient.wait(places))
        await asyncio.sleep(0.5)
        assert not deciding.done()
    await deciding
    assert (await patient.waits(), await patient.to_be_sent()) == ([ABEBE], [AMINA])


async def test_old_words_that_are_told_late_open_nothing(patient: Patient) -> None:
    await patient.wait(await patient.due())
    drained = await patient.write(AMINA, "hello", patient.ago(25 * 3600))
    assert (drained.inbound, drained.woken) == (1, 0)
    assert await patient.waits() == [ABEBE, AMINA]


async def test_who_asks_for_no_more_is_not_told_what_waited(patient: Patient) -> None:
    await patient.wait(await patient.due())
    await patient.write(AMINA, "STOP", patient.ago(1))
    assert (await patient.waits(), await patient.to_be_sent()) == ([ABEBE], [])
    assert sorted(await patient.states()) == [("ready", "outside_window"), ("skipped", "opted_out")]


async def test_what_waits_ends_with_its_campaign_or_its_time(patient: Patient) -> None:
    await patient.wait(await patient.due())
    now = patient.services.clock.now()
    async with patient.services.db.tenant(patient.workspace_id) as connection:
        cursor = await connection.execute("SELECT lane_id, due_at, message_id, cohort FROM queue LIMIT 1")
        one = (await cursor.fetchall())[0]
        assert await queue.end(connection, [one], "expired", "expired", now + timedelta(days=1)) == 1
        assert await queue.empty_lane(connection, patient.sent.lane_id, "cancelled", now, 10) == 1
        assert await patient.sent.tally_agrees(connection)
    assert sorted(await patient.states()) == [("cancelled", None), ("expired", "outside_window")]


async def test_what_the_campaign_declares_may_change(patient: Patient) -> None:
    await patient.wait(await patient.due())
    now = patient.services.clock.now()
    async with patient.services.db.tenant(patient.workspace_id) as connection:
        assert await window.decide_again(connection, [patient.sent.lane_id], now) == 2
    assert (await patient.waits(), len(await patient.to_be_sent())) == ([], 2)
    assert set(await patient.states()) == {("ready", None)}


async def test_who_decides_by_what_was_declared_before_decides_anew(patient: Patient) -> None:
    places = await patient.due()
    async with patient.services.db.tenant(patient.workspace_id) as connection:
        await connection.execute(
            "UPDATE lane SET outside_window = NULL WHERE id = %s", (patient.sent.lane_id,)
        )
        deciding = asyncio.create_task(patient.wait(places))
        await asyncio.sleep(0.5)
        assert not deciding.done(), "it waits for what is being declared"
    await deciding
    assert (await patient.waits(), len(await patient.to_be_sent())) == ([], 2)


async def test_over_a_pool_it_goes_by_the_number_that_they_wrote_to(patient: Patient) -> None:
    await patient.wait(await patient.due())
    services, workspace = patient.services, patient.workspace_id
    other = await channel(services, workspace, "another number", sender="1002")
    async with services.db.tenant(workspace) as connection:
        lane_id = await campaign.open_lane(
            connection, UUID(int=patient.sent.lane_id.int + 1), other, patient.sent.campaign_id, 50,
            outside="wait",
        )  # fmt: skip
    first, patient.sent.channel_id = patient.sent.channel_id, other
    assert (await patient.write(ABEBE, "hello", patient.ago(1))).woken == 1
    patient.sent.channel_id, patient.sent.lane_id = first, lane_id
    assert (await patient.waits(), await patient.to_be_sent()) == ([AMINA], [ABEBE])


async def test_words_to_another_number_that_is_none_of_its_own_wake_nobody(patient: Patient) -> None:
    await patient.wait(await patient.due())
    patient.sent.channel_id = await channel(patient.services, patient.workspace_id, "another", sender="1002")
    assert (await patient.write(ABEBE, "hello", patient.ago(1))).woken == 0
    assert await patient.waits() == [ABEBE, AMINA]


async def test_two_who_are_one_person_are_asked_about_again(patient: Patient) -> None:
    services, workspace = patient.services, patient.workspace_id
    await patient.wait(await patient.due())
    async with services.db.tenant(workspace) as connection:
        (rosa,) = await store(connection, [person("Rosa", "+254712000009")], services.clock.now())
    (found,) = await patient.look("SELECT contact_id FROM address WHERE value = %s", AMINA)
    await merge.merge_contacts(services.db, services.clock, workspace, found["contact_id"], rosa.contact_id)
    assert (await patient.waits(), await patient.to_be_sent()) == ([ABEBE], [AMINA])


async def test_who_was_withdrawn_meanwhile_does_not_wait(patient: Patient) -> None:
    places = await patient.due()
    (found,) = await patient.look("SELECT contact_id FROM address WHERE value = %s", AMINA)
    async with patient.services.db.tenant(patient.workspace_id) as connection:
        now = patient.services.clock.now()
        await withdraw.withdraw(connection, [found["contact_id"]], "skipped", "left", now)
    await patient.wait(places)
    assert await patient.waits() == [ABEBE]
    assert ("skipped", "left") in await patient.states()
