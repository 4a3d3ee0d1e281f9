"""A contact: one person of a workspace, and how two rows are known to be the same person.

    Person: `external_id` decides; otherwise normalised address + folded name.

So two rows with different external ids are two people even when all else is equal, and a row without an
external id is the contact who has the same address and the same name, however either was spelled.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from clarion.domain.address import Address, consent_key
from clarion.domain.field import FieldType, Value

ATTRIBUTES: Mapping[str, FieldType] = {
    "name": FieldType.TEXT,
    "language": FieldType.TEXT,
    "country": FieldType.TEXT,
    "timezone": FieldType.TEXT,
    "external_id": FieldType.TEXT,
}
"""What every contact has beside its declared fields, by the names that templates and criteria use."""

LONGEST_NAME = 200
LONGEST_EXTERNAL_ID = 200

# All that people type for an apostrophe: typewriter, typographic, prime, accents, modifier letters,
# the Hawaiian ʻokina, Hebrew geresh, full width; and the Arabic tatweel, which only stretches a word.
# A folded name has none of them.
_APOSTROPHES = "'`´‘’‚‛′‵ʹʻʼʽˈˊˋ՚׳＇ـ"
_DROPPED = dict.fromkeys(map(ord, _APOSTROPHES))
# The whole of folding for names in ASCII, which most of a large file are: ten times as fast.
_ASCII_FOLDED = {
    code: None if chr(code) in _APOSTROPHES else chr(code).lower() if chr(code).isalnum() else " "
    for code in range(128)
}


@dataclass(frozen=True, slots=True)
class Contact:
    """What is known of one person, as criteria and templates see it.

    `fields` holds only fields that have a value; `groups` are names of groups, nested ones included with
    those that contain them, `own_groups` those alone that they were put in. Codes are canonical (see
    `language`, `country`, `timezone`).
    """

    name: str | None = None
    language: str | None = None
    country: str | None = None
    timezone: str | None = None
    external_id: str | None = None
    fields: Mapping[str, Value] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    own_groups: frozenset[str] = frozenset()

    def value(self, key: str) -> Value | None:
        """An attribute or a declared field by its key; None when it is missing."""
        if key in ATTRIBUTES:
            attribute: str | None = getattr(self, key)
            return attribute or None
        return self.fields.get(key)


def clean_name(raw: str | None) -> str | None:
    """A name as it is shown: NFC, single spaces, no control characters; None when nothing is left.

    Cut at 200 characters. Joiners stay, since Persian and Indian names need them.
    """
    if raw is None:
        return None
    spaced = " ".join(unicodedata.normalize("NFC", raw).split())
    if not spaced.isprintable():
        spaced = "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn"))
    return spaced[:LONGEST_NAME].strip() or None


def clean_external_id(raw: str | None) -> str | None:
    """An external id as it is compared: NFC, trimmed; None when blank. Case counts, zeros too."""
    if raw is None:
        return None
    return unicodedata.normalize("NFC", raw).replace("\0", "").strip()[:LONGEST_EXTERNAL_ID] or None


def fold_name(name: str | None) -> str:
    """A name as it is compared: case, accents, width, spaces, hyphens and apostrophes do not count.

    "N’Guessan  AMÉLIE" = "nguessan amelie"; Arabic and Hebrew are compared without their points. The
    letters of every script stay, with the vowel signs of those that write vowels as marks, and so does
    the order of the words.
    """
    if not name:
        return ""
    if name.isascii():
        return " ".join(name.translate(_ASCII_FOLDED).split())
    return _folded(name)


@lru_cache(maxsize=8192)  # the same name is folded for each key of a row, and again to be stored
def _folded(name: str) -> str:
    plain = _decomposed(_decomposed(name.translate(_DROPPED)).casefold())
    kept = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else _gap(c) for c in plain)
    return " ".join(unicodedata.normalize("NFC", kept).split())


def identity_key(external_id: str | None, address: Address | None, name: str | None) -> str | None:
    """The key under which a person is one: "id:E-17", or "at:+254712123456|amina wanjiru".

    The address counts by its consent key, so the same number by SMS and by WhatsApp is one place. None
    when there is neither an external id nor an address: nobody could tell whether it is someone new.
    """
    known = clean_external_id(external_id)
    if known is not None:
        return f"id:{known}"
    return None if address is None else natural_key(address, name)


def natural_key(address: Address, name: str | None) -> str:
    """The key by address and name alone, which finds a contact for a row that has no external id."""
    return f"at:{consent_key(address)}|{fold_name(name)}"


def _decomposed(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not _is_accent(c))


def _is_accent(character: str) -> bool:
    """Whether a name is the same without this mark.

    By canonical combining class (Unicode, chapter 4.3): overlays 1, the points of Hebrew, Arabic and
    Syriac 10–36, accents above and below 200–240. Class 0, 7, 8, 9 and the rest are vowels, nuktas,
    kana voicing and viramas: without them it is another name.
    """
    place = unicodedata.combining(character)
    return place == 1 or 10 <= place <= 36 or 200 <= place <= 240


def _gap(character: str) -> str:
    return "" if character in _APOSTROPHES or unicodedata.category(character) == "Cf" else " "
