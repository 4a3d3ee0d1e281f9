"""What the ledger's words mean, in sentences that people read: states, and reasons of not having sent."""

from __future__ import annotations

from collections.abc import Mapping

from clarion.domain.missing import path_of

STATES: Mapping[str, str] = {
    "scheduled": "waits for its moment",
    "ready": "is due and waits for its turn",
    "sending": "is being sent",
    "skipped": "was not sent",
    "cancelled": "was not sent: the announcement was cancelled before its turn came",
    "expired": "was not sent: its time ran out before its turn came",
    "failed": "could not be sent",
    "unknown": "may or may not have been sent: the provider never answered",
    "accepted": "was taken by the provider",
    "undelivered": "was taken by the provider and did not arrive",
    "delivered": "arrived",
    "read": "was read",
}

REASONS: Mapping[str, str] = {
    "duplicate_person": "the same person as another contact",
    "duplicate_address": "somebody else at the same address receives it",
    "opted_out": "asked for no more messages",
    "no_address": "has no address that this channel reaches",
    "invalid_number": "has no number that can be read",
    "erased": "was erased",
    "no_route": "no channel of the pool takes numbers like theirs",
    "quiet_hours": "it came at an hour at which they are not told",
    "minimum_gap": "it came too soon after another message to this person",
    "enough_today": "this person has heard enough of us on that day",
    "enough_this_week": "this person has heard enough of us in these seven days",
    "no_content": "nothing is said in this announcement for this kind of channel",
    "outside_window": "did not write within 24 hours, and nothing is said outside the service window",
    "empty_text": "nothing is left of the text for this person",
    "empty_subject": "the mail's subject is empty for this person",
    "address_gone": "the address leads nowhere any more",
    "empty_title": "the title is empty for this person",
    "empty_parameter": "a parameter of the template is empty for this person",
    "too_long": "the text is too long for this person",
    "template_failed": "the text cannot be made for this person",
    "expired": "its time ran out",
    "refused": "the provider refused it",
    "attempts_used_up": "every try was put off by the provider until none was left",
    "superseded": "the person said something else before it was told",
    "settled_not_sent": "somebody decided that it was not sent",
    "holiday": "it fell on a public holiday",
    "clock_change": "the clocks left its time out",
    "missed": "it came too late, or the next one was due as well",
    "paused": "it fell due while it was paused",
    "asked": "somebody said to leave this one out",
    "left": "was no longer in the audience",
    "taken_out": "was taken out of it",
    "moved": "the date that it was counted from changed",
    "restarted": "began anew before it was sent",
    "no_match": "its case meets the criteria no more",
    "closed": "its case was closed",
    "replied": "they replied, or somebody who hears of the same case did",
    "filtered": "is none of those whom the alert is for",
}

ENROLLED: Mapping[str, str] = {
    "active": "is in it",
    "paused": "is paused in it",
    "finished": "has heard all of it",
    "stopped": "is not in it any more",
    "lapsed": "came too late for any of it",
}

STOPPED: Mapping[str, str] = {
    "left": "no longer in the audience",
    "opted_out": "asked for no more messages",
    "taken_out": "taken out by somebody",
    "no_match": "the case meets the criteria no more",
    "closed": "the case was closed",
    "replied": "they replied, or somebody who hears of the same case did",
    "no_start": "nothing says yet from when on",
}

OUT: Mapping[str, str] = {
    "existing": "the case met the criteria already when the alert was launched",
    "once": "the case began once already",
    "too_soon": "the case began too lately to begin again",
}
"""Why nobody hears of a case that meets the criteria of an alert."""


def gone(provider: str, code: str | None) -> str:
    """What an address that leads nowhere any more was called by its provider."""
    return f"{provider} says {code}" if code else f"{provider} says so"


def why(reason: str | None) -> str:
    """A reason as part of a sentence; a provider's own code as it is, "" for none."""
    if reason is None:
        return ""
    if (path := path_of(reason)) is not None:
        return f"{path} is missing"
    return REASONS.get(reason, f"code {reason} of the provider")
