"""The fault suite bites: with each of these mistakes it must find something wrong."""

from __future__ import annotations

import pytest

from tests.faults import mutants
from tests.faults.conftest import World, play_all
from tests.faults.outage import Outage
from tests.faults.story import Story, play

pytestmark = pytest.mark.timeout(900)
FAULTS = {"drop_after_accept": 0.15, "error_after_accept": 0.1, "answer_late": 0.1}


def _stories(count: int, **changes: object) -> list[Story]:
    plain: dict[str, object] = {
        "people": 60,
        "workers": 2,
        "rate": 300.0,
        "look_up": False,
        "faults": {},
        "crashes": (),
    }
    return [Story(seed=20_000 + n, **(plain | changes)) for n in range(count)]  # type: ignore[arg-type]


PROVOKED: dict[str, list[Story]] = {
    "intent committed after the call": _stories(12, crashes=("call.answered:20", "call.answered:5")),
    "time-out treated as a failure and retried": _stories(2, faults=FAULTS),
    "the HTTP client's own retry let back in": _stories(2, faults=FAULTS),
    "calls not marked before their first byte": _stories(12, crashes=("call.answered:5", "call.answered:9")),
    "a worker that loses the database dies with what it knew": _stories(
        6, rate=100.0, outage=Outage("immediate", 0.5, 0.5)
    ),
    # whether there is a receipt of what is unknown is by chance: one story of a few has one
    "receipts of what is unknown passed over": _stories(8, faults=FAULTS, receipts="normal"),
    "receipts answered before they are durable": _stories(
        4, rate=25.0, receipts="normal", outage=Outage("immediate", 0.6, 1.5), deaf_at_its_end=True
    ),
}


@pytest.mark.parametrize("mutant", sorted(mutants.MUTANTS))
def test_a_mistake_is_found(worlds: list[World], mutant: str) -> None:
    if PROVOKED[mutant][0].outage and worlds[0].house.embedded is None:
        pytest.skip("only the embedded server is stopped: nobody else's is")
    for pair in range(0, len(PROVOKED[mutant]), 2):
        told = play_all(worlds, PROVOKED[mutant][pair : pair + 2], mutant)
        for world in worlds:
            world.fresh()  # what the mistake left undone must not be finished in the next scene
        if any(wrong for _, wrong in told):
            return
    pytest.fail(f"nothing was found wrong with: {mutant}")


@pytest.mark.parametrize("mutant", sorted(mutants.MUTANTS))
def test_and_without_it_nothing_is_wrong(worlds: list[World], mutant: str) -> None:
    told = play_all(worlds, PROVOKED[mutant][:2])
    assert not [wrong for _, wrong in told if wrong], told


@pytest.mark.parametrize("dropped", [True, False])
def test_only_the_index_of_effective_attempts_keeps_a_row_that_is_queued_twice_from_being_sent_twice(
    worlds: list[World], dropped: bool
) -> None:
    """Somebody pressed retry twice: half of the queue is there a second time. One person's message is due
    later than the others', because the end of the run takes second rows away too."""
    story = _stories(1, workers=1)[0]
    world = worlds[0]
    scene = world.scene(story)
    if dropped:
        scene.alter(mutants.DROPPED_INDEX)
    scene.echo()
    scene.alter(
        """UPDATE queue SET due_at = due_at + interval '10 s'
           WHERE ctid = (SELECT ctid FROM queue ORDER BY due_at, message_id LIMIT 1)"""
    )
    assert any("two effective" in wrong for wrong in play(story, scene)) is dropped
    world.fresh()
