"""What was sent before this owner came, as far as the limits still count it.

Nobody tells the moment at which a byte left: a try's intent is before it and its end after it. For the
limits the later one counts, and where machines' clocks may differ, later still: what is remembered may
only be too strict, by seconds, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from uuid import UUID

from clarion.domain.limits import DAY, Limiter, Limits
from clarion.flow.compose import WINDOW
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.broker import Broker, Out
from clarion.flow.dispatch.shared import Shared
from clarion.kit.ids import made_at
from clarion.store import recent
from clarion.store.recent import Recent

A_WHILE = 1000  # tries
Brokers = Mapping[UUID, tuple[Channel, Broker]]


async def remember(
    shared: Shared, brokers: Brokers, account: Limiter | None = None, others: Sequence[UUID] = ()
) -> int:
    """Tell new brokers of channels of one account what left before; how many tries.

    `account`: the limiter that they share, where it does not know yet; then `others` are the account's
    further channels, which it counts too.
    """
    now, ticks = shared.clock.now(), shared.clock.monotonic()
    slack = timedelta(seconds=2 * shared.clock_tolerance)
    some = [channel for channel, _ in brokers.values()]
    kept = [(channel, broker.limiters[0].limits) for channel, broker in brokers.values()]
    kept += [(channel, account.limits) for channel in some if account is not None]
    span = max(_span(limits, channel, now) for channel, limits in kept)
    patience = timedelta(seconds=max(channel.config.total_timeout for channel in some))
    found: list[tuple[datetime, UUID, Recent]] = []
    async with shared.db.tenant(some[0].workspace_id) as connection:
        async for page in recent.since(connection, [*brokers, *others], now - span - slack - patience):
            found += [(min(now, (one.ended_at or now) + slack), one.id, one) for one in page]
    found.sort()  # evidence may have come long after, and in any order
    for nth, (left, _, one) in enumerate(found):
        if nth % A_WHILE == 0:
            await asyncio.sleep(0)  # a day may hold very many, and other accounts beat meanwhile
        last = ticks - (now - left).total_seconds()
        channel, broker = brokers.get(one.channel_id, (some[0], None))
        out = one.out and broker is not None and broker.limited
        counting = [account] if account is not None else []
        counting += [] if broker is None else [broker.limiters[0]]
        for limiter in counting:
            day = left.astimezone(channel.zone).date()
            limiter.remember(
                one.consent_key or one.id, one.units, last, day, over=not out, inside=_inside(one)
            )
        if broker is not None and out:
            broker.out[one.id] = Out(one.cohort, one.units, last, last)
    return len(found)


def _inside(one: Recent) -> bool:
    """Whether it went within the service window that was opened last; an earlier one is known no longer, and
    then it counts."""
    return one.window_at is not None and one.window_at <= made_at(one.id) < one.window_at + WINDOW


async def remember_one(shared: Shared, channel: Channel, broker: Broker) -> int:
    """The same of one channel, for its own limits alone; what is outstanding counts for its account too."""
    found = await remember(shared, {channel.id: (channel, broker)})
    for account in broker.limiters[1:]:
        account.hold(sum(out.units for out in broker.out.values()))
    return found


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
