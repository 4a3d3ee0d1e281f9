"""Whose message goes over which channel of a pool: the rules in their order, and a draw that stays."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.kit.db import Database, rows
from clarion.store.routes import ROUTES, Route, chosen, params

HERE = UUID("0190c2d4-7e00-7000-8000-000000000000")
CHANNELS = [uuid5(HERE, str(n)) for n in range(6)]
PREFIXES = ("", "+2", "+25", "+254", "+2547", "+251", "+1")
NUMBERS = ("+254712000001", "+254733000002", "+251911000003", "+353850000004", "+12025550105", "NG.1349")


@dataclass(frozen=True)
class Somebody:
    """An address, with what is known of whose it is."""

    value: str
    key: bytes
    own: UUID | None = None
    last: UUID | None = None


async def choose(db: Database, people: Sequence[Somebody], routes: Sequence[Route]) -> list[UUID | None]:
    """As the statements of expansion and retry choose, for all of these at once."""
    async with db.system() as connection:
        found = await rows(
            connection,
            f"""WITH {ROUTES} SELECT r.channel_id FROM unnest(%(values)s::text[], %(keys)s::bytea[],
                  %(owns)s::uuid[], %(lasts)s::uuid[]) WITH ORDINALITY
                  AS a(value, consent_key, own, last_channel_id, n)
                LEFT JOIN LATERAL ({chosen("a.own")}) r ON true ORDER BY a.n""",
            {
                **params(routes), "values": [one.value for one in people],
                "keys": [one.key for one in people], "owns": [one.own for one in people],
                "lasts": [one.last for one in people],
            },
        )  # fmt: skip
    return [one["channel_id"] for one in found]


def model(one: Somebody, routes: Sequence[Route]) -> UUID | None:
    """The rules as they are written down, one person at a time."""
    fits: list[tuple[tuple[bool, int, int, float], UUID]] = []
    for route in routes:
        matching = [len(prefix) for prefix in route.prefixes or ("",) if one.value.startswith(prefix)]
        own, last = route.channel_id == one.own, route.channel_id == one.last
        if own or last or matching:
            longest = max(matching, default=-1)
            rank = 2 if own else 1 if last else 0
            order = (not route.aside, rank, longest, draw(one.key, route))
            fits.append((order, route.channel_id))
    return max(fits)[1] if fits else None


def draw(key: bytes, route: Route) -> float:
    bits = int(hashlib.sha256(key + route.channel_id.bytes).hexdigest()[:13], 16)
    return -route.weight / math.log((bits + 0.5) / 2**52)


def route(channel: UUID, *prefixes: str, weight: int = 1, aside: bool = False) -> Route:
    return Route(uuid5(channel, "lane"), channel, prefixes, weight, aside)


def crowd(many: int) -> list[Somebody]:
    return [Somebody(f"+2547{n:08}", hashlib.sha256(str(n).encode()).digest()) for n in range(many)]


somebody = st.builds(
    Somebody,
    value=st.sampled_from(NUMBERS),
    key=st.binary(min_size=32, max_size=32),
    own=st.none() | st.sampled_from(CHANNELS),
    last=st.none() | st.sampled_from(CHANNELS),
)
prefixes = st.lists(st.sampled_from(PREFIXES[1:]), max_size=3, unique=True).map(tuple)
pool = st.lists(
    st.builds(
        Route,
        lane_id=st.uuids(),
        channel_id=st.sampled_from(CHANNELS),
        prefixes=prefixes,
        weight=st.integers(1, 100),
        aside=st.booleans(),
    ),
    min_size=1,
    unique_by=lambda one: one.channel_id,
)


@settings(max_examples=200)
@given(people=st.lists(somebody, min_size=1, max_size=30), routes=pool)
async def test_the_statement_chooses_as_the_rules_say(
    db: Database, people: list[Somebody], routes: list[Route]
) -> None:
    assert await choose(db, people, routes) == [model(one, routes) for one in people]


async def test_the_own_channel_goes_before_the_last_one_and_both_before_prefixes(db: Database) -> None:
    nairobi, addis, rest = CHANNELS[:3]
    routes = [route(nairobi, "+254"), route(addis, "+251"), route(rest)]
    amina = Somebody("+254712000001", b"amina")
    known = [
        amina,
        replace(amina, last=addis),
        replace(amina, last=addis, own=rest),
        replace(amina, last=CHANNELS[4], own=CHANNELS[5]),  # of other pools
        replace(amina, value="+353850000001"),
    ]
    assert await choose(db, known, routes) == [nairobi, addis, rest, nairobi, rest]
    assert await choose(db, [replace(amina, value="+353850000001")], routes[:2]) == [None]


async def test_a_paused_channel_that_is_skipped_takes_only_whom_nobody_else_takes(db: Database) -> None:
    nairobi, rest = CHANNELS[:2]
    paused = route(nairobi, "+254", aside=True)
    amina = Somebody("+254712000001", b"amina", own=nairobi)
    assert await choose(db, [amina], [paused, route(rest)]) == [rest]
    assert await choose(db, [amina], [paused, route(rest, "+251")]) == [nairobi]


async def test_a_channel_that_comes_takes_its_share_and_moves_nobody_else(db: Database) -> None:
    people = crowd(10_000)
    three = [route(channel) for channel in CHANNELS[:3]]
    before = await choose(db, people, three)
    after = await choose(db, people, [*three, route(CHANNELS[3])])
    moved = [now for was, now in zip(before, after, strict=True) if was != now]
    assert set(moved) == {CHANNELS[3]}
    assert 0.22 < len(moved) / len(people) < 0.28, "a quarter"
    assert await choose(db, people, three[::-1]) == before, "whatever the order of the channels"


async def test_weights_are_kept_within_a_few_per_cent(db: Database) -> None:
    people = crowd(20_000)
    weights = dict(zip(CHANNELS, (1, 2, 3, 4), strict=False))
    found = await choose(db, people, [route(channel, weight=n) for channel, n in weights.items()])
    counted = Counter(found)
    for channel, weight in weights.items():
        assert abs(counted[channel] / len(people) - weight / 10) < 0.015
