"""What is to be done in RapidPro so that a campaign is there as it is wanted: a plain difference.

Events of a campaign have no name of ours there. One that is equal stays; one at the same moment is changed;
what is left over is made or taken away. So a plan of what has been done is empty, and what was made twice by
accident is taken away once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clarion.domain.field import Field, FieldType
from clarion.errors import Conflict, Invalid, Problem

UNITS = ("minutes", "hours", "days", "weeks")
SYSTEM_FIELDS = ("created_on", "last_seen_on")
LONGEST_MESSAGE = 4096
TYPES: Mapping[FieldType, str] = {
    FieldType.TEXT: "text",
    FieldType.NUMBER: "number",
    FieldType.DATE: "datetime",
    FieldType.DATETIME: "datetime",
    FieldType.BOOLEAN: "text",
}
"""Our types as RapidPro's."""


@dataclass(frozen=True, slots=True)
class Event:
    """So long after (or before) a date of the contact a message is said, or a flow begun.

    `delivery_hour` 0–23 sets the time of that day, −1 leaves it. `message` is (language, text) in order of
    languages; either it or `flow`, a UUID, is there.
    """

    relative_to: str
    offset: int
    unit: str
    delivery_hour: int = -1
    message: tuple[tuple[str, str], ...] = ()
    flow: str | None = None

    @property
    def moment(self) -> tuple[str, int, str, int]:
        """When, whatever is said."""
        return self.relative_to, self.offset, self.unit, self.delivery_hour

    def body(self) -> dict[str, Any]:
        """As RapidPro is told."""
        said = {"message": dict(self.message)} if self.message else {"flow": self.flow}
        return {
            "relative_to": self.relative_to, "offset": self.offset, "unit": self.unit,
            "delivery_hour": self.delivery_hour, **said,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """A campaign as it is to be there: for the group of this name, with all of these events and no others.

    `fields` are to be there with our type of them, `mentioned` ones with whichever type they have."""

    name: str
    group: str
    events: tuple[Event, ...] = ()
    fields: tuple[Field, ...] = ()
    mentioned: tuple[Field, ...] = ()

    def check(self) -> None:
        """Raises Invalid with everything that RapidPro would not take."""
        problems = [
            Problem(f"events.{number}", what)
            for number, event in enumerate(self.events)
            for what in _wrong(event)
        ]
        problems += [
            Problem(f"fields.{one.key}", "RapidPro's keys have small letters, digits and _, at most 36")
            for one in (*self.fields, *self.mentioned)
            if not KEY.fullmatch(one.key)
        ]
        problems += [
            Problem(name, "1 to 64 characters")
            for name, text in (("name", self.name), ("group", self.group))
            if not 0 < len(text.strip()) <= 64
        ]
        if problems:
            raise Invalid("RapidPro cannot have this campaign", problems=tuple(problems))


@dataclass(frozen=True, slots=True)
class CampaignThere:
    uuid: str
    name: str
    group: str  # its UUID


@dataclass(frozen=True, slots=True)
class There:
    """What there is: fields' types by key, groups' UUIDs by folded name, campaigns, and the events of the
    wanted one by their UUIDs."""

    fields: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    campaigns: Sequence[CampaignThere] = ()
    events: Mapping[str, Event] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order. `campaign`: the UUID of the one that is there, None where it is to
    be made; `regroup`: it is there for another group, or spelled otherwise."""

    fields: tuple[Field, ...] = ()
    make_group: bool = False
    campaign: str | None = None
    regroup: bool = False
    create: tuple[Event, ...] = ()
    update: tuple[tuple[str, Event], ...] = ()
    delete: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether everything is as it is wanted."""
        return self.campaign is not None and not (
            self.fields or self.make_group or self.regroup or self.create or self.update or self.delete
        )


def plan(wanted: Wanted, there: There) -> Plan:
    """The difference. Raises Conflict: a field has another type there, or campaigns share this name."""
    fields = tuple(one for one in wanted.fields if not _has(there, one))
    fields += tuple(one for one in wanted.mentioned if one.key not in there.fields)
    group = there.groups.get(wanted.group.casefold())
    campaign = one_of_name(there.campaigns, wanted.name)
    create, update, delete = _difference(wanted.events, there.events)
    return Plan(
        fields=fields, make_group=group is None, campaign=campaign.uuid if campaign else None,
        regroup=campaign is not None and (campaign.group != group or campaign.name != wanted.name),
        create=create, update=update, delete=delete,
    )  # fmt: skip


def one_of_name(campaigns: Iterable[CampaignThere], name: str) -> CampaignThere | None:
    """The campaign of this name. Raises Conflict for several."""
    found = [one for one in campaigns if one.name.casefold() == name.casefold()]
    if len(found) > 1:
        hint = "Archive or rename all but one of them there."
        raise Conflict(f"RapidPro has {len(found)} campaigns named {name!r}", where="name", hint=hint)
    return found[0] if found else None


def event_there(row: Mapping[str, Any]) -> tuple[str, Event]:
    """An event as RapidPro tells it, with its UUID."""
    message, flow = row.get("message"), row.get("flow")
    texts = message if isinstance(message, dict) else {"": message} if message else {}
    return str(row["uuid"]), Event(
        str(row["relative_to"]["key"]), int(row["offset"]), str(row["unit"]), int(row["delivery_hour"]),
        said(texts), str(flow["uuid"]) if flow else None,
    )  # fmt: skip


def said(texts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Texts by language as an event has them: without space at their ends, which RapidPro cuts off."""
    return tuple(sorted((language, text.strip()) for language, text in texts.items()))


def _difference(
    wanted: Sequence[Event], there: Mapping[str, Event]
) -> tuple[tuple[Event, ...], tuple[tuple[str, Event], ...], tuple[str, ...]]:
    missing = Counter(wanted)
    left: dict[str, Event] = {}
    for uuid, event in there.items():
        if missing[event] > 0:
            missing[event] -= 1
        else:
            left[uuid] = event
    create: list[Event] = []
    update: list[tuple[str, Event]] = []
    for event in missing.elements():
        same = next((uuid for uuid, other in left.items() if other.moment == event.moment), None)
        if same is None:
            create.append(event)
        else:
            del left[same]
            update.append((same, event))
    return tuple(create), tuple(update), tuple(left)


def _has(there: There, wanted: Field) -> bool:
    kind = there.fields.get(wanted.key)
    if kind is not None and kind != TYPES[wanted.type]:
        raise Conflict(
            f"RapidPro's field {wanted.key} is {kind}, and {TYPES[wanted.type]} is wanted",
            where=f"fields.{wanted.key}",
            hint="Use another field, or change it there.",
        )
    return kind is not None or wanted.key in SYSTEM_FIELDS


def _wrong(event: Event) -> Iterable[str]:
    if event.unit not in UNITS:
        yield f"the unit is one of {', '.join(UNITS)}"
    if not -1 <= event.delivery_hour <= 23:
        yield "the hour is 0 to 23, or -1 for none"
    if bool(event.message) is (event.flow is not None):
        yield "either a message or a flow"
    if any(not text or len(text) > LONGEST_MESSAGE for _, text in event.message):
        yield f"a text has 1 to {LONGEST_MESSAGE:,} characters"


KEY = re.compile("[a-z][a-z0-9_]{0,35}")
