"""Cases of a small programme, and how tests say something of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from clarion.domain.case import declared
from clarion.domain.case_values import Case, CaseCustoms
from clarion.domain.case_word import read_case
from clarion.kit.db import Connection, Row, rows
from clarion.store import case as cases
from clarion.store import case_type
from clarion.store.case_intake import Taken, upsert
from tests.store.people import NOW, pepper_of

PREGNANCY = [
    ("edd", "date", None, ""),
    ("weight", "number", None, ""),
    ("phone", "address", "tel", ""),
    ("midwife", "contact", None, ""),
]


async def types(connection: Connection) -> None:
    """Pregnancies and households."""
    await case_type.create(connection, "pregnancy", NOW, properties=declared(PREGNANCY))
    await case_type.create(connection, "household", NOW)


async def read(
    connection: Connection, documents: Sequence[dict[str, Any]], now: datetime = NOW
) -> list[Case]:
    """Words about cases as they are read; those without a type are of pregnancies. None may be refused."""
    customs = CaseCustoms(await case_type.known(connection), now, "KE", ZoneInfo("Africa/Nairobi"))
    found = [read_case({"type": "pregnancy", **one}, customs) for one in documents]
    words = [case for case, _ in found if case is not None]
    assert len(words) == len(documents), [findings for _, findings in found]
    return words


async def say(
    connection: Connection, documents: Sequence[dict[str, Any]], now: datetime = NOW, **how: str
) -> list[Taken]:
    """Say them (`read`)."""
    return await upsert(
        connection, await pepper_of(connection), await read(connection, documents, now), now, **how
    )


async def one(connection: Connection, external_id: str) -> Row:
    return await cases.get(connection, external_id)


async def history(connection: Connection, external_id: str) -> list[Any]:
    """What changed, the oldest first."""
    found = await cases.history(connection, (await one(connection, external_id))["id"])
    return [change["changes"] for change in reversed(found)]


async def everybody(connection: Connection) -> list[Row]:
    return await rows(connection, "SELECT id, external_id, name FROM contact ORDER BY id")
