"""What was sent before this owner came, as far as the limits still count it.

Nobody tells the moment at which a byte left: a try's intent is before it and its end after it. For the
limits the later one counts, and where machines' clocks may differ, later still: what is remembered may
only be too strict, by seconds, once.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from clarion.domain.limits import DAY, Limits
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.broker import Broker, Out
from clarion.flow.dispatch.shared import Shared
from clarion.store import recent


async def remember(shared: Shared, channel: Channel, broker: Broker) -> int:
    """Tell a new owner's broker what left before; how many tries."""
    now, ticks = shared.clock.now(), shared.clock.monotonic()
    slack = timedelta(seconds=2 * shared.clock_tolerance)
    span = max(_span(limiter.limits, channel, now) for limiter in broker.limiters)
    begun = now - span - slack - timedelta(seconds=channel.config.total_timeout)
    async with shared.db.tenant(channel.workspace_id) as connection:
        found = await recent.since(connection, channel.id, begun)
    last = float("-inf")
    for one in found:
        left = min(now, (one.ended_at or now) + slack)
        last = max(last, ticks - (now - left).total_seconds())
        day = left.astimezone(channel.zone).date()
        out = one.out and broker.limited
        for limiter in broker.limiters:
            limiter.remember(one.consent_key or one.id, one.units, last, day, over=not out)
        if out:
            broker.out[one.id] = Out(one.cohort, one.units, last)
    return len(found)


def _span(limits: Limits, channel: Channel, now: datetime) -> timedelta:
    """How far back these limits look."""
    seconds = [max(1.0, 1.0 / limits.rate)]
    if limits.pair_interval is not None:
        seconds.append(limits.pair_interval * limits.pair_burst)
    if limits.capacity is not None:
        seconds.append(DAY if channel.can_look_up else channel.config.collect_after)
    if limits.uniques is not None:
        seconds.append(DAY)
    if limits.daily is not None:
        local = now.astimezone(channel.zone)
        midnight = datetime.combine(local.date(), time(), channel.zone)
        seconds.append((local - midnight).total_seconds())
    return timedelta(seconds=max(seconds))
