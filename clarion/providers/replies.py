"""What a mail server's reply means, by where in the conversation it came and by its enhanced code.

RFC 5321 4.2 (the first digit: 4 come again, 5 do not), RFC 3463 and IANA's registry of enhanced codes (the
subject: .1 the address, .2 the mailbox, .3 the system, .4 the route, .5 the protocol, .6 the content, .7
policy). Whose fault a refusal is depends on what was asked: to be let in, to send in this name, to reach
this person, or to take this content.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from clarion.providers.contract import Answered, Fault, Told

_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})(?!\S)")
_PLACE = re.compile(r"\S+@\S+")
_SHORT, _LONG, _HOUR = 60.0, 300.0, 3600.0  # seconds until a 4xx is asked again (RFC 5321 4.5.4.1)
_LONGEST = 300


class Stage(StrEnum):
    """What the server had been told when it replied."""

    OPENING = "opening"  # the greeting, EHLO, STARTTLS, the login
    SENDER = "sender"  # MAIL FROM
    RECIPIENT = "recipient"  # RCPT TO
    CONTENT = "content"  # DATA, and the dot at its end


class _Means(NamedTuple):
    answered: Answered
    fault: Fault
    wait: float | None = None


_REFUSED = _Means(Answered.REFUSED, Fault.PERSON)
_ACCOUNT = _Means(Answered.LATER, Fault.ACCOUNT)
_CONTENT = _Means(Answered.LATER, Fault.CONTENT)

# Codes that mean the same wherever they come.
EXACT = {
    "5.3.4": _CONTENT,  # too large for the server
    "5.2.3": _CONTENT,  # too large for the mailbox
    "5.4.5": _Means(Answered.LATER, Fault.RATE, _HOUR),  # the day's quota, with those who have one
    "5.7.0": _ACCOUNT,  # log in first
    "5.7.8": _ACCOUNT,  # the login is not right
    "5.7.9": _ACCOUNT,  # that way of logging in is too weak
    "5.7.11": _ACCOUNT,  # encryption is required
    "5.7.20": _ACCOUNT,  # DKIM, SPF and the like (RFC 7372): the sender's domain is not set up
    "5.7.21": _ACCOUNT,
    "5.7.22": _ACCOUNT,
    "5.7.23": _ACCOUNT,
    "5.7.24": _ACCOUNT,
    "5.7.25": _ACCOUNT,
    "5.7.26": _ACCOUNT,
    "5.7.27": _ACCOUNT,
    "4.5.3": _Means(Answered.LATER, Fault.RATE),  # too many recipients
}


def told(stage: Stage, status: int, words: str, recipient: str = "") -> Told:
    """What a reply that takes nothing means; 2xx and 3xx are not asked here."""
    enhanced = _ENHANCED.match(words)
    code = enhanced[0].strip() if enhanced and enhanced[1] == str(status)[0] else ""
    if not 400 <= status < 600:
        unclear = Answered.UNKNOWN if stage is Stage.CONTENT else Answered.LATER
        return Told(unclear, fault=Fault.PROVIDER, code="unreadable")
    means = EXACT.get(code) or (
        _transient(stage, status, code, words) if status < 500 else _final(stage, status, code, words)
    )
    detail = shown(words[enhanced.end() :] if enhanced else words, recipient)
    return Told(means.answered, fault=means.fault, code=code or str(status), detail=detail,
                retry_after=means.wait)  # fmt: skip


def shown(words: str, recipient: str) -> str | None:
    """A server's words for people to read, without the recipient, whom servers like to repeat."""
    line = _PLACE.sub("…", " ".join(words.split()))
    for part in (recipient, recipient.rpartition("@")[0]):
        if part:
            line = re.sub(re.escape(part), "…", line, flags=re.IGNORECASE)
    return line[:_LONGEST] or None


def _transient(stage: Stage, status: int, code: str, words: str) -> _Means:
    if stage is Stage.RECIPIENT or "greylist" in words.lower() or "graylist" in words.lower():
        # of this person alone (a full mailbox, greylisting): the others need not wait
        return _Means(Answered.LATER, Fault.PROVIDER, _LONG)
    if stage is not Stage.OPENING and (code.startswith("4.7.") or (status == 421 and not code)):
        return _Means(Answered.LATER, Fault.RATE)
    if status == 421 and code.startswith("4.7."):
        return _Means(Answered.LATER, Fault.RATE)
    return _Means(Answered.LATER, Fault.PROVIDER, _SHORT)


def _final(stage: Stage, status: int, code: str, words: str) -> _Means:
    if stage is Stage.OPENING:
        return _ACCOUNT
    if status == 552 and not code:
        return _CONTENT
    if stage is Stage.SENDER:
        return _ACCOUNT
    if stage is Stage.RECIPIENT:
        # "relaying denied" has the same code as one person's own rules: only its words tell
        relay = "relay" in words.lower()
        return _ACCOUNT if status == 530 or relay else _REFUSED
    subject = code.split(".")[1] if code else ""
    return _REFUSED if subject in ("1", "2", "4") else _CONTENT
