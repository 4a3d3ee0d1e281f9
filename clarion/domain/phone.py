"""Telephone numbers: from what people type to E.164.

The rules of numbering plans are those of `phonenumbers` (Google's libphonenumber). Its pattern cache is
switched on: with it a number costs about 20 µs whatever the mixture of countries, without it 200 µs.
A number is taken exactly when the library calls it valid, with four additions that real lists need,
tried only on what the library refuses: `00` for `+` (ITU-T E.123), a Brazilian mobile without its ninth
digit and a Mexican one with the old 1 (both are still spelled so by WhatsApp), and a whole number that a
spreadsheet wrote with ".0". Three things that the library takes are refused, because the message would
go to someone else or nowhere: extensions, letters, and numbers that a spreadsheet rounded.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult
from phonenumbers.phonenumberutil import region_code_for_country_code, region_code_for_number

from clarion.domain.country import COUNTRIES, country_name
from clarion.domain.refusal import Refusal

phonenumbers.enable_pattern_cache()

_LONGEST_INPUT = 100
# Digits of any script, plus signs, and the punctuation of the world's habits; also the invisible marks
# of direction that are copied out of chat programs. No letters.
_NUMBER_LIKE = re.compile(
    r"[+＋\d\s().\-/·•~\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u2069\u2212\u30fc\ufeff\uff08\uff09\uff0d\uff0e\uff0f\uff3b\uff3d\[\]]+"
)
_EXTENSION = re.compile(r"(?:;?\s*ext\.?\s*=?|\bextension|\bx|#)\s*:?\s*\d{1,8}\s*$", re.IGNORECASE)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?e\+?\d+", re.IGNORECASE)
_WHOLE_FLOAT = re.compile(r"(\+?\d{7,15})\.0")
_PART_OF_ANOTHER = re.compile(r"/\s*\d{1,3}$")  # "0712 345678/9": two numbers that share a beginning
_BETWEEN_NUMBERS = re.compile(r"[,;/&|]|\bor\b|\band\b", re.IGNORECASE)
_FORMER_SPELLINGS = {  # country: its code, the former spelling, today's
    "BR": ("55", re.compile(r"\+55(\d\d)([6-9]\d{7})"), r"+55\g<1>9\2"),
    "MX": ("52", re.compile(r"\+521(\d{10})"), r"+52\1"),
}

_NOT_A_NUMBER = Refusal(
    "not_a_number", "not a telephone number", "write digits, with + and the country code if you can"
)
_HAS_EXTENSION = Refusal(
    "extension",
    "a number with an extension: messages reach direct numbers only",
    "give the person's own number",
)
_WAS_ROUNDED = Refusal(
    "rounded",
    "a number that a spreadsheet rounded, so that its last digits are lost",
    "format the column as text and type the number again",
)
_TWO_NUMBERS = Refusal(
    "two_numbers", "more than one number in one place", "give one number a column, or a row each"
)
_NEEDS_COUNTRY = Refusal(
    "needs_country",
    "a national number, and neither the row nor the workspace says of which country",
    "begin the number with + and the country code, or add a country",
)
_UNKNOWN_CODE = Refusal(
    "unknown_country_code", "no country has the code that follows the +", "check the digits after the +"
)


def parse_number(raw: str, country: str | None) -> str | Refusal:
    """The E.164 form ("+254712123456") of a number as someone wrote it.

    `country` (alpha-2, upper case) is where a national number is at home; an international one does not
    need it. Refusals: `not_a_number`, `extension`, `two_numbers`, `rounded`, `needs_country`,
    `unknown_country_code`, `too_short`, `too_long`, `wrong_length`, `no_area_code`, `not_in_plan`.
    """
    text = raw.strip().lstrip("'")  # a leading apostrophe is a spreadsheet's mark for "this is text"
    if len(text) > _LONGEST_INPUT:
        return _NOT_A_NUMBER
    if _NUMBER_LIKE.fullmatch(text) is None:
        return _why_unlike(text)
    if text.endswith(".0") and (whole := _WHOLE_FLOAT.fullmatch(text)):
        text = whole[1]
    if "/" in text and _PART_OF_ANOTHER.search(text):
        return _TWO_NUMBERS
    found = _by_plan(text, country)
    if isinstance(found, str):
        return found
    if _holds_two(text):
        return _TWO_NUMBERS
    other = _other_spelling(text, country)
    if other is not None and isinstance(again := _by_plan(other, country), str):
        return again
    return found


def _why_unlike(text: str) -> Refusal:
    if _ROUNDED.fullmatch(text):
        return _WAS_ROUNDED
    if _holds_two(text):
        return _TWO_NUMBERS
    if _digits(text) >= 5 and _EXTENSION.search(text):
        return _HAS_EXTENSION
    return _NOT_A_NUMBER


def _holds_two(text: str) -> bool:
    long_enough = [part for part in _BETWEEN_NUMBERS.split(text) if _digits(part) >= 7]
    return len(long_enough) > 1


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _by_plan(text: str, country: str | None) -> str | Refusal:
    try:
        number = phonenumbers.parse(text, country if country in COUNTRIES else None)
    except NumberParseException as error:
        return _unparsed(error, text, country)
    if number.extension:
        return _HAS_EXTENSION
    if not phonenumbers.is_valid_number(number):
        return _not_valid(number)
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)}"


def _other_spelling(text: str, country: str | None) -> str | None:
    """The same number written as its numbering plan wants it today, where we know how; else None."""
    digits = str(phonenumbers.normalize_digits_only(text))
    plus = "+" in text or "＋" in text
    if not plus and digits.startswith("00"):
        return "+" + digits[2:]
    spellings = ["+" + digits]
    if not plus and country in _FORMER_SPELLINGS:
        spellings.append(f"+{_FORMER_SPELLINGS[country][0]}{digits.removeprefix('0')}")
    for _, former, today in _FORMER_SPELLINGS.values():
        for spelling in spellings:
            if found := former.fullmatch(spelling):
                return found.expand(today)
    return None


def _unparsed(error: NumberParseException, text: str, country: str | None) -> Refusal:
    kind = error.error_type
    if kind == NumberParseException.INVALID_COUNTRY_CODE:
        return _UNKNOWN_CODE if text.lstrip()[:1] in ("+", "＋") else _NEEDS_COUNTRY
    if kind == NumberParseException.TOO_LONG:
        return _length("too_long", country)
    if kind in (NumberParseException.TOO_SHORT_NSN, NumberParseException.TOO_SHORT_AFTER_IDD):
        return _length("too_short", country)
    return _NOT_A_NUMBER


def _not_valid(number: phonenumbers.PhoneNumber) -> Refusal:
    region = region_code_for_number(number) or region_code_for_country_code(number.country_code or 0)
    reason = {
        ValidationResult.TOO_SHORT: "too_short",
        ValidationResult.TOO_LONG: "too_long",
        ValidationResult.INVALID_LENGTH: "wrong_length",
        ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "no_area_code",
    }.get(phonenumbers.is_possible_number_with_reason(number), "not_in_plan")
    return _length(reason, region)


def _length(reason: str, region: str | None) -> Refusal:
    # 001 is the library's word for numbers of no country, such as +800.
    place = country_name(region) if region and region != "001" else "any country"
    said = {
        "too_short": f"too short for {place}",
        "too_long": f"too long for {place}",
        "wrong_length": f"not as many digits as numbers of {place} have",
        "no_area_code": f"lacks the area code that numbers of {place} begin with",
        "not_in_plan": f"no number of {place} begins like this",
    }
    return Refusal(reason, said[reason], "check the digits, and the country")
