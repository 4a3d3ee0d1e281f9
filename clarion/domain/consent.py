"""Consent: whether an address may be sent to, and how a word is compared with those that say so.

Which words there are, by language and workspace, is in `domain.consent_words`.
"""

from __future__ import annotations

import unicodedata

_OUT = ("stop", "stopall", "unsubscribe", "cancel", "end", "quit")
_IN = ("start", "unstop", "subscribe")
_OUT_CELLS = {*_OUT, "out", "optout", "optedout", "no", "n", "false", "0", "withdrawn", "unsubscribed"}
_IN_CELLS = {*_IN, "in", "optin", "optedin", "yes", "y", "true", "1", "given", "subscribed"}
LONGEST = 60  # characters of a message that may still be such a word


def opted_out(cell: str) -> bool | str:
    """What a list's column "consent" says: True for "out" or "no", False for "in" or "yes"; any other text
    is given back as it is, for whoever decides what to make of it."""
    word = folded(cell[:LONGEST])
    if word in _OUT_CELLS:
        return True
    return False if word in _IN_CELLS else cell


def folded(text: str) -> str:
    """A word as it is compared: case, spaces, punctuation and symbols do not count ("Stop-all!"), nor do
    accents ("arrêt"), Arabic's vowel signs, hamza seats and stretching ("إلغـاء"), and Amharic's letters
    that sound alike are one ("ዐቁም"). Signs that make another word of it stay: Hindi's vowels do."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_ALIKE)
    return "".join(c for c in unicodedata.normalize("NFKD", plain) if c.isalnum() or _counts(c))


def _counts(mark: str) -> bool:
    """Whether a mark is part of the word: accents (U+0300 and on) and Arabic's signs are not."""
    if not unicodedata.category(mark).startswith("M"):
        return False
    at = ord(mark)
    return not any(first <= at <= last for first, last in _SILENT_MARKS)


_SILENT_MARKS = ((0x0300, 0x036F), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06ED))
# Ethiopic rows that are said alike in Amharic, each as the one that is written most.
_ROWS = ((0x1210, 0x1200), (0x1280, 0x1200), (0x1220, 0x1230), (0x12D0, 0x12A0), (0x1340, 0x1338))
_ALIKE = {
    **{there + n: here + n for there, here in _ROWS for n in range(7)},
    ord("\u0640"): None,
    ord("\u0649"): "\u064a",
    ord("\u06cc"): "\u064a",
    ord("\u0629"): "\u0647",
    ord("\u06a9"): "\u0643",
}
