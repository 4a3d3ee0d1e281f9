"""STOP, START and HELP, as people type them in their languages."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.columns import Columns
from clarion.domain.consent import LONGEST, folded, opted_out
from clarion.domain.consent_rules import Rules
from clarion.domain.consent_words import BUILT_IN, Meaning, Understood, Word
from clarion.errors import Invalid, NotFound

WORDS = Rules().words("en")


def meant(text: str) -> Meaning | None:
    said = WORDS.understand(text)
    return None if said is None else said.meaning


@pytest.mark.parametrize("word", BUILT_IN, ids=lambda one: f"{one.language} {one.word}")
def test_every_word_is_understood_however_it_is_written(word: Word) -> None:
    text = word.word
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not 0x300 <= ord(c) <= 0x36F)
    for typed in (text, text.upper(), f" {text.title()}!\n", f"“{text}”.", f"{text}…", f"*{text}*", plain):
        assert meant(typed) is word.meaning


def test_words_may_be_spaced_hyphened_or_wide() -> None:
    for typed in ("stop all", "STOP-ALL", "un-subscribe", "ＳＴＯＰ", "Opt out", "OPT-OUT", "DARME DE BAJA"):
        assert meant(typed) is Meaning.STOP


@pytest.mark.parametrize(
    ("typed", "language"),
    [
        ("ARRET", "fr"), ("Arrêt", "fr"),
        ("الغاء", "ar"), ("إلغاء", "ar"), ("إِلْغَاء", "ar"), ("إلغـــاء", "ar"),
        ("አቁም።", "am"), ("ዐቁም", "am"), ("रोकें", "hi"), ("simamisha", "sw"),
    ],
)  # fmt: skip
def test_accents_arabic_signs_and_amharic_letters_that_sound_alike_do_not_matter(
    typed: str, language: str
) -> None:
    assert WORDS.understand(typed) == Understood(Meaning.STOP, language)


def test_a_word_of_several_languages_and_an_english_one_say_nothing_of_the_language() -> None:
    for typed in ("stop", "parar", "cancelar"):
        assert WORDS.understand(typed) == Understood(Meaning.STOP, None)


@pytest.mark.parametrize(
    "text",
    [
        "", "…", "please don't stop", "stop it", "the end", "no", "nonstop", "stop " * 50, "cancelled",
        "रोका", "रक", "እባክዎ አያቁሙ", "لا تتوقف", "ne pas arrêter", "usisimamishe", "🛑", "0", "123",
    ],
)  # fmt: skip
def test_a_word_counts_only_as_the_whole_message(text: str) -> None:
    assert meant(text) is None


@pytest.mark.parametrize("text", ["alta", "أبدا", "ابدأ", "acha", "sí", "oui"])
def test_words_that_say_something_else_as_well_are_no_wish(text: str) -> None:
    assert meant(text) is None


def test_acha_stops_where_swahili_is_spoken_and_is_all_right_in_hindi() -> None:
    assert Rules().words("sw-KE").understand("Acha!") == Understood(Meaning.STOP, "sw")
    assert Rules().words("hi").understand("acha") is None


def test_no_two_built_in_words_that_are_written_alike_say_different_things() -> None:
    meanings: dict[str, set[Meaning]] = {}
    for one in BUILT_IN:
        meanings.setdefault(folded(one.word), set()).add(one.meaning)
    assert [word for word, some in meanings.items() if len(some) > 1] == []
    assert "" not in meanings


BARE = {"".join(c for c in unicodedata.normalize("NFKD", w.word.casefold()) if c.isalnum()) for w in BUILT_IN}
SENTENCES = st.lists(
    st.one_of(st.sampled_from([w.word for w in BUILT_IN]), st.text(max_size=8)), min_size=1, max_size=4
).map(" ".join)


@given(st.one_of(st.text(max_size=LONGEST * 2), SENTENCES))
def test_no_text_that_is_not_exactly_a_word_opts_anybody_out(text: str) -> None:
    """Judged by another rule than ours: whatever is understood has nothing but a word's letters in it."""
    if meant(text) is not None:
        plain = text.replace("\u0640", "")
        letters = "".join(c for c in unicodedata.normalize("NFKD", plain.casefold()) if c.isalnum())
        assert len(text) <= LONGEST
        assert letters in BARE or any(_same_but_for_spelling(letters, bare) for bare in BARE)


