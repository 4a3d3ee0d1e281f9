"""Addresses and telephone numbers: two spellings of one place are one address, and nothing is guessed."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import NumberParseException, PhoneNumberFormat

from clarion.domain.address import (
    SCHEMES,
    Address,
    address_from_urn,
    consent_key,
    parse_address,
)
from clarion.domain.phone import parse_number
from clarion.domain.refusal import Refusal

AMINA = "+254712123456"


def reason(found: object) -> str:
    assert isinstance(found, Refusal), found
    return found.reason


@pytest.mark.parametrize(
    "spelling",
    [
        "+254712123456",
        "0712123456",
        "0712 123 456",
        "(0712) 123-456",
        "254712123456",
        "00254712123456",
        "+254 (0) 712 123 456",
        "\u202a+254 712 123456\u202c",
        "٠٧١٢١٢٣٤٥٦",
        "'0712123456",
        "254712123456.0",
        "tel:+254-712-123456",
        " 0712123456\u00a0",
    ],
)
def test_one_number_in_every_spelling_is_one_address(spelling: str) -> None:
    assert parse_address(spelling, country="KE") == Address("tel", AMINA)


@pytest.mark.parametrize(
    ("raw", "country", "expected"),
    [
        ("0911 234 567", "ET", "+251911234567"),
        ("98765 43210", "IN", "+919876543210"),
        ("050 123 4567", "AE", "+971501234567"),
        ("(11) 98765-4321", "BR", "+5511987654321"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("(202) 555-0143", "US", "+12025550143"),
        ("011 15 2345-6789", "AR", "+5491123456789"),
    ],
)
def test_a_national_number_is_at_home_in_its_country(raw: str, country: str, expected: str) -> None:
    assert parse_number(raw, country) == expected


@pytest.mark.parametrize(
    ("raw", "country", "expected"),
    [
        ("+55 11 8765-4321", None, "+5511987654321"),
        ("11 8765-4321", "BR", "+5511987654321"),
        ("whatsapp:551187654321", None, "+5511987654321"),
        ("+52 1 55 1234 5678", None, "+525512345678"),
        ("whatsapp:5215512345678", None, "+525512345678"),
    ],
)
def test_former_spellings_of_brazil_and_mexico_reach_todays_number(
    raw: str, country: str | None, expected: str
) -> None:
    found = parse_address(raw, country=country)
    assert isinstance(found, Address)
    assert found.path == expected


@pytest.mark.parametrize(
    ("raw", "country", "why"),
    [
        ("", "KE", "no_address"),
        ("hello", "KE", "not_a_number"),
        ("n/a", "KE", "not_a_number"),
        ("#REF!", "KE", "not_a_number"),
        ("9" * 5000, "KE", "not_a_number"),
        ("0712123456", None, "needs_country"),
        ("0712123456", "ZZ", "needs_country"),
        ("+999 123 456 789", None, "unknown_country_code"),
        ("0712", "KE", "too_short"),
        ("07121234567890", "KE", "too_long"),
        ("0999123456", "KE", "not_in_plan"),
        ("555-0143", "US", "no_area_code"),
        ("7.12123E+08", "KE", "rounded"),
        ("0712123456 ext. 12", "KE", "extension"),
        ("tel:+1-202-555-0143;ext=5", None, "extension"),
        ("0712123456 / 0733123456", "KE", "two_numbers"),
        ("0712123456 or 0733123456", "KE", "two_numbers"),
        ("0712123456/7", "KE", "two_numbers"),
        ("1-800-FLOWERS", "US", "not_a_number"),
    ],
)
def test_a_number_that_cannot_be_one_is_refused_with_its_reason(
    raw: str, country: str | None, why: str
) -> None:
    assert reason(parse_address(raw, "tel", country)) == why


def test_the_words_of_a_refusal_name_the_country_and_never_the_number() -> None:
    found = parse_number("0712", "KE")
    assert isinstance(found, Refusal)
    assert found.what == "too short for Kenya"
    assert "0712" not in str(found)


def test_the_rows_scheme_holds_only_for_addresses_that_name_none() -> None:
    assert parse_address("0712123456", "whatsapp", "KE") == Address("whatsapp", AMINA)
    assert parse_address("tel:0712123456", "whatsapp", "KE") == Address("tel", AMINA)
    assert parse_address("WhatsApp:254712123456", country="US") == Address("whatsapp", AMINA)
    assert parse_address("whatsapp:0712123456", country="KE") == Address("whatsapp", AMINA)


def test_other_kinds_of_address_are_taken_in_their_one_spelling() -> None:
    assert parse_address(" Amina.W@Example.ORG ") == Address("mailto", "amina.w@example.org")
    assert parse_address("mailto:amina@müller.example") == Address("mailto", "amina@müller.example")
    token = "dGhpc19pc19h:APA91bExample-Token_0123456789"
    assert parse_address(f"fcm:{token}") == Address("fcm", token)
    assert parse_address(token, "fcm") == Address("fcm", token)
    assert parse_address("messenger:2458012345") == Address("messenger", "2458012345")
    assert parse_address("whatsapp:KE.13491208655302741918") == Address("whatsapp", "KE.13491208655302741918")


@pytest.mark.parametrize(
    ("raw", "scheme", "why"),
    [
        ("amina@", None, "not_mail"),
        ("amina@localhost", None, "not_mail"),
        ("Amina <amina@example.org>", None, "not_mail"),
        ("a..b@example.org", None, "not_mail"),
        ("x" * 300 + "@example.org", None, "not_mail"),
        ("fcm:short", None, "not_a_token"),
        ("messenger:amina", None, "not_an_id"),
        ("amina", "pigeon", "unknown_scheme"),
    ],
)
def test_other_kinds_of_address_are_refused_with_their_reason(raw: str, scheme: str | None, why: str) -> None:
    assert reason(parse_address(raw, scheme)) == why


def test_an_opt_out_covers_every_scheme_of_the_number() -> None:
    assert consent_key(Address("tel", AMINA)) == consent_key(Address("whatsapp", AMINA)) == AMINA
    mail = parse_address("AMINA@example.org")
    assert isinstance(mail, Address)
    assert consent_key(mail) == "mailto:amina@example.org"
    assert consent_key(Address("whatsapp", "KE.1349")) == "whatsapp:KE.1349"


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@st.composite
def numbers_of_many_countries(draw: st.DrawFn) -> tuple[str, str]:
    """Numbers near to real ones: an example of some type and country, some digits changed, cut or added,
    in one of four formats, read in their own country or another."""
    region = draw(st.sampled_from(REGIONS))
    kind = draw(st.sampled_from([0, 1, 3, 6]))
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    assert example is not None
    digits = list(phonenumbers.national_significant_number(example))
    for _ in range(draw(st.integers(0, 3))):
        digits[draw(st.integers(0, len(digits) - 1))] = draw(st.sampled_from("0123456789"))
    digits = digits[: len(digits) - draw(st.integers(0, 1))] + draw(
        st.lists(st.sampled_from("0189"), max_size=1)
    )
    national = "".join(digits)
    code = phonenumbers.country_code_for_region(region)
    form = draw(st.sampled_from(["e164", "spaced", "national", "trunk"]))
    raw = {
        "e164": f"+{code}{national}",
        "spaced": f"+{code} {national[:2]} {national[2:5]}-{national[5:]}",
        "national": national,
        "trunk": f"0{national}",
    }[form]
    return raw, draw(st.sampled_from([region, region, "KE", "BR", "US"]))


@settings(max_examples=600, deadline=None)
@given(numbers_of_many_countries())
def test_whatever_the_library_calls_valid_is_taken_as_the_library_writes_it(case: tuple[str, str]) -> None:
    raw, country = case
    try:
        number = phonenumbers.parse(raw, country)
        valid = phonenumbers.is_valid_number(number)
    except NumberParseException:
        valid = False
    found = parse_number(raw, country)
    if valid:
        assert found == phonenumbers.format_number(number, PhoneNumberFormat.E164)
    elif isinstance(found, str):
        # the four additions: whatever they find is valid, and home is where they look
        assert phonenumbers.is_valid_number(phonenumbers.parse(found))
        assert raw.startswith("00") or found.startswith(("+55", "+52"))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.sampled_from([None, *SCHEMES]), st.sampled_from([None, "KE", "US"]))
def test_any_text_gives_an_address_or_a_reason_and_an_address_reads_back_as_itself(
    raw: str, scheme: str | None, country: str | None
) -> None:
    found = parse_address(raw, scheme, country)
    if isinstance(found, Address):
        assert parse_address(found.urn) == found
        assert address_from_urn(found.urn) == found


@settings(max_examples=200, deadline=None)
@given(numbers_of_many_countries())
def test_a_number_read_back_is_the_same_number(case: tuple[str, str]) -> None:
    found = parse_number(*case)
    if isinstance(found, str):
        assert parse_number(found, None) == found
        assert parse_address(f"whatsapp:{found[1:]}") == Address("whatsapp", found)
