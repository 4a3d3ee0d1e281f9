"""One request to a subscriber, signed, and what its answer means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import random
from uuid import UUID

from yarl import URL

from clarion.domain.subscription import Reaction, reaction, retry_after, wait
from clarion.kit.http import AGENT, Http, NeverSent, Unanswered
from clarion.kit.standard_webhooks import signed
from clarion.store.telling import Taken, Told

CONNECT, TOTAL = 5.0, 20.0  # seconds; the standard advises 15 to 30 for the whole


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Where to tell, and the secrets to sign with, the present one first. Its `repr` is in no log."""

    id: UUID
    name: str
    url: str
    secrets: Sequence[str]


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one request: how the event goes on, and what the answer asks of us."""

    told: Told
    reaction: Reaction


async def call(http: Http, subscriber: Subscriber, one: Taken, body: bytes, now: datetime) -> Heard:
    """Tell one event once. No redirect is followed; whether it may go to a private address is `http`'s
    to say. Of an answer nothing but its status is kept."""
    headers = signed(subscriber.secrets, str(one.id), now, body)
    headers |= {"Content-Type": "application/json", "User-Agent": AGENT}
    later: float | None = None
    try:
        answer = await http.call(
            "POST",
            URL(subscriber.url),
            headers=headers,
            body=body,
            connect_timeout=CONNECT,
            total_timeout=TOTAL,
        )
    except (NeverSent, ValueError) as error:  # the latter: no address that the client understands
        words = error if isinstance(error, NeverSent) else "not an address"
        said, meant = f"not reached: {words}", Reaction.AGAIN
    except Unanswered as error:
        said, meant = f"no answer: {error}", Reaction.AGAIN
    else:
        said, meant = str(answer.status), reaction(answer.status)
        later = retry_after(answer.headers.get("Retry-After"))
    return Heard(_next(one, said, meant, later, now), meant)


def _next(one: Taken, said: str, meant: Reaction, later: float | None, now: datetime) -> Told:
    if meant is Reaction.TOLD:
        return Told(one.id, True, said)
    seconds = wait(one.tries + 1, random(), later)  # noqa: S311 -- spreads load, guards nothing
    if meant is Reaction.GONE:
        seconds = 0.0  # it waits for the day on which somebody resumes the subscription
    return Told(one.id, False, said, None if seconds is None else now + timedelta(seconds=seconds))
