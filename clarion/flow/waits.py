"""What messages wait for beyond their turn, in words: a pause, a provider that is down, a limit used up."""

from __future__ import annotations

from typing import Any

from clarion.kit.db import Row


def of_channel(channel: Row) -> str:
    """What keeps a channel (`store.channel.get`) from sending now; nothing where it sends."""
    if channel["state"] == "paused":
        return f"channel {channel['name']} is paused: {channel['reason']}"
    sight = channel["sight"]
    if not sight:
        return ""
    if sight["health"] == "down":
        return f"channel {channel['name']} is down: {sight['why']}"
    return used_up(sight)


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
