"""How many SMS a text takes: what cost, rate and capacity of SMS channels are counted in.

Alphabet and packing after 3GPP TS 23.038 (6.2.1, 6.2.1.1) and TS 23.040: a text of GSM characters holds
160 septets in one segment and 153 in each of several; any other is UCS-2 with 70 and 67 code units. An
extension character counts two and, like a surrogate pair, is never cut in two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets (gsm) or UTF-16 code units (ucs2); `count` is segments, 0 for no text."""

    encoding: Literal["gsm", "ucs2"]
    units: int
    count: int


def segments(text: str) -> Segments:
    """The segments that this text takes as SMS."""
    if _GSM.issuperset(text):
        units = len(text) + sum(map(text.count, _EXTENSION))
        if units <= 160:
            return Segments("gsm", units, 1 if text else 0)
        return Segments("gsm", units, _packed((2 if c in _EXTENSION else 1 for c in text), 153))
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if units <= 70:
        return Segments("ucs2", units, 1)
    return Segments("ucs2", units, _packed((2 if c > "\uffff" else 1 for c in text), 67))


def cut(text: str, *, gsm: bool = True) -> list[str]:
    """The text as its segments: as many as `segments` counts, and together the same text.

    Without `gsm` as UCS-2, also what GSM's alphabet would hold: for who cannot be told in it.
    """
    gsm = gsm and _GSM.issuperset(text)
    one, several, wide = (160, 153, _EXTENSION) if gsm else (70, 67, None)
    parts = list(_cut(text, wide, one))
    return parts if len(parts) == 1 else list(_cut(text, wide, several))


def _cut(text: str, wide: frozenset[str] | None, room: int) -> Iterator[str]:
    """`wide` characters take two places; where it is None, those beyond the first plane do."""
    start, left = 0, room
    for at, character in enumerate(text):
        size = 2 if (character > "\uffff" if wide is None else character in wide) else 1
        if size > left:
            yield text[start:at]
            start, left = at, room
        left -= size
    yield text[start:]


def _packed(sizes: Iterable[int], room: int) -> int:
    count, left = 1, room
    for size in sizes:
        if size > left:
            count, left = count + 1, room
        left -= size
    return count
