"""A sequence goes to RapidPro with a date and time of each person for each slot, and an event at it.

First the fields and the events are made equal (`connectors.rapidpro.push`), then the people: what each holds
there is read each time, and only who holds something else is written, the soonest first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clarion.connectors.rapidpro.client import Client, Unsure
from clarion.connectors.rapidpro.held import Held, Values, Writer, difference
from clarion.connectors.rapidpro.plan import Plan, There, Wanted
from clarion.connectors.rapidpro.push import ROUNDS, Pushed, Pusher
from clarion.connectors.rapidpro.shown import Change, changes
from clarion.connectors.rapidpro.slots import (
    MOST_FIELDS,
    campaign,
    check_names,
    check_room,
    contents,
    mark,
    slot_key,
)
from clarion.connectors.rapidpro.wording import Names, Words
from clarion.errors import Unavailable
from clarion.flow.bring.calling import opened
from clarion.flow.bring.known import Matched, match
from clarion.flow.bring.moments import Reckoning, Somebody
from clarion.flow.bring.push import Wish, wanted_names
from clarion.flow.ingest import customs_of
from clarion.flow.services import Services
from clarion.store import workspace as workspaces


@dataclass(frozen=True, slots=True)
class Slotted:
    """What more is wished of a push by slots: moments before `until` alone; whoever is meant put into the
    group (`join`); how many fields the workspace may have at `most`."""

    until: datetime | None = None
    join: bool = False
    most: int = MOST_FIELDS


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody there, and what is to be written: None clears a slot."""

    held: Held
    values: Values

    @property
    def soonest(self) -> datetime | None:
        """The first moment that is written."""
        return min((at for at in self.values.values() if at is not None), default=None)


