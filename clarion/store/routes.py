"""Routes: which lane of a run over a pool each person's message goes to (docs/decisions/routing.md).

Of the channels that fit a person it is the contact's own; else the one that the address last wrote to; else
those with the longest prefix of the address, and among these the one that the address draws: each draws
weight / -ln(u), u between 0 and 1 from a hash of the address's consent key and the channel, and the highest
wins (weighted rendezvous hashing). So an address hears from the same channel as long as the pool is the same,
however often and in whatever order it is asked; and who moves when a channel comes moves to that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Route:
    """A channel of a pool, and the lane on it. `aside`: only where no other fits (its channel is paused,
    and the pool skips those)."""

    lane_id: UUID
    channel_id: UUID
    prefixes: tuple[str, ...]
    weight: int
    aside: bool = False


def params(routes: Sequence[Route]) -> dict[str, Any]:
    """The values of a statement with `ROUTES`."""
    flat = [(route, prefix) for route in routes for prefix in route.prefixes or ("",)]
    return {
        "route_lanes": [route.lane_id for route, _ in flat],
        "route_channels": [route.channel_id for route, _ in flat],
        "route_prefixes": [prefix for _, prefix in flat],
        "route_weights": [float(route.weight) for route, _ in flat],
        "route_asides": [route.aside for route, _ in flat],
    }


# One row for each prefix of each channel.
ROUTES: LiteralString = """routes AS MATERIALIZED (
  SELECT n.*, uuid_send(n.channel_id) AS salt FROM unnest(%(route_lanes)s::uuid[],
    %(route_channels)s::uuid[], %(route_prefixes)s::text[], %(route_weights)s::float8[],
    %(route_asides)s::boolean[]) AS n(lane_id, channel_id, prefix, weight, aside)
)"""

# The 52 bits are as many as a float8 holds, with the half that keeps u from 0 and 1.
_DRAW: LiteralString = """n.weight / -ln((('x' || left(encode(sha256(a.consent_key || n.salt), 'hex'), 13)
      )::bit(52)::bigint::float8 + 0.5) / 4503599627370496::float8)"""


def chosen(own: LiteralString) -> LiteralString:
    """The query of the one lane of an address `a` whose contact's own channel is `own`; no row where no
    channel fits."""
    return f"""SELECT n.lane_id, n.channel_id FROM routes n
    WHERE n.channel_id = {own} OR n.channel_id = a.last_channel_id OR starts_with(a.value, n.prefix)
    ORDER BY n.aside, n.channel_id IS DISTINCT FROM {own},
      n.channel_id IS DISTINCT FROM a.last_channel_id, length(n.prefix) DESC,
      {_DRAW} DESC, n.channel_id LIMIT 1"""
