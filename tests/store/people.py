"""The small cast, and how tests store them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from clarion.domain.address import Address
from clarion.domain.person import Customs, Given, Person, read_person
from clarion.kit.db import Connection
from clarion.store import workspace as workspaces
from clarion.store.intake import Taken, upsert

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
KENYA = Customs(country="KE")

AMINA = "+254712000001"
ABEBE = "+251911000002"
ROSA = "+353850000003"
JOHN = "+254712000004"


def person(name: str | None = None, *numbers: str, **more: Any) -> Person:
    """A person as a row gives them; numbers are read as Kenyan unless international."""
    given = Given(name=name, addresses=[("phone", None, number) for number in numbers], **more)
    read, _ = read_person(given, KENYA)
    assert read is not None
    return read


async def store(connection: Connection, people: Sequence[Person], now: datetime = NOW) -> list[Taken]:
    pepper = await pepper_of(connection)
    return await upsert(connection, pepper, people, now)


async def pepper_of(connection: Connection) -> bytes:
    found = await workspaces.get(connection)
    return bytes(found["pepper"])


def tel(number: str) -> Address:
    return Address("tel", number)