@dataclass(slots=True)
class Crowd:
    """What is to be done with people: `write` and `clear`, in this order; who is to `join` the group. The
    rest are counts of people: as they should be; not in RapidPro; not active there; not in the group; in
    RapidPro under an address of several of ours, or a second time. `late`: moments that have passed before
    they could be written, which RapidPro does not say."""

    write: list[Person] = field(default_factory=list)
    clear: list[Person] = field(default_factory=list)
    join: list[str] = field(default_factory=list)
    same: int = 0
    absent: int = 0
    inactive: int = 0
    outside: int = 0
    shared: int = 0
    twice: int = 0
    late: int = 0

    @property
    def empty(self) -> bool:
        """Whether nobody is to be changed."""
        return not (self.write or self.clear or self.join)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a push would do now: around the people, and with them."""

    wanted: Wanted
    changes: list[Change]
    crowd: Crowd
    fields: int

    @property
    def empty(self) -> bool:
        """Whether everything is as it should be."""
        return not self.changes and self.crowd.empty


@dataclass(slots=True)
class Filled:
    """What was done: around the people, and how many people. `refused`: whom RapidPro does not let us
    change, by UUID, with why."""

    around: Pushed = field(default_factory=Pushed)
    written: int = 0
    cleared: int = 0
    joined: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filling:
    """A sequence as RapidPro is to have it, by slots."""

    services: Services
    workspace_id: UUID
    wish: Wish
    more: Slotted
    names: Names
    said: Mapping[int, Words]
    reckoning: Reckoning
    pusher: Pusher
    writer: Writer

    async def foresee(self) -> Foreseen:
        """What `push` would do now; nothing is changed, here or there. Raises as `push`."""
        people, wanted = await self._reckoned(keep=False)
        there, todo = await self._around(wanted)
        crowd = await self._crowd(people, self.services.clock.now())
        return Foreseen(wanted, changes(wanted, there, todo), crowd, len(todo.fields))

    async def push(self) -> Filled:
        """Make it so; again, it changes nothing; killed, the next one finishes it. Raises Invalid, Conflict,
        Misconfigured, Unavailable."""
        people, wanted = await self._reckoned(keep=True)
        await self._around(wanted)
        done = Filled(await self.pusher.push(wanted), refused=self.writer.refused)
        for _ in range(ROUNDS):
            crowd = await self._crowd(people, self.services.clock.now())
            if crowd.empty:
                return done
            await self._round(crowd, done)
            await self.pusher.sleep(self.pusher.settle)
        raise Unavailable(
            f"the people of {wanted.name} are not as they should be after {ROUNDS} rounds",
            hint="Is somebody else changing them? Run it again.",
        )

    async def _around(self, wanted: Wanted) -> tuple[There, Plan]:
        """What there is around the people, and what is to be done. Raises Conflict, Invalid."""
        there, todo = await self.pusher.foresee(wanted)
        check_room(wanted, there, self.more.most)
        events = await self.pusher.client.all("campaign_events")
        check_names(wanted, there, events, mark(self.wish.campaign_id))
        return there, todo

    async def _round(self, crowd: Crowd, done: Filled) -> None:
        done.written += await self.writer.write([(one.held, one.values) for one in crowd.write])
        done.cleared += await self.writer.write([(one.held, one.values) for one in crowd.clear])
        try:
            done.joined += await self.writer.join(crowd.join, self.names.group)
        except Unsure:  # the next round sees what became of it
            return

    async def _reckoned(self, *, keep: bool) -> tuple[list[Somebody], Wanted]:
        people = await self.reckoning.everybody(self.services.clock.now(), keep=keep)
        slots = {slot for one in people for slot in one.moments}
        wanted = campaign(self.wish.campaign_id, self.names, self.said, slots, self.more.most)
        wanted.check()
        return people, wanted

    async def _crowd(self, people: Sequence[Somebody], now: datetime) -> Crowd:
        there = await self.writer.read(mark(self.wish.campaign_id), self.names.group)
        async with self.services.db.tenant(self.workspace_id) as connection:
            home = await workspaces.get(connection)
            customs = await customs_of(connection, home, None)
            active = [one for one in there if one.active]
            matched = await match(connection, bytes(home["pepper"]), customs, active, people)
            others = [one for one in there if not one.active]
            idle = await match(connection, bytes(home["pepper"]), customs, others, people)
        return self._sorted(people, active, matched, idle, now)

    def _sorted(
        self, people: Sequence[Somebody], there: Sequence[Held], matched: Matched, idle: Matched,
        now: datetime,
    ) -> Crowd:  # fmt: skip
        found = Crowd(shared=matched.shared, twice=matched.twice)
        for one in there:
            self._one(one, matched.whose.get(one.uuid), now, found)
        here = {one.contact_id for one in matched.whose.values()}
        found.inactive = len({one.contact_id for one in idle.whose.values()} - here)
        found.absent = len(people) - len(here) - found.inactive
        found.write.sort(key=lambda one: (one.soonest is None, one.soonest or now, one.held.uuid))
        return found

    def _one(self, held: Held, somebody: Somebody | None, now: datetime, found: Crowd) -> None:
        if held.uuid in self.writer.refused:
            return
        moments, anew_at = (somebody.moments, somebody.anew_at) if somebody else ({}, now)
        wanted = {slot_key(self.wish.campaign_id, slot): at for slot, at in moments.items()}
        values = difference(wanted, held.values, anew_at, now)
        if values:
            (found.write if any(values.values()) else found.clear).append(Person(held, values))
            found.late += sum(at is not None and at < now for at in values.values())
        elif somebody is not None:
            found.same += 1
        if wanted and not held.inside:
            if self.more.join:
                found.join.append(held.uuid)
            else:
                found.outside += 1


@asynccontextmanager
async def filling(
    services: Services, workspace_id: UUID, channel_id: UUID, wish: Wish, more: Slotted | None = None,
    client: Client | None = None,
) -> AsyncIterator[Filling]:  # fmt: skip
    """A sequence on its way to RapidPro by slots. Raises NotFound, Conflict (people hear it from here
    already), and Invalid with everything that RapidPro cannot have."""
    more = more or Slotted()
    async with opened(services, workspace_id, channel_id, wish.waiting, client) as (channel, asked):
        async with services.db.tenant(workspace_id) as connection:
            definition, names = await wanted_names(connection, channel, wish)
        said = contents(definition, names, more.until)
        reckoning = Reckoning(
            services, workspace_id, wish.campaign_id, definition, channel.provider.schemes, more.until
        )
        yield Filling(
            services, workspace_id, wish, more, names, said, reckoning,
            Pusher(asked, settle=wish.settle, told=wish.done), Writer(asked, wish.done),
        )  # fmt: skip
