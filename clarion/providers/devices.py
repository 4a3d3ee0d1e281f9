"""What providers of push messages share: plain text as a notification, and what a device tells of one.

Push services take messages and tell nothing of them afterwards. So a message brings the address at which
whoever shows it, an app or a service worker, may say so: our hook, with our reference and the proof that we
gave it out (`calling.proof`). It adds what happened and calls it, by POST or by GET:

    <receipt>&state=delivered     when it is shown
    <receipt>&state=read          when somebody opens it

Who never calls loses nothing: the message stays accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clarion.domain.saying import LONGEST_TITLE
from clarion.errors import Problem
from clarion.providers.calling import called_back, proof, proves
from clarion.providers.contract import Account, Call, Content, Evidence, Push, Receipt, Text

LONGEST_LIFE = 2_419_200  # seconds, four weeks: the most of FCM, and of the large services of Web Push
HOOK_KEY = "a secret of ours: with it, devices may tell what became of a message"

_EVIDENCE = {"delivered": Evidence.DELIVERED, "read": Evidence.READ}


def notification(content: Content, options: Mapping[str, Any]) -> Push | None:
    """What is shown; None for content that no push service carries. Plain text is a body, under the
    channel's own `title` where it has one."""
    if isinstance(content, Text):
        return Push(str(options.get("title", "")), content.body)
    return content if isinstance(content, Push) else None


def receipt_address(account: Account, reference: str) -> str:
    """Where a device tells what became of a message; "" where our hook or its key is not set."""
    key = account.credentials.get("hook_key", "")
    if not account.hook or not key:
        return ""
    return called_back(account.hook, ref=reference, proof=proof(key, reference))


def life(lifetime: float | None, options: Mapping[str, Any]) -> int:
    """Seconds for which a push service keeps a message for a device that is away: until it is worth nothing
    any more, and never longer than the channel's `ttl` says."""
    most = min(int(options.get("ttl", LONGEST_LIFE)), LONGEST_LIFE)
    return most if lifetime is None else max(0, min(int(lifetime), most))


def told(account: Account, call: Call) -> bool:
    """Whether a call comes from where we sent a message: it knows the address that was in it."""
    return proves(account.credentials.get("hook_key", ""), call.query)


def read(call: Call) -> Sequence[Receipt]:
    """What a device tells. Raises ValueError for what no device of ours does."""
    query = dict(call.query)
    evidence = _EVIDENCE.get(query.get("state", ""))
    if evidence is None or "ref" not in query:
        raise ValueError("a device tells a ref, and a state that is delivered or read")
    return [Receipt(evidence, None, query["ref"])]


def problems(options: Mapping[str, Any], known: Sequence[str]) -> list[Problem]:
    """What is wrong with the options that all providers of push messages have, and those that none has."""
    found = [
        Problem(f"config.options.{name}", "there is no such option", "There are: " + ", ".join(known))
        for name in options
        if name not in known
    ]
    title = options.get("title", "")
    if not isinstance(title, str) or not (title.isprintable() and len(title) <= LONGEST_TITLE):
        what = f"a title is one line of at most {LONGEST_TITLE} characters"
        found.append(Problem("config.options.title", what))
    ttl = options.get("ttl", 0)
    if type(ttl) is not int or not 0 <= ttl <= LONGEST_LIFE:
        found.append(Problem("config.options.ttl", f"seconds from 0 to {LONGEST_LIFE:,} (four weeks)"))
    return found
