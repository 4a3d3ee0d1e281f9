"""What answers STOP, START and HELP: in the person's language, for everybody the same."""

from __future__ import annotations

from uuid import UUID

import pytest

from clarion.domain.consent_rules import Courtesy, Rules
from clarion.domain.consent_words import BUILT_IN, Meaning
from clarion.domain.courtesy import DEFAULTS, STEPS, content
from clarion.domain.rendering import render
from clarion.domain.said import SaidText
from clarion.domain.sayable import check_content
from clarion.domain.saying import Chosen, choose
from clarion.errors import Invalid

LANGUAGES = sorted({one.language for one in BUILT_IN})
WHATSAPP = UUID("01930000-0000-7000-8000-000000000001")
STOP, START = Meaning.STOP, Meaning.START


def said(meaning: Meaning, language: str | None, us: str = "Selam Clinic", home: str = "en") -> str:
    """What somebody of this language reads on a channel that carries texts."""
    whole = content(Rules().courtesy(meaning).texts, us, {"text"})
    assert whole is not None
    chosen = choose(
        whole, contact_language=language, workspace_language=home, channel_kind="twilio", in_window=True
    )
    assert isinstance(chosen, Chosen)
    text = render(chosen.form, {})
    assert isinstance(text, SaidText)
    return text.text


@pytest.mark.parametrize("meaning", STEPS)
def test_every_language_that_has_words_is_answered(meaning: Meaning) -> None:
    assert sorted(DEFAULTS[meaning]) == LANGUAGES
    texts = [said(meaning, language) for language in LANGUAGES]
    assert len(set(texts)) == len(LANGUAGES)
    assert all("Selam Clinic" in text for text in texts)


def test_whoever_stopped_is_told_how_to_come_back_and_whoever_came_back_how_to_stop() -> None:
    assert all("START" in text for text in DEFAULTS[STOP].values())
    assert all("STOP" in text for text in DEFAULTS[START].values())
    assert all("STOP" in text and "START" in text for text in DEFAULTS[Meaning.HELP].values())


def test_no_courtesy_would_be_a_word_itself_should_it_come_back() -> None:
    words = Rules().words("en")
    said = [text.replace("{us}", "") for texts in DEFAULTS.values() for text in texts.values()]
    assert [text for text in said if words.understand(text) is not None] == []


def test_a_language_that_has_no_text_reads_the_workspaces_and_else_english() -> None:
    assert said(STOP, "so", home="am") == said(STOP, "am")
    assert said(STOP, "so", home="so") == said(STOP, None, home="de") == said(STOP, "en")
    assert said(STOP, "pt-BR") == said(STOP, "pt")


def test_a_name_with_braces_is_no_template() -> None:
    assert said(STOP, "en", "{{ us }} {% if %}").startswith("(( us )) (% if %)")


def test_a_mail_has_our_name_as_its_subject() -> None:
    whole = content({"en": "{us}: no more"}, "Selam Clinic", {"email"})
    assert whole is not None
    variant, everybody = whole.variants
    assert variant.content is not None
    assert everybody.content == variant.content
    assert variant.content.model_dump(exclude_none=True) == {
        "kind": "email", "subject": "Selam Clinic", "text": "Selam Clinic: no more",
    }  # fmt: skip
    assert check_content(whole, {}, kinds=frozenset({"email"})) == []


def test_a_channel_that_carries_neither_text_nor_mail_says_nothing() -> None:
    assert content({"en": "no more"}, "Selam Clinic", {"template"}) is None


def test_the_channels_text_goes_before_the_workspaces_and_that_before_the_default() -> None:
    rules = Rules().change(STOP, "en", texts={"en": "Bye.", "fr": "Au revoir."})
    rules = rules.change(STOP, "en", channel_id=WHATSAPP, texts={"en": "Farewell."})
    assert rules.courtesy(STOP, WHATSAPP).texts["en"] == "Farewell."
    assert rules.courtesy(STOP, WHATSAPP).texts["fr"] == "Au revoir."
    assert rules.courtesy(STOP).texts["en"] == "Bye."
    assert rules.courtesy(STOP).texts["am"] == DEFAULTS[STOP]["am"]
    assert Rules.of({"consent": rules.stored()}) == rules


def test_one_channel_says_nothing_and_the_others_do() -> None:
    rules = Rules().change(START, "en", channel_id=WHATSAPP, on=False)
    assert (rules.courtesy(START, WHATSAPP).on, rules.courtesy(START).on) == (False, True)
    off = rules.change(START, "en", on=False).change(START, "en", channel_id=WHATSAPP, on=True)
    assert (off.courtesy(START, WHATSAPP).on, off.courtesy(START).on) == (True, False)


def test_a_text_that_is_taken_back_leaves_nothing_behind() -> None:
    rules = Rules().change(STOP, "en", channel_id=WHATSAPP, texts={"en": "Farewell."})
    assert rules.change(STOP, "en", channel_id=WHATSAPP, texts={"en": None}) == Rules()
    assert Courtesy().says_nothing


@pytest.mark.parametrize("text", ["  ", "x" * 601, "{{ contact.name }}", "{% if true %}", "Stop!", "start"])
def test_what_no_courtesy_can_say_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Rules().change(STOP, "en", texts={"en": text})


def test_a_mere_yes_is_answered_by_no_courtesy_of_its_own() -> None:
    with pytest.raises(Invalid, match="no such courtesy"):
        Rules().change(Meaning.YES, "en", on=False)
