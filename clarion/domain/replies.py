"""What a reply does in a campaign that follows people, beside opting out: a time that somebody writes back
may be the time at which they hear, and it may be the end of what an alert says of a case. Pure: judged
against a workspace by `flow`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from clarion.domain.consent_words import BUILT_IN, Words
from clarion.domain.courtesy import LONGEST_TEXT
from clarion.domain.language import parse_language
from clarion.domain.refusal import Refusal
from clarion.domain.written_time import read_time

WITHIN = timedelta(days=7)
"""How long after it was spoken a message is answered by what is written at its address."""
MOST_CONFIRMED = 10  # to one person over one channel in a day: programs answer us too
_EXAMPLE = "18:30"
_KNOWN = Words(BUILT_IN)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Readable(_Model):
    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """As a campaign's definition has them; nothing where it has none, or what cannot be read."""
        try:
            return cls.model_validate(stored or {})
        except ValidationError:
            return cls()


class TimeReply(_Model):
    """A reply that is a time of day is kept in `field`. `confirm`: what is answered then, by language, with
    {time} and {us}, our name; nothing where nothing is given."""

    field: str = Field(min_length=1, max_length=64)
    confirm: dict[str, str] = Field(default_factory=dict, max_length=100)

    @field_validator("confirm")
    @classmethod
    def _sayable(cls, given: dict[str, str]) -> dict[str, str]:
        return {_language(tag): _text(text) for tag, text in given.items()}

    def texts(self) -> dict[str, str]:
        """The confirmation as templates, by language: they read `time`."""
        return {tag: text.replace("{time}", "{{ time }}") for tag, text in self.confirm.items()}


class Replies(_Readable):
    """What replies do in a sequence; nothing by default."""

    time: TimeReply | None = None


class CaseReplies(_Readable):
    """What a reply does in an alert, in this time round: it stops what whoever wrote it hears of the case
    (`recipient`), or what everybody hears of it (`case`). Nothing by default."""

    stop: Literal["recipient", "case"] | None = None


def _language(given: str) -> str:
    tag = parse_language(given)
    if isinstance(tag, Refusal):
        raise ValueError(f"{given!r}: {tag.what}; {tag.hint}")
    return tag


def _text(text: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST_TEXT:
        raise ValueError(f"a confirmation has 1 to {LONGEST_TEXT} characters")
    if "{{" in text or "{%" in text:
        raise ValueError("nothing is filled in but {time} and {us}, our name")
    said = text.replace("{time}", _EXAMPLE)
    if read_time(said) is not None or _KNOWN.understand(said) is not None:
        raise ValueError("this text would itself be such a reply, should it come back")
    return text


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a campaign said last to somebody at an address, and where they stand in it. `attempt_id` is the
    try that said it, by which it is known when. `follows`: its door is open. `replies`: as it is stored. Of
    an alert also about which case, and in which generation. The fields stand in the order in which the
    statement names them."""

    attempt_id: UUID
    campaign_id: UUID
    follows: bool
    replies: Mapping[str, Any] | None
    state: str
    contact_id: UUID
    address_id: UUID
    consent_key: bytes
    language: str | None
    case_id: UUID | None = None
    generation: int = 1

    @property
    def takes(self) -> TimeReply | None:
        """What becomes of a time that answers it."""
        return Replies.of(self.replies).time


def answered(spoken: Sequence[Spoken]) -> Spoken | None:
    """Whom a time that was written at an address is of: who was last spoken to there, where that was by a
    campaign that takes times and they are active in it. None where it was not, and where the campaign spoke
    to several people at this address: then nobody knows whose time it is."""
    last = max(spoken, key=lambda one: one.attempt_id, default=None)
    if last is None or not last.follows or last.state != "active" or last.takes is None:
        return None
    several = {one.contact_id for one in spoken if one.campaign_id == last.campaign_id}
    return last if len(several) == 1 else None


def ended(spoken: Sequence[Spoken]) -> list[Spoken]:
    """What a reply at an address ends: of the case that was spoken of last there, what everybody was told at
    this address, where it was an alert that stops on replies. Nothing where something else was said since."""
    last = max(spoken, key=lambda one: one.attempt_id, default=None)
    if last is None or not last.follows or last.case_id is None:
        return []
    if CaseReplies.of(last.replies).stop is None:
        return []
    return [one for one in spoken if (one.campaign_id, one.case_id) == (last.campaign_id, last.case_id)]
