"""A subscription, where a workspace's events are told: its address, when to try again, what answers mean."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from clarion.domain.channel import not_public
from clarion.domain.event import EventType
from clarion.errors import Invalid

MOST = 20  # of a workspace: each of them is told everything that it asked for
LONGEST_URL = 2_000

# Seconds from a try that failed to the next, as the guide of Standard Webhooks 1.0.0 recommends: ten tries
# in about three days, the first at once.
WAITS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.1  # of a wait is added at random, so that what failed together does not come back together
LONGEST_WAIT = 86_400.0  # also where the subscriber asks for more
FAILING_FOR = timedelta(days=5)  # without one success, and then it is paused


class Reaction(StrEnum):
    """What an answer asks of us."""

    TOLD = "told"
    AGAIN = "again"
    GONE = "gone"  # it wants to hear nothing any more


def reaction(status: int) -> Reaction:
    """A 2xx is told, a 410 is the end of the subscription, all else is tried again: also a redirect, which
    is not followed, since it may lead anywhere."""
    if 200 <= status < 300:
        return Reaction.TOLD
    return Reaction.GONE if status == 410 else Reaction.AGAIN


def wait(tries: int, rng: float, retry_after: float | None = None) -> float | None:
    """Seconds until the next try after `tries` have failed, `rng` in [0, 1); None when that was the last.

    `retry_after` is what the subscriber asked for; it may make a wait longer, never shorter.
    """
    if tries > len(WAITS):
        return None
    seconds = WAITS[max(tries, 1) - 1] * (1 + JITTER * rng)
    return min(max(seconds, retry_after or 0.0), max(seconds, LONGEST_WAIT))


def retry_after(given: str | None) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 10.2.3, the delay form)."""
    text = (given or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def check_url(url: str, *, allow_private: bool, where: str = "url") -> str:
    """The address, if it may be one. Raises Invalid.

    `allow_private` (a setting) lets it be loopback or private, and plain http. It is judged here by its
    spelling only; what the name leads to is checked at each connection (`kit.http`).
    """
    url = url.strip()
    if problem := _wrong(url) or (None if allow_private else _plain(url) or not_public(url)):
        raise Invalid(
            problem,
            where=where,
            hint="A subscriber has an https address that the whole internet could reach; in development set "
            "CLARION_ALLOW_PRIVATE_ADDRESSES=true.",
        )
    return url


def check_types(types: Collection[str], *, where: str = "types") -> list[EventType]:
    """What is subscribed to, in the order of the list of types. Raises Invalid."""
    wanted = set(types)
    known = {kind.value for kind in EventType if kind is not EventType.SUBSCRIPTION_TEST}
    if unknown := sorted(wanted - known):
        raise Invalid(
            f"there is no type of event {unknown[0][:80]!r}",
            where=where,
            hint="There are: " + ", ".join(kind for kind in EventType if kind in known) + ".",
        )
    if not wanted:
        raise Invalid("a subscription hears at least one type of event", where=where)
    return [kind for kind in EventType if kind in wanted]


def _wrong(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "not an address"
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return "write an address that begins with https://"
    if len(url) > LONGEST_URL or not url.isprintable() or any(c.isspace() or c == "\\" for c in url):
        return "not an address"
    if parts.username is not None or parts.password is not None:
        return "credentials do not belong into an address: what we tell is signed"
    return "an address without # is needed" if parts.fragment else None


def _plain(url: str) -> str | None:
    return None if urlsplit(url).scheme == "https" else "what we tell would travel unencrypted: use https"
