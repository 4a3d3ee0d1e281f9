"""Asking RapidPro what became of a try, by re-reading what was made since it began.

That a flow start with our reference is there is evidence. That none is there proves something only where
everything made since was seen, and where the try could have been no text either: a text is a broadcast, which
keeps no reference. So nothing is said to be missing while a broadcast to one person has been made since.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Set
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from clarion.domain.message import parse_reference
from clarion.errors import Invalid
from clarion.kit.clock import Clock
from clarion.providers.contract import Found, Pairs
from clarion.providers.rereading import STARTS, Lists, Page, Silence, reference_of, spelled, told_moment

SLACK = timedelta(minutes=2)  # that its clock may be behind ours, and to spare
SKEW = timedelta(minutes=1)
LONGEST = timedelta(days=3)  # since a try began: older things may not be kept there
MOST_PAGES = 20  # some 5,000 starts


class Search:
    """Of one account. Who asks while a search is under way waits for the next one, which is for all of them:
    a search says nothing of what was asked after it began."""

    def __init__(self, lists: Lists, clock: Clock) -> None:
        self._lists, self._clock = lists, clock
        self._wanted: dict[str, datetime] = {}
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[dict[str, Found | None]] | None = None

    async def find(self, reference: str) -> Found | None:
        """What became of this try; None where nobody can say."""
        began = _began(reference)
        if began is None or self._clock.now() - began > LONGEST:
            return None
        self._wanted[reference] = began
        if self._next is None:
            self._next = asyncio.create_task(self._after_the_present())
        return (await asyncio.shield(self._next))[reference]

    async def _after_the_present(self) -> dict[str, Found | None]:
        async with self._turn:
            wanted, self._wanted, self._next = self._wanted, {}, None
            try:
                return await self._search(wanted)
            except (TypeError, ValueError, AttributeError):  # rows of a shape that nobody has told of
                return dict.fromkeys(wanted)

    async def _search(self, wanted: dict[str, datetime]) -> dict[str, Found | None]:
        since = min(wanted.values()) - SLACK
        found: dict[str, Found | None] = {}
        whole = await self._starts(since, wanted.keys(), found)
        latest = await self._latest_to_one(since) if whole and len(found) < len(wanted) else None
        for reference, began in wanted.items():
            missing = latest is not None and latest < began - SLACK
            found.setdefault(reference, Found(False) if missing else None)
        return found

    async def _starts(self, since: datetime, wanted: Set[str], found: dict[str, Found | None]) -> bool:
        """Find flow starts of ours; whether all were seen that were made since."""
        # the oldest change first: what changes meanwhile comes again at the end, and cannot slip by
        query, last = [("after", spelled(since)), ("reverse", "true")], ""
        orderly, whole = True, False
        async for page in self._pages("flow_starts", query):
            for row in page.rows:
                if (reference := reference_of(row)) in wanted:
                    found[str(reference)] = Found(True, row.get("uuid"), STARTS.get(str(row.get("status"))))
            changed = [last, *(str(row.get("modified_on")) for row in page.rows)]
            orderly = orderly and all(one <= other for one, other in pairwise(changed))
            # what stands on one page was seen at one moment, in whatever order
            whole = (orderly or not last) and not page.next and self._same_time(page)
            last = changed[-1]
            if len(found) == len(wanted):
                break
        return whole

    async def _latest_to_one(self, since: datetime) -> datetime | None:
        """When a broadcast to one person was last made; None where nobody can say, the beginning of time
        where there is none. The newest come first."""
        async for page in self._pages("broadcasts", [("after", spelled(since))]):
            for row in page.rows:
                if len(row.get("urns") or ()) + len(row.get("contacts") or ()) <= 1 and not row.get("groups"):
                    return told_moment(row.get("created_on"))
            if not page.next:
                return datetime.min.replace(tzinfo=UTC)
        return None

    async def _pages(self, name: str, query: Pairs) -> AsyncIterator[Page]:
        """Pages of a list one after the other, as far as they can be had, and at most so many."""
        cursor = ""
        for _ in range(MOST_PAGES):
            page = await self._lists.page(name, query, cursor)
            if isinstance(page, Silence):
                return
            yield page
            cursor = page.next
            if not cursor:
                return

    def _same_time(self, page: Page) -> bool:
        return page.at is not None and abs(page.at - self._clock.now()) <= SKEW


def _began(reference: str) -> datetime | None:
    """When a try began: its identifier says it (UUID version 7, RFC 9562)."""
    try:
        attempt: UUID = parse_reference(reference)[1]
    except Invalid:
        return None
    return datetime.fromtimestamp((attempt.int >> 80) / 1000, UTC)
