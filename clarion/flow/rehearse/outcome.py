"""What a rehearsal came to: by channel, by day and by hour, in segments and money."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.domain.price import Prices
from clarion.domain.rehearsal import tables
from clarion.domain.rehearsal.carrying import Carried, Line, Meter, carry
from clarion.domain.rehearsal.reckoning import Reckoning
from clarion.domain.schedule.allowed import Allowed
from clarion.domain.schedule.zones import utc, zone
from clarion.flow.costing import CENT, Cost
from clarion.flow.rehearse.scene import Carrier, Scene


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the workspace's zone: how many messages are due, leave, expire (of those due then), and could
    not go before quiet hours."""

    day: date
    due: int
    leave: int
    expire: int
    put_off: int


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour: how many messages are due in it, and how many leave."""

    begins: datetime
    due: int
    leave: int


@dataclass(frozen=True, slots=True)
class Busiest:
    """The minute in which most is due: messages, the units that they take, what the channel carries in a
    minute, and `load`, the one by the other."""

    minute: datetime
    messages: int
    units: int
    capacity: float
    load: float


@dataclass(frozen=True, slots=True)
class Unfit:
    """So many messages that could not go before the hours ended at `closes`."""

    closes: datetime
    messages: int


@dataclass(frozen=True, slots=True)
class OverChannel:
    """What goes over one channel. Its `rate` is of `counts` (message or segment) a second. `held` came
    outside the hours and wait for the next, `quiet` are not waited for. `longest_wait` are seconds for the
    channel, of what was due at `longest_due`."""

    channel_id: UUID
    name: str
    counts: str
    rate: float
    due: int
    leave: int
    held: int
    quiet: int
    expire: int
    longest_wait: float
    longest_due: datetime | None
    last: datetime | None
    busiest: Busiest | None
    unfit: list[Unfit]
    days: list[Day]
    hours: list[Hour]


@dataclass(frozen=True, slots=True)
class Taken:
    """Segments of SMS: on average, at most, of all; `exact`, or estimated from some of the people."""

    each: float
    most: int
    total: int
    exact: bool


@dataclass(slots=True)
class Outcome:
    """What the channels make of what is due, by `days` over all of them. `unsayable` are messages that cannot
    be said, by reason: `exact`, or estimated from `sampled` people."""

    channels: list[OverChannel]
    segments: Taken | None = None
    costs: list[Cost] = field(default_factory=list)
    unsayable: Counter[str] = field(default_factory=Counter)
    exact: bool = True
    sampled: int = 0
    days: list[Day] = field(default_factory=list)


def outcome(scene: Scene, reckoning: Reckoning) -> Outcome:
    """Everything that was counted, carried by the channels and paid."""
    lines = _lines(scene)
    found = Outcome([], sampled=len(scene.speech.sample))
    _add(scene, reckoning, lines, found)
    for account_id in dict.fromkeys(one.account_id for one in scene.carriers.values()):
        carry([line for id, line in lines.items() if scene.carriers[id].account_id == account_id])
    where = ZoneInfo(scene.home)
    found.channels = [_told(scene.carriers[id], line.told, where) for id, line in lines.items()]
    found.days = _together(found.channels)
    _paid(scene, reckoning, found)
    return found


def _lines(scene: Scene) -> dict[UUID, Line]:
    home = zone(scene.home)
    hours = Allowed(*scene.hours) if scene.hours else None
    accounts = {
        one.account_id: Meter(one.account, home) for one in scene.carriers.values() if one.account is not None
    }
    return {
        one.id: Line(
            [Meter(one.limits, home), *([accounts[one.account_id]] if one.account is not None else [])],
            hours, scene.definition.patience.total_seconds(),
        )
        for one in scene.carriers.values()
    }  # fmt: skip


def _add(scene: Scene, reckoning: Reckoning, lines: Mapping[UUID, Line], found: Outcome) -> None:
    """What is due goes to its channel, in order; of what cannot be said it is known why."""
    batches: Counter[tuple[int, UUID, str, float]] = Counter()
    estimated: dict[str, float] = defaultdict(float)
    for lot, step, due, many in reckoning:
        takes = scene.speech.takes(step, lot)
        for reason, share in takes.unsayable.items():
            estimated[reason] += many * share
        if not (takes.exact and takes.unsayable):
            batches[due, lot.channel, lot.zone, takes.units] += many
        found.exact &= takes.exact or not takes.unsayable
    found.unsayable = Counter({reason: round(many) for reason, many in estimated.items() if round(many)})
    for (due, channel_id, where, units), many in sorted(batches.items()):
        lines[channel_id].add(due, where, many, units)


def _told(carrier: Carrier, told: Carried, where: ZoneInfo) -> OverChannel:
    return OverChannel(
        carrier.id, carrier.name, "segment" if carrier.provider.counts_segments else "message",
        carrier.limits.rate, told.due.total(), told.left.total(), told.held, told.quiet,
        told.expired.total(), round(told.longest, 1),
        None if told.longest_due is None else utc(told.longest_due),
        None if told.last is None else utc(int(told.last)), _busiest(carrier, told),
        [Unfit(utc(closes), many) for closes, many in sorted(told.put_off.items())],
        _days(told, where), _hours(told, where),
    )  # fmt: skip


def _busiest(carrier: Carrier, told: Carried) -> Busiest | None:
    found = tables.busiest(told.due, told.due_units)
    if found is None:
        return None
    rate = carrier.limits.rate if carrier.account is None else min(carrier.limits.rate, carrier.account.rate)
    return Busiest(
        utc(found.minute), found.many, round(found.units), rate * 60, round(found.units / (rate * 60), 2)
    )


def _days(told: Carried, where: ZoneInfo) -> list[Day]:
    some = [tables.by_day(one, where) for one in (told.due, told.left, told.expired, told.put_off)]
    return [Day(day, *(one[day] for one in some)) for day in sorted(set().union(*some))]


def _hours(told: Carried, where: ZoneInfo) -> list[Hour]:
    due, left = tables.by_hour(told.due, where), tables.by_hour(told.left, where)
    return [Hour(utc(one), due[one], left[one]) for one in sorted({*due, *left})]


def _together(channels: list[OverChannel]) -> list[Day]:
    """The days of all channels."""
    if len(channels) == 1:
        return channels[0].days
    found: dict[date, list[int]] = {}
    for one in (day for channel in channels for day in channel.days):
        numbers = (one.due, one.leave, one.expire, one.put_off)
        so_far = found.setdefault(one.day, [0, 0, 0, 0])
        found[one.day] = [a + b for a, b in zip(so_far, numbers, strict=True)]
    return [Day(day, *found[day]) for day in sorted(found)]


def _paid(scene: Scene, reckoning: Reckoning, found: Outcome) -> None:
    """Segments and money of all that is due and can be said."""
    segments, sms, most, exact = 0.0, 0.0, 0, True
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    unpriced: dict[str, int] = defaultdict(int)
    for (lot, begins), steps in reckoning.sold.items():
        for step, many in steps.items():
            takes = scene.speech.takes(step, lot)
            said = many * (1 - sum(takes.unsayable.values()))
            if scene.speech.counts_segments(lot.channel):
                segments, sms, most = segments + said * takes.units, sms + said, max(most, takes.most)
                exact &= takes.exact
            if (table := scene.prices.get(lot.channel)) is not None:
                price = _price(table, begins)
                amounts[table.currency] += Decimal(str(round(said * takes.units, 6))) * (price or 0)
                unpriced[table.currency] += round(said) if price is None else 0
    if sms:
        found.segments = Taken(round(segments / sms, 2), most, round(segments), exact)
    found.costs = [Cost(one, amounts[one].quantize(CENT), unpriced[one]) for one in amounts]


def _price(table: Prices, begins: str) -> Decimal | None:
    """Of the longest prefix that fits."""
    for length in range(len(begins), 0, -1):
        if begins[:length] in table.by_prefix:
            return table.by_prefix[begins[:length]]
    return table.otherwise
