"""Heeding what people write about consent: into the ledger by the order in which they wrote, and answered.

All of it is part of the transaction that reads the words, so that an opt-out and its confirmation are there
together or not at all. The answer goes the way of every message, through queue, limits and intent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from clarion.domain.address import address_from_urn
from clarion.domain.consent_rules import Rules
from clarion.domain.consent_words import Meaning, Understood
from clarion.domain.courtesy import AGAIN, STEPS, content
from clarion.domain.identity import consent_hash
from clarion.domain.language import choose_language
from clarion.flow.receive.answering import Answer, owe
from clarion.kit.db import Connection, Row
from clarion.providers.contract import Provider
from clarion.store import consent, courtesy, inbound, workspace


@dataclass(slots=True)
class Heeding:
    """Of one batch of one channel: the workspace as it is now, and what its people's words were taken for."""

    channel_id: UUID
    provider: Provider
    home: Row
    rules: Rules
    aside: set[str] = field(default_factory=set)  # by the provider's identifier: they answer something else
    _taken: dict[str, Understood] = field(default_factory=dict)  # by the provider's identifier
    _answered: set[str] = field(default_factory=set)  # by the provider itself
    _names: dict[str, tuple[str, str]] = field(default_factory=dict)  # URNs of whom it knows by two

    @classmethod
    async def of(cls, connection: Connection, channel_id: UUID, provider: Provider) -> Self:
        """As the transaction's workspace has it."""
        home = await workspace.get(connection)
        return cls(channel_id, provider, home, Rules.of(home["settings"]))

    def understood(self, said: Iterable[inbound.Said]) -> list[inbound.Said]:
        """The same with what each says of consent. The provider's word goes before ours: it acts on it."""
        words = self.rules.words(self.home["language"])
        told = []
        for one in said:
            taken = words.understand(one.text)
            if one.meaning:
                self._answered.add(one.provider_id)
                taken = Understood(Meaning(one.meaning), taken.language if taken else None)
            if taken is not None:
                self._taken[one.provider_id] = taken
                if one.also:
                    scheme = one.urn.partition(":")[0]
                    self._names[one.provider_id] = (one.urn, f"{scheme}:{one.also}")
            told.append(replace(one, meaning=taken.meaning.value if taken else ""))
        return told

    async def heed(self, connection: Connection, heard: Sequence[inbound.Heard], now: datetime) -> int:
        """Write what people wished, and owe them the answers; how many answers wait."""
        waiting = 0
        for one in heard:
            if one.meaning and (meaning := await self._wished(connection, one)) is not None:
                waiting += await self._answer(connection, one, meaning, now)
        return waiting

    async def _wished(self, connection: Connection, one: inbound.Heard) -> Meaning | None:
        """What is to be answered: an opt-out or opt-in that changed something, or a call for help."""
        meaning = Meaning(one.meaning)
        if meaning is Meaning.HELP:
            return meaning
        names = dict.fromkeys((one.urn, *self._names.get(one.provider_id, ())))
        keys = [consent_hash(bytes(self.home["pepper"]), address_from_urn(name)) for name in names]
        key = keys[0]
        if meaning is Meaning.YES and not await consent.is_out(connection, key):
            self.aside.add(one.provider_id)  # an answer to something else
            return None
        state = "out" if meaning is Meaning.STOP else "in"
        if not await inbound.is_news(connection, key, state, one.at):
            return None
        change = consent.opt_out if state == "out" else consent.opt_in
        changed = await change(connection, keys, one.at, how="reply", by=str(one.contact_id or ""))
        return None if not changed else Meaning.STOP if state == "out" else Meaning.START

    async def _answer(
        self, connection: Connection, one: inbound.Heard, meaning: Meaning, now: datetime
    ) -> bool:
        if one.provider_id in self._answered:
            return False
        how = self.rules.courtesy(meaning, self.channel_id)
        said = content(how.texts, self.home["name"], self.provider.kinds) if how.on else None
        if said is None:
            return False
        to = await courtesy.writer(connection, one.id, self.provider.schemes)
        if to is None or not await courtesy.claim(connection, to.consent_key, meaning.value, now, AGAIN):
            return False
        language = choose_language((to.language, self._taken[one.provider_id].language), how.texts)
        values = {} if language is None else {"language": language}
        answer = Answer(STEPS[meaning], said, values, farewell=meaning is Meaning.STOP)
        return await owe(connection, self.channel_id, one, to, answer, now)
