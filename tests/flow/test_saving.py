"""Who saves cases at the same moment is written together, and answered each by themselves."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import psycopg
import pytest

from clarion.errors import Invalid
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.store.case_intake import Outcome, Taken
from tests.flow.alerting import VISIT, types
from tests.house import House

REFUSES_ROSA = """
CREATE FUNCTION refuse_rosa() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.external_id = 'rosa' THEN RAISE 'not her'; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse_rosa BEFORE INSERT ON "case" FOR EACH ROW EXECUTE FUNCTION refuse_rosa()"""


def word(external_id: str, **properties: Any) -> dict[str, Any]:
    return {"type": VISIT, "external_id": external_id, "properties": properties}


async def save(services: Services, workspace: UUID, *words: dict[str, Any], by: str = "") -> list[Taken]:
    return await services.saves.save(services.db, services.clock, workspace, words, by=by)


async def kept(services: Services, workspace: UUID) -> list[dict[str, Any]]:
    async with services.db.tenant(workspace) as connection:
        return await rows(
            connection,
            'SELECT external_id, properties, xmin::text AS written FROM "case" ORDER BY external_id',
        )


async def test_fifty_at_once_are_few_transactions_and_each_has_its_own_answer(
    services: Services, workspace: UUID
) -> None:
    await types(services, workspace)
    told = await asyncio.gather(
        *(save(services, workspace, word(f"a{n:02}", n=n), word(f"b{n:02}")) for n in range(50))
    )
    assert [[one.external_id for one in some] for some in told] == [
        [f"a{n:02}", f"b{n:02}"] for n in range(50)
    ]
    assert {one.outcome for some in told for one in some} == {Outcome.CREATED}
    found = await kept(services, workspace)
    assert len(found) == 100
    assert len({one["written"] for one in found}) <= 2, "who came while another was written, together"


async def test_what_is_wrong_of_one_is_told_to_that_one(services: Services, workspace: UUID) -> None:
    await types(services, workspace)
    told = await asyncio.gather(
        save(services, workspace, word("amina")),
        save(services, workspace, {"type": "nothing", "external_id": "abebe"}),
        save(services, workspace, word("rosa")),
    )
    assert [one.outcome for (one,) in told] == [Outcome.CREATED, Outcome.REFUSED, Outcome.CREATED]


async def test_whom_the_database_refuses_spoils_it_for_nobody_else(
    house: House, alone: tuple[Services, UUID]
) -> None:
    services, workspace = alone
    await types(services, workspace)
    async with services.db.glance() as connection:
        name = connection.info.dbname
    with psycopg.connect(house.superuser(name), autocommit=True) as superuser:
        superuser.execute(REFUSES_ROSA)
    names = ["abebe", "amina", "rosa", "john"]
    told = await asyncio.gather(
        *(save(services, workspace, word(name)) for name in names), return_exceptions=True
    )
    assert [isinstance(one, psycopg.errors.RaiseException) for one in told] == [False, False, True, False]
    assert [one["external_id"] for one in await kept(services, workspace)] == ["abebe", "amina", "john"]


async def test_one_case_told_of_by_many_hears_them_in_their_order(
    services: Services, workspace: UUID
) -> None:
    await types(services, workspace)
    await asyncio.gather(*(save(services, workspace, word("amina", visits=n)) for n in range(20)))
    (one,) = await kept(services, workspace)
    assert one["properties"] == {"visits": 19}


async def test_each_workspace_and_each_caller_is_written_by_itself(
    services: Services, workspace: UUID, another_workspace: UUID
) -> None:
    await types(services, workspace)
    await types(services, another_workspace)
    await save(services, workspace, word("amina"), word("rosa"))
    await asyncio.gather(
        save(services, workspace, word("amina", visits=1), by="Selam"),
        save(services, another_workspace, word("amina"), by="Selam"),
        save(services, workspace, word("rosa", visits=1), by="John"),
    )
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection,
            'SELECT external_id, c.by FROM case_change c JOIN "case" k ON k.id = c.case_id ORDER BY 1',
        )
    assert [(one["external_id"], one["by"]) for one in found] == [("amina", "Selam"), ("rosa", "John")]
    assert [one["external_id"] for one in await kept(services, another_workspace)] == ["amina"]


async def test_who_goes_away_is_written_nevertheless(services: Services, workspace: UUID) -> None:
    await types(services, workspace)
    first = asyncio.create_task(save(services, workspace, word("amina")))
    gone = asyncio.create_task(save(services, workspace, word("abebe")))
    await asyncio.sleep(0)
    gone.cancel()
    await first
    await save(services, workspace, word("rosa"))
    assert [one["external_id"] for one in await kept(services, workspace)] == ["abebe", "amina", "rosa"]


async def test_who_brings_many_is_a_transaction_by_themselves(services: Services, workspace: UUID) -> None:
    await types(services, workspace)
    some = [word(f"{n:03}") for n in range(21)]
    told = await asyncio.gather(save(services, workspace, word("amina")), save(services, workspace, *some))
    assert [len(one) for one in told] == [1, 21]
    with pytest.raises(Invalid, match="at most 10,000"):
        await save(services, workspace, *([word("amina")] * 10_001))
