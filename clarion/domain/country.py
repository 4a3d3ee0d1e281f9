"""Countries, as ISO 3166-1 alpha-2 codes in upper case ("KE").

Source of names and of retired or three-letter codes: CLDR, by babel.
"""

from __future__ import annotations

from functools import cache

import phonenumbers
from babel import Locale
from babel.core import get_global

from clarion.domain.refusal import Refusal

COUNTRIES: frozenset[str] = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""Every country that has a numbering plan of its own."""


def parse_country(raw: str) -> str | Refusal:
    """The alpha-2 code of a country given by code ("ke", "KEN", "UK") or English name ("Kenya").

    Refusal: `unknown_country`.
    """
    code = raw.strip()
    if code in COUNTRIES:
        return code
    known = _spellings().get(code.casefold())
    if known is not None:
        return known
    return Refusal(
        "unknown_country",
        "not a country that we know",
        "write the two-letter code of ISO 3166, such as KE or BR, or the English name",
    )


@cache
def country_name(code: str) -> str:
    """The English name of a country, for sentences; the code itself when CLDR has no name for it."""
    return str(Locale("en").territories.get(code, code))


@cache
def _spellings() -> dict[str, str]:
    """Everything that people write for a country, in casefolded form, to its code."""
    found = {country_name(code).casefold(): code for code in COUNTRIES}
    for alias, codes in get_global("territory_aliases").items():
        if len(codes) == 1 and codes[0] in COUNTRIES:
            found[str(alias).casefold()] = codes[0]
    found |= {code.casefold(): code for code in COUNTRIES} | {"uae": "AE"}
    return found
