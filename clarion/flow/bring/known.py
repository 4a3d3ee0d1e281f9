"""Which contact of RapidPro's is which of ours: as the import has it, else by an address alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from clarion.connectors.rapidpro.held import Held
from clarion.domain.contact import fold_name
from clarion.domain.identity import marks, resolve
from clarion.domain.person import Customs, Person, read_person
from clarion.flow.bring.moments import Somebody
from clarion.kit.db import Connection
from clarion.store import intake

AT_ONCE = 1_000
_BY_ID, _BY_NAME, _BY_ADDRESS = range(3)


@dataclass(slots=True)
class Matched:
    """Ours by the UUID of each contact there that stands for them. `shared`: contacts there whose address
    several of ours have; `twice`: further contacts there of somebody who has one."""

    whose: dict[str, Somebody] = field(default_factory=dict)
    shared: int = 0
    twice: int = 0


async def match(
    connection: Connection, pepper: bytes, customs: Customs, there: Sequence[Held], people: Sequence[Somebody]
) -> Matched:
    """Nobody of ours is two people there, so that nobody hears anything twice."""
    ours = {one.contact_id: one for one in people}
    read = {one.uuid: person for one in there if (person := read_person(one.person.given, customs)[0])}
    known = await _known(connection, pepper, read)
    found = Matched()
    best: dict[UUID, tuple[int, str]] = {}
    at = _by_address(people)
    for uuid, person in read.items():
        rank, who = _one(person, known[uuid], ours, at)
        if who is None:
            found.shared += rank == _BY_ADDRESS
            continue
        found.twice += who in best
        best[who] = min(best.get(who, (rank, uuid)), (rank, uuid))
    found.whose = {uuid: ours[who] for who, (_, uuid) in best.items()}
    return found


async def _known(
    connection: Connection, pepper: bytes, read: Mapping[str, Person]
) -> dict[str, tuple[int, UUID]]:
    """Whom the import would take each for, and whether by the external id; nobody of ours where it is new."""
    found: dict[str, tuple[int, UUID]] = {}
    some = list(read.items())
    for begin in range(0, len(some), AT_ONCE):
        chunk = some[begin : begin + AT_ONCE]
        rows = [marks(pepper, person) for _, person in chunk]
        keys = await intake.whose(connection, rows)
        for (uuid, _), row, who in zip(chunk, rows, resolve(rows, keys, uuid4)[0], strict=True):
            by_id = row.id is not None and row.id in keys
            found[uuid] = _BY_ID if by_id else _BY_NAME, who.contact_id
    return found


def _by_address(people: Sequence[Somebody]) -> dict[tuple[str, str], list[Somebody]]:
    found: dict[tuple[str, str], list[Somebody]] = defaultdict(list)
    for one in people:
        for address in one.face.addresses:
            found[address].append(one)
    return found


def _one(
    person: Person,
    known: tuple[int, UUID],
    ours: Mapping[UUID, Somebody],
    at: Mapping[tuple[str, str], list[Somebody]],
) -> tuple[int, UUID | None]:
    """Who of ours somebody there is, and how well that is known. With several at one address it is the one
    of the name, or nobody."""
    if known[1] in ours:
        return known
    here = {one.contact_id: one for a in person.addresses for one in at.get((a.scheme, a.path), ())}
    if len(here) > 1:
        name = fold_name(person.name)
        here = {who: one for who, one in here.items() if fold_name(one.face.name) == name}
        if len(here) != 1:
            return _BY_ADDRESS, None
    return (_BY_ADDRESS, next(iter(here))) if here else (_BY_NAME, None)
