"""People are brought from RapidPro over a channel of it: its fields, its groups, then whoever changed.

Contacts are read by when they changed, oldest first, so that who changes meanwhile comes again at the end.
Each page is one transaction together with the place where the next begins. A later import reads a stretch
before the last change again, since lists lag behind: what is the same changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from clarion.connectors.rapidpro.client import Client, LostPlace, Page, Row
from clarion.connectors.rapidpro.people import (
    PersonThere,
    deleted_there,
    group_there,
    person_there,
    spelled,
)
from clarion.flow.bring.calling import opened
from clarion.flow.bring.counts import Counts, Listeners, Trouble
from clarion.flow.bring.groups import Groups, keep_fields
from clarion.flow.bring.people import Taker
from clarion.flow.dispatch.account import Channel
from clarion.flow.ingest import customs_of
from clarion.flow.services import Services
from clarion.store import reading, workspace
from clarion.store.reading import Place

OVERLAP = timedelta(minutes=10)  # what a list may lag behind
EARLIER = timedelta(days=1)  # how much the clocks there may differ, where only ours is known
CONTACTS, DELETED = "contacts", "deleted"


async def bring(
    services: Services, workspace_id: UUID, channel_id: UUID, listeners: Listeners | None = None, *,
    anew: bool = False, client: Client | None = None,
) -> Counts:  # fmt: skip
    """Bring whoever changed in RapidPro since the last time; with `anew`, everybody.

    Killed, it goes on where it stood the next time; again, it changes nothing. Raises NotFound, Invalid (no
    channel of RapidPro), Conflict (somebody else is at it), Misconfigured, Unavailable.
    """
    told = listeners or Listeners()
    async with opened(services, workspace_id, channel_id, told.waiting, client) as (channel, asked):
        return await _Bringing(services, channel, asked, told).run(anew=anew)


@dataclass
class _Bringing:
    services: Services
    channel: Channel
    client: Client
    listeners: Listeners

    async def run(self, *, anew: bool) -> Counts:
        counts = Counts()
        told = await self.client.all("fields"), await self.client.all("groups")
        groups = Groups(self.channel.id, counts.notes)
        db, now = self.services.db, self.services.clock.now()
        async with db.tenant(self.channel.workspace_id) as connection:
            # two that begin at once would both make a group
            await reading.place(connection, self.channel.id, CONTACTS)
            if anew:
                await reading.forget(connection, self.channel.id)
            keys = await keep_fields(connection, told[0], counts.notes)
            there = [one for row in told[1] if (one := group_there(row)) is not None]
            await groups.keep(connection, there, now, OVERLAP, anew=anew)
            home = await workspace.get(connection)
            customs = await customs_of(connection, home, None)
        taker = Taker(bytes(home["pepper"]), customs, groups, self.channel.name, counts, self.listeners)
        for name, read in ((CONTACTS, lambda row: person_there(row, keys)), (DELETED, deleted_there)):
            await self._pass(name, read, taker)
        return counts

    async def _pass(self, name: str, read: Callable[[Row], PersonThere], taker: Taker) -> None:
        """Read one list to its end, from where it stands."""
        place = await self._begun(name)
        while True:
            try:
                page = await self.client.page(CONTACTS, _query(name, place), place.cursor)
            except LostPlace:
                async with self.services.db.tenant(self.channel.workspace_id) as connection:
                    place = await reading.begin(connection, self.channel.id, name, place.since)
                continue
            place = await self._store(name, place, page, read, taker)
            self.listeners.progress(taker.counts)
            if not place.under_way:
                return

    async def _begun(self, name: str) -> Place:
        """The pass under way, or a new one."""
        async with self.services.db.tenant(self.channel.workspace_id) as connection:
            place = await reading.place(connection, self.channel.id, name)
            if place.under_way:
                return place
            since = None if place.mark is None else place.mark - OVERLAP
            if name == DELETED and since is None:  # nobody is known yet of those deleted long ago
                since = self.services.clock.now() - EARLIER
            return await reading.begin(connection, self.channel.id, name, since)

    async def _store(
        self, name: str, place: Place, page: Page, read: Callable[[Row], PersonThere], taker: Taker
    ) -> Place:
        people = self._readable(page.rows, read, taker.counts)
        newest = max((one.changed_at for one in people), default=None)
        db, now = self.services.db, self.services.clock.now()
        async with db.tenant(self.channel.workspace_id) as connection:
            await reading.hold(connection, self.channel.id, name, place.cursor)
            await taker.take(connection, people, now)
            # an empty list says that nothing has changed since its beginning
            newest = newest or (place.since if place.mark is None else None)
            await reading.advance(connection, self.channel.id, name, page.cursor, newest)
            return await reading.place(connection, self.channel.id, name)

    def _readable(
        self, rows: list[Row], read: Callable[[Row], PersonThere], counts: Counts
    ) -> list[PersonThere]:
        people = []
        for row in rows:
            counts.read += 1
            try:
                people.append(read(row))
            except ValueError as error:
                counts.refused += 1
                counts.warnings["", str(error)] += 1
                self.listeners.trouble(Trouble(str(row.get("uuid") or ""), "", str(error), refused=True))
        return people


def _query(name: str, place: Place) -> dict[str, str]:
    query = {"reverse": "true"}  # the oldest first
    if name == DELETED:
        query["deleted"] = "true"
    if place.since is not None:
        query["after"] = spelled(place.since)
    return query
