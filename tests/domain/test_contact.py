"""Who is the same person: Amina, whose name has many spellings, and her colleagues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.address import Address
from clarion.domain.contact import (
    Contact,
    clean_external_id,
    clean_name,
    fold_name,
    identity_key,
    natural_key,
)

AMINA = Address("whatsapp", "+254712123456")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Amina Wanjiru", "  amina   WANJIRU "),
        ("N’Guessan Amélie", "N'GUESSAN AMELIE"),
        ("Ngũgĩ wa Thiong'o", "Ngugi wa Thiongʼo"),
        ("José-María", "Jose Maria"),
        ("O'Brien", "O`Brien"),
        ("مُحَمَّد", "محمد"),
        ("محـمد", "محمد"),
        ("Ｊｏｈｎ", "John"),
        ("Straße", "STRASSE"),
        ("J.R. Smith", "J. R. Smith"),
        ("Ame\u0301lie", "Am\u00e9lie"),
        ("Zero\u200bwidth", "Zerowidth"),
    ],
)
def test_two_spellings_of_a_name_are_one_name(one: str, other: str) -> None:
    assert fold_name(one) == fold_name(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Amina Wanjiru", "Amina Wanjiku"),
        ("መሠረት", "መሰረት አበበ"),
        ("कुमार", "कमार"),  # the vowel is a mark, and makes it another name
        ("がく", "かく"),
        ("ฟ้า", "ฟา ฟา"),
        ("Wanjiru Amina", "Amina Wanjiru"),
    ],
)
def test_two_names_stay_two(one: str, other: str) -> None:
    assert fold_name(one) != fold_name(other)


def test_letters_of_every_script_stay() -> None:
    assert fold_name("መሠረት አበበ") == "መሠረት አበበ"
    assert fold_name("فاطمة الزهراء") == "فاطمة الزهراء"
    assert fold_name(None) == fold_name("  ") == fold_name("-'-") == ""


@given(st.text(max_size=30))
def test_folding_a_folded_name_changes_nothing(name: str) -> None:
    folded = fold_name(name)
    assert fold_name(folded) == folded


def test_an_external_id_decides_alone() -> None:
    other = Address("tel", "+254733123456")
    assert identity_key("E-17", AMINA, "Amina") == identity_key(" E-17 ", other, "A. Wanjiru") == "id:E-17"
    assert identity_key("E-17", AMINA, "Amina") != identity_key("E-18", AMINA, "Amina")
    assert identity_key("007", None, None) != identity_key("7", None, None)


def test_without_an_external_id_the_address_and_the_name_decide() -> None:
    by_sms = Address("tel", "+254712123456")
    assert identity_key(None, AMINA, "Amina Wanjiru") == identity_key("", by_sms, "AMINA  wanjiru")
    assert identity_key(None, AMINA, "Amina") == natural_key(AMINA, "amina") == "at:+254712123456|amina"


def test_two_people_who_share_a_phone_are_two() -> None:
    assert identity_key(None, AMINA, "Amina") != identity_key(None, AMINA, "Baraka")


def test_a_row_without_id_and_address_is_nobody() -> None:
    assert identity_key(" ", None, "Amina") is None


def test_names_are_shown_tidily() -> None:
    assert clean_name("  Amina\t\nWanjiru ") == "Amina Wanjiru"
    assert clean_name("Am\x00in\x07a") == "Amina"
    assert clean_name("می\u200cخواهم") == "می\u200cخواهم"
    assert clean_name(" \x00 ") is None
    assert clean_name(None) is None
    assert clean_name("x" * 999) == "x" * 200
    assert clean_external_id(" \x00 ") is None


def test_a_contact_answers_for_attributes_and_fields_by_key() -> None:
    amina = Contact(name="Amina", language="sw", fields={"department": "Finance"})
    assert amina.value("name") == "Amina"
    assert amina.value("department") == "Finance"
    assert amina.value("timezone") is None
    assert amina.value("salary") is None
