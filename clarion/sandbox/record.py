"""The record of the truth: every request that reached the provider, and every message that a phone showed.

Append-only. A request is one row of fixed width in a bytearray, its reference and text lie in another, so a
million messages cost some 150 bytes each and the garbage collector nothing. What is only asked for now and
then (look-up by reference) is indexed when first asked.

`accepted` means that the provider took the message; `shown` are the accepted ones whose person has it on
the phone (an accepted message may still fail, as the receipt then tells). Times: `at` is the sandbox's wall
clock (Unix seconds, with its offset), `mono` the machine's monotonic clock.
"""

from __future__ import annotations

import secrets
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from clarion.sandbox.faults import FAULT_NAMES

Outcome = Literal["accepted", "refused", "dropped", "invalid", "waiting"]
OUTCOMES: tuple[Outcome, ...] = ("accepted", "refused", "dropped", "invalid", "waiting")
ACCEPTED, REFUSED, DROPPED, INVALID, WAITING = range(5)

STATUSES = ("accepted", "sent", "delivered", "read", "failed")
FAILED = STATUSES.index("failed")

# wall, mono, person, row of the same person before (0: none, else row + 1), code, where the reference and
# the text lie, hash of the text, number of the receipts' fault, kind, the sending number
_ROW = struct.Struct("<ddIIIQHQIqBBH")
_Row = tuple[float, float, int, int, int, int, int, int, int, int, int, int, int]
KINDS = ("text", "template", "other", "media", "interactive")
MEDIA, INTERACTIVE = KINDS.index("media"), KINDS.index("interactive")


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, read back from the record."""

    row: int
    at: float
    mono: float
    to: str
    reference: str
    kind: str
    text: str
    outcome: str
    code: int
    fault: int
    receipts: int
    sender: str
    status: str
    accepted_at: float | None
    content: int


class Record:
    """All that happened since the start, or since the last reset."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything, and make ids that no message had before."""
        self.run = secrets.token_hex(5).upper()
        self.outcomes = bytearray()
        self.faults = bytearray()
        self.statuses = bytearray()
        self.names: list[str] = []
        self.senders = [""]  # the first stands for requests to no known number
        self.shown_to = array("I")
        self._rows = bytearray()
        self._blob = bytearray()
        self._people: dict[str, int] = {}
        self._last = array("I")
        self._texts: dict[str, tuple[int, int, int]] = {}
        self._late: dict[int, float] = {}
        self._codes: dict[int, int] = {}
        self._by_reference: dict[int, int | list[int]] = {}
        self._indexed = 0
        self.changes: list[int] = []

    def __len__(self) -> int:
        return len(self.outcomes)

    # --- writing

    def append(
        self, wall: float, mono: float, to: str, reference: str, text: str, kind: int = 0,
        outcome: int = ACCEPTED, code: int = 0, fault: int = 0, receipts: int = 0, sender: int = 0,
    ) -> int:  # fmt: skip
        """Write one request down and give its row number."""
        row = len(self.outcomes)
        person = self._people.get(to)
        if person is None:
            person = self._meet(to)
        place = self._texts.get(text)
        if place is None:
            place = self._keep(text)
        key = reference.encode()
        self._rows += _ROW.pack(
            wall, mono, person, self._last[person], code, len(self._blob), len(key), *place, receipts, kind,
            sender,
        )  # fmt: skip
        self._blob += key
        self._last[person] = row + 1
        self.outcomes.append(outcome)
        self.faults.append(fault)
        self.statuses.append(0)
        if outcome == ACCEPTED:
            self.shown_to[person] += 1
        if code:
            self._codes[code] = self._codes.get(code, 0) + 1
        return row

    def accept(self, row: int, at: float) -> None:
        """A request that waited was accepted after all."""
        self.outcomes[row] = ACCEPTED
        self._late[row] = at
        self.shown_to[self._unpack(row)[2]] += 1
        self.changes.append(row)

    def refuse(self, row: int) -> None:
        """A request that waited will never be accepted (the provider was reset)."""
        self.outcomes[row] = REFUSED
        self.changes.append(row)

    def tell(self, row: int, status: int) -> None:
        """Note that a status was told. Statuses only rise; a failed message is shown on no phone."""
        before = self.statuses[row]
        if status <= before:
            return
        self.statuses[row] = status
        if status == FAILED:
            self.shown_to[self._unpack(row)[2]] -= 1
            self.changes.append(row)

    def sender(self, number_id: str) -> int:
        """The small number by which `append` knows a sending number."""
        if number_id not in self.senders:
            self.senders.append(number_id)
        return self.senders.index(number_id)

    # --- reading

    def wamid(self, row: int) -> str:
        """The provider's id of the message in this row."""
        return f"wamid.HBgL{self.run}{row:08X}"

    def row_of(self, wamid: str) -> int | None:
        """The row of an id that this record has given, else None."""
        prefix, number = wamid[:-8], wamid[-8:]
        if prefix != f"wamid.HBgL{self.run}":
            return None
        try:
            row = int(number, 16)
        except ValueError:
            return None
        return row if 0 <= row < len(self) and self.outcomes[row] == ACCEPTED else None

    def entry(self, row: int) -> Entry:
        """One request by its row."""
        (wall, mono, person, _, code, ref_at, ref_len, text_at, text_len, content, receipts, kind,
         sender) = self._unpack(row)  # fmt: skip
        outcome = self.outcomes[row]
        return Entry(
            row=row, at=wall, mono=mono, to=self.names[person], kind=KINDS[kind],
            reference=self._text(ref_at, ref_len), text=self._text(text_at, text_len),
            outcome=OUTCOMES[outcome], code=code, fault=self.faults[row], receipts=receipts,
            status=STATUSES[self.statuses[row]], content=content, sender=self.senders[sender],
            accepted_at=self._late.get(row, wall) if outcome == ACCEPTED else None,
        )  # fmt: skip

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Requests in the order in which they came; ends early when the record is cleared meanwhile."""
        run = self.run
        for row in range(start, len(self) if stop is None else stop):
            if self.run != run:
                return
            yield self.entry(row)

    def to_person(self, to: str) -> list[Entry]:
        """Every request for this person, the first first."""
        person = self._people.get(to)
        found = []
        following = self._last[person] if person is not None else 0
        while following:
            found.append(self.entry(following - 1))
            following = self._unpack(following - 1)[3]
        return found[::-1]

    def with_reference(self, reference: str) -> list[Entry]:
        """Every request that carried this reference, the first first."""
        self._index()
        found = self._by_reference.get(hash(reference), [])
        entries = (self.entry(row) for row in ([found] if isinstance(found, int) else found))
        return [entry for entry in entries if entry.reference == reference]

    def people_shown(self, more_than: int) -> Iterator[tuple[str, int]]:
        """People whose phones show more than so many messages, with the count."""
        return ((self.names[i], count) for i, count in enumerate(self.shown_to) if count > more_than)

    def summary(self) -> dict[str, object]:
        """The counts that a test compares the ledger with. Keys are told in docs/sandbox.md."""
        self._index()
        twice = [name for name, _ in self.people_shown(1)]
        return {
            "requests": len(self),
            "accepted": self.outcomes.count(ACCEPTED),
            "shown": sum(self.shown_to),
            "people": sum(1 for count in self.shown_to if count),
            "people_with_two": len(twice),
            "people_with_same_text_twice": sum(1 for name in twice if self._same_text_twice(name)),
            "references_with_two": sum(
                1 for rows in self._by_reference.values() if isinstance(rows, list) and self._shown(rows) > 1
            ),
            "outcomes": {name: n for i, name in enumerate(OUTCOMES) if (n := self.outcomes.count(i))},
            "faults": {name: n for i, name in enumerate(FAULT_NAMES) if i and (n := self.faults.count(i))},
            "codes": {str(code): count for code, count in sorted(self._codes.items())},
        }

    # --- inside

    def _unpack(self, row: int) -> _Row:
        found: _Row = _ROW.unpack_from(self._rows, row * _ROW.size)
        return found

    def _text(self, at: int, length: int) -> str:
        return self._blob[at : at + length].decode()

    def _meet(self, to: str) -> int:
        person = self._people[to] = len(self.names)
        self.names.append(to)
        self._last.append(0)
        self.shown_to.append(0)
        return person

    def _keep(self, text: str) -> tuple[int, int, int]:
        raw = text.encode()
        place = (len(self._blob), len(raw), hash(text))
        self._blob += raw
        if len(self._texts) >= 256:  # an announcement is a few texts; personal ones are not worth keeping
            self._texts.clear()
        self._texts[text] = place
        return place

    def _index(self) -> None:
        for row in range(self._indexed, len(self)):
            found = self._unpack(row)
            if not found[6]:
                continue
            key = hash(self._text(found[5], found[6]))
            rows = self._by_reference.setdefault(key, row)
            if isinstance(rows, list):
                rows.append(row)
            elif rows != row:
                self._by_reference[key] = [rows, row]
        self._indexed = len(self)

    def _shown(self, rows: list[int]) -> int:
        return sum(1 for row in rows if self.outcomes[row] == ACCEPTED and self.statuses[row] != FAILED)

    def _same_text_twice(self, name: str) -> bool:
        shown = [e.content for e in self.to_person(name) if e.outcome == "accepted" and e.status != "failed"]
        return len(set(shown)) < len(shown)
