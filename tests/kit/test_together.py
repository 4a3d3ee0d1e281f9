"""Whoever asks while others are served is served with those who wait, by what begins after they asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from clarion.kit.together import Together


class Baker:
    """Serves whoever waits, when the test lets it; writes down whom it served together."""

    def __init__(self) -> None:
        self.served: list[list[str]] = []
        self.oven = asyncio.Event()

    async def serve(self, some: Sequence[str]) -> list[str]:
        self.served.append(list(some))
        await self.oven.wait()
        if "stone" in some:
            raise ValueError("no bread")
        return [f"bread for {one}" for one in some]


async def asked(together: Together[str, str, str], baker: Baker, *names: str) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(together.ask("bread", name, baker.serve)) for name in names]
    await asyncio.sleep(0.01)
    return tasks


async def test_who_asks_meanwhile_is_served_by_the_next_time_together() -> None:
    together, baker = Together[str, str, str](), Baker()
    first = await asked(together, baker, "Amina")
    rest = await asked(together, baker, "Abebe", "Rosa")
    baker.oven.set()
    assert await asyncio.gather(*first, *rest) == ["bread for Amina", "bread for Abebe", "bread for Rosa"]
    assert baker.served == [["Amina"], ["Abebe", "Rosa"]]


async def test_no_more_are_served_at_once_than_may_be() -> None:
    together, baker = Together[str, str, str](most=2), Baker()
    tasks = await asked(together, baker, "Amina", "Abebe", "Rosa", "John", "Selam")
    baker.oven.set()
    await asyncio.gather(*tasks)
    assert baker.served == [["Amina", "Abebe"], ["Rosa", "John"], ["Selam"]]


async def test_what_goes_wrong_is_heard_by_those_whom_it_served_and_nobody_else() -> None:
    together, baker = Together[str, str, str](), Baker()
    first = await asked(together, baker, "Amina", "stone")
    rest = await asked(together, baker, "Rosa")
    baker.oven.set()
    told = await asyncio.gather(*first, *rest, return_exceptions=True)
    assert [type(one) for one in told] == [ValueError, ValueError, str]


async def test_who_goes_away_keeps_nobody_from_being_served() -> None:
    together, baker = Together[str, str, str](), Baker()
    (amina,) = await asked(together, baker, "Amina")
    (abebe, rosa) = await asked(together, baker, "Abebe", "Rosa")
    amina.cancel()
    abebe.cancel()
    baker.oven.set()
    assert await rosa == "bread for Rosa"
    assert baker.served == [["Amina"], ["Abebe", "Rosa"]]


async def test_other_keys_are_served_beside_it() -> None:
    together, baker = Together[str, str, str](), Baker()
    await asked(together, baker, "Amina")
    cake = asyncio.create_task(together.ask("cake", "Rosa", baker.serve))
    await asyncio.sleep(0.01)
    assert baker.served == [["Amina"], ["Rosa"]]
    baker.oven.set()
    assert await cake == "bread for Rosa"


async def test_who_asks_in_the_moment_in_which_it_ends_is_served() -> None:
    together = Together[str, int, int]()

    async def serve(some: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        return [2 * one for one in some]

    async def customer(n: int) -> None:
        for times in range(12):
            assert await together.ask("bread", n, serve) == 2 * n
            for _ in range(times):
                await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*map(customer, range(3))), 5)


async def test_when_it_is_ended_from_outside_nobody_waits_for_ever() -> None:
    together, baker = Together[str, str, str](), Baker()
    tasks = await asked(together, baker, "Amina")
    tasks += await asked(together, baker, "Abebe")
    for task in together._serving.values():
        task.cancel()
    told = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [type(one) for one in told] == [asyncio.CancelledError] * 2
    baker.oven.set()
    (again,) = await asked(together, baker, "Amina")
    assert await again == "bread for Amina"


async def test_an_answer_too_few_is_an_error_and_not_silence() -> None:
    async def forgetful(some: Sequence[str]) -> list[str]:
        return []

    with pytest.raises(ValueError, match="zip"):
        await asyncio.wait_for(Together[str, str, str]().ask("bread", "Amina", forgetful), 5)
