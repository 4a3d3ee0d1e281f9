"""The moments that RapidPro's contacts hold in the slots of one campaign, and writing them: one contact a
request, a hundred values at most; into a group a hundred contacts a request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from clarion.connectors.rapidpro.client import Client, LostPlace, Refused, Unsure
from clarion.connectors.rapidpro.people import ACTIVE, PersonThere, person_there, spelled
from clarion.errors import NotFound

AT_ONCE = 100  # in a list of a request
UNANSWERED = 5  # changes in a row, after which nobody goes on
Values = Mapping[str, datetime | None]
"""By a slot's key: its moment (UTC); None where what stands there is none."""
Row = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held:
    """A contact there: whether they are in the campaign's group (`inside`), and what its slots hold."""

    person: PersonThere
    name: str
    inside: bool
    values: Values = field(default_factory=dict)

    @property
    def uuid(self) -> str:
        return self.person.uuid

    @property
    def active(self) -> bool:
        return self.person.status == ACTIVE


def held(row: Row, mark: str, group: str) -> Held:
    """Raises ValueError with what cannot be read."""
    person, fields = person_there(row, {}), row.get("fields")
    values = {
        key: _moment(value)
        for key, value in (fields.items() if isinstance(fields, dict) else ())
        if key.startswith(mark) and value is not None
    }
    inside = any(one.name.casefold() == group.casefold() for one in person.groups)
    return Held(person, str(row.get("name") or ""), inside, values)


def difference(
    wanted: Mapping[str, datetime], there: Values, anew_at: datetime, now: datetime
) -> dict[str, datetime | None]:
    """What is to be written so that somebody holds these moments; None clears one.

    What has come since `anew_at` was said, and nothing is said twice: so that moment stays.
    """
    found: dict[str, datetime | None] = {}
    for key in sorted(wanted.keys() | there.keys()):
        before, after = there.get(key), wanted.get(key)
        said = after is not None and before is not None and anew_at <= before <= now
        if key not in there or not (said or before == after):
            found[key] = after
    return found


@dataclass(frozen=True, slots=True)
class Writer:
    """Over one client. `told` hears of every change; `refused` are the contacts that RapidPro does not let
    us change, with why."""

    client: Client
    told: Callable[[str], None] = lambda done: None
    refused: dict[str, str] = field(default_factory=dict)

    async def read(self, mark: str, group: str) -> list[Held]:
        """Everybody there, whatever their status; who cannot be read is left out."""
        found: list[Held] = []
        cursor = ""
        while True:
            try:
                page = await self.client.page("contacts", {"reverse": "true"}, cursor)
            except LostPlace:
                cursor = ""  # from the beginning
                continue
            for row in page.rows:
                try:
                    found.append(held(row, mark, group))
                except ValueError:
                    continue
            if not page.cursor:
                return list({one.uuid: one for one in found}.values())  # who changes meanwhile comes again
            cursor = page.cursor

    async def write(self, todo: Sequence[tuple[Held, Values]]) -> int:
        """Write each person's moments, in this order; how many people. What is not answered is seen, and
        written, the next time. Raises Misconfigured, Unavailable."""
        done = unanswered = 0
        for one, values in todo:
            try:
                await self._person(one, values)
            except Unsure:
                unanswered += 1
                if unanswered >= UNANSWERED:
                    raise
                continue
            except NotFound:  # deleted meanwhile
                continue
            except Refused as refused:
                self.refused[one.uuid] = str(refused)
                continue
            unanswered, done = 0, done + 1
            self.told(f"{one.name or one.uuid}: {len(values)} moments")
        return done

    async def _person(self, one: Held, values: Values) -> None:
        for some in _hundreds(values.items()):
            fields = {key: None if at is None else spelled(at) for key, at in some}
            await self.client.post("contacts", {"fields": fields}, {"uuid": one.uuid})

    async def join(self, uuids: Collection[str], group: str) -> int:
        """Put these contacts into the group; how many."""
        for some in _hundreds(sorted(uuids)):
            body = {"contacts": list(some), "action": "add", "group": group}
            await self.client.post("contact_actions", body)
            self.told(f"{len(some)} people are put into {group}")
        return len(uuids)


def _moment(value: object) -> datetime | None:
    try:
        told = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return told.replace(tzinfo=told.tzinfo or UTC).astimezone(UTC)


def _hundreds(some: Iterable[T]) -> Iterator[list[T]]:
    left = iter(some)
    while taken := list(islice(left, AT_ONCE)):
        yield taken
