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
_LONGEST = 60


def wish(text: str) -> Consent | None:
    """What a reply says about consent: " STOP! ", "Stop all", "un-subscribe" are out; None for any other."""
    if len(text) > _LONGEST:
        return None
    word = "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())
    if word in OUT_WORDS:
        return Consent.OUT
    return Consent.IN if word in IN_WORDS else None
