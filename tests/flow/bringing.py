"""People who come from RapidPro: a workspace with a channel of it, and the workspace there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clarion.domain.person import Given
from clarion.flow import ingest
from clarion.flow.bring.counts import Counts, Listeners
from clarion.flow.bring.rapidpro import bring
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Row
from clarion.store import contact, group
from tests.sandbox.rapidpro import There

AMINA, ABEBE, ROSA = "tel:+254712000001", "tel:+251911000002", "tel:+353850000003"


@dataclass
class Clinic:
    """A workspace with a channel of RapidPro, and the workspace there."""

    services: Services
    workspace: UUID
    channel: UUID
    there: There

    async def bring(self, listeners: Listeners | None = None, **how: Any) -> Counts:
        return await bring(self.services, self.workspace, self.channel, listeners, **how)

    async def people(self) -> dict[str, Row]:
        """Everybody by name."""
        async with self.services.db.tenant(self.workspace) as connection:
            return {one["name"]: one for one in await contact.page(connection)}

    async def groups(self) -> dict[str, list[str]]:
        """Who is in which group, by name."""
        people = await self.people()
        async with self.services.db.tenant(self.workspace) as connection:
            found = await group.page(connection)
        return {
            one["name"]: sorted(name for name, each in people.items() if str(one["id"]) in _group_ids(each))
            for one in found
        }

    async def own(self, name: str, **given: Any) -> None:
        """Somebody who came from elsewhere."""
        await ingest.upsert_people(
            self.services.db, self.services.clock, self.workspace, [Given(name=name, **given)]
        )


def _group_ids(person: Row) -> list[str]:
    return [each["id"] for each in person["groups"]]


def became(counts: Counts) -> tuple[int, int, int, int]:
    return counts.new, counts.changed, counts.unchanged, counts.refused


def later(clinic: Clinic, seconds: float) -> None:
    assert isinstance(clinic.services.clock, FakeClock)
    clinic.services.clock.advance(seconds)


async def opted_out(clinic: Clinic, name: str) -> bool:
    return any(a["opted_out"] for a in (await clinic.people())[name]["addresses"])


async def crowd(clinic: Clinic, number: int, page: int) -> None:
    clinic.there.sandbox.configure(rapidpro={"page": page})
    clinic.there.made("groups", name="All")
    for n in range(number):
        clinic.there.made("contacts", name=f"Person {n}", urns=[f"tel:+25471200{n:04d}"], groups=["All"])
