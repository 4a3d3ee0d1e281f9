"""What messages wait for beyond their turn, in words: a pause, a provider that is down, a limit used up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from clarion.domain.caps import OF_CAPS
from clarion.domain.message import Skip
from clarion.domain.missing import path_of
from clarion.domain.outside import REASON
from clarion.kit.db import Row

FRESH = timedelta(seconds=30)  # an owner that has not told anything for so long is gone


def sight(channel: Row, now: datetime) -> dict[str, Any] | None:
    """What a channel's owner tells of it (`store.owner.Sight`), where there is one that lives."""
    told: dict[str, Any] | None = channel["sight"]
    if told is None or now - datetime.fromisoformat(told["at"]) > FRESH:
        return None
    return told


def of_channel(channel: Row, now: datetime) -> str:
    """What keeps a channel (`store.channel.get`) from sending now; nothing where it sends."""
    if channel["state"] == "paused":
        return f"channel {channel['name']} is paused: {channel['reason']}"
    told = sight(channel, now)
    if told is None:
        return ""
    if told["health"] == "down":
        return f"channel {channel['name']} is down: {told['why']}"
    return used_up(told)


def of_people(reasons: Mapping[str, Mapping[str, int]]) -> str:
    """Whom a campaign waits for, by its reasons of each word (`progress`)."""
    held = reasons.get("scheduled", {})
    told = [
        f"{n:,} until {until}"
        for until, n in (
            ("their person writes (the service window)", held.get(REASON, 0)),
            ("a value that their text shows is there", sum(n for why, n in held.items() if path_of(why))),
            ("an hour at which they are told", held.get(Skip.QUIET_HOURS.value, 0)),
            ("their person has heard less (the caps)", sum(held.get(one.value, 0) for one in OF_CAPS)),
        )
        if n
    ]
    return "waits: " + ", ".join(told) if told else ""


def used_up(sight: dict[str, Any]) -> str:
    """Which limits of a channel are used up, by what its owner tells (`store.owner.Sight`)."""
    told = []
    if sight["waits_for"] == "capacity":
        told.append(f"{sight['outstanding']} of {sight['capacity'] or 'the account'} are outstanding")
    elif sight["waits_for"] == "daily":
        told.append("the day's limit is used up")
    if sight["aside"]:
        told.append(f"{sight['aside']} wait for a limit of their own")
    return "waits: " + ", ".join(told) if told else ""
