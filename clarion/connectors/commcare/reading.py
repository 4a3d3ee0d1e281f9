"""The list of cases, page by page, from a place that can be kept.

CommCare lists cases in the order in which they were indexed, the oldest first. Who changes meanwhile comes
once more at the end, and a page may come twice: whoever keeps cases must be able to hear the same again.
What is deleted there is in no list, and is not told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from clarion.connectors.commcare.cases import NoCase, Told, case_told
from clarion.connectors.commcare.client import Client, LostPlace, Page, Query, Row
from clarion.errors import Invalid, Unavailable

OVERLAP = timedelta(minutes=10)
"""What was indexed so long before the last case that was seen is asked for again: not everything can be found
in the order in which it was indexed."""

PAGE, LARGEST = 500, 5_000  # cases of a page; the most that CommCare gives
MOST_LOST = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases: of these types, or of all where none is named; open and closed. `page` of them a
    request. Raises Invalid for a page that CommCare does not give."""

    types: tuple[str, ...] = ()
    page: int = PAGE

    def __post_init__(self) -> None:
        if not 1 <= self.page <= LARGEST:
            raise Invalid(f"a page has 1 to {LARGEST:,} cases, and not {self.page:,}", where="page")

    def query(self, since: datetime | None) -> Query:
        asked = [("limit", str(self.page)), *(("case_type", one) for one in self.types)]
        return asked if since is None else [*asked, ("indexed_on.gte", _spelled(since))]


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading stands, as a value to keep. It asks for what was indexed from `since` on (all, where it
    is None), or goes on at `cursor`; `seen` is when the last case that was read was indexed. UTC.

    A place belongs to the `Wanted` that it was read with: whoever wants others begins at Place().
    """

    since: datetime | None = None
    cursor: str = ""
    seen: datetime | None = None

    def kept(self) -> dict[str, str]:
        """As a JSON object; what is empty is left out."""
        moments = {"since": self.since, "seen": self.seen}
        told = {name: _spelled(at) for name, at in moments.items() if at is not None}
        return {**told, "cursor": self.cursor} if self.cursor else told

    def after(self, page: Page) -> Place:
        """After this page; after the last one, where the next reading begins."""
        moments = [at for row in page.rows if (at := _indexed_at(row)) is not None]
        seen = max([*moments, *([self.seen] if self.seen else [])], default=None)
        if page.cursor:
            return Place(self.since, page.cursor, seen)
        return Place(self.since if seen is None else seen - OVERLAP, "", seen)

    def again(self) -> Place:
        """Where the cursor is not known any more: a little before what was seen last."""
        return replace(self, since=self.since if self.seen is None else self.seen - OVERLAP, cursor="")


def place(kept: Mapping[str, Any]) -> Place:
    """What `Place.kept` gave. Raises Invalid."""
    try:
        since, seen = (_moment(kept[name]) if name in kept else None for name in ("since", "seen"))
        cursor = kept.get("cursor", "")
        if not isinstance(cursor, str):
            raise ValueError("a cursor is text")
    except (ValueError, TypeError) as error:
        hint = "Begin anew: everything is read again, and what is the same changes nothing."
        raise Invalid(f"this is no place in CommCare's list: {error}", where="place", hint=hint) from error
    return Place(since, cursor, seen)


@dataclass(frozen=True, slots=True)
class Unread:
    """A case of the list that could not be read: its id there ("" where it has none), and why."""

    case_id: str
    why: NoCase


@dataclass(frozen=True, slots=True)
class Batch:
    """One page. `place`: where to go on once these cases are kept; `last`: nothing follows for now. `left`
    is how many cases there still were, these among them."""

    cases: tuple[Told, ...]
    unread: tuple[Unread, ...]
    place: Place
    last: bool
    left: int


async def batches(client: Client, wanted: Wanted, start: Place | None = None) -> AsyncIterator[Batch]:
    """What was not read before `start` (None: everything), a page at a time. Raises as Client.page, but no
    LostPlace: then it goes on a little before what it saw last."""
    here, lost = start or Place(), 0
    while True:
        try:
            page = await client.page(wanted.query(here.since), here.cursor)
        except LostPlace:
            lost += 1
            if lost > MOST_LOST:
                hint = "Try again later; it goes on then."
                raise Unavailable("CommCare does not know its own pages", hint=hint) from None
            here = here.again()
            continue
        here = here.after(page)
        yield _batch(page, here)
        if not here.cursor:
            return


def _batch(page: Page, here: Place) -> Batch:
    cases, unread = [], []
    for row in page.rows:
        try:
            cases.append(case_told(row))
        except NoCase as why:
            unread.append(Unread(str(row.get("case_id") or "")[:255], why))
    return Batch(tuple(cases), tuple(unread), here, not here.cursor, page.left)


def _indexed_at(row: Row) -> datetime | None:
    try:
        return _moment(row.get("indexed_on"))
    except (ValueError, TypeError):
        return None


def _moment(told: Any) -> datetime:
    at = datetime.fromisoformat(told)
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)


def _spelled(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
