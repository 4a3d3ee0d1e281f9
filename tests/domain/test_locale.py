"""Countries, languages and time zones, however people write them."""

from __future__ import annotations

import pytest

from clarion.domain.country import country_name, parse_country
from clarion.domain.language import choose_language, fallbacks, parse_language, three_letters
from clarion.domain.refusal import Refusal
from clarion.domain.timezone import parse_timezone


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("KE", "KE"),
        ("ke", "KE"),
        (" KEN ", "KE"),
        ("Kenya", "KE"),
        ("UK", "GB"),
        ("UAE", "AE"),
        ("usa", "US"),
    ],
)
def test_a_country_is_known_by_code_and_by_name(raw: str, code: str) -> None:
    assert parse_country(raw) == code


@pytest.mark.parametrize("raw", ["", "ZZ", "Atlantis"])
def test_an_unknown_country_is_refused(raw: str) -> None:
    assert isinstance(parse_country(raw), Refusal)


def test_a_country_has_a_name_for_sentences() -> None:
    assert country_name("KE") == "Kenya"


@pytest.mark.parametrize(
    ("raw", "tag"),
    [
        ("en", "en"),
        ("swa", "sw"),
        ("amh", "am"),
        ("PT_br", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("iw", "he"),
        ("Swahili", "sw"),
        ("arabic", "ar"),
    ],
)
def test_a_language_has_one_tag(raw: str, tag: str) -> None:
    assert parse_language(raw) == tag


@pytest.mark.parametrize(
    ("tag", "code"),
    [("en", "eng"), ("sw", "swa"), ("pt-BR", "por"), ("zh-Hant", "zho"), ("fr", "fra"), ("ak", "aka"),
     ("fil", "fil")],
)  # fmt: skip
def test_a_language_has_a_code_of_three_letters(tag: str, code: str) -> None:
    assert three_letters(tag) == code


def test_a_code_of_three_letters_is_the_language_that_it_was_made_of() -> None:
    for tag in ("am", "ar", "de", "fa", "fr", "ha", "he", "om", "ps", "ro", "so", "ti", "yo", "zu"):
        assert parse_language(three_letters(tag)) == tag


@pytest.mark.parametrize("raw", ["", "xx", "e", "en-ZZ", "english please"])
def test_an_unknown_language_is_refused(raw: str) -> None:
    assert isinstance(parse_language(raw), Refusal)


def test_a_language_falls_back_from_the_country_to_the_plain_one() -> None:
    assert fallbacks("zh-Hant-TW") == ("zh-Hant-TW", "zh-Hant", "zh")
    assert choose_language(["pt-BR", "en"], ["en", "pt"]) == "pt"
    assert choose_language(["pt-BR", "en"], ["en", "pt-PT"]) == "pt-PT"
    assert choose_language(["zh-Hant", "en"], ["en", "zh-Hans"]) == "en"
    assert choose_language([None, "sw", "en"], ["en", "fr"]) == "en"
    assert choose_language(["sw"], ["en"]) is None


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Africa/Nairobi", "Africa/Nairobi"),
        ("america/new york", "America/New_York"),
        ("utc", "UTC"),
    ],
)
def test_a_zone_is_known_in_any_case(raw: str, name: str) -> None:
    assert parse_timezone(raw) == name


def test_an_unknown_zone_is_refused_with_the_nearest() -> None:
    found = parse_timezone("Nairobi")
    assert isinstance(found, Refusal)
    assert "Africa/Nairobi" in found.hint


@pytest.mark.parametrize("raw", ["EST", "GMT+3", "Etc/GMT+3", "../etc/passwd", ""])
def test_an_abbreviation_or_an_offset_is_no_zone(raw: str) -> None:
    assert isinstance(parse_timezone(raw), Refusal)
