"""A sequence as a campaign of RapidPro's where moments differ from person to person: each slot, one step of
one iteration, is a date and time of the contact, and one event falls on that very moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from clarion.connectors.rapidpro.plan import Event, There, Wanted
from clarion.connectors.rapidpro.wording import Names, Words, words
from clarion.domain.field import Field, FieldType
from clarion.domain.schedule.model import Rule, Schedule
from clarion.domain.schedule.rules import BadRule, parsed
from clarion.domain.sequence import Sequence
from clarion.errors import Conflict, Invalid, Problem

MOST_FIELDS = 250  # of a workspace, unless it was given more
_MINUTE = timedelta(minutes=1)
Row = Mapping[str, Any]


class Slot(NamedTuple):
    """One step of one iteration, of whoever it is."""

    iteration: int
    step: int


def mark(campaign_id: UUID) -> str:
    """With what the keys of all slots of a campaign begin, and no others."""
    return f"clarion_{hashlib.sha256(campaign_id.bytes).hexdigest()[:10]}_"


def slot_key(campaign_id: UUID, slot: Slot) -> str:
    """The key of the field in which the moments of a slot stand: always the same, at most 30 characters."""
    return f"{mark(campaign_id)}{slot.iteration}_{slot.step}"


def minute_up(moment: datetime) -> datetime:
    """When RapidPro says what is due then: a begun minute counts as a whole one."""
    whole = moment.replace(second=0, microsecond=0)
    return whole if whole == moment else whole + _MINUTE


def contents(sequence: Sequence, names: Names, until: datetime | None = None) -> Mapping[int, Words]:
    """What RapidPro says at each step, by its number. Raises Invalid with everything that it cannot have,
    each with its place and what to do; a schedule without an end needs `until`."""
    said = {name: words(one, f"contents.{name}", names) for name, one in sequence.contents.items()}
    problems = [*sequence.problems(), *_refused(sequence, until)]
    problems += [one for each in said.values() for one in each.problems]
    if problems:
        raise Invalid("RapidPro cannot have this sequence by slots", problems=tuple(dict.fromkeys(problems)))
    return {number: said[name] for number, name in sequence.names().items()}


def campaign(
    campaign_id: UUID, names: Names, said: Mapping[int, Words], slots: Iterable[Slot], most: int = MOST_FIELDS
) -> Wanted:
    """The campaign with an event for each of these slots. Raises Invalid where they are more than a
    workspace may have fields."""
    wanted = sorted(set(slots))
    if len(wanted) > most:
        raise _too_many(len(wanted), 0, most)
    events, fields = [], []
    for slot in wanted:
        key, what = slot_key(campaign_id, slot), said[slot.step]
        events.append(Event(key, 0, "minutes", -1, what.message, what.flow))
        fields.append(Field(key, key.replace("_", " "), FieldType.DATETIME))
    mentioned = {key: one for slot in wanted for key, one in said[slot.step].mentioned.items()}
    return Wanted(
        names.campaign, names.group, tuple(events), tuple(fields),
        tuple(one for _, one in sorted(mentioned.items())),
    )  # fmt: skip


def check_room(wanted: Wanted, there: There, most: int = MOST_FIELDS) -> None:
    """Raises Invalid where the workspace has no room for the fields that it is to have."""
    new = [one for one in (*wanted.fields, *wanted.mentioned) if one.key not in there.fields]
    if new and len(there.fields) + len(new) > most:
        raise _too_many(len(new), len(there.fields), most)


def check_names(wanted: Wanted, there: There, events: Iterable[Row], begins: str) -> None:
    """Raises Conflict where a campaign of another name has events at slots whose keys begin so: the sequence
    was pushed under that name, and people would hear everything twice."""
    names = {one.uuid: one.name for one in there.campaigns}
    campaigns = {
        names.get(str(row["campaign"]["uuid"]), "")
        for row in events
        if str(row["relative_to"]["key"]).startswith(begins)
    }
    others = sorted(name for name in campaigns if name and name.casefold() != wanted.name.casefold())
    if others:
        hint = f"Rename it there to {wanted.name!r}, or archive it."
        raise Conflict(f"RapidPro's campaign {others[0]!r} says this sequence", where="name", hint=hint)


def _too_many(new: int, there: int, most: int) -> Invalid:
    beside = f", beside the {there:,} that there are" if there else ""
    return Invalid(
        f"it needs {new:,} fields{beside}, and a workspace of RapidPro's may have {most:,}",
        where="schedule",
        hint="Say fewer times, or --until a sooner moment; --most-fields where your workspace may have more.",
    )


def _refused(sequence: Sequence, until: datetime | None) -> Iterator[Problem]:
    schedule = sequence.schedule
    if sequence.reentry != "continue":
        what = "who comes back into a group of RapidPro goes on where the calendar is"
        yield Problem("reentry", what, 'Say "continue".')
    if until is None and _open(schedule):
        what = "it has no end, and each time that it speaks is a field of RapidPro's"
        hint = "Give the repeat a count, or push with --until MOMENT, and again before that moment comes."
        yield Problem("schedule.repeat", what, hint)


def _open(schedule: Schedule) -> bool:
    """Whether it may go on for ever, for somebody."""
    repeat, until = schedule.repeat, schedule.until
    if repeat is None or repeat.count is not None or (until is not None and until.moment is not None):
        return False
    if isinstance(repeat, Rule):
        try:
            rule = parsed(repeat.rrule)
        except BadRule:
            return True
        return rule.count is None and rule.until is None
    return True
