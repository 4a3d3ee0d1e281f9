"""What a workspace says of consent: words of its own, built-in ones that it does without, its courtesies.

Kept as one document in the workspace's settings (`consent`). Every change is made here and gives a new
document; nothing is kept of what equals the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clarion.domain.consent import LONGEST, folded
from clarion.domain.consent_words import KEPT, Meaning, Word, Words, built_in
from clarion.domain.courtesy import DEFAULTS, LONGEST_TEXT
from clarion.domain.language import parse_language
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid, NotFound

MOST_WORDS = 1000


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Courtesy(_Model):
    """How one courtesy is said. None, or a language that is missing: as the workspace, or by default."""

    on: bool | None = None
    texts: dict[str, str] = Field(default_factory=dict)

    @property
    def says_nothing(self) -> bool:
        """Whether it changes nothing."""
        return self.on is None and not self.texts


class Rules(_Model):
    """A workspace's own. `courtesies` by what they answer; `channels` say otherwise for one channel."""

    added: tuple[Word, ...] = ()
    removed: tuple[Word, ...] = ()
    courtesies: dict[Meaning, Courtesy] = Field(default_factory=dict)
    channels: dict[UUID, dict[Meaning, Courtesy]] = Field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Rules:
        """Of a workspace's settings; the defaults where they say nothing, or what cannot be read."""
        try:
            return cls.model_validate(settings.get("consent") or {})
        except ValidationError:
            return cls()

    def stored(self) -> dict[str, Any]:
        """As JSON, for the settings; `of` reads it back."""
        return self.model_dump(mode="json", exclude_defaults=True)

    # --- words

    def listed(self, home: str) -> tuple[Word, ...]:
        """Every word that counts in a workspace of this language."""
        return _listed(self.added, self.removed, home)

    def words(self, home: str) -> Words:
        """The same, to look messages up in."""
        return _words(self.added, self.removed, home)

    def add(self, language: str, meaning: Meaning, word: str, home: str) -> Rules:
        """One more word. Raises Invalid: too long, nothing left of it, or it says something else already."""
        new = Word(_language(language), meaning, _proper(word))
        said = self.words(home).understand(new.word)
        if said is not None and said.meaning is not meaning:
            raise Invalid(f"this word says {said.meaning} already", where="word", hint="Take it out first.")
        if len(self.added) >= MOST_WORDS:
            raise Invalid(f"a workspace has at most {MOST_WORDS} words of its own", where="word")
        removed = tuple(one for one in self.removed if not _same(one, new))
        if any(_same(one, new) for one in self.model_copy(update={"removed": removed}).listed(home)):
            return self.model_copy(update={"removed": removed})
        return self.model_copy(update={"added": (*self.added, new), "removed": removed})

    def remove(self, language: str, word: str, home: str) -> Rules:
        """One word less in this language. Raises NotFound, and Invalid for one that always counts."""
        tag, key = _language(language), folded(word)
        if key in KEPT:
            raise Invalid(f"{key.upper()} always counts", where="word", hint="Others may be taken out.")
        gone = [one for one in self.listed(home) if one.language == tag and folded(one.word) == key]
        if not gone:
            raise NotFound("there is no such word in this language", where="word")
        added = tuple(one for one in self.added if not any(_same(one, other) for other in gone))
        own = [other for other in built_in(home) if any(_same(one, other) for one in gone)]
        return self.model_copy(update={"added": added, "removed": (*self.removed, *own)})

    # --- courtesies

    def courtesy(self, meaning: Meaning, channel_id: UUID | None = None) -> Courtesy:
        """How one is said (on a channel, or wherever nothing else is said), with every text: the channel's
        go before the workspace's, and those before the default's."""
        ours = self.courtesies.get(meaning, Courtesy())
        here = self.channels.get(channel_id, {}).get(meaning, Courtesy()) if channel_id else Courtesy()
        on = next((one.on for one in (here, ours) if one.on is not None), True)
        return Courtesy(on=on, texts={**DEFAULTS[meaning], **ours.texts, **here.texts})

    def change(
        self,
        meaning: Meaning,
        home: str,
        *,
        channel_id: UUID | None = None,
        on: bool | None = None,
        texts: Mapping[str, str | None] | None = None,
    ) -> Rules:
        """Another text in some languages (None: as before this was said), or on or off. Raises Invalid."""
        if meaning not in DEFAULTS:
            raise Invalid("there is no such courtesy", where="meaning", hint="stop, start or help")
        at = self.courtesies if channel_id is None else self.channels.get(channel_id, {})
        before = at.get(meaning, Courtesy())
        said = {_language(tag): text for tag, text in (texts or {}).items()}
        kept = {**before.texts, **{tag: self._said(text, home) for tag, text in said.items() if text}}
        after = Courtesy(
            on=before.on if on is None else on,
            texts={tag: text for tag, text in kept.items() if said.get(tag, text) is not None},
        )
        there = {key: one for key, one in {**at, meaning: after}.items() if not one.says_nothing}
        if channel_id is None:
            return self.model_copy(update={"courtesies": there})
        channels = {key: some for key, some in {**self.channels, channel_id: there}.items() if some}
        return self.model_copy(update={"channels": channels})

    def _said(self, text: str, home: str) -> str:
        text = text.strip()
        if not text or len(text) > LONGEST_TEXT:
            raise Invalid(f"a courtesy has 1 to {LONGEST_TEXT} characters", where="text")
        if "{{" in text or "{%" in text:
            raise Invalid(
                "a courtesy is the same for everybody: nothing is filled in but {us}, our name", where="text"
            )
        if self.words(home).understand(text) is not None:
            raise Invalid("this text would itself be such a word, should it come back", where="text")
        return text


@lru_cache(maxsize=256)
def _listed(added: tuple[Word, ...], removed: tuple[Word, ...], home: str) -> tuple[Word, ...]:
    known = [one for one in built_in(home) if not any(_same(one, other) for other in removed)]
    return (*known, *(one for one in added if not any(_same(one, other) for other in known)))


@lru_cache(maxsize=256)
def _words(added: tuple[Word, ...], removed: tuple[Word, ...], home: str) -> Words:
    return Words(_listed(added, removed, home))


def _same(one: Word, other: Word) -> bool:
    alike = (one.language, one.meaning) == (other.language, other.meaning)
    return alike and folded(one.word) == folded(other.word)


def _language(given: str) -> str:
    tag = parse_language(given)
    if isinstance(tag, Refusal):
        raise tag.error("language")
    return tag


def _proper(word: str) -> str:
    word = " ".join(word.split())
    if not folded(word) or len(word) > LONGEST:
        raise Invalid(f"a word has letters, and at most {LONGEST} characters", where="word")
    return word
