"""Choosing by reply: a time that somebody writes back to a sequence that takes times is when they hear.

All of it is part of the transaction that reads the message, so it happens once however often the provider
tells it. A word about consent is no time, and a time that answers nothing stays an ordinary message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from clarion.domain.address import address_from_urn
from clarion.domain.courtesy import TIME_STEP, content
from clarion.domain.identity import consent_hash
from clarion.domain.language import choose_language
from clarion.domain.replies import MOST_CONFIRMED, WITHIN, Spoken, TimeReply, answered
from clarion.domain.schedule.clocktime import shown
from clarion.domain.written_time import read_time
from clarion.flow.receive.answering import Answer, owe
from clarion.kit.db import Connection, Row
from clarion.providers.contract import Provider
from clarion.store import choice, courtesy, inbound, intake, workspace
from clarion.store.courtesy import Writer

MEANING = "time"  # of a message in that set one, where those about consent have their own
# Providers tell whole seconds, so an answer may seem older than what it answers.
BLUR = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Written:
    """A time that stands in a message, and the URNs by which its writer is known."""

    time: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choosing:
    """Of one batch of one channel: the messages in it that are times, by the provider's identifier."""

    channel_id: UUID
    provider: Provider
    written: dict[str, _Written]
    home: Row  # the workspace, where there is any

    @classmethod
    async def of(
        cls, connection: Connection, channel_id: UUID, provider: Provider, said: Sequence[inbound.Said]
    ) -> Self:
        """Before anything else of the batch is locked: where there is a time and somebody takes it, this
        waits for its turn to write people, as imports do."""
        written = {}
        for one in said:
            if (minutes := read_time(one.text)) is not None:
                also = f"{one.urn.partition(':')[0]}:{one.also}"
                written[one.provider_id] = _Written(
                    shown(minutes), (one.urn, also) if one.also else (one.urn,)
                )
        if written and await choice.is_taken(connection):
            await intake.take_turn(connection)
            return cls(channel_id, provider, written, await workspace.get(connection))
        return cls(channel_id, provider, {}, {})

    async def choose(self, connection: Connection, heard: Sequence[inbound.Heard], now: datetime) -> int:
        """Set what people chose, and owe them the confirmations; how many of these wait."""
        waiting = 0
        for one in heard:
            written = self.written.get(one.provider_id)
            if written is not None and not one.meaning:
                waiting += await self._heed(connection, one, written, now)
        return waiting

    async def _heed(
        self, connection: Connection, one: inbound.Heard, written: _Written, now: datetime
    ) -> bool:
        pepper = bytes(self.home["pepper"])
        keys = [consent_hash(pepper, address_from_urn(name)) for name in written.names]
        found = await choice.spoken(
            connection, self.channel_id, keys, self.provider.schemes, one.at - WITHIN, one.at + BLUR
        )
        whose = answered(found)
        if whose is None or whose.takes is None or await inbound.is_outdated(connection, one, MEANING):
            return False
        await inbound.mean(connection, one.id, MEANING)
        changed = await choice.put(connection, [whose.contact_id], whose.takes.field, written.time, now)
        return bool(changed) and await self._confirm(connection, one, whose, whose.takes, written.time, now)

    async def _confirm(
        self,
        connection: Connection,
        one: inbound.Heard,
        whose: Spoken,
        takes: TimeReply,
        time: str,
        now: datetime,
    ) -> bool:
        if not takes.confirm:
            return False
        texts = takes.texts()
        said = content(texts, self.home["name"], self.provider.kinds)
        campaign_id = courtesy.place_of(self.channel_id).campaign_id
        often = await choice.confirmed(connection, campaign_id, TIME_STEP, whose.contact_id, now)
        if said is None or often >= MOST_CONFIRMED:
            return False
        language = choose_language((whose.language,), texts)
        values = {"time": time} if language is None else {"time": time, "language": language}
        to = Writer(whose.contact_id, whose.address_id, whose.consent_key, whose.language)
        return await owe(connection, self.channel_id, one, to, Answer(TIME_STEP, said, values), now)
