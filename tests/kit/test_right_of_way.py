"""Long work gives way to what somebody waits for, and neither keeps the other back for long."""

from __future__ import annotations

import asyncio

from clarion.kit.right_of_way import PATIENCE, RightOfWay


async def press(way: RightOfWay, told: list[str], seconds: float = 0.01) -> None:
    async with way.pressing():
        told.append("pressing")
        await asyncio.sleep(seconds)


async def piece(way: RightOfWay, told: list[str], name: str = "piece", seconds: float = 0.01) -> None:
    async with way.yielding():
        told.append(f"{name} begins")
        await asyncio.sleep(seconds)
        told.append(f"{name} ends")


async def test_where_nothing_presses_pieces_go_on_beside_each_other() -> None:
    way, told = RightOfWay(), list[str]()
    await asyncio.gather(piece(way, told), piece(way, told))
    assert told == ["piece begins", "piece begins", "piece ends", "piece ends"]


async def test_while_something_presses_there_is_one_piece_at_a_time_and_what_presses_comes_between() -> None:
    way, told = RightOfWay(), list[str]()
    await press(way, told)

    async def presses() -> None:
        for _ in range(2):
            await asyncio.sleep(0)
            await press(way, told)

    await asyncio.gather(piece(way, told, "one"), piece(way, told, "two"), presses())
    assert told == [
        "pressing", "one begins", "one ends", "pressing", "two begins", "two ends", "pressing",
    ]  # fmt: skip


async def test_several_may_press_at_once() -> None:
    way, told = RightOfWay(), list[str]()
    await asyncio.wait_for(asyncio.gather(*(press(way, told, 0.05) for _ in range(20))), 0.5)
    assert told == ["pressing"] * 20


async def test_what_presses_does_not_wait_for_ever_for_a_piece() -> None:
    way, told = RightOfWay(), list[str]()
    await press(way, told)
    long = asyncio.create_task(piece(way, told, "long", 60))
    await asyncio.sleep(0)
    await asyncio.wait_for(press(way, told), PATIENCE + 5)
    assert told == ["pressing", "long begins", "pressing"]
    long.cancel()


async def test_a_piece_does_not_wait_for_ever_for_what_presses() -> None:
    way, told = RightOfWay(), list[str]()
    long = asyncio.create_task(press(way, told, 60))
    await asyncio.sleep(0)
    await asyncio.wait_for(piece(way, told), PATIENCE + 5)
    assert told == ["pressing", "piece begins", "piece ends"]
    long.cancel()


async def test_a_piece_that_fails_keeps_nobody_back() -> None:
    way, told = RightOfWay(), list[str]()
    await press(way, told)
    try:
        async with way.yielding():
            raise ValueError("Amina's row is locked")
    except ValueError:
        told.append("failed")
    await asyncio.wait_for(press(way, told), PATIENCE / 2)
    assert told == ["pressing", "failed", "pressing"]
