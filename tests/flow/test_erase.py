"""A person who is erased is forgotten, and still never hears anything twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.identity import consent_hash
from clarion.errors import NotFound
from clarion.flow.erase import erase_contact
from clarion.flow.merge import merge_contacts
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database, rows
from clarion.kit.ids import uuid7
from clarion.store import consent, contact
from clarion.store.intake import Outcome
from tests.store.announced import announce, expand_all, outcomes, reopen
from tests.store.people import ABEBE, AMINA, JOHN, NOW, ROSA, pepper_of, person, store, tel

PERSONAL = ("Amina", "Wanjiru", AMINA, "amina@example.org", "0712 9", "E-17", "Cardiology")


async def everything(connection: Connection) -> str:
    """All that the workspace's tables hold, as text."""
    tables = await rows(
        connection,
        """SELECT DISTINCT quote_ident(table_name) AS name FROM information_schema.columns
           WHERE column_name = 'workspace_id' AND table_schema = 'public'""",
    )
    found: list[Any] = []
    for table in tables:
        found += await rows(connection, f"SELECT to_jsonb(t)::text AS kept FROM {table['name']} t")
    return "\n".join(one["kept"] for one in found)


async def amina(connection: Connection) -> UUID:
    (taken,) = await store(
        connection,
        [
            person(
                "Amina Wanjiru", AMINA, "amina@example.org", "0712 9", external_id="E-17",
                language="sw", groups=["Nurses"],
            )
        ],
    )  # fmt: skip
    await connection.execute(
        'UPDATE contact SET fields = \'{"ward": "Cardiology"}\' WHERE id = %s', (taken.contact_id,)
    )
    return taken.contact_id


async def test_nothing_that_says_who_it_was_is_left(db: Database, clock: Clock, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        who = await amina(connection)
        await connection.execute(
            """INSERT INTO inbound (id, workspace_id, channel_id, contact_id, address, provider_id, text, at,
                 received_at) VALUES (%s, %s, %s, %s, %s, 'p1', 'I am Amina', %s, %s)""",
            (uuid7(NOW), workspace, uuid7(NOW), who, f"tel:{AMINA}", NOW, NOW),
        )
        run = await announce(connection, workspace, clock.now())
        await connection.execute(
            """INSERT INTO attempt (id, cohort, workspace_id, message_id, channel_id, lane_id, worker_id,
                 epoch, number, state, effective, address_id, variables, detail)
               SELECT %(id)s, cohort, workspace_id, id, %(id)s, lane_id, %(id)s, 1, 1, 'accepted', true,
                 address_id, '{"name": "Amina Wanjiru"}', %(detail)s FROM message WHERE run_id = %(run)s""",
            {"id": uuid7(NOW), "run": run, "detail": f"sent to {AMINA}"},
        )
        before = await everything(connection)
    assert all(word in before for word in PERSONAL)
    await erase_contact(db, clock, workspace, who)
    async with db.tenant(workspace) as connection:
        after = await everything(connection)
        assert [word for word in PERSONAL if word in after] == []
        assert (await contact.get(connection, who))["status"] == "erased"


async def test_what_waits_for_an_erased_person_is_skipped_and_counted(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        who = await amina(connection)
        await store(connection, [person("Abebe", ABEBE)])
        run = await announce(connection, workspace, clock.now())
        assert await outcomes(connection, run) == {"ready": 2}
    assert await erase_contact(db, clock, workspace, who) == 1
    async with db.tenant(workspace) as connection:
        assert await outcomes(connection, run) == {"ready": 1, "erased": 1}
    assert await erase_contact(db, clock, workspace, who) == 0


async def test_an_erased_person_who_comes_back_is_the_same_contact(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        who = await amina(connection)
        run = await announce(connection, workspace, clock.now())
    await erase_contact(db, clock, workspace, who)
    async with db.tenant(workspace) as connection:
        by_id, by_place = await store(
            connection, [person("Somebody", JOHN, external_id="E-17"), person("AMINA wanjiru", AMINA)]
        )
        assert (by_id.contact_id, by_place.contact_id) == (who, who)
        assert by_id.outcome is Outcome.CREATED
        back = await contact.get(connection, who)
        assert (back["status"], back["external_id"], back["name"]) == ("active", "E-17", "AMINA wanjiru")
        await reopen(connection, run)
        await expand_all(connection, run, clock.now())
        assert await outcomes(connection, run) == {"erased": 1}


async def test_who_opted_out_is_still_opted_out_after_coming_back(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        who = await amina(connection)
        key = consent_hash(await pepper_of(connection), tel(AMINA))
        await consent.opt_out(connection, [key], NOW, how="reply")
    await erase_contact(db, clock, workspace, who)
    async with db.tenant(workspace) as connection:
        await store(connection, [person("Amina Wanjiru", AMINA)], NOW + timedelta(days=1))
        assert await consent.opted_out(connection, who)


async def test_erasing_a_merged_contact_erases_the_person(
    db: Database, clock: Clock, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        first, second = await store(connection, [person("Rosa", ROSA), person("Rosa O'Neill", JOHN)])
    await merge_contacts(db, clock, workspace, first.contact_id, second.contact_id)
    await erase_contact(db, clock, workspace, second.contact_id)
    async with db.tenant(workspace) as connection:
        assert (await contact.get(connection, first.contact_id))["status"] == "erased"
        assert "Rosa" not in await everything(connection)


async def test_another_workspaces_person_cannot_be_erased(
    db: Database, clock: Clock, workspace: UUID, another_workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        who = await amina(connection)
    with pytest.raises(NotFound):
        await erase_contact(db, clock, another_workspace, who)
    async with db.tenant(workspace) as connection:
        assert (await contact.get(connection, who))["name"] == "Amina Wanjiru"
