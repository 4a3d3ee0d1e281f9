"""Languages, as BCP 47 tags in their canonical form ("sw", "pt-BR", "zh-Hant").

Source of what exists and of other spellings (three-letter ISO 639 codes, retired codes): CLDR, by babel.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache

from babel import Locale
from babel.core import get_global, parse_locale

from clarion.domain.country import COUNTRIES
from clarion.domain.refusal import Refusal

_UNKNOWN = Refusal(
    "unknown_language",
    "not a language that we know",
    "write a code such as en, sw or pt-BR, or the English name",
)


@lru_cache(maxsize=4096)
def parse_language(raw: str) -> str | Refusal:
    """The canonical tag of a language given by tag ("PT_br"), ISO 639 code ("swa") or English name.

    Only language, script and country are kept. Refusal: `unknown_language`.
    """
    text = raw.strip().replace("_", "-")
    by_name = _names().get(text.casefold())
    if by_name is not None:
        return by_name
    try:
        language, country, script, *_ = parse_locale(text, sep="-")
    except ValueError:
        return _UNKNOWN
    language = _in_use(language)
    if language not in _languages() or not (country is None or country in COUNTRIES or country == "419"):
        return _UNKNOWN
    return "-".join(part for part in (language, script, country) if part)


def three_letters(tag: str) -> str:
    """The language of a tag by ISO 639-3, as other systems have it ("sw" → "swa", "pt-BR" → "por"): where
    CLDR knows several codes for one, that of the whole language."""
    language = tag.split("-")[0]
    if len(language) == 3:
        return language
    codes = _codes()[language]
    return next((code for code in codes if code in _WHOLE), codes[0])


def fallbacks(tag: str) -> tuple[str, ...]:
    """A language and what may stand in for it, nearest first: "zh-Hant-TW" → itself, "zh-Hant", "zh"."""
    parts = tag.split("-")
    return tuple("-".join(parts[:n]) for n in range(len(parts), 0, -1))


def choose_language(wanted: Iterable[str | None], available: Iterable[str]) -> str | None:
    """The first of the wanted languages that is available, or its fallback.

    Where only another country's form exists ("pt-PT" for "pt-BR", or for "pt"), that is taken after the
    plain language: people read their neighbours' spelling sooner than a third language. Never another
    script.
    """
    here = list(available)
    for tag in wanted:
        if tag is None:
            continue
        for form in fallbacks(tag):
            if form in here:
                return form
        cousin = next(
            (form for form in here if _language_and_script(form) == _language_and_script(tag)), None
        )
        if cousin is not None:
            return cousin
    return None


def _language_and_script(tag: str) -> list[str]:
    language, *rest = tag.split("-")
    return [language, *(part for part in rest if len(part) == 4)]


def _in_use(language: str) -> str:
    """Today's code for a retired or three-letter one ("iw" → "he", "amh" → "am")."""
    return str(get_global("language_aliases").get(language.lower(), language.lower()))


@cache
def _languages() -> frozenset[str]:
    return frozenset(Locale("en").languages)


@cache
def _names() -> dict[str, str]:
    return {
        str(name).casefold(): tag.replace("_", "-")
        for tag, name in Locale("en").languages.items()
        if len(tag.split("_")[0]) in (2, 3)
    }


@cache
def _codes() -> dict[str, list[str]]:
    """The three-letter codes of each language with a code of two."""
    found: dict[str, list[str]] = {}
    for code, language in get_global("language_aliases").items():
        if len(code) == 3 and len(language) == 2:
            found.setdefault(str(language), []).append(str(code))
    return found


_SEVERAL = """
aka ara aym aze bod ces cre cym deu dzo ell est eus fas ful fra grn guj hrv hye iku ipk isl kat kau kom kon
kur lav mkd mlg mon mri msa mya nep nld oji ori orm pus que ron san slk sqi srd srp swa uzb yid zha zho
"""
_WHOLE = frozenset(_SEVERAL.split())
"""Where there are several: the whole language rather than one of its kinds, its newer code rather than the
older one (ISO 639-2, terminological)."""
