"""Why a message, or a person, is as they are: the facts, and sentences that say them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID

from clarion.domain.message import State, reference
from clarion.domain.missing import path_of
from clarion.domain.wording import ENROLLED, STATES, STOPPED, why
from clarion.errors import NotFound
from clarion.flow.results import shown_word
from clarion.kit.db import Connection, Row
from clarion.kit.ids import made_at
from clarion.store import contact as contacts
from clarion.store import enrollment as enrollments
from clarion.store import message as messages
from clarion.store import receipt

_TRIES = {
    "in_flight": "is under way",
    "accepted": "was taken by the provider",
    "refused": "was refused by the provider",
    "unsent": "did not go, as is proven",
    "unknown": "began and was never answered",
    "settled_not_sent": "was settled as not sent",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """`kind` is message or contact; `facts` are the rows that the sentences are made of."""

    kind: str
    id: UUID
    sentences: list[str]
    facts: dict[str, Any] = field(default_factory=dict)


async def explain(connection: Connection, identifier: UUID, now: datetime, zone: tzinfo = UTC) -> Explanation:
    """A message or a contact, whichever has this identifier; moments are told in `zone`. Raises NotFound."""
    try:
        return await message(connection, identifier, now, zone)
    except NotFound:
        pass
    try:
        return await contact(connection, identifier, now, zone)
    except NotFound:
        raise NotFound("there is no message and no contact with this identifier") from None


async def message(connection: Connection, message_id: UUID, now: datetime, zone: tzinfo = UTC) -> Explanation:
    """What happened to one message and what it waits for. Raises NotFound."""
    found = await messages.get(connection, message_id)
    tries = await messages.tries(connection, message_id, found["cohort"])
    receipts = await receipt.of_attempts(connection, found["cohort"], [one["id"] for one in tries])
    place = await messages.place(connection, message_id)
    for one in tries:
        one["reference"] = reference(found["cohort"], one["id"])
        one["begun_at"] = made_at(one["id"])
    found["shown"] = shown_word(found, now)
    told: list[str] = [_opening(found, zone)]
    several = len({found["channel"], *(one["channel"] for one in tries)}) > 1
    told += [_try(n, one, zone, several=several) for n, one in enumerate(tries, 1)]
    told += [_receipt(one, zone) for one in receipts]
    if found["state"] == State.READY:
        told.append(_waits(found, place, now, zone))
    told += _doubt(found, tries, now)
    facts = {"message": found, "attempts": tries, "receipts": receipts, "queue": place}
    return Explanation("message", message_id, told, facts)


async def contact(connection: Connection, contact_id: UUID, now: datetime, zone: tzinfo = UTC) -> Explanation:
    """How a person can be reached, and what became of their last messages. Raises NotFound."""
    person = await contacts.get(connection, contact_id)
    last = await messages.of_contact(connection, contact_id)
    for one in last:
        one["shown"] = shown_word(one, now)
    told = [_person(person), *_addresses(person, zone)]
    followed = await enrollments.of_contact(connection, contact_id)
    told += [_followed(one, zone) for one in followed]
    told += [f"{one['campaign']}: {_became(one, zone)}." for one in last]
    if not last and not followed:
        told.append("No announcement has meant this person yet.")
    return Explanation("contact", contact_id, told, {"contact": person, "messages": last})


def _followed(one: Row, zone: tzinfo) -> str:
    reason = f" ({STOPPED.get(one['reason'], one['reason'])})" if one["reason"] else ""
    kind = "a sequence" if one["about"] is None else f"an alert about case {one['about']}"
    said = f"{one['campaign']}, {kind}: {ENROLLED[one['state']]}{reason}"
    return f"{said}; something comes next {_when(one['next_due'], zone)}." if one["next_due"] else f"{said}."


# --- a message


def _opening(found: Row, zone: tzinfo) -> str:
    unnamed = "a person who was erased" if found["contact_status"] == "erased" else "a person without a name"
    return f"The message of {found['campaign']!r} to {found['name'] or unnamed} {_became(found, zone)}."


def _became(found: Row, zone: tzinfo) -> str:
    if found["state"] == State.READY and found["reason"]:
        return f"waits: {why(found['reason'])}"
    said = STATES[found["shown"]]
    if found["reason"] and found["reason"] != "expired" and found["state"] != "cancelled":
        said += f": {why(found['reason'])}"
    moment = found["read_at"] or found["delivered_at"] or found["settled_at"]
    return f"{said} ({_when(moment, zone)})" if moment and found["state"] != State.READY else said


def _try(n: int, one: Row, zone: tzinfo, *, several: bool) -> str:
    over = f" over {one['channel']}" if several else ""
    said = f"Try {n}{over}, begun {_when(one['begun_at'], zone)}, {_TRIES[one['state']]}"
    parts = [f"code {one['code']}" if one["code"] else "", one["detail"] or ""]
    detail = ", ".join(part for part in parts if part)
    said += f" ({detail})" if detail else ""
    if one["provider_id"]:
        said += f"; the provider calls it {one['provider_id']}"
    return said + "."


def _receipt(one: Row, zone: tzinfo) -> str:
    code = f" with code {one['code']}" if one["code"] else ""
    at, heard = _when(one["at"], zone), _when(one["received_at"], zone)
    return f"The provider says {one['status']}{code}, {at} (heard {heard})."


def _waits(found: Row, place: Row | None, now: datetime, zone: tzinfo) -> str:
    if place is None:
        return "A try is under way; its answer is awaited."
    if place["opted_out"]:
        return "It will be skipped: the person asked for no more messages."
    if place["expires_at"] <= now:
        return f"Its time ran out {_when(place['expires_at'], zone)}: it will end as expired."
    if place["channel_state"] == "paused":
        return f"It waits because the channel is paused ({place['channel_reason']})."
    if place["lane_state"] != "open":
        return f"It waits because the announcement is {place['lane_state']} ({place['lane_reason']})."
    if place["awaits"] is not None and (path := path_of(found["reason"])) is not None:
        until = _when(place["due_at"], zone)
        return f"It waits until {path} is known; where it is not by {until}, it is skipped."
    if place["awaits"] is not None:
        until = _when(place["expires_at"], zone)
        return (
            "It waits until they write: the service window is closed, 24 hours after their last message. "
            f"It expires {until}."
        )
    if place["due_at"] > now:
        return f"It waits for {_when(place['due_at'], zone)}."
    due, until = _when(place["due_at"], zone), _when(place["expires_at"], zone)
    return f"It is due since {due} and waits for its turn; it expires {until}."


def _doubt(found: Row, tries: Sequence[Row], now: datetime) -> list[str]:
    since = next((one["unknown_since"] for one in tries if one["unknown_since"]), None)
    if found["state"] != State.UNKNOWN or since is None:
        return []
    minutes = int((now - since).total_seconds() // 60)
    return [
        f"Nobody knows for {minutes} minutes whether it went. A receipt or a look-up at the provider settles "
        "it; else somebody decides (`clarion unknown settle`)."
    ]


# --- a person


def _person(person: Row) -> str:
    match person["status"]:
        case "erased":
            return "This person was erased; what is left keeps them from hearing anything twice."
        case "merged":
            return f"This contact is the same person as {person['merged_into']} and was merged into it."
        case _:
            return f"{person['name'] or 'A person without a name'} is an active contact."


def _addresses(person: Row, zone: tzinfo) -> list[str]:
    told = []
    for one in person["addresses"]:
        if one["status"] == "invalid":
            since = _when(datetime.fromisoformat(one["status_at"]), zone) if one["status_at"] else ""
            facts = ", ".join(part for part in (one["reason"], since) if part)
            told.append(f"{one['urn']} leads nowhere any more and is not used" + f" ({facts})." * bool(facts))
        elif one["status"] != "active":
            told.append(f"{one['urn']} is {one['status']} and not used.")
        elif one["opted_out"]:
            told.append(f"{one['urn']} has opted out: nothing is sent to it.")
        else:
            told.append(f"{one['urn']} can be written to.")
    told += [f"An address could not be read: {one['reason']}." for one in person["unreadable"]]
    if not told and person["status"] == "active":
        told.append("There is no address, so nothing can be sent.")
    return told


def _when(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
