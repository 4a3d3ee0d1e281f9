"""Each person's moments of a sequence that another system says: by the same engine, and from the same seed,
as if they were said here.

Since when somebody is followed is kept, so that the next push reckons the same moments; a date that moved
after something had been due begins the next time round, as it does here (`domain.enrollment`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from clarion.connectors.rapidpro.slots import Slot, minute_up
from clarion.domain.enrollment import Status, Stop
from clarion.domain.schedule.model import AtField
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Subject
from clarion.domain.sequence import Sequence as Definition
from clarion.flow import whom
from clarion.flow.enroll.course import seed
from clarion.flow.home_hours import HomeHours
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns
from clarion.store import entering, pushed
from clarion.store import workspace as workspaces
from clarion.store.entering import Looked
from clarion.store.pushed import Begun, Face

CHUNK = 500  # people a transaction
_EVER = datetime.min.replace(tzinfo=UTC)
_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person whom the sequence means, and when it says each slot (UTC, full minutes). What has come since
    `anew_at` was said in this time round: the first has no beginning."""

    contact_id: UUID
    face: Face
    anew_at: datetime
    moments: Mapping[Slot, datetime]


@dataclass
class Reckoning:
    """One campaign's people. `until` ends it all; `schemes` are those at which its channel reaches people."""

    services: Services
    workspace_id: UUID
    campaign_id: UUID
    definition: Definition
    schemes: Sequence[str]
    until: datetime | None = None
    _plan: Plan = field(init=False)
    _home: Row = field(init=False)
    _hours: HomeHours = field(init=False)
    _keys: tuple[str, ...] = field(init=False)
    _place: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._plan = Plan(self.definition.schedule)

    async def everybody(self, now: datetime, *, keep: bool) -> list[Somebody]:
        """Everybody whom it means now, in transactions of some people each. With `keep`, since when each is
        followed is written down."""
        self._place = 0
        found: list[Somebody] = []
        after: UUID | None = _FIRST
        while after is not None:
            async with self.services.db.tenant(self.workspace_id) as connection:
                some, after = await self._chunk(connection, after, now, keep=keep)
            found += some
        return found

    async def _chunk(
        self, connection: Connection, after: UUID, now: datetime, *, keep: bool
    ) -> tuple[list[Somebody], UUID | None]:
        if keep:  # two that push at once agree on who began when
            await campaigns.lock(connection, self.campaign_id)
        await entering.by_key(connection)
        meant = await whom.now_meant(connection, self.definition.audience, now)
        self._home = await workspaces.get(connection)
        self._hours = HomeHours.read(self._home["settings"])
        self._keys = self._hours.keys(self._plan.fields)
        looked = await entering.newcomers(
            connection, self.campaign_id, meant, (after, _LAST), CHUNK, keys=self._keys,
            schemes=self.schemes,
        )  # fmt: skip
        some = {one.contact_id: one for one in looked if _follows(one)}
        known = await pushed.begun(connection, self.campaign_id, list(some))
        self._place = max(self._place, await pushed.next_place(connection, self.campaign_id))
        begun = {who: self._begun(one, known.get(who), now) for who, one in some.items()}
        if keep:
            await pushed.keep(connection, self.campaign_id, begun)
        faces = await pushed.faces(connection, list(some))
        people = [
            Somebody(who, faces[who], _anew_at(begun[who]), self._moments(one, begun[who]))
            for who, one in some.items()
        ]
        return people, looked[-1].contact_id if len(looked) == CHUNK else None

    def _begun(self, one: Looked, before: Begun | None, now: datetime) -> Begun:
        """Since when somebody is followed, who may have been followed before."""
        basis = self._basis(one)
        if before is None and one.id is not None:  # it was said here, and was cancelled
            before = Begun(one.generation, one.began_at, one.basis, one.place)
        if before is None:
            self._place += 1
            return Begun(1, now, basis, self._place - 1 if self._plan.spread else 0)
        if before.basis == basis:
            return before
        if self._said(one, before, now):
            return Begun(before.generation + 1, now, basis, before.place)
        return replace(before, basis=basis)

    def _basis(self, one: Looked) -> str:
        """What day 0 is counted from, of this person."""
        start = self.definition.schedule.start
        if not isinstance(start, AtField):
            return ""
        return one.values[self._plan.fields.index(start.key)] or ""

    def _said(self, one: Looked, before: Begun, now: datetime) -> bool:
        """Whether anything of this time round has been due, counted from what it was counted from."""
        start = self.definition.schedule.start
        values = list(one.values)
        if isinstance(start, AtField):
            values[self._plan.fields.index(start.key)] = before.basis
        there = self._moments(replace(one, values=values), before)
        return any(moment <= now for moment in there.values())

    def _moments(self, one: Looked, begun: Begun) -> dict[Slot, datetime]:
        values = dict(zip(self._keys, one.values, strict=True))
        somebody = Subject(
            str(one.contact_id), begun.began_at, seed(self.campaign_id, begun.generation), one.zone,
            self._home["timezone"], values, {}, begun.place, self._hours.of(values),
        )  # fmt: skip
        return {
            Slot(each.iteration, each.step): minute_up(each.due_at)
            for each in self._plan.occurrences(somebody, until=self.until)
            if each.skip is None
        }


def _anew_at(begun: Begun) -> datetime:
    return begun.began_at if begun.generation > 1 else _EVER


def _follows(one: Looked) -> bool:
    """Who is meant, has not said stop, and was not taken out by somebody."""
    taken_out = one.id is not None and (one.state, one.reason) == (Status.STOPPED, Stop.TAKEN_OUT)
    return one.meant and not one.opted_out and not taken_out
