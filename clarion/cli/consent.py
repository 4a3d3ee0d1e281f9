"""`clarion consent`: words that stop and start messages, and what answers them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from clarion.cli import options, place, terminal
from clarion.cli.channel import find
from clarion.cli.commands import group
from clarion.domain.consent_words import Meaning
from clarion.errors import Invalid
from clarion.flow import consent_rules

app = group(
    "Words about consent: what people write to stop messages, by language, and what we answer.",
    [
        "clarion consent words --language sw",
        'clarion consent add sw stop "acha kabisa"',
        "clarion consent remove es alto",
        'clarion consent answer stop --text "sw={us}: hutapokea tena ujumbe wetu."',
        "clarion consent answer help --channel staff --off",
    ],
)

Language = Annotated[str, typer.Argument(help="As BCP 47, or its English name.")]
Means = Annotated[Meaning, typer.Argument(help="What it says.")]
OneWord = Annotated[str, typer.Argument(help="The word, or a few: the whole message.")]


@app.command()
def words(
    language: Annotated[str | None, typer.Option(help="Of this language alone.")] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """List the words that count, as whole messages in any case and spelling."""
    place.run(_words(language, workspace, json))


async def _words(language: str | None, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        present = await consent_rules.show(connection)
    found = [
        {**one._asdict(), "own": one in present.rules.added}
        for one in present.words
        if language in (None, one.language)
    ]
    if json:
        terminal.json(found)
        return
    shown = ((one["language"], one["meaning"], one["word"], "own" if one["own"] else "") for one in found)
    terminal.table(("language", "says", "word", ""), shown)


@app.command()
def add(language: Language, meaning: Means, word: OneWord, workspace: options.Workspace = None) -> None:
    """Let a word count from now on."""
    place.run(_add(language, meaning, word, workspace))


async def _add(language: str, meaning: Meaning, word: str, workspace: str | None) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        await consent_rules.add_word(connection, language, meaning, word)
    terminal.say(f"Whoever writes {word!r} and nothing else says {meaning}.")


@app.command()
def remove(language: Language, word: OneWord, workspace: options.Workspace = None) -> None:
    """Let a word count no longer. STOP, START and HELP always do."""
    place.run(_remove(language, word, workspace))


async def _remove(language: str, word: str, workspace: str | None) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        await consent_rules.remove_word(connection, language, word)
    terminal.say(f"{word!r} is no such word of that language any more.")


@app.command()
def answers(workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Show what is answered to STOP, START and HELP, everywhere and on single channels."""
    place.run(_answers(workspace, json))


async def _answers(workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        present = await consent_rules.show(connection)
    found = [
        {"meaning": one.meaning, "channel_id": one.channel_id, "on": one.on, "texts": dict(one.texts)}
        for one in present.answers
    ]
    if json:
        terminal.json(found)
        return
    terminal.table(
        ("to", "channel", "language", "text"),
        (
            (one.meaning, one.channel_id or "all", language, text if one.on else f"(off) {text}")
            for one in present.answers
            for language, text in sorted(one.texts.items())
        ),
    )


@app.command()
def answer(
    meaning: Means,
    text: Annotated[
        list[str] | None,
        typer.Option(help="LANGUAGE=TEXT, with {us} for our name; without a text: as by default."),
    ] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is answered at all.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only on this channel, by name or id.")] = None,
    workspace: options.Workspace = None,
) -> None:
    """Change what is answered, or whether; what is not given stays."""
    place.run(_answer(meaning, text or [], on, channel, workspace))


async def _answer(
    meaning: Meaning, given: Sequence[str], on: bool | None, channel: str | None, workspace: str | None
) -> None:
    texts: dict[str, str | None] = {}
    for one in given:
        language, equals, text = one.partition("=")
        if not equals:
            raise Invalid("a text is LANGUAGE=TEXT", where="--text", hint='as --text "sw={us}: kwaheri."')
        texts[language] = text or None
    async with place.opened(workspace) as here, here.tenant() as connection:
        channel_id = None if channel is None else (await find(connection, channel))["id"]
        await consent_rules.change_answer(
            connection, meaning, here.now(), channel_id=channel_id, on=on, texts=texts
        )
    terminal.say(f"{meaning.upper()} is answered as you said. `clarion consent answers` shows it.")
