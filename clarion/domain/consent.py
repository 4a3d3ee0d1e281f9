"""Consent by reply: the words with which a person stops messages, or asks for them again.

The words to stop are those that carriers and gateways agree on; a word counts only when it is the whole
message, so that "please don't stop" stops nothing. Case, spaces and punctuation do not count.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum


class Consent(StrEnum):
    """What a person wishes: `out` no more messages, `in` messages again."""

    OUT = "out"
    IN = "in"


OUT_WORDS = frozenset(("stop", "stopall", "unsubscribe", "cancel", "end", "quit"))
IN_WORDS = frozenset(("start", "unstop", "subscribe"))
_OUT_CELLS = OUT_WORDS | {"out", "optout", "optedout", "no", "n", "false", "0", "withdrawn", "unsubscribed"}
_IN_CELLS = IN_WORDS | {"in", "optin", "optedin", "yes", "y", "true", "1", "given", "subscribed"}
_LONGEST = 60


def wish(text: str) -> Consent | None:
    """What a reply says about consent: " STOP! ", "Stop all", "un-subscribe" are out; None for any other."""
    if len(text) > _LONGEST:
        return None
    word = _folded(text)
    if word in OUT_WORDS:
        return Consent.OUT
    return Consent.IN if word in IN_WORDS else None


def opted_out(cell: str) -> bool | str:
    """What a list's column "consent" says: True for "out" or "no", False for "in" or "yes"; any other text
    is given back as it is, for whoever decides what to make of it."""
    word = _folded(cell[:_LONGEST])
    if word in _OUT_CELLS:
        return True
    return False if word in _IN_CELLS else cell


def _folded(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())
