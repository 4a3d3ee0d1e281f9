"""The document of a schedule, as its author writes it and the API publishes it (JSON Schema).

Times of day are local, "HH:MM"; where "local" is, `zone` says. Numbers of steps are stable: a number that was
used is never given to another step, since the ledger knows an occurrence by it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_serializer

from clarion.domain.schedule.clocktime import MINUTES, ClockTime, Part, Weekday, minutes_of, shown
from clarion.domain.schedule.hours import Hours

MOST_STEPS = 500
MOST_NUMBER = 32_767  # of a step
MOST_ITERATIONS = 10_000
FARTHEST_DAYS = 36_600


# --- where day 0 is


class _Start(Part):
    days: int = Field(default=0, ge=-FARTHEST_DAYS, le=FARTHEST_DAYS, description="calendar days, signed")
    hours: int = Field(default=0, ge=-100_000, le=100_000, description="hours that pass, signed")
    minutes: int = Field(default=0, ge=-1_000_000, le=1_000_000, description="minutes that pass, signed")
    weekday: Weekday | None = Field(default=None, description="then the first such day on or after")
    month_start: bool = Field(default=False, description="then the first of a month on or after")


class AtEnrollment(_Start):
    """The moment at which the subject is enrolled: of an announcement, when it is launched."""

    at: Literal["enrollment"] = Field(default="enrollment", alias="from")


class AtMoment(_Start):
    """One moment for everybody, or the same local time wherever each of them is."""

    at: Literal["moment"] = Field(alias="from")
    moment: str = Field(description='"2026-03-01", "2026-03-01T09:30" (local), "2026-03-01T09:30+03:00"')


class AtField(_Start):
    """A date or moment that is kept of the contact. Empty or unreadable: nothing is sent."""

    at: Literal["field"] = Field(alias="from")
    key: str = Field(min_length=1, max_length=64)


class AtProperty(_Start):
    """A date or moment that is a property of the case."""

    at: Literal["property"] = Field(alias="from")
    key: str = Field(min_length=1, max_length=64)


def _start(value: object) -> object:
    """At the enrollment, where nothing else is said."""
    if isinstance(value, dict) and not {"from", "at"} & value.keys():
        return {**value, "from": "enrollment"}
    return value


Start = Annotated[
    AtEnrollment | AtMoment | AtField | AtProperty, Field(discriminator="at"), BeforeValidator(_start)
]


# --- at which time of a day


class Chosen(Part):
    """The time that the person chose: kept in a field, or a property of the case."""

    kind: Literal["chosen"] = "chosen"
    field: str | None = Field(default=None, min_length=1, max_length=64)
    property: str | None = Field(default=None, min_length=1, max_length=64)
    otherwise: ClockTime = 12 * 60


class Window(Part):
    """A random time between two, another for each person and occurrence, and always the same for these two.

    `uniform`: any minute from `opens` to before `closes`. `spread`: evenly over the audience, so that no
    minute has more than one person more than another. `cover`: a person hears at every full hour of the
    window, `closes` included, once before any comes again; `valued` hours come so many times more.
    A window that closes before it opens goes over midnight.
    """

    kind: Literal["window"] = "window"
    opens: ClockTime = Field(alias="from")
    closes: ClockTime = Field(alias="to")
    strategy: Literal["uniform", "spread", "cover"] = "uniform"
    valued: dict[str, Annotated[int, Field(ge=1, le=100)]] = Field(
        default_factory=dict, max_length=24, description='of cover: {"19:00": 1} comes once more'
    )
    again: bool = Field(default=False, description="of cover: when all have come, they begin anew")
    passed: Literal["now", "skip"] = Field(
        default="skip", description="a time that had passed when the subject was enrolled"
    )

    @property
    def width(self) -> int:
        """Minutes from opening to closing, 1 to 1,440."""
        return (self.closes - self.opens - 1) % MINUTES + 1

    @property
    def slots(self) -> int:
        """Of cover: the full hours from opening to closing, both included."""
        return (self.closes - self.opens) % MINUTES // 60 + 1

    def __hash__(self) -> int:
        return hash((self.opens, self.closes, self.strategy))

    def extras(self) -> list[int]:
        """Of cover: slots that come more than once, each as often as it comes more."""
        found = []
        for time, times in sorted(self.valued.items()):
            minutes = minutes_of(time)
            if minutes is not None:  # else `check` says so
                found += [(minutes - self.opens) % MINUTES // 60] * times
        return found


def _time(value: object) -> object:
    """What kind it is, where that goes without saying."""
    if isinstance(value, str):
        return {"kind": "fixed", "at": value}
    if isinstance(value, dict) and "kind" not in value:
        kind = "window" if "from" in value else "fixed" if "at" in value else "chosen"
        return {**value, "kind": kind}
    return value


class Fixed(Part):
    """The same time for everybody; kept as "09:30"."""

    kind: Literal["fixed"] = "fixed"
    at: ClockTime

    @model_serializer
    def _short(self) -> str:
        return shown(self.at)


Time = Annotated[
    Fixed | Chosen | Window,
    Field(discriminator="kind"),
    BeforeValidator(_time, json_schema_input_type=str | Fixed | Chosen | Window),
]


# --- what is said when in an iteration


Number = Annotated[int, Field(ge=1, le=MOST_NUMBER)]


class Step(Part):
    """One thing that is said in each iteration. It falls on the iteration's first day and `days` more (or
    fewer), on a `weekday` on or after it, or on a day of its month (−1: the last). At `time`, else the
    schedule's, else the start's own; `hours` and `minutes` then pass on top."""

    number: Number
    days: int = Field(default=0, ge=-FARTHEST_DAYS, le=FARTHEST_DAYS)
    weekday: Weekday | None = None
    month_day: int | None = Field(default=None, ge=-28, le=31)
    hours: int = Field(default=0, ge=-10_000, le=10_000)
    minutes: int = Field(default=0, ge=-1_000_000, le=1_000_000)
    time: Time | None = None
    content: str | None = Field(default=None, max_length=100, description="which of the campaign's contents")


class Track(Part):
    """What is said so many times a period, on random days: once for each of its `numbers`, in their order."""

    numbers: tuple[Number, ...] = Field(min_length=1, max_length=100)
    time: Time | None = None
    content: str | None = Field(default=None, max_length=100)


class RandomDays(Part):
    """In each iteration of `days`, as many random days as its tracks have numbers; all choices are as likely.
    Which track has which of the days is random too."""

    days: int = Field(ge=1, le=366)
    tracks: tuple[Track, ...] = Field(min_length=1, max_length=50)
    weekdays: tuple[Weekday, ...] = Field(default=tuple(Weekday), min_length=1, max_length=7)
    gap: int = Field(default=1, ge=0, le=366, description="days at least from one to the next; 0: the same")


# --- how often, and until when


Times = Annotated[int, Field(ge=1, le=3_660)]


class Every(Part):
    """Iterations every so many days, weeks, months or years; of days also a random number between two."""

    kind: Literal["every"] = "every"
    every: Times | tuple[Times, Times] = 1
    unit: Literal["day", "week", "month", "year"] = "day"
    count: int | None = Field(
        default=None, ge=1, le=MOST_ITERATIONS, description="iterations; none: for ever"
    )


class Rule(Part):
    """Iterations by a recurrence rule of RFC 5545, by days: what it says of hours is refused."""

    kind: Literal["rule"] = "rule"
    rrule: str = Field(min_length=1, max_length=500)
    count: int | None = Field(default=None, ge=1, le=MOST_ITERATIONS)


def _repeat(value: object) -> object:
    if isinstance(value, dict) and "kind" not in value:
        return {**value, "kind": "rule" if "rrule" in value else "every"}
    return value


Repeat = Annotated[Every | Rule, Field(discriminator="kind"), BeforeValidator(_repeat)]


class Until(Part):
    """What would be due then or later is not sent: a moment, a date (its midnight), or what a field or a
    property says. Empty or unreadable: there is no end."""

    moment: str | None = None
    field: str | None = Field(default=None, min_length=1, max_length=64)
    property: str | None = Field(default=None, min_length=1, max_length=64)


class Holidays(Part):
    """What would fall on a public holiday of the country: is not sent, or the day before or after."""

    country: str = Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1")
    subdivision: str | None = Field(default=None, max_length=10)
    policy: Literal["skip", "before", "after"] = "after"


class ClockChanges(Part):
    """A local time that the clocks leave out goes `forward` to the first that there is, or is skipped; of one
    that comes twice it is the `first` or the `second`."""

    gap: Literal["forward", "skip"] = "forward"
    overlap: Literal["first", "second"] = "first"


class Schedule(Part):
    """When a campaign speaks to one subject.

    `time` is that of every step that says none itself; with none at all it is the start's own.
    `past`, where it begins when occurrences of it have passed already: `fast_forward` passes over these,
    `next` begins on the next day (week, month) of which none has, `skip` sends nothing at all.
    `missing_day`: a day that the month does not have. `retired`: numbers of steps that are no more.
    """

    start: Start = AtEnrollment()
    past: Literal["skip", "next", "fast_forward"] = "fast_forward"
    steps: tuple[Step, ...] = Field(default=(), max_length=MOST_STEPS)
    random_days: RandomDays | None = None
    time: Time | None = Field(default=None, description="of every step that says none of its own")
    repeat: Repeat | None = None
    until: Until | None = None
    zone: str = Field(
        default="contact", description='"contact", "workspace", or a name such as Africa/Nairobi'
    )
    missing_day: Literal["last", "skip", "next"] = "last"
    clock_changes: ClockChanges = ClockChanges()
    rounding: Literal["none", "minute_up"] = "none"
    hours: Hours | None = None
    holidays: Holidays | None = None
    retired: tuple[Number, ...] = Field(
        default=(), max_length=MOST_NUMBER, description="numbers of steps that are no more: no other has them"
    )

    def stored(self) -> dict[str, Any]:
        """As JSON; `Schedule.model_validate` reads it back."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
