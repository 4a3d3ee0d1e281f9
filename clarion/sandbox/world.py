"""What a running sandbox holds: clock, settings, sending numbers, record, faults, and people who write."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from clarion.errors import Invalid
from clarion.sandbox.config import Config, PairRate
from clarion.sandbox.faults import Faults
from clarion.sandbox.journal import Journal
from clarion.sandbox.record import Record

if TYPE_CHECKING:
    from clarion.sandbox.dialect import Choice

WINDOW = 24 * 3600.0


class Clock:
    """The sandbox's own time: the machine's, moved by the setting `clock_offset` (seconds)."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset


class Bucket:
    """How often something may happen: every so many seconds, with a burst saved up. Times are monotonic."""

    __slots__ = ("_credit", "_every", "_ready")

    def __init__(self, every: float, burst: float) -> None:
        self._every = every
        self._credit = every * max(burst - 1, 0)
        self._ready = float("-inf")

    def take(self, mono: float) -> bool:
        """Whether it may happen now; if so it is counted."""
        ready = max(self._ready, mono - self._credit)
        if ready > mono:
            return False
        self._ready = ready + self._every
        return True


class Number:
    """One sending number with its settings resolved, and what it must remember."""

    def __init__(self, number_id: str, provider: str, config: Config, sender: int) -> None:
        own = config.numbers.get(number_id)

        def setting(name: str) -> object:
            value = getattr(own, name, None)
            return getattr(config, name) if value is None else value

        self.id = number_id
        self.provider = provider
        self.sender = sender
        self.keys = tuple((own.tokens if own else None) or config.tokens)
        self.tokens = frozenset(f"Bearer {token}" for token in self.keys)
        self.app_secret = str(setting("app_secret")).encode()
        self.verify_token = str(setting("verify_token"))
        url = setting("callback_url")
        self.callback_url = str(url) if url else None
        self.display = str(setting("display_phone_number"))
        self.account = str(setting("business_account_id"))
        self.window_enforced = setting("window") == "enforced"
        templates = own.templates if own and own.templates is not None else config.templates
        self.templates = None if templates is None else {(t.name, t.language): t for t in templates}
        rate = own.rate if own and own.rate is not None else config.rate
        self.bucket = Bucket(1.0 / rate, max(rate, 1.0)) if rate else None
        self.pair_rate: PairRate | None = own.pair_rate if own and own.pair_rate else config.pair_rate
        self._pairs: dict[str, Bucket] = {}

    def may_write_to(self, person: str, mono: float) -> bool:
        """The pair's rate: one number to one person."""
        if self.pair_rate is None:
            return True
        bucket = self._pairs.get(person)
        if bucket is None:
            bucket = self._pairs[person] = Bucket(self.pair_rate.every, self.pair_rate.burst)
        return bucket.take(mono)


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message that a person wrote to a sending number. `at` is the sandbox's wall clock, Unix seconds.

    Of what they tapped, `kind` and `payload` are those of the `dialect.Choice`, `text` is its title, and
    `answers` the identifier of the message below which it stood.
    """

    id: str
    number: str
    person: str
    text: str
    at: float
    kind: str = "text"
    payload: str = ""
    description: str = ""
    answers: str = ""


class World:
    """The state that all parts share. Nothing here knows a provider's protocol."""

    def __init__(self, config: Config, record: Record, journal: Journal | None = None) -> None:
        self.clock = Clock()
        self.record = record
        self.journal = journal
        self.faults = Faults()
        self.inbound: list[Inbound] = []
        self.lookups = 0
        self.listings = 0  # how often templates were asked for
        self.addresses: dict[str, str] = {}  # where it listens, by protocol
        self.callbacks: dict[int, str] = {}  # where the statuses of single messages go, by row
        self._wrote_at: dict[tuple[str, str], float] = {}
        self._offered: dict[tuple[str, str], tuple[int, tuple[Choice, ...]]] = {}
        self._numbers: dict[str, Number] = {}
        for kept in journal.inbound if journal else ():
            self._hear(Inbound(**kept))
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take a whole new set of settings; the record and who wrote when stay."""
        self.config = config
        self.clock.offset = config.clock_offset
        self._numbers.clear()
        seeded = config.faults
        self.faults.configure(
            config.roster, seeded.seed, seeded.by == "ordinal", seeded.probabilities, seeded.parameters
        )
        self.sync = config.record_sync == "each" and self.journal is not None

    def number(self, number_id: str, provider: str | None = None) -> Number | None:
        """A sending number by its id, made when it is first named.

        None when it belongs to another provider than the one that asks, or when only listed numbers exist
        and it is not one of them.
        """
        found = self._numbers.get(number_id)
        if found is None:
            listed = self.config.numbers.get(number_id)
            if listed is None and self.config.only_listed_numbers:
                return None
            owner = listed.provider if listed is not None else provider or "whatsapp"
            found = Number(number_id, owner, self.config, self.record.sender(number_id))
            self._numbers[number_id] = found
        return found if provider in (None, found.provider) else None

    def number_for(self, number_id: str | None, person: str) -> Number:
        """The number that a person writes to: the named one, else the one that last wrote to them.

        Raises Invalid when there is none to choose.
        """
        if number_id is None:
            wrote = [entry.sender for entry in self.record.to_person(person) if entry.sender]
            known = [*wrote[-1:], *self.config.numbers, *self.record.senders[1:]]
            if not known:
                raise Invalid(
                    "no sending number is known yet",
                    where="phone_number_id",
                    hint="name one, or list it in the settings under numbers",
                )
            number_id = known[0]
        number = self.number(number_id)
        if number is None:
            raise Invalid(f"no sending number {number_id!r} is listed", where="phone_number_id")
        return number

    def write(self, number: Number, person: str, text: str, **tapped: str) -> Inbound:
        """A person writes: this opens the service window with that number for 24 hours."""
        name = f"wamid.HBgI{self.record.run}{len(self.inbound):08X}"
        message = Inbound(name, number.id, person, text, self.clock.now(), **tapped)
        self._hear(message)
        if self.journal is not None:
            self.journal.note(asdict(message))
        return message

    def offer(self, number: Number, person: str, row: int, choices: tuple[Choice, ...]) -> None:
        """This person may tap these below the message of that row, the last that they got with any."""
        self._offered[number.id, person] = (row, choices)

    def tap(self, number: Number, person: str, which: str) -> Inbound:
        """A person taps a choice, by its title or what it brings back: they write its title. Raises
        Invalid where the last message with choices has no such one."""
        row, choices = self._offered.get((number.id, person), (0, ()))
        found = next((one for one in choices if which in (one.title, one.payload)), None)
        if found is None:
            there = ", ".join(repr(one.title) for one in choices)
            hint = f"they may tap {there}" if there else "no message with choices is on their phone"
            raise Invalid(f"there is no {which!r} to tap", where="tap", hint=hint)
        return self.write(
            number, person, found.title, kind=found.kind, payload=found.payload,
            description=found.description, answers=self.record.wamid(row),
        )  # fmt: skip

    def window_open(self, number: Number, person: str, now: float) -> bool:
        """Whether this person wrote to this number within the last 24 hours."""
        wrote = self._wrote_at.get((number.id, person))
        return wrote is not None and now - wrote < WINDOW

    def reset(self) -> None:
        """An empty record, nobody has written, no fault is queued. Settings stay."""
        self.record.clear()
        self.faults.reset()
        self.inbound.clear()
        self._wrote_at.clear()
        self._numbers.clear()
        self.callbacks.clear()
        self.lookups = self.listings = 0
        self._offered.clear()
        if self.journal is not None:
            self.journal.restart()

    def _hear(self, message: Inbound) -> None:
        self.inbound.append(message)
        self._wrote_at[message.number, message.person] = message.at
