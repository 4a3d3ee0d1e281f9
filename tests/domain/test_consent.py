"""STOP and START, as people type them."""

from __future__ import annotations

import pytest

from clarion.domain.columns import Columns
from clarion.domain.consent import IN_WORDS, OUT_WORDS, Consent, opted_out, wish


@pytest.mark.parametrize("word", sorted(OUT_WORDS))
def test_every_word_to_stop_stops(word: str) -> None:
    for typed in (word, word.upper(), f" {word.title()}!\n", f"“{word}”.", f"{word}…", f"*{word}*"):
        assert wish(typed) is Consent.OUT


@pytest.mark.parametrize("word", sorted(IN_WORDS))
def test_every_word_to_start_starts(word: str) -> None:
    assert wish(f" {word.upper()}. ") is Consent.IN


def test_words_may_be_spaced_hyphened_or_wide() -> None:
    assert wish("stop all") is wish("STOP-ALL") is wish("un-subscribe") is wish("ＳＴＯＰ") is Consent.OUT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "…",
        "please don't stop",
        "stop it",
        "the end",
        "yes",
        "no",
        "nonstop",
        "stop " * 50,
        "cancelled",
        "ስቶፕ",
    ],
)
def test_a_word_counts_only_as_the_whole_message(text: str) -> None:
    assert wish(text) is None


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
