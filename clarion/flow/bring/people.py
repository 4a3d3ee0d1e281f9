"""One page of people is stored: who they are, where they are reached, their groups, what they refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clarion.connectors.rapidpro.people import (
    ACTIVE,
    SOURCE,
    STOPPED,
    GroupThere,
    PersonThere,
    external_id,
)
from clarion.domain.identity import consent_hash, pseudonym
from clarion.domain.person import Customs, Person, read_person
from clarion.flow.bring.counts import Counts, Listeners, Trouble
from clarion.flow.bring.groups import Groups
from clarion.kit.db import Connection
from clarion.store import brought, consent, intake
from clarion.store.brought import Before

_IN_GROUPS = (ACTIVE, STOPPED)
_NOBODY = Before("", frozenset(), False)


@dataclass(frozen=True, slots=True)
class _Told:
    """Somebody of a page who is stored."""

    there: PersonThere
    person: Person
    key: bytes
    before: Before


@dataclass(frozen=True, slots=True)
class Taker:
    """Stores pages of one channel's people. `by` is what the consent ledger names."""

    pepper: bytes
    customs: Customs
    groups: Groups
    by: str
    counts: Counts
    listeners: Listeners

    async def take(self, connection: Connection, people: Sequence[PersonThere], now: datetime) -> None:
        """Store them in the transaction. Who was forgotten here is not brought again, and neither is who is
        not written to there and was never brought."""
        await intake.take_turn(connection)
        told = await self._chosen(connection, people)
        taken = await intake.upsert(
            connection, self.pepper, [one.person for one in told], now, how=SOURCE, by=self.by
        )
        ids = [one.contact_id for one in taken]
        changed = await self._belong(connection, told, ids, now)
        changed |= await self._retire(connection, told, ids)
        await self._opt_in(connection, told, now)
        await brought.remember(connection, {one.key: (one.there.status, _schemes(one)) for one in told})
        for one, result in zip(told, taken, strict=True):
            self._count(one, result, result.contact_id in changed)

    async def _chosen(self, connection: Connection, people: Sequence[PersonThere]) -> list[_Told]:
        keys = [pseudonym(self.pepper, f"id:{external_id(one.uuid)}") for one in people]
        known = await brought.before(connection, keys)
        chosen = []
        for there, key in zip(people, keys, strict=True):
            before = known.get(key, _NOBODY)
            if (why := _left_out(there, before)) is not None:
                self.counts.left_out[why] += 1
            elif (person := self._read(there)) is not None:
                chosen.append(_Told(there, person, key, before))
        return chosen

    def _read(self, there: PersonThere) -> Person | None:
        person, findings = read_person(there.given, self.customs)
        for found in findings:
            self._trouble(there, found.field, found.reason, refused=person is None)
        for scheme in there.others:
            self._trouble(there, f"urns.{scheme}", "an address of a kind that we do not know")
        if there.hidden:
            self._trouble(there, "urns", "the workspace hides the addresses of its contacts")
        self.counts.refused += person is None
        return person

    def _trouble(self, there: PersonThere, field: str, reason: str, *, refused: bool = False) -> None:
        self.counts.warnings[field, reason] += 1
        self.listeners.trouble(Trouble(there.uuid, field, reason, refused))

    async def _belong(
        self, connection: Connection, told: Sequence[_Told], ids: Sequence[UUID], now: datetime
    ) -> set[UUID]:
        """Everybody is in the groups that they are in there, of those that came from there."""
        named = [group for one in told for group in _groups(one)]
        places: Mapping[str, UUID] = await self.groups.places(connection, named, now)
        members = [
            (who, places[group.source])
            for one, who in zip(told, ids, strict=True)
            for group in _groups(one)
            if group.source in places
        ]
        return await brought.belong(connection, ids, members)

    async def _retire(self, connection: Connection, told: Sequence[_Told], ids: Sequence[UUID]) -> set[UUID]:
        """Whoever has lost their last address of a kind there loses it here. Other kinds are not its."""
        lost = [
            (who, scheme)
            for one, who in zip(told, ids, strict=True)
            for scheme in sorted(one.before.schemes - _schemes(one))
        ]
        return await brought.retire(connection, lost) if lost else set()

    async def _opt_in(self, connection: Connection, told: Sequence[_Told], now: datetime) -> None:
        """Who had stopped there and has come back may be written to again, unless they said stop elsewhere
        since."""
        back = [one for one in told if one.there.status == ACTIVE and one.before.status == STOPPED]
        keys = [consent_hash(self.pepper, address) for one in back for address in one.person.addresses]
        theirs = await brought.opted_out_by(connection, keys, SOURCE) if keys else []
        if theirs:
            await consent.opt_in(connection, theirs, now, how=SOURCE, by=self.by)

    def _count(self, one: _Told, result: intake.Taken, changed: bool) -> None:
        if result.outcome is intake.Outcome.CREATED:
            self.counts.new += 1
        elif changed or result.outcome is intake.Outcome.UPDATED or one.before.status != one.there.status:
            self.counts.changed += 1
        else:
            self.counts.unchanged += 1
        if result.twin is not None:
            self._trouble(one.there, "external_id", _TWIN)


_TWIN = (
    "another contact has the same address and name under another external id; merge them if it is one person"
)


def _left_out(there: PersonThere, before: Before) -> str | None:
    if before.erased:
        return "forgotten here"
    if there.status not in _IN_GROUPS and not before.status:
        return f"{there.status} there"
    return None


def _groups(one: _Told) -> Sequence[GroupThere]:
    return one.there.groups if one.there.status in _IN_GROUPS else ()


def _schemes(one: _Told) -> frozenset[str]:
    """The kinds of address that they have there; of who was deleted nothing is told."""
    return one.there.schemes if one.there.given.name is not None else one.before.schemes
