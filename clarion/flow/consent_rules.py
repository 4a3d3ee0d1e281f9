"""What a workspace says of consent, read and changed: its words, and how they are answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clarion.domain.consent_rules import Rules
from clarion.domain.consent_words import Meaning, Word
from clarion.domain.courtesy import STEPS
from clarion.kit.db import Connection
from clarion.store import campaign as campaigns
from clarion.store import channel as channels
from clarion.store import courtesy, notice, workspace
from clarion.store.courtesy import Paused

SETTING = "consent"


@dataclass(frozen=True, slots=True)
class Answered:
    """How a word is answered: everywhere (`channel_id` is None), or otherwise on one channel."""

    meaning: Meaning
    channel_id: UUID | None
    on: bool
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Present:
    """What holds now: words, built-in ones that were taken out, answers, and answers that are paused."""

    rules: Rules
    words: tuple[Word, ...]
    answers: tuple[Answered, ...]
    paused: tuple[Paused, ...]


async def show(connection: Connection) -> Present:
    """What holds in the transaction's workspace."""
    home = await workspace.get(connection)
    rules = Rules.of(home["settings"])
    at: list[UUID | None] = [None, *rules.channels]
    answers = [
        Answered(meaning, channel, how.on is True, how.texts)
        for channel in at
        for meaning in STEPS
        if channel is None or meaning in rules.channels[channel]
        for how in (rules.courtesy(meaning, channel),)
    ]
    paused = tuple(await courtesy.paused(connection))
    return Present(rules, rules.listed(home["language"]), tuple(answers), paused)


async def add_word(connection: Connection, language: str, meaning: Meaning, word: str) -> None:
    """Let one more word count. Raises Invalid."""
    rules, home = await _rules(connection)
    await _store(connection, rules.add(language, meaning, word, home))


async def remove_word(connection: Connection, language: str, word: str) -> None:
    """Let a word count no longer. Raises NotFound, and Invalid for STOP, START and HELP."""
    rules, home = await _rules(connection)
    await _store(connection, rules.remove(language, word, home))


async def change_answer(
    connection: Connection,
    meaning: Meaning,
    now: datetime,
    *,
    channel_id: UUID | None = None,
    on: bool | None = None,
    texts: Mapping[str, str | None] | None = None,
) -> None:
    """Answer a word otherwise, everywhere or on one channel; a text of None is as it was before.

    Answers that were paused because a provider refused what they said may go again. Raises Invalid,
    NotFound.
    """
    if channel_id is not None:
        await channels.get(connection, channel_id)
    rules, home = await _rules(connection)
    await _store(connection, rules.change(meaning, home, channel_id=channel_id, on=on, texts=texts))
    for one in await courtesy.paused(connection):
        if channel_id in (None, one.channel_id):
            await campaigns.lock(connection, one.campaign_id)
            await campaigns.set_lanes(connection, one.campaign_id, "open")
            await campaigns.set_state(connection, one.campaign_id, "running", now)
            await notice.clear(connection, f"campaign:{one.campaign_id}", now)


async def _rules(connection: Connection) -> tuple[Rules, str]:
    settings = await workspace.settings(connection)
    return Rules.of(settings), (await workspace.get(connection))["language"]


async def _store(connection: Connection, rules: Rules) -> None:
    await workspace.set_setting(connection, SETTING, rules.stored())
