"""Who has heard enough for now: decided in the transaction of the intent, so that two channels that want to
speak to one person at once take their turns (`store.spoken`). Where a workspace has no caps it costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from clarion.domain.caps import Held, next_room
from clarion.kit.db import Connection
from clarion.store import spoken
from clarion.store.intent import Intended, Intent
from clarion.store.spoken import Word

SOON = timedelta(seconds=15)  # what is under way may be refused yet, and then it held nobody
Heard = dict[UUID, list[Word]]
"""By contact, in order."""


@dataclass(slots=True)
class Capped:
    """What the caps leave of some intents. `held` by attempt; `again`: to be asked about once more, since
    another message to the same person is decided with this one."""

    intents: Sequence[Intent]
    held: dict[UUID, Held] = field(default_factory=dict)
    again: set[UUID] = field(default_factory=set)
    heard: Heard = field(default_factory=dict)


async def hold(connection: Connection, intents: Sequence[Intent], now: datetime) -> Capped:
    """Take out who has heard enough. What the others heard is kept as it is until the transaction ends."""
    counted = [one for intent in intents for one in intent.tries if one.counted]
    if not counted:
        return Capped(intents)
    heard = await spoken.lock(connection, {one.waiting.contact_id for one in counted}, now)
    full = [one for one in counted if _held(one, heard[one.waiting.contact_id], now)]
    doubted = {word for one in full for word in heard[one.waiting.contact_id]}
    said = await spoken.effective(connection, doubted) if doubted else {}
    unsaid = {one.message_id for one in doubted} - said.keys()
    under_way = {message_id for message_id, decided in said.items() if not decided}
    capped = Capped(intents, heard=heard)
    _decide(capped, counted, unsaid, under_way, now)
    apart = capped.held.keys() | capped.again
    if apart:
        capped.intents = [
            replace(intent, tries=[one for one in intent.tries if one.attempt_id not in apart])
            for intent in intents
        ]
    return capped


def _decide(
    capped: Capped, counted: Sequence[Intended], unsaid: set[UUID], under_way: set[UUID], now: datetime
) -> None:
    going: dict[UUID, list[Word]] = {}
    for one in counted:
        contact_id = one.waiting.contact_id
        words = [word for word in capped.heard[contact_id] if word.message_id not in unsaid]
        if held := _held(one, words, now):
            settled = [word for word in words if word.message_id not in under_way]
            for_good = _held(one, settled, now) is not None
            capped.held[one.attempt_id] = held if for_good else Held(now + SOON, held.reason)
        elif _held(one, [*words, *going.get(contact_id, ())], now):
            capped.again.add(one.attempt_id)
        else:
            going.setdefault(contact_id, []).append(_word(one, now))


def _held(one: Intended, words: Sequence[Word], now: datetime) -> Held | None:
    if one.cap is None:
        return None
    waiting = one.waiting
    others = [word.at for word in words if word.message_id != waiting.message_id]
    return next_room(one.cap, others, waiting.due_at, now, one.zone)


def _word(one: Intended, now: datetime) -> Word:
    return Word(one.waiting.message_id, one.waiting.cohort, now)


async def note(connection: Connection, capped: Capped, granted: set[UUID], now: datetime) -> None:
    """Write down what is going to be heard, of the tries that are ours."""
    more: Heard = {}
    for one in (one for intent in capped.intents for one in intent.tries):
        if one.counted and one.attempt_id in granted:
            word = _word(one, now)
            before = more.get(one.waiting.contact_id, capped.heard[one.waiting.contact_id])
            kept = [other for other in before if other.message_id != word.message_id]
            more[one.waiting.contact_id] = [*kept, word]
    if more:
        await spoken.keep(connection, more)