def _same_but_for_spelling(one: str, other: str) -> bool:
    """Letter by letter the same letter, or two of one sound (HHA and HA, ALEF MAKSURA and YEH)."""
    alike = {frozenset("ىي"), frozenset("یي"), frozenset("ةه"), frozenset("کك")}
    return len(one) == len(other) and all(
        a == b or frozenset((a, b)) in alike or (0x1200 <= ord(a) < 0x1380 and 0x1200 <= ord(b) < 0x1380)
        for a, b in zip(one, other, strict=True)
    )


@given(st.sampled_from(BUILT_IN), st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=1))
def test_a_word_with_anything_before_or_after_it_is_another(word: Word, more: str) -> None:
    known = {folded(one.word) for one in BUILT_IN}
    for text in (f"{word.word} {more}", f"{more} {word.word}"):
        assert (meant(text) is not None) == (folded(text) in known and len(text) <= LONGEST)


# --- what a workspace says otherwise


def test_a_workspace_adds_a_word_of_its_own() -> None:
    rules = Rules().add("sw", Meaning.STOP, " Acha  kabisa ", "en")
    assert rules.words("en").understand("acha kabisa!") == Understood(Meaning.STOP, "sw")
    assert rules.add("sw", Meaning.STOP, "ACHA KABISA", "en") == rules
    assert Rules.of({"consent": rules.stored()}) == rules


def test_a_workspace_does_without_a_word_and_takes_it_back() -> None:
    rules = Rules().remove("es", "Alto", "en")
    assert rules.words("en").understand("ALTO") is None
    assert rules.words("en").understand("baja") is not None
    assert rules.add("es", Meaning.STOP, "alto", "en") == Rules()


def test_a_word_of_two_languages_that_one_does_without_counts_still() -> None:
    rules = Rules().remove("es", "cancelar", "en")
    assert rules.words("en").understand("cancelar") == Understood(Meaning.STOP, "pt")


def test_its_own_word_is_taken_out_again() -> None:
    rules = Rules().add("en", Meaning.STOP, "no more", "en")
    assert rules.remove("en", "No more", "en") == Rules()


@pytest.mark.parametrize("word", ["stop", "START", "Help"])
def test_stop_start_and_help_can_be_relied_on(word: str) -> None:
    with pytest.raises(Invalid, match="always counts"):
        Rules().remove("en", word, "en")


def test_what_no_word_can_be_is_refused() -> None:
    for word in ("", "!!!", "w" * (LONGEST + 1)):
        with pytest.raises(Invalid, match="letters"):
            Rules().add("en", Meaning.STOP, word, "en")
    with pytest.raises(Invalid, match="says stop already"):
        Rules().add("fr", Meaning.START, "Stop", "en")
    with pytest.raises(Invalid):
        Rules().add("klingonese", Meaning.STOP, "mev", "en")
    with pytest.raises(NotFound):
        Rules().remove("en", "alto", "en")


def test_settings_that_cannot_be_read_leave_the_defaults() -> None:
    assert Rules.of({"consent": {"added": "everything"}}) == Rules()
    assert Rules.of({}) == Rules()


# --- a list's column


@pytest.mark.parametrize(
    ("cell", "said"),
    [("out", True), ("No", True), ("opted-out", True), ("in", False), ("YES", False), ("?", "?")],
)
def test_a_lists_column_about_consent_is_read(cell: str, said: bool | str) -> None:
    assert opted_out(cell) == said
    given = Columns(fields={}).given({"phone": "0712123456", "Consent": cell})
    assert given.opted_out == said


def test_a_blank_cell_about_consent_says_nothing() -> None:
    assert Columns(fields={}).given({"phone": "0712123456", "consent": " "}).opted_out is None
