"""What a person should know of a rehearsal before anything is launched: what goes wrong first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from clarion.domain.caps import told
from clarion.domain.wording import why
from clarion.flow.rehearse.outcome import Outcome, OverChannel
from clarion.flow.rehearse.scene import Carrier, Scene

LONG = 600.0  # seconds for a channel: who waits longer is told of
MOST = 5  # of the same kind are told one by one


def warnings(scene: Scene, outcome: Outcome, apart: Mapping[str, int], *, coarse: int) -> list[str]:
    """In sentences, the gravest first; an empty list where all goes as it is meant."""
    where = ZoneInfo(scene.home)
    found: list[str] = []
    for channel in outcome.channels:
        found += _of_channel(channel, scene.carriers[channel.channel_id], where)
    found += [
        f"{_messages(many)}{'' if outcome.exact else ' (about)'} cannot be said: {why(reason)}."
        for reason, many in outcome.unsayable.most_common()
    ]
    if count := apart.get("no_start"):
        found.append(f"For {_people(count)} nothing says from when on: they wait for their date.")
    if scene.cap is not None:
        found.append(
            f"One person hears at most {told(scene.cap)}. What that holds is reckoned by this campaign "
            "alone: what else they hear is not known beforehand."
        )
    if coarse > 1:
        found.append(f"There are so many moments that they are counted by {coarse // 60} minutes.")
    return found


def _of_channel(channel: OverChannel, carrier: Carrier, where: ZoneInfo) -> list[str]:
    found, name = [], channel.name
    if carrier.paused is not None:
        found.append(f"{name} is paused ({carrier.paused}): nothing goes over it until it is resumed.")
    found += _unfit(channel, where)
    if channel.expire:
        found.append(f"{_messages(channel.expire)} over {name} expire before their turn comes.")
    if channel.quiet:
        found.append(f"{_messages(channel.quiet)} over {name} come outside the hours and are not sent.")
    if channel.longest_wait > LONG and channel.longest_due is not None:
        found.append(
            f"What is due {_when(channel.longest_due, where)} waits for {name} for up to "
            f"{span(channel.longest_wait)}: it carries {channel.rate:g} {channel.counts}s a second."
        )
    if carrier.limits.capacity is not None:
        found.append(
            f"{name} may have {carrier.limits.capacity:,} outstanding at once. How soon receipts make room "
            "is not known beforehand, so it may take longer."
        )
    return found


def _unfit(channel: OverChannel, where: ZoneInfo) -> list[str]:
    found = [
        f"This does not fit before quiet hours: {_messages(one.messages)} over {channel.name} are left when "
        f"the hours end, {_when(one.closes, where)}."
        for one in channel.unfit[:MOST]
    ]
    if more := sum(one.messages for one in channel.unfit[MOST:]):
        found.append(f"The same {len(channel.unfit) - MOST} more times: {_messages(more)}.")
    return found


def span(seconds: float) -> str:
    """So long, in its two largest units."""
    left = int(seconds)
    if left < 60:
        return f"{left} s"
    if left < 3_600:
        return f"{left // 60} min {left % 60} s"
    if left < 86_400:
        return f"{left // 3_600} h {left % 3_600 // 60} min"
    return f"{left // 86_400} d {left % 86_400 // 3_600} h"


def _messages(many: int) -> str:
    return f"{many:,} message" + ("" if many == 1 else "s")


def _people(many: int) -> str:
    return "1 person" if many == 1 else f"{many:,} people"


def _when(moment: datetime, where: ZoneInfo) -> str:
    return f"{moment.astimezone(where):%a %Y-%m-%d %H:%M}"
