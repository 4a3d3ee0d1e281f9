"""Words about consent, and what answers them. Who opted out is told by `/contacts`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.consent import LONGEST
from clarion.domain.consent_words import Meaning, Word
from clarion.domain.courtesy import LONGEST_TEXT
from clarion.domain.scope import Scope
from clarion.flow import consent_rules
from clarion.flow.consent_rules import Present

router = new_router("consent", "Words that stop and start messages, by language, and what answers them.")

Reader = Annotated[Edge, needs(Scope.CONTACTS_READ)]
Writer = Annotated[Edge, needs(Scope.ADMIN)]
Language = Annotated[str, Field(max_length=100, description="BCP 47, or an English name", examples=["sw"])]
Words = Annotated[str, Field(max_length=LONGEST * 2, examples=["acha kabisa"])]


class WordAnswer(Answer):
    """One word that counts as a whole message. `yes` starts only for whoever had opted out."""

    language: str = Field(examples=["sw"])
    meaning: Meaning
    word: str = Field(examples=["simamisha"])
    own: bool = Field(description="whether the workspace added it")


class Courtesy(Answer):
    """How a word is answered: everywhere, or otherwise on one channel."""

    meaning: Meaning
    channel_id: UUID | None = Field(description="null: wherever nothing else is said")
    on: bool
    texts: dict[str, str] = Field(description="by language; {us} is the workspace's name")


class ConsentRules(Answer):
    """All of it."""

    words: list[WordAnswer]
    removed: list[WordAnswer] = Field(description="built-in words that the workspace does without")
    courtesies: list[Courtesy]


class WordBody(Body):
    """A word to count from now on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"language": "sw", "meaning": "stop", "word": "acha kabisa"}]}
    )

    language: Language
    meaning: Meaning
    word: Words


class CourtesyChange(Body):
    """What shall be different; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"texts": {"sw": "{us}: kwaheri."}}]})

    channel_id: UUID | None = Field(default=None, description="only there; absent: wherever nothing is said")
    on: bool | None = None
    texts: dict[str, str | None] = Field(
        default_factory=dict,
        max_length=100,
        description=f"by language, at most {LONGEST_TEXT} characters; null: as before it was changed",
    )


@router.get("", summary="Show words and answers")
async def show(edge: Reader) -> ConsentRules:
    async with edge.transaction() as connection:
        return _answer(await consent_rules.show(connection))


@router.post("/words", status_code=201, summary="Add a word")
async def add(body: WordBody, edge: Writer) -> ConsentRules:
    """One that counts already stays as it is."""
    async with edge.transaction() as connection:
        await consent_rules.add_word(connection, body.language, body.meaning, body.word)
        return _answer(await consent_rules.show(connection))


@router.delete("/words", summary="Take a word out", responses=responses(404))
async def remove(language: Language, word: Words, edge: Writer) -> ConsentRules:
    """STOP, START and HELP stay. A word of several languages counts for as long as one has it."""
    async with edge.transaction() as connection:
        await consent_rules.remove_word(connection, language, word)
        return _answer(await consent_rules.show(connection))


@router.patch("/courtesies/{meaning}", summary="Change an answer", responses=responses(404))
async def change(meaning: Meaning, body: CourtesyChange, edge: Writer) -> ConsentRules:
    """Another text, on, or off. Answers that a provider had refused may go again."""
    async with edge.transaction() as connection:
        await consent_rules.change_answer(
            connection, meaning, edge.now(), channel_id=body.channel_id, on=body.on, texts=body.texts
        )
        return _answer(await consent_rules.show(connection))


def _answer(present: Present) -> ConsentRules:
    return ConsentRules(
        words=[_word(one, own=one in present.rules.added) for one in present.words],
        removed=[_word(one, own=False) for one in present.rules.removed],
        courtesies=[Courtesy.model_validate(one) for one in present.answers],
    )


def _word(one: Word, *, own: bool) -> WordAnswer:
    return WordAnswer(language=one.language, meaning=one.meaning, word=one.word, own=own)
