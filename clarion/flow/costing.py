"""What an announcement would take and cost: segments of SMS, and money by the channels' price tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from clarion.domain.campaign import Announcement
from clarion.domain.channel import read_config
from clarion.domain.price import Prices
from clarion.flow.route import Way
from clarion.kit.db import Connection
from clarion.store import channel as channels
from clarion.store import sample
from clarion.store.expansion import Meant

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Segments:
    """SMS that texts take: by message on average and at most, estimated for all from the sample."""

    each: float
    most: int
    total: int


@dataclass(frozen=True, slots=True)
class Cost:
    """In one currency, by the sample's average; `unpriced` are messages for which the table has no price."""

    currency: str
    amount: Decimal
    unpriced: int


Taken = Mapping[UUID, Sequence[int]]
"""By channel of the sample, the segments of each text."""


def segments(taken: Taken, reachable: int) -> Segments | None:
    """Of everything that goes as SMS; None where nothing does."""
    counts = [count for some in taken.values() for count in some]
    if not counts:
        return None
    each = sum(counts) / len(counts)
    return Segments(round(each, 2), max(counts), round(each * reachable))


async def costs(
    connection: Connection, over: Way, definition: Announcement, meant: Meant, taken: Taken
) -> list[Cost]:
    """By currency, of the channels that have a price table. None of them: an empty list."""
    priced = await tables(connection, over)
    if not priced:
        return []
    found = await sample.by_prefix(
        connection, meant, over.schemes, {id: list(table.by_prefix) for id, table in priced.items()},
        once_an_address=definition.one_per == "address", lead=over.lead, routes=over.routes(definition),
    )  # fmt: skip
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    unpriced: dict[str, int] = defaultdict(int)
    for one in found:
        if (table := priced.get(one["channel_id"])) is None:
            continue
        price = table.price(one["prefix"] or "")
        some = taken.get(one["channel_id"]) or [1]
        amounts[table.currency] += one["messages"] * (price or 0) * Decimal(sum(some)) / len(some)
        unpriced[table.currency] += one["messages"] if price is None else 0
    return [Cost(currency, amounts[currency].quantize(CENT), unpriced[currency]) for currency in amounts]


async def tables(connection: Connection, over: Way) -> dict[UUID, Prices]:
    """The price tables there are, by channel. A configuration that cannot be read is told where it is used;
    here it has no prices."""
    found: dict[UUID, Prices] = {}
    for id in over.ids:
        config = (await channels.get(connection, id))["config"]
        if config.get("prices") is not None:
            prices = read_config({"prices": config["prices"]}, allow_private=True).prices
            assert prices is not None
            found[id] = prices
    return found
